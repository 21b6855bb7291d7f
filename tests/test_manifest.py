import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ManifestError
from asr.manifest import Utterance, read_lines, read_manifest, write_manifest

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def write_lines(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_write_then_read_gives_the_same_utterances(tmp_path):
    utterances = [
        Utterance(str(tmp_path / "clips" / "a.wav"), 1.25, "seven two", speaker="theo"),
        Utterance(str(tmp_path / "b.wav"), 2.0, "", offset=3.5, extra={"accent": "north", "n": [1, 2]}),
        Utterance(None, 0.5, "Я", features_filepath="/elsewhere/c.mfc"),
    ]
    write_manifest(tmp_path / "train.jsonl", utterances)
    assert read_manifest(tmp_path / "train.jsonl") == utterances


@given(text=TEXTS, speaker=TEXTS | st.none(), value=TEXTS)
def test_any_text_survives_even_with_line_separators(tmp_path_factory, text, speaker, value):
    path = tmp_path_factory.mktemp("any") / "m.jsonl"
    utterance = Utterance("/a.wav", 1.0, text + "\u2028\x85" + text, speaker=speaker, extra={"note": value})
    write_manifest(path, [utterance, utterance])
    assert read_manifest(path) == [utterance, utterance]


def test_paths_below_the_folder_are_written_relative_so_that_a_corpus_can_move(tmp_path):
    corpus = tmp_path / "corpus"
    write_manifest(corpus / "m.jsonl", [Utterance(str(corpus / "clips/a.wav"), 1.0, "a")])
    assert json.loads((corpus / "m.jsonl").read_text()) == {
        "audio_filepath": "clips/a.wav",
        "duration": 1.0,
        "text": "a",
    }
    moved = corpus.rename(tmp_path / "moved")
    assert read_manifest(moved / "m.jsonl")[0].audio_filepath == str(moved / "clips/a.wav")


def test_a_manifest_of_windows_or_with_a_byte_order_mark_reads_the_same(tmp_path):
    line = json.dumps({"audio_filepath": "/a.wav", "duration": 1, "text": "a"})
    (tmp_path / "m.jsonl").write_bytes(b"\xef\xbb\xbf" + f"{line}\r\n{line}\r\n".encode())
    assert read_manifest(tmp_path / "m.jsonl") == [Utterance("/a.wav", 1.0, "a")] * 2


def test_line_numbers_skip_empty_lines(tmp_path):
    line = {"audio_filepath": "/a.wav", "duration": 1, "text": "a"}
    path = write_lines(tmp_path / "m.jsonl", line, "", "  ", line, "")
    assert list(read_lines(path)) == [1, 4]
    assert len(read_manifest(path)) == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{oops", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ({"duration": 1, "text": "a"}, "neither audio_filepath nor features_filepath"),
        ({"audio_filepath": 3, "duration": 1, "text": "a"}, "audio_filepath must be a string"),
        ({"audio_filepath": "a", "duration": 1, "text": "a", "speaker": 7}, "speaker must be a string"),
        ({"audio_filepath": "a", "duration": 1}, "text is missing"),
        ({"audio_filepath": "a", "text": "a"}, "duration must be a number"),
        ({"audio_filepath": "a", "duration": -1, "text": "a"}, "duration must be a number"),
        ({"audio_filepath": "a", "duration": True, "text": "a"}, "duration must be a number"),
        ('{"audio_filepath": "a", "duration": NaN, "text": "a"}', "duration must be a number"),
        ({"audio_filepath": "a", "duration": 1, "offset": "x", "text": "a"}, "offset must be a number"),
    ],
)
def test_a_wrong_line_is_named_by_file_number_and_reason(tmp_path, line, reason):
    good = {"audio_filepath": "a", "duration": 1, "text": "a"}
    path = write_lines(tmp_path / "m.jsonl", good, line)
    with pytest.raises(ManifestError, match=rf"m\.jsonl:2: .*{reason}"):
        read_manifest(path)


def test_missing_empty_and_binary_manifests_say_so(tmp_path):
    with pytest.raises(ManifestError, match="no such manifest"):
        read_manifest(tmp_path / "none.jsonl")
    with pytest.raises(ManifestError, match="empty"):
        read_manifest(write_lines(tmp_path / "empty.jsonl", "", ""))
    (tmp_path / "binary.jsonl").write_bytes(b"RIFF\xff\xfe\x00")
    with pytest.raises(ManifestError, match="UTF-8"):
        read_manifest(tmp_path / "binary.jsonl")


def test_a_write_that_fails_leaves_the_old_manifest_and_no_fragment(tmp_path):
    path = tmp_path / "m.jsonl"
    good = Utterance("/a.wav", 1.0, "a")
    write_manifest(path, [good])
    with pytest.raises(
        ManifestError, match=r"^/a\.wav: cannot be written .*\\ud800 is no character.*correct"
    ):
        write_manifest(path, [good, dataclasses.replace(good, text="\ud800")])
    with pytest.raises(ManifestError, match=r"^/caf\\udce9\.wav: cannot be written to a manifest.*rename"):
        write_manifest(path, [good, dataclasses.replace(good, audio_filepath="/caf\udce9.wav")])
    assert read_manifest(path) == [good]
    assert [file.name for file in tmp_path.iterdir()] == ["m.jsonl"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ManifestError, match="cannot be written"):
        write_manifest(tmp_path / "file" / "m.jsonl", [Utterance("/a.wav", 1.0, "a")])


def test_an_offset_of_zero_is_not_no_offset(tmp_path):
    written = [Utterance(str(tmp_path / "a.wav"), 1.0, "a", offset=offset) for offset in (None, 0.0, 0.5)]
    write_manifest(tmp_path / "m.jsonl", written)
    assert [one.offset for one in read_manifest(tmp_path / "m.jsonl")] == [None, 0.0, 0.5]
