import runpy
from pathlib import Path

import pytest
import soundfile
from conftest import tones

from asr.errors import ManifestError
from asr.manifest import read_manifest

recipe = runpy.run_path(str(Path(__file__).parents[1] / "recipes" / "speechocean762" / "prepare.py"))
SPEAKERS = {"train": {"0001": 6, "0048": 6, "0036": 33, "9624": 20}, "test": {"0003": 15, "0004": 19}}


@pytest.fixture
def corpus(tmp_path) -> Path:
    """Two utterances a speaker in the corpus's own layout, as opus where it says wav."""
    root = tmp_path / "speechocean762"
    for half, ages in SPEAKERS.items():
        names = [(f"{speaker}{number}", speaker) for speaker in ages for number in (1, 2)]
        write_table(root / half / "wav.scp", [(n, f"WAVE/SPEAKER{s}/{n}.WAV") for n, s in names])
        write_table(root / half / "text", [(name, "MARK IS GOING") for name, _ in names])
        write_table(root / half / "utt2spk", names)
        write_table(root / half / "spk2age", list(ages.items()))
        write_table(root / half / "spk2gender", [(speaker, "f") for speaker in ages])
        for name, speaker in names:
            folder = root / "WAVE" / f"SPEAKER{speaker}"
            folder.mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / f"{name}.opus", tones(0.2), 16000, format="OGG", subtype="OPUS")
    return root


def write_table(path: Path, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key}\t{value}\n" for key, value in rows))


def test_sets_share_no_speaker_and_children_are_told_from_adults(corpus, tmp_path):
    paths = recipe["prepare"](corpus, tmp_path / "data")
    speakers = {name: sorted({u.speaker for u in read_manifest(path)}) for name, path in paths.items()}
    assert speakers == {
        "train": ["0001", "0036"],
        "dev": ["0048", "9624"],
        "test": ["0003", "0004"],
        "test-children": ["0003"],
        "test-adults": ["0004"],
    }
    first = read_manifest(paths["test"])[0]
    assert (first.text, first.extra) == ("mark is going", {"age": 15, "gender": "f"})
    assert (tmp_path / "data" / "train.txt").read_text() == "mark is going\n" * 4


def test_a_lost_recording_and_a_lost_table_are_named(corpus, tmp_path):
    (corpus / "test" / "spk2age").rename(corpus / "ages")
    with pytest.raises(ManifestError, match=r"spk2age: no table of speakers .*openslr.org/101"):
        recipe["prepare"](corpus, tmp_path / "data")
    (corpus / "ages").rename(corpus / "test" / "spk2age")
    (corpus / "WAVE" / "SPEAKER0003" / "00031.opus").unlink()
    with pytest.raises(ManifestError, match=r"utterance 00031: .*00031.WAV is missing"):
        recipe["prepare"](corpus, tmp_path / "data")


def test_the_real_corpus(corpora, tmp_path):
    paths = recipe["prepare"](corpora / "speechocean762", tmp_path)
    sizes = {name: len(read_manifest(path)) for name, path in paths.items()}
    assert sizes == {
        "train": 2220,
        "dev": 280,
        "test": 2500,
        "test-children": 1280,
        "test-adults": 1220,
    }
