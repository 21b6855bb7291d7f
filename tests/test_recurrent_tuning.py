"""Share and weights of a recurrent language model chosen on a dev set, stored with the model, used unasked."""

from pathlib import Path

import numpy as np
import pytest
import typer
from toys import VOCABULARY, Mumbling, random_model, random_texts, write_corpus, write_unigram

import asr
from asr import checkpoint, recurrent_tuning, stored_decoder, tuning
from asr.cli.decoder import DecoderOptions, make_decoder
from asr.decoding import BeamSettings
from asr.decoding.recurrent import RecurrentDecoder, RecurrentUse
from asr.dev_set import DevSet
from asr.errors import CheckpointError, LanguageModelError
from asr.lm.load import load_language_model
from asr.recognizer import Recognizer
from asr.recurrent_lm.settings import RecurrentLMSettings
from asr.recurrent_lm.training import Training
from asr.recurrent_tuning import as_good_as_the_best

SENTENCES = [text.split() for text in random_texts(80, 3)]


@pytest.fixture(scope="module")
def rnnlm(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("rnnlm")
    settings = RecurrentLMSettings(
        size=16, num_steps=5, batch_size=4, max_epochs=5, learning_rate=0.02, unknown=0.0
    )
    Training(folder, SENTENCES, SENTENCES[:10], settings).run()
    return folder


@pytest.fixture(scope="module")
def lm(tmp_path_factory) -> Path:
    return write_unigram(tmp_path_factory.mktemp("lm") / "toy.arpa")


@pytest.fixture(scope="module")
def dev(tmp_path_factory) -> DevSet:
    utterances = write_corpus(tmp_path_factory.mktemp("dev"), random_texts(10, 7))
    return DevSet(Recognizer(Mumbling(), VOCABULARY), utterances)


@pytest.fixture(scope="module")
def found(dev, lm, rnnlm) -> tuning.Tuning:
    from asr.recurrent_lm.load import load_recurrent

    settings = BeamSettings(beam_width=8)
    return tuning.tune(dev, load_language_model(lm), settings, load_recurrent(rnnlm))


def test_rescored_dev_is_no_worse_than_the_beam_it_comes_from(found):
    rescored, fused = found.recurrent
    assert rescored.recurrent.rescore
    assert not fused.recurrent.rescore
    assert rescored.errors <= found.beam.errors
    assert found.chosen.errors == min(one.errors for one in (found.greedy, found.beam, rescored, fused))


def test_what_differs_by_chance_from_the_best_is_as_good_and_what_is_always_worse_is_not():
    best, by_chance, always = np.zeros((3, 30, 2), int)
    by_chance[4], by_chance[9], best[17] = (1, 2), (1, 1), (1, 1)
    always[::3] = 1, 1
    assert as_good_as_the_best(np.stack([always, by_chance, best])) == [1, 2]


def test_of_equals_the_weights_stay_those_of_the_first_pass(dev, lm, rnnlm, monkeypatch):
    from asr.recurrent_lm.load import load_recurrent

    decoder = RecurrentDecoder(
        BeamSettings(alpha=0.7, beta=0.3), load_language_model(lm), load_recurrent(rnnlm), RecurrentUse()
    )
    monkeypatch.setattr(recurrent_tuning, "as_good_as_the_best", lambda errors: range(len(errors)))
    use = recurrent_tuning.choose_use(dev, decoder)
    assert (use.share, use.alpha, use.beta) == (0.5, 0.7, 0.3)


def test_without_an_ngram_all_of_a_word_is_the_recurrent_models(dev, rnnlm):
    from asr.recurrent_lm.load import load_recurrent

    found = tuning.tune(dev, None, BeamSettings(beam_width=8), load_recurrent(rnnlm))
    assert {trial.recurrent.share for trial in found.recurrent} == {1.0}
    assert found.recurrent[0].errors < found.greedy.errors


@pytest.fixture(scope="module")
def stored(found, lm, rnnlm, tmp_path_factory) -> Path:
    """A model whose decoder is the rescored one, whichever was better."""
    from dataclasses import replace

    place = tmp_path_factory.mktemp("stored") / "model"
    checkpoint.save(place, random_model(), "card")
    chosen = replace(
        found, recurrent=found.recurrent[:1], beam=replace(found.beam, evaluation=found.greedy.evaluation)
    )
    tuning.store(chosen, place, Path("d.jsonl"), lm, rnnlm)
    return place


def test_what_is_stored_is_used_unasked(stored, found, dev):
    decoder = asr.load(stored, device="cpu").decoder
    assert isinstance(decoder, RecurrentDecoder)
    assert decoder.use == found.recurrent[0].recurrent
    assert dev.evaluate(decoder).words == found.recurrent[0].evaluation.words
    assert {path.name for path in (stored / "rnnlm").iterdir()} == {
        "settings.yaml",
        "words.txt",
        "weights.safetensors",
    }


def said(capsys, model: Path, **options) -> str:
    make_decoder(DecoderOptions(**options), str(model))
    return capsys.readouterr().err


def test_options_go_over_what_is_stored(stored, rnnlm, capsys):
    assert "50 texts rescored with " in said(capsys, stored)
    assert "fused with 0.25 of " in said(capsys, stored, rescore=False, rnnlm_share=0.25)
    assert f" of {rnnlm}, alpha 2, " in said(capsys, stored, rnnlm=rnnlm, alpha=2.0)


def test_without_an_ngram_the_recurrent_model_has_all_of_each_word_and_its_own_weights(rnnlm, lm, capsys):
    alone = {"rnnlm": rnnlm, "alpha": 0.8, "unknown": -4.0}
    decoder = make_decoder(DecoderOptions(**alone), "digits-en")
    assert (decoder.use.share, decoder.use.alpha, decoder.settings.unknown) == (1.0, 0.8, -4.0)
    assert f"50 texts rescored with 1 of {rnnlm}, alpha 0.8" in capsys.readouterr().err
    assert make_decoder(DecoderOptions(**alone, lm=lm), "digits-en").use.share == 0.5
    with pytest.raises(typer.BadParameter, match="is what the n-gram leaves: it needs --lm"):
        make_decoder(DecoderOptions(rnnlm=rnnlm, rnnlm_share=0.3), "digits-en")
    with pytest.raises(typer.BadParameter, match="--lexicon needs --lm"):
        make_decoder(DecoderOptions(rnnlm=rnnlm, lexicon="strict"), "digits-en")
    with pytest.raises(typer.BadParameter, match="need --lm or --rnnlm"):
        make_decoder(DecoderOptions(alpha=0.8), "digits-en")


def test_a_share_that_was_chosen_without_an_ngram_is_not_one_beside_an_ngram(dev, lm, rnnlm, tmp_path):
    from asr.recurrent_lm.load import load_recurrent

    found = tuning.tune(dev, None, BeamSettings(beam_width=8), load_recurrent(rnnlm))
    place = tmp_path / "model"
    checkpoint.save(place, random_model(), "card")
    tuning.store(found, place, Path("d.jsonl"), None, rnnlm)
    assert make_decoder(DecoderOptions(), str(place)).use.share == 1.0
    assert make_decoder(DecoderOptions(lm=lm), str(place)).use.share == 0.5


def test_an_exported_model_leaves_it_out(stored, tmp_path):
    pytest.importorskip("onnx")
    from asr.export import export

    export(stored, tmp_path / "model.onnx")
    exported = stored_decoder.load(tmp_path / "model.onnx")
    assert exported.recurrent is None
    assert exported.language_model == "model.lm.bin"


def test_a_later_tuning_takes_it_out_and_a_copy_has_it(stored, tmp_path):
    with checkpoint.revise(stored, tmp_path / "copy"):
        pass
    assert (tmp_path / "copy" / "rnnlm" / "words.txt").exists()
    with checkpoint.revise(tmp_path / "copy") as folder:
        stored_decoder.save(folder, stored_decoder.StoredDecoder())
    assert not (tmp_path / "copy" / "rnnlm").exists()


def test_damage_is_one_sentence(stored, tmp_path):
    with checkpoint.revise(stored, tmp_path / "copy") as folder:
        (folder / "rnnlm" / "weights.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"weights.safetensors: .*`asr tune` stores it anew"):
        asr.load(tmp_path / "copy", device="cpu")


def test_training_leaves_an_acoustic_model_alone(tmp_path):
    checkpoint.save(tmp_path / "model", random_model(), "card")
    before = {path: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    with pytest.raises(LanguageModelError, match="holds a model of another kind, which would be lost"):
        Training(tmp_path / "model", SENTENCES, SENTENCES[:10], RecurrentLMSettings(size=16))
    assert {path: path.read_bytes() for path in (tmp_path / "model").iterdir()} == before
