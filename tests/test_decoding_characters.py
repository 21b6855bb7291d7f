"""Character n-grams in the beam against the sum over every path and the model's own scores."""

import math

import numpy as np
import pytest
from test_decoding_beam import EVERYTHING, SYMBOLS, enumerate_texts, found, random_log_probs, written

from asr.decoding import BeamDecoder, BeamSettings
from asr.errors import DecoderError
from asr.lm import kneser_ney
from asr.lm.ngram import NGram


@pytest.fixture(scope="module")
def characters() -> NGram:
    texts = ["ab ab a", "ba ab b", "a a b ab", "abab a b", "b", "ab a ba ba a"]
    sentences = [["<space>" if c == " " else c for c in text] for text in texts]
    return NGram.from_table(kneser_ney.build(sentences, 3, [0], kneser_ney.FALLBACK))


def with_last_space(labels: tuple[int, ...]) -> tuple[int, ...]:
    """To a model of characters, a space at the end is one more of them."""
    space = SYMBOLS.index(" ")
    text = written(labels)
    return (*text, space) if text and labels[-1] == space else text


@pytest.mark.parametrize("seed", range(8))
def test_every_text_has_its_exact_score(characters, seed):
    log_probs = random_log_probs(5, seed)
    options = BeamSettings(alpha=0.8, beta=0.3, **EVERYTHING)
    scores = found(BeamDecoder(options, characters), log_probs, tuple)
    expected = enumerate_texts(log_probs, with_last_space)
    assert scores.keys() == expected.keys()
    for labels, acoustic in expected.items():
        tokens = ["<space>" if SYMBOLS[label] == " " else SYMBOLS[label] for label in labels]
        language = 0.8 * math.fsum(characters.score(tokens)) + 0.3 * len(tokens)
        assert scores[labels] == pytest.approx(acoustic + language, abs=1e-4)


def test_it_decides_where_the_sounds_do_not(characters):
    log_probs = np.log(np.array([[0.02, 0.94, 0.02, 0.02], [0.06, 0.02, 0.46, 0.46]]))
    hypothesis = BeamDecoder(BeamSettings(alpha=1.0, beta=0.0), characters)(log_probs, SYMBOLS, 0.02)
    assert hypothesis.text == "ab"
    assert hypothesis.score == pytest.approx(hypothesis.acoustic + hypothesis.language)


def test_there_is_no_strict_lexicon_of_characters(characters):
    with pytest.raises(DecoderError, match="of characters"):
        BeamDecoder(BeamSettings(lexicon="strict"), characters)(np.zeros((3, 4)), SYMBOLS, 0.02)
