"""Heard once, decoded in many ways: the same figures as an evaluation that hears each time."""

import time

import pytest
from toys import VOCABULARY, Mumbling, random_texts, write_corpus

import asr
from asr.decoding import BeamDecoder, decode_greedy
from asr.dev_set import DevSet
from asr.errors import ManifestError
from asr.manifest import Utterance
from asr.recognizer import Recognizer


@pytest.fixture(scope="module")
def utterances(tmp_path_factory) -> list[Utterance]:
    folder = tmp_path_factory.mktemp("corpus")
    return [*write_corpus(folder, random_texts(6, 1)), Utterance(str(folder / "lost.wav"), 1.0, "ab cd")]


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer(Mumbling(), VOCABULARY)


@pytest.mark.parametrize("decoder", [decode_greedy, BeamDecoder()], ids=["greedy", "beam"])
def test_it_scores_what_an_evaluation_scores(recognizer, utterances, decoder):
    heard = []
    dev = DevSet(recognizer, utterances, on_heard=heard.append)
    assert heard == utterances
    again = Recognizer(Mumbling(), VOCABULARY, decoder=decoder)
    expected, found = asr.evaluate(again, utterances), dev.evaluate(decoder)
    for one, other in zip(found.utterances, expected.utterances, strict=True):
        assert (one.hypothesis, one.pairs, one.characters) == (
            other.hypothesis,
            other.pairs,
            other.characters,
        )
        assert (one.reference, one.failure) == (other.reference, other.failure)
    assert found.words.deletions >= 2, "what cannot be read counts as deleted"
    assert len(dev.failures) == len(found.failures) == 1
    assert "lost.wav" in dev.failures[0]


def test_every_word_heard_is_judged(recognizer, utterances):
    dev = DevSet(recognizer, utterances)
    judged, words = dev.judge(decode_greedy), dev.evaluate(decode_greedy)
    assert sum(right for one in judged for _, right in one) == words.words.hits
    for one, scored in zip(judged, words.utterances, strict=True):
        assert len(one) == len(scored.hypothesis.split())
        assert all(0 <= confidence <= 1 for confidence, _ in one)


def test_the_time_is_that_of_decoding(recognizer, utterances):
    dev = DevSet(recognizer, utterances)

    def slow(log_probs, symbols, frame_seconds):
        ends = time.thread_time() + 0.01
        while time.thread_time() < ends:
            pass
        return decode_greedy(log_probs, symbols, frame_seconds)

    assert 0.06 <= dev.evaluate(slow).seconds < 1.0


def test_a_dev_set_without_words_is_refused(recognizer, utterances):
    with pytest.raises(ManifestError, match="no words"):
        DevSet(recognizer, [Utterance(utterances[0].audio_filepath, 1.0, "?!")])
