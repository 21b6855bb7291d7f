"""N-gram arrays held to the definition of backing off, and the packed file to what was packed."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from asr.errors import LanguageModelError
from asr.lm import arpa
from asr.lm.ngram import NGram, advance

FIXTURES = Path(__file__).parent / "fixtures" / "lm"
LOG10 = np.log(10)


def by_definition(table: arpa.Table, history: list[str], word: str) -> float:
    """log10 p(word | history), straight from the rows."""
    rows = {
        tuple(table.words[index] for index in ids): (log_prob, backoff)
        for level in table.levels
        for ids, log_prob, backoff in zip(
            level.words.tolist(), level.log_prob.tolist(), level.backoff.tolist(), strict=True
        )
    }
    known = {gram[0] for gram in rows if len(gram) == 1}
    words = [w if w in known else "<unk>" for w in [*history, word]][-len(table.levels) :]
    total = 0.0
    while tuple(words) not in rows:
        total += rows.get(tuple(words[:-1]), (0.0, 0.0))[1]
        words = words[1:]
    return total + rows[tuple(words)][0]


@pytest.mark.parametrize("name", ["order2", "order3", "order3-pruned", "order4-fallback"])
def test_scores_are_those_of_the_definition(name):
    table = arpa.read(FIXTURES / f"{name}.arpa.gz")
    model, rng = NGram.load(FIXTURES / f"{name}.arpa.gz"), random.Random(1)
    for _ in range(3):
        # Runs of the text itself, so that long n-grams are met, broken by strangers.
        rows = table.levels[-1].words
        words = [table.words[i] for _ in range(3) for i in rows[rng.randrange(len(rows))] if i > 2]
        words.insert(rng.randrange(len(words)), "xyzzy")
        expected = [
            by_definition(table, ["<s>", *words[:i]], word) for i, word in enumerate([*words, "</s>"])
        ]
        np.testing.assert_allclose(np.array(model.score(words)) / LOG10, expected, atol=1e-5)
    assert by_definition(table, [], words[0]) == pytest.approx(model.score(words[:1], bos=False)[0] / LOG10)


def test_bos_and_eos_are_options():
    model = NGram.load(FIXTURES / "order3.arpa.gz")
    words = ["the", "press", "and"]
    whole = model.score(words)
    assert model.score(words, eos=False) == whole[:-1]
    assert model.score(words, bos=False)[0] != whole[0]
    assert model.score([]) == pytest.approx(
        [by_definition(arpa.read(FIXTURES / "order3.arpa.gz"), ["<s>"], "</s>") * LOG10]
    )
    assert model.score([], eos=False) == []


@pytest.mark.parametrize("name", ["order2", "order3", "order4-fallback"])
def test_what_follows_any_history_sums_to_one(name):
    model, rng = NGram.load(FIXTURES / f"{name}.arpa.gz"), random.Random(2)
    begin = model.word_id("<s>")
    for state in [0, model.bos_state, *(rng.randrange(len(model.backoff)) for _ in range(20))]:
        words = (word for word in range(len(model.words)) if word != begin)
        assert sum(np.exp(advance(*model.arrays, state, word)[0]) for word in words) == pytest.approx(
            1, abs=2e-3
        )


def write(path: Path, *levels: str, end: bool = True) -> Path:
    """An ARPA file of rows with blanks for tabs; the counts come by themselves."""
    rows = [[row.strip() for row in level.strip().splitlines()] for level in levels]
    counts = "".join(f"ngram {n}={len(level)}\n" for n, level in enumerate(rows, 1))
    body = "".join(f"\n\\{n}-grams:\n" + "\n".join(level) + "\n" for n, level in enumerate(rows, 1))
    path.write_text(f"\\data\\\n{counts}{body}\n\\end\\\n")
    return path


UNIGRAMS = "-1 <unk>\n0 <s> -0.3\n-0.8 </s>\n-0.7 a -0.2\n-0.9 b -0.4\n-1.1 c"


def test_states_are_contexts_not_texts(tmp_path):
    # "b a" has no successor and no backoff, so after it only "a" is remembered; after "c" nothing is.
    path = write(
        tmp_path / "lm.arpa",
        UNIGRAMS,
        "-0.2 <s> a -0.1\n-0.3 a b -0.25\n-0.5 b a\n-0.6 b </s>",
        "-0.15 a b a",
    )
    model = NGram.load(path)

    def state(*words: str) -> int:
        place = model.bos_state
        for word in words:
            _, place = advance(*model.arrays, place, model.word_id(word))
        return place

    assert state("b", "a") == state("c", "a") == state("a", "b", "a") != state("a")
    assert state("c") == state("xyzzy") == 0
    assert state("a", "b") == state("c", "a", "b") != state("c", "b")
    assert state("a") != model.bos_state != 0
    # <s> a is kept for its backoff alone; it costs nothing where "a b" is not seen after <s>.
    assert model.score(["a", "b"], eos=False) == pytest.approx([-0.2 * LOG10, (-0.1 - 0.3) * LOG10])
    assert len(model.backoff) == 1 + 3 + 2


def test_an_unknown_word_is_unk_wherever_unk_stands(tmp_path, caplog):
    first = NGram.load(write(tmp_path / "1.arpa", UNIGRAMS, "-0.2 <s> a\n-0.3 a <unk>\n-0.4 <unk> b"))
    moved = "\n".join([*UNIGRAMS.splitlines()[1:], "-1 <UNK>"])
    last = NGram.load(write(tmp_path / "2.arpa", moved, "-0.2 <s> a\n-0.3 a <UNK>\n-0.4 <UNK> b"))
    for model in (first, last):
        assert model.words[0] == "<unk>"
        assert sorted(model.words) == sorted(["<unk>", "<s>", "</s>", "a", "b", "c"])
        assert model.score(["a", "xyzzy", "b"], eos=False) == pytest.approx(
            np.multiply([-0.2, -0.3, -0.4], LOG10)
        )
    assert caplog.text == ""


def test_a_model_without_unk_gives_strangers_1e_minus_100(tmp_path, caplog):
    model = NGram.load(write(tmp_path / "lm.arpa", "\n".join(UNIGRAMS.splitlines()[1:]), "-0.2 <s> a"))
    assert model.words[0] == "<unk>"
    assert model.score(["a", "xyzzy"], eos=False) == pytest.approx([-0.2 * LOG10, (-0.2 - 100) * LOG10])
    assert "no <unk>" in caplog.text


def test_a_missing_suffix_is_allowed_as_srilm_writes_it(tmp_path):
    model = NGram.load(write(tmp_path / "lm.arpa", UNIGRAMS, "-0.2 <s> a\n-0.3 a b", "-0.1 a b c"))
    assert model.score(["b", "c"], eos=False) == pytest.approx([(-0.3 - 0.9) * LOG10, (-0.4 - 1.1) * LOG10])
    assert model.score(["a", "b", "c"], eos=False)[2] == pytest.approx(-0.1 * LOG10)


def test_single_words_alone_are_a_model(tmp_path):
    # With nothing longer to back off from, the backoffs mean nothing.
    model = NGram.load(write(tmp_path / "lm.arpa", UNIGRAMS))
    assert (model.order, model.bos_state, model.eos) == (1, 0, model.word_id("</s>"))
    assert model.score(["c", "a"]) == pytest.approx(np.multiply([-1.1, -0.7, -0.8], LOG10))


def test_packed_and_mapped_is_the_same_model(tmp_path):
    model = NGram.load(FIXTURES / "order3.arpa.gz")
    model.save(tmp_path / "lm.bin")
    packed = NGram.load(tmp_path / "lm.bin")
    assert (packed.words, packed.counts, packed.order) == (list(model.words), model.counts, 3)
    assert (packed.bos_state, packed.eos) == (model.bos_state, model.eos)
    for one, other in zip(packed.arrays, model.arrays, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
        assert not one.flags.writeable
        assert not other.flags.writeable
        assert one.ctypes.data % 64 == 0
    assert packed.score(["the", "press", "xyzzy"]) == model.score(["the", "press", "xyzzy"])
    assert [file.name for file in tmp_path.iterdir()] == ["lm.bin"]


def test_a_damaged_packed_file_is_an_error_not_a_crash(tmp_path):
    path, rng = tmp_path / "lm.bin", random.Random(3)
    NGram.load(
        write(tmp_path / "lm.arpa", UNIGRAMS, "-0.2 <s> a -0.1\n-0.3 a b\n-0.5 b a", "-0.1 <s> a b")
    ).save(path)
    whole = path.read_bytes()
    refused = 0
    for _ in range(400):
        at = rng.randrange(len(whole))
        damaged = (
            whole[:at] if rng.random() < 0.3 else whole[:at] + bytes([rng.randrange(256)]) + whole[at + 1 :]
        )
        path.write_bytes(damaged)
        try:
            NGram.load(path).score(["a", "b", "a", "xyzzy"])
        except LanguageModelError as error:
            refused += str(path) in str(error)
    assert refused > 150
    path.write_bytes(whole.replace(b"n-gram\0\0\0\0\0\1", b"n-gram\0\0\0\0\0\2"))
    with pytest.raises(LanguageModelError, match=r"another version.*pack it again"):
        NGram.load(path)


def test_compiled_code_comes_from_the_disk(tmp_path):
    script = (
        "import sys; from asr.lm.ngram import NGram, advance\n"
        f"print(NGram.load({str(FIXTURES / 'order2.arpa.gz')!r}).score(['the'])[0] < 0)\n"
        "print(sum(advance.stats.cache_misses.values()))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert outputs[1] == ["True", "0"]
