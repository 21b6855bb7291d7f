import math
from collections import Counter

import numpy as np
import pytest
from typer.testing import CliRunner

from asr import audio
from asr.cli import build_app
from asr.corpus.join import MOST_IN_A_ROW, join
from asr.errors import ManifestError
from asr.inputs import load_input
from asr.manifest import Utterance, read_manifest, write_manifest


@pytest.fixture
def utterances(write_audio) -> list[Utterance]:
    """Twenty of two speakers and of nobody who is known, of half a second to a second and a half."""
    lengths = np.linspace(0.5, 1.5, 20).tolist()
    paths = [write_audio(f"{place}.wav", seconds) for place, seconds in enumerate(lengths)]
    return [
        Utterance(str(path), audio.duration(path), f"word{place}", speaker=("a", "b", None)[place % 3])
        for place, path in enumerate(paths)
    ]


def test_every_utterance_is_heard_once_and_where_its_text_is(tmp_path, utterances):
    by_text = {one.text: load_input(one, 16000, 0) for one in utterances}
    joined = join(utterances, tmp_path / "joined", (1.0, 5.0))
    assert Counter(" ".join(one.text for one in joined).split()) == Counter(by_text.keys())
    for one in joined:
        expected = np.concatenate([by_text[word] for word in one.text.split()])
        heard = audio.load(one.audio_filepath, 16000)
        assert one.duration == pytest.approx(len(heard) / 16000)
        np.testing.assert_allclose(heard, expected, atol=2 / 32768)
    assert all(1.0 <= one.duration <= 5.0 + 1.5 for one in joined[:-1])


def test_a_segment_is_joined_as_the_part_that_it_is(tmp_path, write_audio):
    path = write_audio("long.wav", 3.0)
    segments = [Utterance(str(path), 0.5, word, offset=start) for word, start in (("one", 0.5), ("two", 2.0))]
    (joined,) = join(segments, tmp_path, (60.0, 60.0))
    assert joined.duration == pytest.approx(1.0)


def test_speakers_take_turns_of_a_few_utterances(tmp_path, write_audio):
    path = str(write_audio("a.wav", 0.1))
    said = [Utterance(path, 0.1, str(place), speaker=f"s{place % 10}") for place in range(100)]
    (joined,) = join(said, tmp_path, (60.0, 60.0))
    speakers = [int(word) % 10 for word in joined.text.split()]
    assert joined.speaker is None
    changes = np.flatnonzero(np.diff(speakers)) + 1
    lengths = np.diff(np.concatenate([[0], changes, [100]]))
    # Rows of one speaker may meet by chance.
    assert np.median(lengths) <= MOST_IN_A_ROW
    assert 1.5 < lengths.mean() < MOST_IN_A_ROW


def test_the_seed_decides(tmp_path, utterances):
    texts = [
        [one.text for one in join(utterances, tmp_path / str(place), (1.0, 5.0), seed=seed)]
        for place, seed in enumerate((1, 1, 2))
    ]
    assert texts[0] == texts[1] != texts[2]


def test_what_cannot_be_joined_is_refused(tmp_path, utterances):
    with pytest.raises(ManifestError, match=r"60 to 2 s; the shortest"):
        join(utterances, tmp_path, (60.0, 2.0))
    with pytest.raises(ManifestError, match=r"a\.mfc: has features and no audio"):
        join([Utterance(None, 1.0, "text", features_filepath="a.mfc")], tmp_path, (2.0, 60.0))
    with pytest.raises(ManifestError, match="inf s; the shortest"):
        join(utterances, tmp_path, (1.0, math.inf))
    recording = tmp_path / "00000.flac"
    recording.write_bytes(b"mine")
    with pytest.raises(ManifestError, match=r"00000\.flac: is to be joined"):
        join([*utterances, Utterance(str(recording), 1.0, "text")], tmp_path, (1.0, 5.0))
    assert recording.read_bytes() == b"mine"
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ManifestError, match=r"taken.*cannot be written"):
        join(utterances, tmp_path / "taken", (1.0, 5.0))


def test_the_command_writes_a_manifest_and_the_audio_beside_it(tmp_path, utterances):
    write_manifest(tmp_path / "train.jsonl", utterances)
    path = tmp_path / "new" / "joined.jsonl"
    done = CliRunner().invoke(
        build_app(), ["data", "join", str(tmp_path / "train.jsonl"), "-o", str(path), "--seconds", "3", "6"]
    )
    assert (done.exit_code, done.stdout.strip()) == (0, str(path))
    for existing, force in ((path, []), (tmp_path / "train.jsonl", ["--force"])):
        again = ["data", "join", str(tmp_path / "train.jsonl"), "-o", str(existing), *force]
        assert "there already" in str(CliRunner().invoke(build_app(), again).exception)
    (tmp_path / "mine").mkdir()
    for force in ([], ["--force"]):
        over = ["data", "join", str(tmp_path / "train.jsonl"), "-o", str(tmp_path / "mine.jsonl"), *force]
        assert "mine: there already" in str(CliRunner().invoke(build_app(), over).exception)
    assert len(read_manifest(tmp_path / "train.jsonl")) == 20
    unnamed = CliRunner().invoke(build_app(), ["data", "join", str(path), "-o", str(tmp_path / "unnamed")])
    assert (unnamed.exit_code, (tmp_path / "unnamed").exists()) == (2, False)
    joined = read_manifest(path)
    assert {one.audio_filepath for one in joined} == {str(one) for one in (tmp_path / "new/joined").iterdir()}
    assert sum(one.duration for one in joined) == pytest.approx(
        sum(one.duration for one in utterances), abs=0.01
    )
