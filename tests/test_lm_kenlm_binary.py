"""KenLM's binaries hold the numbers of the ARPA files they were made from."""

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from asr.errors import LanguageModelError
from asr.lm.kenlm_binary import KenlmModel, is_kenlm
from asr.lm.load import load_language_model
from asr.lm.ngram import NGram, advance

FIXTURES = Path(__file__).parent / "fixtures" / "lm"
PAIRS = [
    ("order3.trie.binary", "order3.arpa.gz"),
    ("order3-pruned.probing.binary", "order3-pruned.arpa.gz"),
]


@pytest.fixture(params=PAIRS, ids=["trie", "probing"])
def pair(request) -> tuple[KenlmModel, NGram]:
    binary, arpa = (load_language_model(FIXTURES / name) for name in request.param)
    assert isinstance(binary, KenlmModel)
    assert isinstance(arpa, NGram)
    return binary, arpa


def test_it_has_the_words_and_counts_of_the_arpa_file(pair):
    binary, arpa = pair
    assert sorted(binary.words) == sorted(arpa.words)
    assert binary.words[0] == "<unk>"
    assert (binary.order, binary.counts) == (arpa.order, arpa.counts)
    assert binary.words[binary.eos] == "</s>"
    assert [binary.words[binary.word_id(word)] for word in ("the", "xyzzy")] == ["the", "<unk>"]
    assert not binary.is_characters


def test_every_score_is_that_of_the_arpa_file(pair):
    binary, arpa = pair
    places = [arpa.word_id(word) for word in binary.words]
    assert binary.log_prob.dtype == np.float32
    np.testing.assert_allclose(binary.log_prob, arpa.log_prob[places], atol=1e-6)
    sentences = (Path(FIXTURES) / "ljspeech.txt.gz", random.Random(4))
    words = [*(word for word in arpa.words if word[0] != "<"), "xyzzy"]
    texts = [sentences[1].choices(words, k=9) for _ in range(100)] + [[]]
    # Runs of seen words too, so that the longest n-grams are met.
    texts += [text.split() for text in read_text(sentences[0])]
    for text in texts:
        for bos, eos in ((True, True), (False, False)):
            np.testing.assert_allclose(
                binary.score(text, bos=bos, eos=eos), arpa.score(text, bos=bos, eos=eos), atol=1e-6
            )


def read_text(path: Path) -> list[str]:
    import gzip

    return gzip.decompress(path.read_bytes()).decode().splitlines()


def test_states_are_numbers_that_stand_for_histories(pair):
    binary, arpa = pair
    rng, states, others = random.Random(5), [0, binary.bos_state], [0, arpa.bos_state]
    for _ in range(2000):
        at, word = rng.randrange(len(states)), rng.choice(arpa.words)
        log_prob, state = binary.advance(states[at], binary.word_id(word))
        expected, other = advance(*arpa.arrays, others[at], arpa.word_id(word))
        assert log_prob == pytest.approx(expected, abs=1e-6)
        states.append(state)
        others.append(other)
    # Histories that are one state here are one there.
    assert len(set(zip(states, others, strict=True))) == len(set(states)) == len(set(others))


def test_threads_agree_on_the_numbers():
    binary = KenlmModel(FIXTURES / "order3.trie.binary")
    words = [random.Random(6).randrange(len(binary.words)) for _ in range(3000)]

    def walk(_: int) -> list[int]:
        return [binary.advance(binary.bos_state, word)[1] for word in words]

    with ThreadPoolExecutor(8) as pool:
        first, *rest = pool.map(walk, range(8))
    assert all(states == first for states in rest)


def test_the_name_of_the_file_does_not_matter(tmp_path):
    path = tmp_path / "lm.arpa"
    path.write_bytes((FIXTURES / "order3.trie.binary").read_bytes())
    assert is_kenlm(path)
    assert load_language_model(path).score(["the"]) == KenlmModel(FIXTURES / "order3.trie.binary").score(
        ["the"]
    )
    assert not is_kenlm(FIXTURES / "order3.arpa.gz")
    assert not is_kenlm(tmp_path / "none.binary")
    with pytest.raises(LanguageModelError, match=r"none\.binary.*No such file"):
        load_language_model(tmp_path / "none.binary")


def without_words(data: bytes) -> bytes:
    """What ``build_binary -v`` writes."""
    damaged = bytearray(data[: data.rfind(b"<unk>\0")])
    damaged[100] = 0
    return bytes(damaged)


DAMAGES = {
    "no words": (without_words, r"without its words; leave out the option -v"),
    "cut in the words": (lambda data: data[:-300], "words do not fit its header"),
    "cut in the tables": (lambda data: data[: len(data) // 2], "words do not fit its header"),
    "header alone": (lambda data: data[:60], "cannot be used"),
    "incomplete": (
        lambda data: data.replace(b"format version 5", b"incomplete\n12345"),
        "did not finish building",
    ),
    "another version": (lambda data: data.replace(b"version 5", b"version 4"), "has version 4"),
    "order 9": (lambda data: data[:88] + b"\x09" + data[89:], "order is 9, and 6 is the highest"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES.keys())
@pytest.mark.parametrize("name", [binary for binary, _ in PAIRS])
def test_damage_is_one_sentence(tmp_path, name, damage, message):
    path = tmp_path / "lm.binary"
    path.write_bytes(damage((FIXTURES / name).read_bytes()))
    with pytest.raises(LanguageModelError, match=message) as caught:
        load_language_model(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_without_the_package_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "kenlm", None)
    with pytest.raises(LanguageModelError, match=r"`pip install kenlm-ex`, or give the ARPA file"):
        load_language_model(FIXTURES / "order3.trie.binary")


def test_importing_it_loads_neither_kenlm_nor_compiled_code():
    script = "import sys, asr.lm.load; print({'kenlm', 'numba'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
