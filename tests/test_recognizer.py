"""The one path from sound to text: any source, alone or in any batch, with or without torch."""

import dataclasses
import io
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from toys import (
    FEATURES,
    RATE,
    VOCABULARY,
    Mumbling,
    ToneModel,
    random_model,
    random_texts,
    utter,
    write_corpus,
)

import asr
from asr import checkpoint, stored_decoder
from asr.decoding import BeamDecoder, BeamSettings, decode_greedy
from asr.decoding.confidence import Calibration
from asr.errors import AsrError, AudioError, CheckpointError, ConfigError, DecoderError
from asr.loading import load
from asr.manifest import Utterance
from asr.recognizer import Recognizer

TEXTS = random_texts(7, seed=5)


@pytest.fixture(scope="module")
def utterances(tmp_path_factory) -> list[Utterance]:
    return write_corpus(tmp_path_factory.mktemp("corpus"), TEXTS)


@pytest.fixture(scope="module")
def listener() -> Recognizer:
    """Hears the toy language without fault."""
    return Recognizer(ToneModel(), VOCABULARY)


@pytest.fixture(scope="module")
def untrained() -> Recognizer:
    """Hears something that depends on everything in the audio."""
    return Recognizer(random_model().acoustic, VOCABULARY)


def test_what_was_said_is_heard(listener, utterances):
    assert [listener.transcribe(utterance).text for utterance in utterances] == TEXTS


def test_words_have_the_times_they_were_said_at(listener):
    transcript = listener.transcribe(utter("ab dc"), sample_rate=RATE)
    assert transcript.text == "ab dc" == " ".join(word.text for word in transcript.words)
    # Five symbols of 0.12 s with 0.05 s around each.
    assert [word.start for word in transcript.words] == pytest.approx([0.05, 0.56], abs=0.03)
    assert [word.end for word in transcript.words] == pytest.approx([0.34, 0.85], abs=0.03)
    assert transcript.duration == pytest.approx(0.9)
    assert all(0 <= word.confidence <= 1 for word in transcript.words)
    assert transcript.score <= 0


@pytest.mark.parametrize("batch_size", [1, 2, 3, 50])
def test_the_answer_is_the_same_alone_and_in_any_batch(untrained, utterances, batch_size):
    alone = [untrained.transcribe(utterance) for utterance in utterances]
    assert len({transcript.text for transcript in alone}) > 3
    for order in (1, -1):
        together = list(untrained.transcribe_all(utterances[::order], batch_size=batch_size))[::order]
        assert [transcript.text for transcript in together] == [transcript.text for transcript in alone]
        assert [t.score for t in together] == pytest.approx([t.score for t in alone], abs=1e-2)


def test_every_kind_of_source_gives_the_same(untrained, utterances):
    path = utterances[0].audio_filepath
    expected = untrained.transcribe(path)
    samples, rate = soundfile.read(path, dtype="int16")
    sources = {
        "Path": Path(path),
        "file object": io.BytesIO(Path(path).read_bytes()),
        "utterance": utterances[0],
    }
    for kind, source in sources.items():
        assert untrained.transcribe(source) == expected, kind
    stereo = np.stack([samples, samples], axis=1)
    for array in (samples, samples / np.float32(32768), samples / 32768, stereo):
        assert untrained.transcribe(array, sample_rate=rate) == expected, array.dtype


def test_an_array_of_another_rate_is_resampled(listener):
    time = np.arange(round(0.3 * 16000)) / 16000
    sound = np.sin(2 * np.pi * 1600 * time).astype(np.float32) / 2
    transcript = listener.transcribe(sound, sample_rate=16000)
    assert transcript.text == "c"
    assert transcript.duration == pytest.approx(0.3, abs=0.001)


def test_an_array_without_a_rate_is_refused(listener):
    with pytest.raises(AudioError, match="sample_rate"):
        listener.transcribe(utter("a"))


def test_a_segment_of_a_file_or_of_a_manifest(listener, tmp_path):
    soundfile.write(tmp_path / "long.wav", utter("ab cd"), RATE)
    path = str(tmp_path / "long.wav")
    first, second = {"offset": 0.0, "duration": 0.37}, {"offset": 0.54, "duration": 0.36}
    assert listener.transcribe(path, **first).text == "ab"
    assert listener.transcribe(path, **second).text == "cd"
    assert listener.transcribe(path, offset=0.54).text == "cd"
    assert listener.transcribe(Utterance(path, text="", **second)).text == "cd"
    assert listener.transcribe(Utterance(path, 0.37, "", offset=0.0)).text == "ab"
    assert listener.transcribe(Utterance(path, 0.37, "")).text == "ab cd"


def test_a_segment_of_what_is_no_file_is_refused(listener, tmp_path):
    for source in (utter("ab cd"), Utterance(str(tmp_path / "long.wav"), 1.0, "")):
        for segment in ({"offset": 0.5}, {"duration": 0.5}):
            with pytest.raises(AudioError, match="segment of a file; slice the array"):
                listener.transcribe(source, sample_rate=RATE, **segment)


def test_precomputed_features_are_a_source(untrained, utterances, tmp_path):
    import torch

    acoustic = untrained.acoustic
    waveform = acoustic.front_end.tensor(soundfile.read(utterances[1].audio_filepath, dtype="float32")[0])
    static, _ = acoustic.front_end.static(waveform[None], torch.tensor([len(waveform)]))
    np.save(tmp_path / "a.npy", static[0].numpy())
    line = Utterance(None, 1.0, "", features_filepath=str(tmp_path / "a.npy"))
    transcript = untrained.transcribe(line)
    assert transcript.text == untrained.transcribe(utterances[1]).text
    assert transcript.duration == pytest.approx(utterances[1].duration, abs=0.05)
    np.save(tmp_path / "b.npy", static[0, :, :5].numpy())
    with pytest.raises(AudioError, match=r"b\.npy"):
        untrained.transcribe(dataclasses.replace(line, features_filepath=str(tmp_path / "b.npy")))


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_errors_come_in_order_and_the_rest_goes_on(listener, utterances, tmp_path, batch_size):
    (tmp_path / "broken.wav").write_bytes(b"no audio at all")
    (tmp_path / "empty.wav").write_bytes(b"")
    good = [utterance.audio_filepath for utterance in utterances]
    sources = [
        tmp_path / "broken.wav",
        *good[:3],
        tmp_path / "nowhere.wav",
        tmp_path / "empty.wav",
        *good[3:],
    ]
    outcomes = list(listener.transcribe_all(sources, batch_size=batch_size))
    failed = [isinstance(outcome, AsrError) for outcome in outcomes]
    assert failed == [True] + [False] * 3 + [True] * 2 + [False] * 4
    assert [o.text for o in outcomes if not isinstance(o, AsrError)] == TEXTS
    for index, name in ((0, "broken.wav"), (4, "nowhere.wav"), (5, "empty.wav")):
        assert name in str(outcomes[index])


def test_sources_are_read_as_answers_are_asked_for(listener, utterances):
    asked = []

    def sources():
        for utterance in utterances:
            asked.append(utterance)
            yield utterance

    answers = listener.transcribe_all(sources(), batch_size=2)
    assert asked == []
    assert next(answers).text == TEXTS[0]
    assert len(asked) == 2
    assert list(listener.transcribe_all([])) == []


def test_the_shortest_and_the_quietest_audio_has_an_answer(listener, untrained):
    for recognizer in (listener, untrained):
        for sound in (np.zeros(RATE, np.float32), utter("a")[:1], utter("a")[:170]):
            transcript = recognizer.transcribe(sound, sample_rate=RATE)
            assert transcript.duration == len(sound) / RATE
    assert listener.transcribe(np.zeros(RATE, np.int16), sample_rate=RATE).text == ""


def test_load_gives_the_recognizer_that_was_saved(tmp_path, utterances):
    model = random_model()
    checkpoint.save(tmp_path / "model", model, "card")
    loaded = load(tmp_path / "model", device="cpu")
    expected = Recognizer(model.acoustic, model.vocabulary, model.text)
    for utterance in utterances:
        assert loaded.transcribe(utterance) == expected.transcribe(utterance)
    assert asr.load(str(tmp_path / "model"), device="cpu").vocabulary == VOCABULARY


def test_load_names_what_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="nothing-here"):
        load(tmp_path / "nothing-here")
    checkpoint.save(tmp_path / "model", random_model(FEATURES), "card")
    with pytest.raises(ConfigError, match="abacus"):
        load(tmp_path / "model", device="abacus")


def test_it_recognises_without_torch(tmp_path):
    soundfile.write(tmp_path / "a.wav", utter("bad dc"), RATE)
    script = f"""
import sys
sys.modules["torch"] = None  # it cannot even be imported
sys.path.append({str(Path(__file__).parent)!r})
from asr.recognizer import Recognizer
from tone_language import VOCABULARY, ToneModel
print(Recognizer(ToneModel(), VOCABULARY).transcribe({str(tmp_path / "a.wav")!r}).text)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "bad dc\n", "")


@pytest.mark.parametrize("source", [None, b"RIFF", [0.0, 0.1]])
def test_what_is_no_recording_is_refused(listener, source):
    with pytest.raises(AudioError, match="is no recording; give a path"):
        listener.transcribe(source)


# --- decoders ------------------------------------------------------------------------------------------------------


def test_alternatives_come_with_the_text_first(utterances):
    recognizer = Recognizer(Mumbling(), VOCABULARY, decoder=BeamDecoder())
    transcript = recognizer.transcribe(utterances[0], nbest=3)
    assert len(transcript.alternatives) == 3
    best = transcript.alternatives[0]
    assert (best.text, best.words, best.score) == (transcript.text, transcript.words, transcript.score)
    assert dataclasses.replace(transcript, alternatives=()) == recognizer.transcribe(utterances[0])
    together = list(recognizer.transcribe_all(utterances, nbest=3))
    assert together[0] == transcript


def test_a_decoder_of_one_text_has_no_alternatives(listener, utterances):
    with pytest.raises(DecoderError, match="beam decoder"):
        listener.transcribe(utterances[0], nbest=2)


def test_a_batch_is_decoded_in_order_on_any_number_of_cores(utterances):
    threads = set()

    def decode(*arguments):
        threads.add(threading.current_thread().name)
        return decode_greedy(*arguments)

    recognizer = Recognizer(ToneModel(), VOCABULARY, decoder=decode)
    assert [one.text for one in recognizer.transcribe_all(utterances)] == TEXTS
    assert any(name.startswith("decode") for name in threads)
    assert recognizer.transcribe(utterances[0]).text == TEXTS[0]


def test_what_was_heard_can_be_decoded_later(listener, utterances, tmp_path):
    heard = list(listener.hear_all([*utterances, tmp_path / "nowhere.wav"], batch_size=3))
    assert isinstance(heard.pop(), AudioError)
    symbols, step = VOCABULARY.symbols, listener.acoustic.frame_seconds
    assert [decode_greedy(one.log_probs, symbols, step).text for one in heard] == TEXTS
    assert [one.seconds for one in heard] == pytest.approx([u.duration for u in utterances], abs=1e-3)


def test_confidences_are_calibrated(utterances):
    calibration = Calibration(0.5, -1.0)
    plain = Recognizer(Mumbling(), VOCABULARY).transcribe(utterances[0])
    honest = Recognizer(Mumbling(), VOCABULARY, calibration=calibration).transcribe(utterances[0])
    assert plain.words
    expected = [calibration(word.confidence) for word in plain.words]
    assert [word.confidence for word in honest.words] == expected
    assert (honest.text, honest.score) == (plain.text, plain.score)


def test_load_takes_the_decoder_that_the_model_remembers(tmp_path):
    checkpoint.save(tmp_path / "model", random_model(), "card")
    stored = stored_decoder.StoredDecoder(
        settings=BeamSettings(beam_width=3),
        confidence=stored_decoder.Confidence(Calibration(0.5), Calibration(0.25)),
    )
    stored_decoder.save(tmp_path / "model", stored)
    unasked, greedy, own = (
        load(tmp_path / "model", device="cpu", decoder=decoder)
        for decoder in (None, decode_greedy, lambda *arguments: decode_greedy(*arguments))
    )
    assert unasked.decoder.settings == stored.settings
    assert (unasked.calibration, greedy.calibration) == (Calibration(0.25), Calibration(0.5))
    assert greedy.decoder is decode_greedy
    assert own.calibration is None
    (tmp_path / "model" / "decoder.yaml").write_text("decodr: beam")
    with pytest.raises(CheckpointError, match=r"decoder\.yaml"):
        load(tmp_path / "model", device="cpu")
