"""A given text in a recording, by the bundled model and by made-up scores."""

from pathlib import Path

import numpy as np
import pytest

import asr
from asr.errors import ConfigError
from asr.manifest import read_manifest
from asr.text import TextSettings, Vocabulary
from asr.text_alignment import align_text

SAMPLES = Path(__file__).parent.parent / "recipes" / "demo" / "samples" / "samples.jsonl"
UTTERANCE = read_manifest(SAMPLES)[0]  # five seven nine zero one
VOCABULARY = Vocabulary([" ", "a", "b", "c"])


@pytest.fixture(scope="module")
def recognizer() -> asr.Recognizer:
    return asr.load("digits-en", device="cpu")


def scores(shown: str) -> np.ndarray:
    """``(time, vocab)`` that are sure of a symbol a frame; - is the blank."""
    log_probs = np.full((len(shown), 5), -8.0, np.float32)
    for frame, symbol in enumerate(shown):
        log_probs[frame, 0 if symbol == "-" else VOCABULARY.symbols.index(symbol)] = -0.01
    return log_probs


def aligned(shown: str, text: str, **options: float) -> asr.Alignment:
    return align_text(scores(shown), text, VOCABULARY, TextSettings(), 0.1, **options)


def test_words_and_characters_follow_each_other(recognizer):
    found = recognizer.align(UTTERANCE, UTTERANCE.text)
    assert found.text == UTTERANCE.text
    assert all(word.aligned for word in found.words)
    assert (found.extra, found.unwritable) == ((), ())
    heard = recognizer.transcribe(UTTERANCE)
    for word, other in zip(
        found.words[1:], heard.words[1:], strict=True
    ):  # the first is heard with a letter more
        assert (word.start, word.end) == pytest.approx((other.start, other.end), abs=0.06)
    for word in found.words:
        assert "".join(character.text for character in word.characters) == word.text
        edges = [word.start, *(character.end for character in word.characters)]
        assert [character.start for character in word.characters] == edges[:-1]
        assert edges[-1] == word.end


def test_words_keep_their_spelling_and_are_sought_as_the_model_writes(recognizer):
    found = recognizer.align(UTTERANCE, 'Five — "SEVEN", nine...\nzero 1 one!')
    assert [word.text for word in found.words] == ["Five", "—", '"SEVEN",', "nine...", "zero", "1", "one!"]
    assert [word.aligned for word in found.words] == [True, False, True, True, True, False, True]
    assert found.unwritable == ("1",)


def test_what_the_recording_lacks_has_no_place(recognizer):
    right = recognizer.align(UTTERANCE, UTTERANCE.text)
    found = recognizer.align(UTTERANCE, "eight six five seven four nine zero one two")
    assert [word.aligned for word in found.words] == [
        False,
        False,
        True,
        True,
        False,
        True,
        True,
        True,
        False,
    ]
    kept = [(word.text, word.start, word.end) for word in found.words if word.aligned]
    assert kept == [(word.text, word.start, word.end) for word in right.words]
    assert all(word.score is None and word.start == word.end for word in found.words if not word.aligned)


def test_what_the_text_lacks_is_named_and_nobodys(recognizer):
    right = recognizer.align(UTTERANCE, UTTERANCE.text).words
    found = recognizer.align(UTTERANCE, "five seven zero one")
    times = [(word.start, word.end) for word in (*right[:2], *right[3:])]
    assert [(word.start, word.end) for word in found.words] == [
        pytest.approx(both, abs=0.05) for both in times
    ]
    (stretch,) = found.extra
    assert (stretch.start, stretch.end) == pytest.approx((right[2].start, right[2].end), abs=0.1)
    nothing = recognizer.align(UTTERANCE, "")
    assert nothing.words == ()
    assert nothing.extra[0].start < 0.2
    assert nothing.extra[-1].end > 1.4


def test_a_longer_silence_divides_what_the_text_lacks():
    found = aligned("-aba-" + "-" * 12 + "-bab-", "")
    assert [(stretch.start, stretch.end) for stretch in found.extra] == [
        pytest.approx((0.1, 0.5)),
        pytest.approx((1.8, 2.2)),
    ]
    assert aligned("-ab-", "").extra == (), "two symbols are noise"


def test_a_word_below_the_threshold_is_placed_and_not_aligned():
    log_probs = scores("-ac-")
    log_probs[2, VOCABULARY.symbols.index("b")] = -7.0
    half = {"threshold": -4.0}
    found = align_text(log_probs, "ab", VOCABULARY, TextSettings(), 0.1, **half)
    (word,) = found.words
    assert word.aligned
    assert word.score == pytest.approx((0 - 6.99) / 2)
    (word,) = align_text(log_probs, "ab", VOCABULARY, TextSettings(), 0.1, threshold=-3.0).words
    assert not word.aligned


def test_no_words_no_frames_and_one_word_too_many():
    assert aligned("----", "").words == ()
    assert [word.aligned for word in aligned("", "a").words] == [False]
    assert [word.aligned for word in aligned("a", "abc a").words] == [False, True]


def test_without_a_threshold_every_word_that_can_be_written_has_a_place():
    found = aligned("-a------b-", "1 a c b", threshold=-np.inf)
    assert [word.aligned for word in found.words] == [False, True, True, True]
    assert aligned("-a-", "a c b", threshold=-np.inf).words[0].characters == (), "too few frames for all"


def test_a_threshold_above_0_is_refused():
    with pytest.raises(ConfigError, match="below 0"):
        aligned("a", "a", threshold=0.0)


def test_a_compound_is_one_word():
    found = aligned("-a b-", "a-b")
    (word,) = found.words
    assert "".join(character.text for character in word.characters) == "ab"
