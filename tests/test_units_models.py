"""Models of subwords and of phones, whole: trained, stored, exported, asked for texts, times, hotwords and more."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import soundfile
from test_cli import run
from toys import RATE, random_model, random_texts, utter, write_corpus
from trainings import settings_for, train

import asr
from asr import checkpoint, tuning
from asr.audit.hearing import hear
from asr.decoding import BeamDecoder, BeamSettings
from asr.dev_set import DevSet
from asr.errors import CheckpointError, ConfigError, VocabularyError
from asr.evaluation import evaluate, summary
from asr.export import export
from asr.manifest import read_manifest
from asr.model_settings import AttentionSettings
from asr.report.drawing import draw
from asr.report.inspection import inspect
from asr.report.strips import picture
from asr.text import TextSettings
from asr.training.transfer import shared_vocabulary

DICTIONARY = "AB A1 B\nCD C D\nCD(2) D C\nBAD B A1 D\nDC D C\nBAT B A1 D\n"
ATTENTION = AttentionSettings(
    hidden_size=32, embedding_size=8, width=16, reach=5, dropout=0.0, ctc_weight=0.5
)
TRAINER = {"max_epochs": 60, "learning_rate": 2e-2, "warmup_epochs": 5.0}


def learn(folder: Path, text: TextSettings, **model: object) -> tuple[Path, str]:
    """Eight recordings learned by heart; the folder of the model, and what was printed."""
    write_corpus(folder / "corpus", random_texts(8, 3))
    manifest = str(folder / "corpus" / "manifest.jsonl")
    sets = {"train": manifest, "dev": manifest}
    settings = settings_for(
        folder, folder / "run", text=text, model={"dropout": 0.0} | model, data=sets, trainer=TRAINER
    )
    result, printed = train(settings)
    return result.model_dir, printed


@pytest.fixture(scope="module")
def pieces(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("subwords")
    return learn(folder, TextSettings(units="subwords", num_subwords=12))[0]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("phones")
    dictionary = folder / "words.dic"
    dictionary.write_text(DICTIONARY)
    model, printed = learn(folder, TextSettings(units="phones", dictionary=str(dictionary)))
    assert "dev PER" in printed
    assert "WER" not in printed.replace("its WER says", "")
    dictionary.unlink()  # the model keeps its own
    return model


def corpus_of(model: Path) -> list[asr.Utterance]:
    return read_manifest(model.parent.parent / "corpus" / "manifest.jsonl")


def test_subwords_are_learned_by_heart_and_give_words_with_times(pieces):
    for decoder in (None, BeamDecoder(BeamSettings(beta=0.0))):
        recognizer = asr.load(pieces, decoder=decoder)
        utterances = corpus_of(pieces)
        evaluation = evaluate(recognizer, utterances)
        assert evaluation.words.errors == 0
        assert summary(evaluation).startswith("%WER 0.00")
        for utterance in utterances:
            words = recognizer.transcribe(utterance).words
            assert [word.text for word in words] == utterance.text.split()
            times = [time for word in words for time in (word.start, word.end)]
            assert times == sorted(times)
            assert times[-1] <= utterance.duration + 0.05


def test_phones_give_phones_greedily_and_words_by_the_dictionary(sounds):
    utterances = corpus_of(sounds)
    greedy = evaluate(asr.load(sounds), utterances)
    assert summary(greedy).startswith("%PER 0.00 [ 0 / ")
    first = greedy.utterances[0]
    assert first.reference == first.hypothesis != utterances[0].text
    recognizer = asr.load(sounds, decoder=BeamDecoder(BeamSettings(beta=0.0)))
    for scored, utterance in zip(evaluate(recognizer, utterances).utterances, utterances, strict=True):
        # DC sounds like one way to say CD, BAT like BAD: the first in the dictionary is taken.
        expected = utterance.text.replace("dc", "cd")
        assert scored.hypothesis == expected
        assert [word.text for word in scored.heard] == expected.split()
        assert scored.greedy is None


@pytest.mark.parametrize("units", ["subwords", "phones"])
def test_attention_writes_other_units_and_shows_where_it_lay(tmp_path, units):
    (tmp_path / "words.dic").write_text(DICTIONARY)
    text = {
        "subwords": TextSettings(units="subwords", num_subwords=12),
        "phones": TextSettings(units="phones", dictionary=str(tmp_path / "words.dic")),
    }[units]
    model, _ = learn(tmp_path, text, kind="seq2seq", attention=ATTENTION)
    recognizer, utterance = asr.load(model), corpus_of(model)[0]
    assert evaluate(recognizer, corpus_of(model)).words.errors == 0
    sight = inspect(recognizer, utterance)
    said = recognizer.transcribe(utterance).text
    assert len(sight.written) == len(sight.attention) < len(said) + 1
    assert "".join(sight.written).strip() == f"{said}."
    ticks = picture(sight)["strips"][-1]["ticks"]
    assert [name for _, name in ticks] == said.split()
    draw(tmp_path / "sight.png", sight)


def test_a_language_model_chooses_among_words_that_sound_alike(sounds, tmp_path):
    words = "".join(f"-0.7\t{word}\n" for word in ("</s>", "ab", "bat", "dc"))
    arpa = f"\\data\\\nngram 1=6\n\n\\1-grams:\n-3\t<unk>\n-99\t<s>\n{words}\n\\end\\\n"
    (tmp_path / "lm.arpa").write_text(arpa)
    language_model = asr.load_language_model(tmp_path / "lm.arpa")
    heard = asr.load(sounds, decoder=BeamDecoder(BeamSettings(), language_model))
    for utterance in corpus_of(sounds):
        assert heard.transcribe(utterance).text == utterance.text.replace("bad", "bat")
    strict = asr.load(sounds, decoder=BeamDecoder(BeamSettings(lexicon="strict"), language_model))
    for utterance in corpus_of(sounds):
        assert set(strict.transcribe(utterance).text.split()) <= {"ab", "bat", "dc"}


def test_tuning_takes_the_beam_where_greedy_writes_no_words(sounds, tmp_path):
    dev = DevSet(asr.load(sounds), corpus_of(sounds))
    found = tuning.tune(dev)
    assert not found.comparable
    assert found.chosen is found.beam
    assert found.greedy.evaluation.setup.rate == "PER"
    stored = tuning.store(found, sounds, Path("dev.jsonl"), output_dir=tmp_path / "tuned")
    assert (stored.decoder, stored.tuned.greedy_dev_wer) == ("beam", None)
    assert asr.load(tmp_path / "tuned").transcribe(corpus_of(sounds)[0]).text.islower()


@pytest.mark.parametrize("kind", ["pieces", "sounds"])
def test_a_text_is_aligned(kind, request):
    model = request.getfixturevalue(kind)
    recognizer = asr.load(model)
    for utterance in corpus_of(model)[:3]:
        found = recognizer.align(utterance, f"{utterance.text.upper()}!")
        assert [word.text for word in found.words] == f"{utterance.text.upper()}!".split()
        assert all(word.aligned for word in found.words)
        symbols = [character.text for word in found.words for character in word.characters]
        assert "".join(symbols).replace("1", "").lower() == utterance.text.replace(" ", "")


@pytest.mark.parametrize("kind", ["pieces", "sounds"])
def test_an_exported_model_keeps_its_units(kind, request, tmp_path):
    trained = checkpoint.load(request.getfixturevalue(kind))
    # Untrained, as one that has learned by heart has weights so large that two runtimes differ.
    fresh = random_model(vocabulary=trained.vocabulary, loudness=1.0)
    settings = dataclasses.replace(fresh.settings, text=trained.text)
    checkpoint.save(tmp_path / "model", dataclasses.replace(fresh, settings=settings), "")
    export(tmp_path / "model", tmp_path / "model.onnx")
    for decoder in (None, BeamDecoder(BeamSettings(beta=0.0))):
        exported, original = (asr.load(tmp_path / name, decoder=decoder) for name in ("model.onnx", "model"))
        assert exported.vocabulary == original.vocabulary == trained.vocabulary
        heard = [one.transcribe(utter("ab"), sample_rate=RATE).text for one in (exported, original)]
        assert heard[0] == heard[1]


@pytest.mark.parametrize("kind", ["pieces", "sounds"])
def test_a_stream_gives_words(kind, request):
    model = request.getfixturevalue(kind)
    recognizer = asr.load(model, decoder=BeamDecoder(BeamSettings(beta=0.0)))
    utterance = corpus_of(model)[0]
    samples, rate = soundfile.read(utterance.audio_filepath, dtype="float32")
    stream = recognizer.stream(sample_rate=rate)
    said = [*stream.accept(samples), *stream.finish()]
    assert " ".join(one.text for one in said) == recognizer.transcribe(utterance).text


def test_hotwords_of_subwords(pieces):
    wide = BeamSettings(beta=0.0, token_threshold=100.0, beam_threshold=200.0)
    utterances = [one for one in corpus_of(pieces) if "bad" in one.text.split()]
    for boosts, expected in (({}, True), ({"bad": -90.0}, False), ({"bad": 8.0}, True)):
        recognizer = asr.load(pieces, decoder=BeamDecoder(wide, None, boosts))
        heard = [recognizer.transcribe(utterance).text.split() for utterance in utterances]
        assert [("bad" in words) for words in heard] == [expected] * len(utterances)


def test_the_command_line_says_that_greedy_writes_phones(sounds):
    recording = sounds.parent.parent / "corpus" / "000.wav"
    done = run("transcribe", recording, "-m", sounds)
    assert "decoder: greedy, which writes phones (--decoder beam writes words)" in done.stderr
    assert done.stdout.strip().isupper()
    done = run("transcribe", recording, "-m", sounds, "--decoder", "beam")
    assert done.stdout.strip().islower()


def test_what_cannot_hold_is_refused_in_a_sentence(pieces, tmp_path):
    with pytest.raises(ConfigError, match=r"asr audit puts words .* this model writes subwords"):
        list(hear(asr.load(pieces), corpus_of(pieces), {}))
    damaged = tmp_path / "damaged"
    shutil.copytree(pieces, damaged)
    (damaged / "vocabulary.txt").write_text("<blank>\nabc\n")
    with pytest.raises(CheckpointError, match="'abc' is no piece of a word"):
        checkpoint.load(damaged)


def test_a_model_of_other_units_does_not_lend_its_vocabulary(pieces):
    source, own = checkpoint.load(pieces), checkpoint.load("digits-en").vocabulary
    assert shared_vocabulary(source, own, ["ab"], TextSettings()) is own


def test_a_word_that_the_dictionary_lacks_stops_the_training_with_its_name(tmp_path):
    (tmp_path / "words.dic").write_text("AB A B\n")
    with pytest.raises(VocabularyError, match=r"\.wav: the text .*words\.dic lacks"):
        learn(tmp_path, TextSettings(units="phones", dictionary=str(tmp_path / "words.dic")))
