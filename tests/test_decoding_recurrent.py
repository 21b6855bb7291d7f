"""A recurrent language model in the beam and after it: its limits, its arithmetic, its order."""

import math
from dataclasses import replace

import numpy as np
import pytest
from test_decoding_beam import bigram
from test_decoding_units import PHONES, SUBWORDS
from toys import VOCABULARY, random_texts, write_unigram

from asr.decoding import BeamDecoder, BeamSettings
from asr.decoding.recurrent import RecurrentDecoder, RecurrentUse
from asr.errors import DecoderError, LanguageModelError
from asr.lm.compare import choose_share, compare
from asr.lm.interpolated import Interpolated, best_share, mix
from asr.lm.load import load_language_model
from asr.lm.words import to_characters
from asr.recurrent_lm.settings import RecurrentLMSettings
from asr.recurrent_lm.training import Training

__all__ = ["bigram"]

SETTINGS = BeamSettings(beam_width=16, alpha=0.7, beta=0.5)
TINY = RecurrentLMSettings(size=8, num_steps=5, batch_size=4, max_epochs=2, cutoffs=(4,))
SYMBOLS, FRAME = VOCABULARY.symbols, 0.01
SENTENCES = [text.split() for text in random_texts(60, 3)]


@pytest.fixture(scope="module")
def ngram(tmp_path_factory):
    return load_language_model(write_unigram(tmp_path_factory.mktemp("lm") / "toy.arpa"))


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory):
    return Training(tmp_path_factory.mktemp("rnnlm"), SENTENCES, SENTENCES[:5], TINY).run()


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    spelled = [to_characters(words) for words in SENTENCES]
    folder = tmp_path_factory.mktemp("letters")
    return Training(folder, spelled, spelled[:5], replace(TINY, unit="characters")).run()


def scores_of(seed: int, num_frames: int = 24, num_symbols: int = len(SYMBOLS)) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(0, 2, (num_frames, num_symbols))
    return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)


def use(**given) -> RecurrentUse:
    return RecurrentUse(**{"share": 0.5, "alpha": SETTINGS.alpha, "beta": SETTINGS.beta} | given)


@pytest.mark.parametrize("rescore", [True, False])
def test_without_a_share_it_is_the_beam_alone(ngram, recurrent, rescore):
    alone = BeamDecoder(SETTINGS, ngram)
    both = RecurrentDecoder(SETTINGS, ngram, recurrent, use(share=0.0, rescore=rescore))
    for seed in range(5):
        ours, theirs = (one.nbest(scores_of(seed), SYMBOLS, FRAME, 5) for one in (both, alone))
        assert [one.text for one in ours] == [one.text for one in theirs]
        assert [one.score for one in ours] == pytest.approx([one.score for one in theirs], abs=1e-6)
        assert [one.words for one in ours] == [one.words for one in theirs]


@pytest.mark.parametrize("symbols", [SUBWORDS, PHONES], ids=["subwords", "phones"])
def test_what_is_asked_knows_pieces_of_words_and_words_that_sound_alike(bigram, recurrent, symbols):
    alone = BeamDecoder(SETTINGS, bigram)
    asked = RecurrentDecoder(SETTINGS, bigram, recurrent, use(share=0.0, rescore=False))
    for seed in range(8):
        scores = scores_of(seed, num_symbols=len(symbols))
        ours, theirs = (one.nbest(scores, symbols, FRAME, 5) for one in (asked, alone))
        assert [one.text for one in ours] == [one.text for one in theirs]
        assert [one.score for one in ours] == pytest.approx([one.score for one in theirs], abs=1e-6)
        assert len({one.text for one in ours}) > 1


def test_rescoring_is_arithmetic_on_the_first_pass_and_orders_by_it(ngram, recurrent):
    weights = use(share=0.3, alpha=1.1, beta=-0.2, nbest=30)
    first = BeamDecoder(SETTINGS, ngram).nbest(scores_of(1), SYMBOLS, FRAME, 30)
    second = RecurrentDecoder(SETTINGS, ngram, recurrent, weights).nbest(scores_of(1), SYMBOLS, FRAME, 30)
    expected = {}
    for one in first:
        words = one.text.split()
        ours, theirs = ngram.score(words), recurrent.score(words)
        mixed = sum(
            math.log(0.7 * math.exp(a) + 0.3 * math.exp(b)) for a, b in zip(ours, theirs, strict=True)
        )
        change = 1.1 * mixed - 0.2 * len(words) - 0.7 * sum(ours) - 0.5 * len(words)
        expected[one.text] = one.score + change
    assert {one.text: one.score for one in second} == pytest.approx(expected, abs=1e-4)
    assert [one.score for one in second] == sorted((one.score for one in second), reverse=True)
    assert [one.text for one in second] != [one.text for one in first]
    assert all(one.score == pytest.approx(one.acoustic + one.language) for one in second)


def test_inside_the_beam_and_after_it_a_text_is_worth_the_same(ngram, recurrent):
    """Wide enough that nothing is lost, one is the other."""
    wide = replace(SETTINGS, beam_width=2000, beam_threshold=60.0, token_threshold=60.0)
    weights = use(share=0.6, nbest=5000)
    for model in (ngram, None):
        inside, after = (
            RecurrentDecoder(wide, model, recurrent, replace(weights, rescore=rescore)).nbest(
                scores_of(2, 4), SYMBOLS, FRAME, 10
            )
            for rescore in (False, True)
        )
        assert inside[0].text == after[0].text
        scores = {one.text: one.score for one in after}
        shared = [one for one in inside if one.text in scores]
        assert len(shared) > 5
        assert [one.score for one in shared] == pytest.approx([scores[one.text] for one in shared], abs=1e-3)


def test_where_no_text_survives_there_is_nothing_to_rescore(ngram, recurrent):
    only_b = np.full((10, len(SYMBOLS)), -100.0, np.float32)
    only_b[:, SYMBOLS.index("b")] = 0.0
    settings = replace(SETTINGS, beam_width=1, lexicon="strict")
    alone = BeamDecoder(settings, ngram)(only_b, SYMBOLS, FRAME)
    assert alone.score == -math.inf
    both = RecurrentDecoder(settings, ngram, recurrent, use())(only_b, SYMBOLS, FRAME)
    assert (both.text, both.score, both.language) == (alone.text, alone.score, alone.language)


def test_a_stream_is_rescored_at_its_end(ngram, recurrent):
    decoder = RecurrentDecoder(SETTINGS, ngram, recurrent, use())
    stream = decoder.stream(SYMBOLS, FRAME)
    for part in np.array_split(scores_of(4), 5):
        stream.accept(part)
    assert stream.finish(3) == decoder.nbest(scores_of(4), SYMBOLS, FRAME, 3)


def test_a_model_of_characters_rescores_and_cannot_be_asked_inside(ngram, letters):
    decoder = RecurrentDecoder(SETTINGS, ngram, letters, use())
    (best,) = decoder.nbest(scores_of(1), SYMBOLS, FRAME, 1)
    words = best.text.split()
    mixed = mix(ngram.score(words), letters.score_words([words])[0], 0.5)
    (parts,) = decoder.take_apart([one for one in _first(ngram) if one.text == best.text])
    expected = parts.rest + SETTINGS.alpha * sum(mixed) + SETTINGS.beta * len(words)
    assert best.score == pytest.approx(expected, abs=1e-4)
    with pytest.raises(LanguageModelError, match="--rescore"):
        RecurrentDecoder(SETTINGS, ngram, letters, use(rescore=False))


def _first(ngram):
    return BeamDecoder(SETTINGS, ngram).nbest(scores_of(1), SYMBOLS, FRAME, 50)


def test_an_interpolated_model_is_a_distribution_and_its_states_change_nothing(ngram, recurrent):
    model = Interpolated(ngram, recurrent, 0.4)
    asked, sentence = model.open(), ["bad", "xyz", "ab"]
    state, answers = asked.bos_state, []
    for word in [*sentence, "</s>"]:
        ((log_prob, state),) = asked.advance_all([state], [model.word_id(word)])
        answers.append(log_prob)
    assert answers == pytest.approx(model.score(sentence), abs=1e-5)
    ours, theirs = ngram.score(sentence), recurrent.score(sentence)
    assert answers == pytest.approx(mix(ours, theirs, 0.4), abs=1e-5)
    assert mix(ours, theirs, 0.0) == ours
    assert mix(ours, theirs, 1.0) == theirs
    with pytest.raises(LanguageModelError, match="share 2 "):
        Interpolated(ngram, recurrent, 2.0)


def test_the_best_share_is_the_best():
    rng = np.random.default_rng(1)
    ours, theirs = np.log(rng.uniform(0.01, 0.9, (2, 300)))
    found = best_share(ours, theirs)
    likelihoods = {share: sum(mix(ours, theirs, share)) for share in (found, *np.linspace(0, 1, 21))}
    assert max(likelihoods, key=likelihoods.get) == found
    assert best_share(ours, ours - 5) < 0.01


def test_two_models_are_compared_on_the_words_that_both_know(ngram, recurrent):
    text = [["ab", "xyz"], ["dc"]]
    found = compare(ngram, recurrent, text, 0.5)
    assert found[:3] == (2, 3, 1)
    scores = [ngram.score(words) for words in text]
    kept = [scores[0][0], scores[0][2], *scores[1]]
    assert found.ours == pytest.approx(math.exp(-sum(kept) / 4))
    assert found.both < max(found.ours, found.theirs)
    assert 0 <= choose_share(ngram, recurrent, SENTENCES) <= 1


@pytest.mark.parametrize(
    "wrong", [{"share": 1.5}, {"nbest": 0}, {"alpha": -1.0}, {"beta": math.inf}, {"alpha": math.nan}]
)
def test_weights_that_make_no_sense_are_refused(wrong):
    with pytest.raises(DecoderError):
        RecurrentUse(**wrong)
