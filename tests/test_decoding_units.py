"""The beam search with symbols of several letters, and with sounds, against the sum over every path there is."""

import itertools
import math

import numpy as np
import pytest
from test_decoding_beam import (
    BIGRAM,
    EVERYTHING,
    UNIGRAM,
    bigram,
    bigram_log10,
    enumerate_texts,
    random_log_probs,
)
from test_decoding_hotwords import earned

from asr.decoding import BeamDecoder, BeamSettings, decode_greedy
from asr.decoding.search import Search
from asr.errors import DecoderError
from asr.lm.ngram import NGram
from asr.types import Symbols

__all__ = ["bigram"]

SUBWORDS = ("<blank>", " ", " a", "b", " ab", "a")
DICTIONARY = {"a": [[2]], "ab": [[2, 3], [3]], "ba": [[2]], "b": [[3, 3]]}
PHONES = Symbols(("<blank>", " ", " X", " Y"), DICTIONARY)
WEIGHTS = {"alpha": 0.8, "beta": 1.5, "unknown": -2.0, "unknown_letter": -0.7}


def without_needless(labels: tuple[int, ...]) -> tuple[int, ...]:
    """As the search keeps a prefix: without single spaces before the first label or behind another one."""
    kept: list[int] = []
    for label in labels:
        if label != 1 or (kept and kept[-1] != 1):
            kept.append(label)
    return tuple(kept)


def written(labels: tuple[int, ...]) -> tuple[int, ...]:
    """The same without a space at the end."""
    kept = without_needless(labels)
    return kept[:-1] if kept and kept[-1] == 1 else kept


def found(decoder: BeamDecoder, log_probs: np.ndarray, symbols=SUBWORDS) -> dict[tuple[int, ...], float]:
    search = Search(decoder.scorer(symbols), len(symbols))
    search.accept(np.exp(log_probs))
    return {written(tuple(search.labels(one.prefix))): one.score for one in search.found()}


def words_of(labels: tuple[int, ...]) -> list[str]:
    return "".join(SUBWORDS[label] for label in labels).split()


def boosted(labels: tuple[int, ...], boosts: dict[str, float]) -> float:
    """As of characters, two spaces in a row end a phrase."""
    text = "".join(SUBWORDS[label] for label in labels)
    return sum(earned(part, boosts) for part in text.split("  "))


def score(words: list[str], options: BeamSettings) -> float:
    log10 = sum(bigram_log10(*pair) for pair in itertools.pairwise(["<s>", *words, "</s>"]))
    strange = [word for word in words if word not in UNIGRAM]
    prices = options.unknown * len(strange) + options.unknown_letter * len("".join(strange))
    return options.alpha * log10 * math.log(10) + options.beta * len(words) + prices


@pytest.mark.parametrize("seed", range(4))
def test_subwords_have_the_exact_score_of_the_words_that_they_write(bigram, seed):
    log_probs = random_log_probs(4, seed, len(SUBWORDS))
    boosts = {"ab": 2.0, "a ab": 1.0, "aa": -3.0}
    options = BeamSettings(**WEIGHTS, **EVERYTHING)
    scores = found(BeamDecoder(options, bigram, boosts), log_probs)
    expected = {
        labels: p + score(words_of(labels), options) + boosted(labels, boosts)
        for labels, p in enumerate_texts(log_probs, written).items()
    }
    assert scores.keys() == expected.keys()
    assert [scores[labels] for labels in expected] == pytest.approx(list(expected.values()), abs=1e-4)


def test_how_a_word_is_divided_is_nothing_to_the_language_model(bigram):
    decoder = BeamDecoder(BeamSettings(**WEIGHTS, **EVERYTHING), bigram)
    search = Search(decoder.scorer(SUBWORDS), len(SUBWORDS))
    search.accept(np.full((3, len(SUBWORDS)), 1 / len(SUBWORDS)))
    added = {tuple(search.labels(one.prefix)): one.language for one in search.found()}
    assert added[4,] == pytest.approx(added[2, 3]) == pytest.approx(added[5, 3])
    assert added[4,] > added[2, 5] + 2  # "aa" is no word


def test_subwords_with_a_language_model_of_characters(tmp_path):
    words = "".join(f"-0.{number}\t{word}\n" for number, word in enumerate(["</s>", "a", "b", "<space>"], 4))
    arpa = f"\\data\\\nngram 1=6\n\n\\1-grams:\n-2\t<unk>\n-99\t<s>\n{words}\n\\end\\\n"
    (tmp_path / "characters.arpa").write_text(arpa)
    model = NGram.load(tmp_path / "characters.arpa")
    options = BeamSettings(alpha=0.9, beta=0.3, **EVERYTHING)
    log10 = {"a": -0.5, "b": -0.6, " ": -0.7}
    log_probs = random_log_probs(4, 1, len(SUBWORDS))
    search = Search(BeamDecoder(options, model).scorer(SUBWORDS), len(SUBWORDS))
    search.accept(np.exp(log_probs))
    scores = {tuple(search.labels(one.prefix)): one.score for one in search.found()}
    expected = enumerate_texts(log_probs, without_needless)
    assert scores.keys() == expected.keys()
    for labels, p in expected.items():
        text = "".join(SUBWORDS[label] for label in labels).removeprefix(" ")
        language = sum(0.9 * log10[one] * math.log(10) + 0.3 for one in text) - 0.4 * 0.9 * math.log(10)
        assert scores[labels] == pytest.approx(p + language, abs=1e-4)


@pytest.mark.parametrize("alike", ["all alike", "bigram"])
def test_texts_of_subwords_are_their_letters(bigram, alike):
    cheap = BeamSettings(alpha=0.1, unknown=0.0, unknown_letter=0.0)
    decoder = BeamDecoder(BeamSettings(beta=0.0)) if alike == "all alike" else BeamDecoder(cheap, bigram)
    path = [4, 0, 3, 0, 2, 1, 5, 0]
    log_probs = np.log(np.eye(len(SUBWORDS))[path] * 0.9 + 0.1 / len(SUBWORDS)).astype(np.float32)
    for hypothesis in (decoder(log_probs, SUBWORDS, 0.02), decode_greedy(log_probs, SUBWORDS, 0.02)):
        assert hypothesis.text == "abb a a"
        assert [word.text for word in hypothesis.words] == ["abb", "a", "a"]
        ends = [time for word in hypothesis.words for time in (word.start, word.end)]
        assert ends == sorted(ends)
    stream = decoder.stream(SUBWORDS, 0.02)
    for row in log_probs:
        stream.accept(row[None])
        assert not stream.partial.text.startswith(" ")
        assert "abb a a".startswith(stream.partial.stable.rstrip())
    assert stream.finish()[0] == decoder(log_probs, SUBWORDS, 0.02)


def best_words(labels: tuple[int, ...], dictionary, log_prob) -> tuple[list[str], float] | None:
    """Of the words that sound alike the one that is likeliest after the word before it, from left to right."""
    words, total = [], 0.0
    for is_space, sounds in itertools.groupby(labels, key=lambda label: label == 1):
        if not is_space:
            said = list(sounds)
            candidates = [word for word, ways in dictionary.items() if said in ways]
            if not candidates:
                return None
            word = max(candidates, key=lambda one: log_prob(one, words, len(said)))
            total += log_prob(word, words, len(said))
            words.append(word)
    return words, total


@pytest.mark.parametrize("seed", range(4))
def test_sounds_have_the_exact_score_of_the_words_of_the_dictionary(bigram, seed):
    options = BeamSettings(**WEIGHTS, **EVERYTHING)

    def log_prob(word: str, before: list[str], num_phones: int) -> float:
        log10 = bigram_log10(before[-1] if before else "<s>", word)
        price = 0.0 if word in UNIGRAM else options.unknown + options.unknown_letter * num_phones
        return options.alpha * log10 * math.log(10) + options.beta + price

    log_probs = random_log_probs(6, seed, len(PHONES))
    scores = found(BeamDecoder(options, bigram), log_probs, PHONES)
    expected = {}
    for labels, p in enumerate_texts(log_probs, written).items():
        said = best_words(labels, DICTIONARY, log_prob)
        if said is not None:
            end = options.alpha * bigram_log10((["<s>", *said[0]])[-1], "</s>") * math.log(10)
            expected[labels] = p + said[1] + end
    assert scores.keys() == expected.keys()
    assert [scores[labels] for labels in expected] == pytest.approx(list(expected.values()), abs=1e-4)


def shown(path: list[int]) -> np.ndarray:
    return np.log(np.eye(len(PHONES))[path] * 0.9 + 0.1 / len(PHONES)).astype(np.float32)


def test_of_words_that_sound_alike_the_language_model_chooses(bigram):
    log_probs = shown([2, 0, 1, 0, 2, 0, 3])  # a, then ab; ba sounds like a and is unknown
    hypothesis = BeamDecoder(BeamSettings(), bigram)(log_probs, PHONES, 0.02)
    assert (hypothesis.text, [word.text for word in hypothesis.words]) == ("a ab", ["a", "ab"])
    assert hypothesis.words[0].end <= hypothesis.words[1].start
    # A boost is of the sounds, so that it cannot tell these words apart.
    preferred = BeamDecoder(BeamSettings(), bigram, {"ba ab": 9.0})
    assert preferred(log_probs, PHONES, 0.02).text == "a ab"
    assert BIGRAM["a", "ab"] > -1


def test_a_hotword_wins_where_the_sounds_leave_it_open():
    # X, of which a and ba are made, rather than Y, which is ab.
    row = np.log(np.array([[0.02, 0.02, 0.56, 0.4]], np.float32))
    log_probs = np.concatenate([shown([0]), row, shown([0])])

    def text(hotwords: dict[str, float]) -> str:
        return BeamDecoder(BeamSettings(beta=0.0), None, hotwords)(log_probs, PHONES, 0.02).text

    assert text({}) in ("a", "ba")
    assert text({"ab": 0.1}) == text({})
    assert text({"ab": 3.0}) == "ab"


def test_without_a_language_model_the_dictionary_alone_makes_words():
    decoder = BeamDecoder(BeamSettings(beta=0.0))
    assert decoder(shown([2, 1, 3, 0]), PHONES, 0.02).text == "a ab"
    assert decoder(shown([0, 0, 0]), PHONES, 0.02).text == ""
    # X Y Y is no word; the likeliest that is one differs in a sound.
    assert set(decoder(shown([2, 0, 3, 0, 3]), PHONES, 0.02).text.split()) <= DICTIONARY.keys()


def test_a_stream_of_sounds_shows_the_words_that_have_ended(bigram):
    decoder = BeamDecoder(BeamSettings(), bigram)
    log_probs = shown([2, 0, 1, 0, 2, 0, 3])
    stream, partials = decoder.stream(PHONES, 0.02), []
    for row in log_probs:
        stream.accept(row[None])
        partials.append(stream.partial.text)
    assert partials[0] == ""
    assert partials[-1] == "a"
    assert stream.finish()[0] == decoder(log_probs, PHONES, 0.02)


def test_greedy_decoding_writes_the_sounds():
    hypothesis = decode_greedy(shown([2, 0, 1, 0, 2, 0, 3]), PHONES, 0.02)
    assert (hypothesis.text, len(hypothesis.words)) == ("X X Y", 3)


def test_what_sounds_cannot_do_is_refused_in_a_sentence(tmp_path):
    arpa = "\\data\\\nngram 1=4\n\n\\1-grams:\n-2\t<unk>\n-99\t<s>\n-1\t</s>\n-1\t<space>\n\n\\end\\\n"
    (tmp_path / "characters.arpa").write_text(arpa)
    with pytest.raises(DecoderError, match="give one of words"):
        BeamDecoder(BeamSettings(), NGram.load(tmp_path / "characters.arpa")).scorer(PHONES)
    with pytest.raises(DecoderError, match="hotword 'a cat': the model cannot write 'cat'"):
        BeamDecoder(BeamSettings(), None, {"a cat": 3.0}).scorer(PHONES)


def test_two_models_with_the_same_phones_have_each_its_own_dictionary():
    decoder = BeamDecoder(BeamSettings(beta=0.0))
    other = Symbols(PHONES, {"z": [[2]]})
    assert decoder(shown([2]), PHONES, 0.02).text == "a"
    assert decoder(shown([2]), other, 0.02).text == "z"
