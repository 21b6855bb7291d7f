"""Two text files, whoever wrote them."""

import gzip
from pathlib import Path

import pytest

from asr.errors import ManifestError
from asr.evaluation.transcripts import count_words, evaluate_texts, pair_up, read_speakers
from asr.manifest import Utterance, write_manifest
from asr.text import TextSettings

LINES = {
    "kaldi": ["utt1 the cat", "utt2", "utt3 I"],
    "trn": [";; a comment", "the cat (utt1)", "(utt2)", "I (utt3)"],
    "tsv": ["utt1\tthe cat", "utt2\t", "utt3\tI"],
}


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("reference", LINES)
@pytest.mark.parametrize("hypothesis", LINES)
def test_each_format_is_known_by_its_looks(tmp_path, reference, hypothesis):
    files = [write(tmp_path / name, LINES[kind]) for name, kind in (("r", reference), ("h", hypothesis))]
    said, heard = pair_up(*files)
    expected = {"utt1": "the cat", "utt2": "", "utt3": "I"}
    assert {name: text.strip() for name, text in said.items()} == expected
    assert {name: text.strip() for name, text in heard.items()} == expected


def test_plain_lines_pair_up_empty_ones_and_one_letter_too(tmp_path):
    reference = write(tmp_path / "r", ["I", "", "went home", "a"])
    hypothesis = write(tmp_path / "h", ["I", "uh", "went", ""])
    found = evaluate_texts(reference, hypothesis)
    assert found.ids == ["1", "2", "3", "4"]
    words = found.words
    assert (words.hits, words.deletions, words.insertions) == (2, 2, 1)


def test_lines_of_different_number_do_not_pair_up(tmp_path):
    files = write(tmp_path / "r", ["a", "b"]), write(tmp_path / "h", ["a"])
    with pytest.raises(ManifestError, match=r"has 2 lines and .*h has 1"):
        evaluate_texts(*files)


def test_a_first_word_is_an_id_only_where_it_looks_like_one(tmp_path):
    plain = write(tmp_path / "r", ["hello world", "good day"])
    assert list(pair_up(plain, plain)[0]) == ["1", "2"]
    assert list(pair_up(plain, plain, "kaldi")[0]) == ["hello", "good"]


def test_ids_on_one_side_only_are_named(tmp_path):
    many = [f"utt{number} a" for number in range(20)]
    files = write(tmp_path / "r", many), write(tmp_path / "h", [*many[:12], "new1 b"])
    with pytest.raises(ManifestError) as raised:
        evaluate_texts(*files)
    assert "h lacks utt12, utt13, utt14, utt15, utt16 and 3 more; " in str(raised.value)
    assert "r lacks new1: every utterance needs a line in both" in str(raised.value)


@pytest.mark.parametrize(
    ("lines", "format", "reason"),
    [
        (["u1 a", "u1 b"], "kaldi", "r:2: the utterance u1 stands there twice"),
        (["a (u1)", "b"], "trn", r"r:2: no \(id\) at the end"),
        (["u1\ta", "u2 b"], "tsv", "r:2: no tab"),
    ],
)
def test_what_is_not_of_its_format_is_named_by_line(tmp_path, lines, format, reason):
    path = write(tmp_path / "r", lines)
    with pytest.raises(ManifestError, match=reason):
        pair_up(path, path, format)


def test_ids_in_one_file_alone_are_not_guessed_at(tmp_path):
    files = write(tmp_path / "r", LINES["trn"]), write(tmp_path / "h", ["the cat", "", "I"])
    with pytest.raises(ManifestError, match=r"r as trn but .*h as lines: only one of them has ids"):
        pair_up(*files)


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "latin").write_bytes("caf\xe9".encode("latin1"))
    for name in ("nowhere", "latin"):
        with pytest.raises(ManifestError, match=f"{name}: cannot be read as UTF-8"):
            pair_up(tmp_path / name, tmp_path / name)


def test_both_sides_are_normalised_alike(tmp_path):
    files = write(tmp_path / "r", ["Hello, World!"]), write(tmp_path / "h", ["hello world"])
    assert evaluate_texts(*files).words.errors == 2
    assert evaluate_texts(*files, text=TextSettings()).words.errors == 0


def test_speakers_come_from_utt2spk(tmp_path):
    write(tmp_path / "utt2spk", ["utt1 ann", "utt2 bob", "utt3 ann"])
    path = write(tmp_path / "r", LINES["kaldi"])
    found = evaluate_texts(path, path, speakers=read_speakers(tmp_path / "utt2spk"))
    assert found.speakers == ["ann", "bob", "ann"]


def test_words_of_a_training_text_are_counted(tmp_path):
    write(tmp_path / "text", ["One two", "two!"])
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"One two\ntwo!\n"))
    write_manifest(tmp_path / "train.jsonl", [Utterance("/a.wav", 1.0, text) for text in ("One two", "two!")])
    for name in ("text", "text.gz", "train.jsonl"):
        assert count_words(tmp_path / name, TextSettings()) == {"two": 2, "one": 1}
    assert count_words(tmp_path / "text") == {"One": 1, "two": 1, "two!": 1}
