"""ARPA files read and written; every damage is one sentence, never a crash."""

import gzip
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import LanguageModelError
from asr.lm import arpa
from asr.lm.ngram import NGram

FIXTURES = Path(__file__).parent / "fixtures" / "lm"

SMALL = """\\data\\
ngram 1=5
ngram 2=4
ngram 3=2

\\1-grams:
-1.5\t<unk>
0\t<s>\t-0.3
-0.8\t</s>
-0.7\tà\t-0.2
-0.9\tb\t-0.4

\\2-grams:
-0.2\t<s> à\t-0.1
-0.3\tà b\t-0.25
-0.5\tb à\t0
-0.6\tb </s>

\\3-grams:
-0.15\t<s> à b
-0.05\tà b </s>

\\end\\
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lm.arpa"


def same(one: arpa.Table, other: arpa.Table) -> bool:
    return list(one.words) == list(other.words) and all(
        np.array_equal(a, b)
        for x, y in zip(one.levels, other.levels, strict=True)
        for a, b in ((x.words, y.words), (x.log_prob, y.log_prob), (x.backoff, y.backoff))
    )


def test_a_file_and_what_it_says(path):
    path.write_text(SMALL, encoding="utf-8")
    table = arpa.read(path)
    assert table.words == ["<unk>", "<s>", "</s>", "à", "b"]
    assert table.levels[1].words.tolist() == [[1, 3], [3, 4], [4, 3], [4, 2]]
    np.testing.assert_allclose(table.levels[0].log_prob, [-1.5, 0, -0.8, -0.7, -0.9], rtol=1e-6)
    np.testing.assert_allclose(table.levels[1].backoff, [-0.1, -0.25, 0, 0], rtol=1e-6)
    assert [level.words.shape for level in table.levels] == [(5, 1), (4, 2), (2, 3)]


@pytest.mark.parametrize(
    "text",
    [
        SMALL.replace("\n", "\r\n"),
        SMALL.replace("\t", " "),
        "\ufeff" + SMALL,
        "a toolkit's remarks\nngram 1=77\n\n" + SMALL,
        SMALL.replace("ngram 1=5", "ngram  1=    5"),
        SMALL.replace("\n\n", "\n \n\n\n"),
        SMALL.rstrip("\n"),
    ],
    ids=["windows", "blanks", "bom", "remarks", "wide counts", "empty lines", "no last line end"],
)
def test_what_other_toolkits_write_reads_the_same(path, text):
    path.write_bytes(SMALL.encode())
    expected = arpa.read(path)
    path.write_bytes(text.encode())
    assert same(arpa.read(path), expected)


def test_gzip_is_known_by_its_bytes(path):
    path.write_bytes(SMALL.encode())
    expected = arpa.read(path)
    path.write_bytes(gzip.compress(SMALL.encode()))
    assert same(arpa.read(path), expected)


@pytest.mark.parametrize("name", ["copy.arpa", "copy.arpa.gz"])
def test_written_and_read_again_is_the_same(tmp_path, name):
    table = arpa.read(FIXTURES / "order3.arpa.gz")
    arpa.write(tmp_path / name, table)
    assert same(arpa.read(tmp_path / name), table)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    first = (tmp_path / name).read_bytes()
    arpa.write(tmp_path / name, table)
    assert (tmp_path / name).read_bytes() == first
    assert (first[:2] == b"\x1f\x8b") == name.endswith(".gz")


def test_blocks_do_not_show(monkeypatch, path):
    expected = arpa.read(FIXTURES / "order3.arpa.gz")
    monkeypatch.setattr(arpa, "_BLOCK", 7)
    assert same(arpa.read(FIXTURES / "order3.arpa.gz"), expected)
    arpa.write(path, expected)
    assert same(arpa.read(path), expected)


DAMAGES = {
    "empty": ("", "line 1: .* no ARPA file"),
    "other text": ("Dear all,\nplease\n", "line 1: .* no ARPA file"),
    "kenlm binary": (
        "mmap lm http://kheafield.com/code format version 5\n\0" + "\0" * 80,
        "KenLM binary.*give the ARPA",
    ),
    "no counts": (SMALL.replace("ngram", "gram"), "line 2: .*'gram 1=5' where 'ngram 1=...' is due"),
    "count missing": (SMALL.replace("ngram 2=4\n", ""), "line 3: .*counts 3-grams where 2-grams"),
    "order 7": (
        SMALL.replace("ngram 3=2", "\n".join(f"ngram {n}=2" for n in range(3, 8))),
        "order 7, and 6 is the highest",
    ),
    "cut in a level": (SMALL[: SMALL.index("-0.5\tb")], r"line 15: .*ends after 2 of 4 2-grams; copy"),
    "cut in a line": (SMALL[: SMALL.index(" à\t0")], "line 16: .*2 fields where a 2-gram has 3 or 4"),
    "cut between levels": (SMALL[: SMALL.index("\\3-grams")], r"end of the file where .3-grams: is due"),
    "no end": (SMALL[: SMALL.index("\\end")], r"end of the file where .end. is due after the 3-grams"),
    "too few": (SMALL.replace("ngram 2=4", "ngram 2=6"), "line 18: .*2 2-grams fewer than .data. says"),
    "too many": (SMALL.replace("ngram 2=4", "ngram 2=3"), r"line 17: .*'-0.6.*where .3-grams: is due"),
    "a count of lies": (SMALL.replace("ngram 3=2", f"ngram 3={10**15}"), "3-grams fewer"),
    "no number": (SMALL.replace("-0.3\tà", "-0,3\tà"), "line 15: .*'-0,3' where a log-probability is due"),
    "a probability above 1": (SMALL.replace("-0.3\tà", "0.3\tà"), "line 15: .*'0.3' where a log-prob"),
    "nan": (SMALL.replace("-0.3\tà", "nan\tà"), "line 15: .*'nan'"),
    "infinity": (SMALL.replace("b\t-0.25", "b\t-inf"), "line 15: .*'-inf' where a backoff is due"),
    "a word of no unigram": (SMALL.replace("-0.5\tb à", "-0.5\tb c"), "line 16: .*'c' in a 2-gram but not"),
    "a word twice": (SMALL.replace("-0.9\tb", "-0.9\tà"), "line 11: .*'à' twice"),
    "an n-gram twice": (SMALL.replace("b </s>\n\n", "b à\n\n"), "2-gram 'b à' twice"),
    "no context": (SMALL.replace("-0.3\tà b", "-0.3\tb b"), "3-gram 'à b </s>' but its context"),
    "no end of sentence": (SMALL.replace("</s>", "</S>"), "no </s> among its 1-grams"),
}


@pytest.mark.parametrize(("text", "message"), DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_named_with_its_line(path, text, message):
    path.write_bytes(text.encode())
    with pytest.raises(LanguageModelError, match=message) as caught:
        NGram.load(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        SMALL.encode("latin-1"),
        gzip.compress(SMALL.encode())[:-12],
        gzip.compress(SMALL.encode())[:40] + b"damage" + gzip.compress(SMALL.encode())[46:],
        SMALL.encode("utf-16"),
    ],
    ids=["latin-1", "gzip cut", "gzip damaged", "utf-16"],
)
def test_bytes_of_another_kind(path, data):
    path.write_bytes(data)
    with pytest.raises(LanguageModelError, match=r"lm\.arpa"):
        NGram.load(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(LanguageModelError, match=r"none\.arpa.*No such file"):
        NGram.load(tmp_path / "none.arpa")
    with pytest.raises(LanguageModelError, match=r"none.*cannot be written"):
        arpa.write(tmp_path / "none" / "lm.arpa", arpa.read(FIXTURES / "order2.arpa.gz"))


def damage_of(data: bytes) -> st.SearchStrategy[bytes]:
    """One change of the kinds that happen to files: bytes, lines and stretches lost, doubled, altered, swapped."""
    ends = st.tuples(st.integers(0, len(data)), st.integers(0, len(data))).map(sorted)
    byte = st.one_of(st.sampled_from(b" \t\n\r-9.e\\\0"), st.integers(0, 255)).map(lambda b: bytes([b]))
    lines = data.split(b"\n")
    two = st.tuples(st.integers(0, len(lines) - 1), st.integers(0, len(lines) - 1)).map(sorted)

    def join(*parts: list[bytes]) -> bytes:
        return b"\n".join(itertools.chain(*parts))

    return st.one_of(
        ends.map(lambda at: data[: at[0]]),
        ends.map(lambda at: data[: at[0]] + data[at[1] :]),
        ends.map(lambda at: data[: at[1]] + data[at[0] :]),
        st.tuples(ends, byte).map(lambda drawn: data[: drawn[0][0]] + drawn[1] + data[drawn[0][0] + 1 :]),
        st.tuples(ends, byte).map(lambda drawn: data[: drawn[0][0]] + drawn[1] + data[drawn[0][0] :]),
        two.map(lambda at: join(lines[: at[0]], lines[at[0] + 1 :])),
        two.map(lambda at: join(lines[: at[0] + 1], lines[at[0] :])),
        two.map(lambda at: join(lines[: at[0]], [lines[at[1]]], lines[at[0] + 1 :])),
    )


FILES = {
    "plain": SMALL.encode(),
    "windows": SMALL.replace("\n", "\r\n").encode(),
    "gzip": gzip.compress(SMALL.encode(), mtime=0),
}


@pytest.mark.parametrize("whole", FILES.values(), ids=FILES.keys())
def test_damaged_files_load_or_are_refused(tmp_path_factory, whole):
    path, loaded = tmp_path_factory.mktemp("damaged") / "lm.arpa", []

    @settings(max_examples=400, deadline=None, derandomize=True)
    @given(damage_of(whole).flatmap(lambda data: st.one_of(st.just(data), damage_of(data))))
    def check(data: bytes) -> None:
        path.write_bytes(data)
        try:
            model = NGram.load(path)
        except LanguageModelError as error:
            sentence = str(error)
            assert sentence.startswith(str(path))
            assert sentence.endswith(".")
            assert "\n" not in sentence
            loaded.append(False)
            return
        assert np.isfinite(model.score(["à", "b", "c", *model.words])).all()
        assert np.isfinite(model.score([], bos=False)).all()
        loaded.append(True)

    check()
    assert loaded.count(False) > 30
    assert loaded.count(True) > 10 or whole == FILES["gzip"], "the checksum of gzip leaves little to chance"


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(LanguageModelError, match=r"cannot be read .*directory.*check the path"):
        NGram.load(tmp_path)
    with pytest.raises(LanguageModelError, match=r"cannot be read .*directory.*check the path"):
        arpa.read(tmp_path)
