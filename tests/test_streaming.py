"""Sound that is still going on: the text of the whole, ends of utterances, whatever the chunks."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_acoustic_stream import model
from toys import GAP_SECONDS, RATE, SMALL, VOCABULARY, ToneModel, random_model, utter

from asr import audio
from asr.decoding import BeamDecoder
from asr.errors import AudioError, ConfigError, DecoderError
from asr.recognizer import Recognizer
from asr.streaming import EndpointRules, Windows, WindowStream

NEVER = EndpointRules(math.inf, math.inf, math.inf)
EAR = Recognizer(ToneModel(), VOCABULARY)
SILENCE = np.zeros(RATE, np.float32)
SPEECH = np.concatenate([utter("ab cd"), SILENCE, utter("bad"), SILENCE, SILENCE, utter("dc dc")])


def run(recognizer: Recognizer, samples: np.ndarray, ends=(), **options) -> list:
    """All final results of samples cut at ``ends``."""
    stream = recognizer.stream(**options)
    bounds = [0, *sorted(ends), len(samples)]
    finals = [
        final for start, end in itertools.pairwise(bounds) for final in stream.accept(samples[start:end])
    ]
    return [*finals, *stream.finish()]


def texts(finals: list) -> list[str]:
    return [final.text for final in finals]


@pytest.mark.parametrize("decoder", [None, BeamDecoder()], ids=["greedy", "beam"])
@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, len(SPEECH)), max_size=10))
def test_any_chunks_end_in_the_text_of_the_whole(decoder, ends):
    options = {} if decoder is None else {"decoder": decoder}
    recognizer = Recognizer(model(), VOCABULARY, **options)
    (final,) = run(recognizer, SPEECH, ends, rules=NEVER)
    whole = recognizer.transcribe(SPEECH, sample_rate=RATE)
    assert final.text == whole.text != ""
    assert [word.start for word in final.words] == pytest.approx([word.start for word in whole.words])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, len(SPEECH)), max_size=10))
def test_utterances_end_at_the_same_places_in_any_chunks(ends):
    windows = Windows(0.2, 0.3, 0.1)
    finals = run(EAR, SPEECH, ends, windows=windows)
    assert finals == run(EAR, SPEECH, windows=windows)
    assert texts(finals) == ["ab cd", "bad", "dc dc"]


def test_words_have_the_times_of_the_whole_stream():
    first, second, third = (final.words[0].start for final in run(EAR, SPEECH))
    gap, said = GAP_SECONDS, len(utter("ab cd")) / RATE
    assert first == pytest.approx(gap, abs=0.02)
    assert second == pytest.approx(said + 1 + gap, abs=0.02)
    assert third == pytest.approx(said + 1 + len(utter("bad")) / RATE + 2 + gap, abs=0.02)


def test_a_final_comes_when_the_silence_is_long_enough():
    stream, said = EAR.stream(rules=EndpointRules(after_words=0.5)), utter("ab")
    assert stream.accept(said) == []
    came = [tenth for tenth in range(20) for _ in stream.accept(SILENCE[: RATE // 10])]
    # The first window with the half second of silence in it is whole after 1.5 s, of which 0.39 were said before.
    assert came == [11]
    assert stream.partial.text == ""


def test_partials_grow_and_what_is_stable_stays():
    stream, before, seen = EAR.stream(windows=Windows(0.2, 0.1, 0.1), rules=NEVER), "", set()
    for start in range(0, len(SPEECH), 400):
        stream.accept(SPEECH[start : start + 400])
        assert stream.partial.stable.startswith(before)
        before = stream.partial.stable
        seen.add(stream.partial.text)
    assert {"ab", "ab cd", "ab cdbad"} <= seen
    assert texts(stream.finish()) == ["ab cdbaddc dc"]


def test_nothing_said_is_forgotten():
    stream = EAR.stream(rules=EndpointRules(after_nothing=2.0))
    for _ in range(7):
        assert stream.accept(SILENCE) == []
    assert stream.accept(utter("ab")) == []
    (final,) = stream.finish()
    assert final.duration < 3
    assert final.words[0].start == pytest.approx(7.05, abs=0.03)


def test_nobody_speaks_for_ever():
    said = " ".join(["ab", "cd", "bad", "dc"] * 12)
    sound = utter(said)
    rules = EndpointRules(longest=5.0)
    finals = run(EAR, sound, range(0, len(sound), 1000), rules=rules)
    assert " ".join(texts(finals)) == said
    assert len(finals) >= len(sound) / RATE / 5
    assert max(final.duration for final in finals) <= 5.0


@pytest.mark.parametrize("seconds", [0.005, 0.02, 0.03])
def test_the_shortest_utterances_end(seconds):
    rules = EndpointRules(longest=seconds)
    assert run(EAR, np.concatenate([SILENCE, utter("ab")]), rules=rules)


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        (EndpointRules, {"longest": math.nan}),
        (EndpointRules, {"after_words": 0.0}),
        (Windows, {"chunk": math.inf}),
        (Windows, {"before": math.inf}),
        (Windows, {"after": 0.05}),
    ],
)
def test_seconds_that_are_none_are_refused(settings, wrong):
    with pytest.raises(ConfigError):
        settings(**wrong)


@pytest.mark.parametrize("rate", [RATE, 16000, 44100])
@pytest.mark.parametrize("kind", [np.int16, np.float32, np.float64])
def test_samples_of_any_kind_and_rate(rate, kind):
    sound = audio.resample(SPEECH, RATE, rate) if rate != RATE else SPEECH
    scaled = (sound * 32767).astype(kind) if kind is np.int16 else sound.astype(kind)
    stereo = np.stack([scaled, scaled], axis=1)
    for samples in (scaled, stereo):
        finals = run(EAR, samples, range(0, len(samples), 999), sample_rate=rate)
        assert texts(finals) == ["ab cd", "bad", "dc dc"]


def test_windows_of_a_model_that_hears_backwards_too_are_near_the_whole():
    acoustic = model(network={"bidirectional": True, "lookahead": 0})
    assert acoustic.stream() is None
    (whole,) = acoustic.log_probs([SPEECH])
    stream = WindowStream(acoustic.log_probs, 160, RATE, Windows(1.0, 0.5, 0.5))
    rows = [stream.accept(SPEECH[start : start + 777]) for start in range(0, len(SPEECH), 777)]
    joined = np.concatenate([part for part in [*rows, stream.finish()] if len(part)])
    assert joined.shape == whole.shape
    assert np.abs(joined - whole).mean() < 0.3 * np.abs(whole - whole.mean(axis=0)).mean()


def test_windows_that_cover_everything_are_the_whole():
    acoustic = random_model(model=dataclasses.replace(SMALL, subsampling=4), loudness=1.0).acoustic
    stream = WindowStream(acoustic.log_probs, 320, RATE, Windows(0.0, 60.0, 1.0))
    assert len(stream.accept(SPEECH)) == 0
    np.testing.assert_array_equal(stream.finish(), acoustic.log_probs([SPEECH])[0])


def test_latency_is_stated():
    assert EAR.stream().latency == 1.5
    assert Recognizer(model(), VOCABULARY).stream().latency == pytest.approx(0.025 + 0.04 + 0.03 + 0.06)


def test_silence_and_nothing_are_no_text():
    assert (
        run(EAR, SILENCE) == run(EAR, SILENCE[:0]) == run(Recognizer(model(), VOCABULARY), SILENCE[:0]) == []
    )


def test_what_cannot_be_is_refused():
    stream = EAR.stream()
    stream.finish()
    with pytest.raises(AudioError, match="was finished"):
        stream.accept(SILENCE)
    with pytest.raises(AudioError, match="not a finite number"):
        EAR.stream().accept(np.full(10, np.nan))
    with pytest.raises(AudioError, match="sample rate of 1 Hz"):
        EAR.stream(sample_rate=1)
    with pytest.raises(DecoderError, match="all frames at once"):
        Recognizer(ToneModel(), VOCABULARY, decoder=lambda *_: None).stream()
    for wrong in (lambda: EndpointRules(after_words=0), lambda: Windows(after=0.0)):
        with pytest.raises(ConfigError):
            wrong()
