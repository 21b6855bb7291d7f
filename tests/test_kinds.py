"""An attention model from its training to the command line: what it shares with CTC models, and what it refuses."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import typer
from test_training_inside_epoch import Crash, before_batch, crash
from toys import FEATURES, RATE, SMALL, VOCABULARY, random_model, utter
from trainings import left_behind, make_settings, train, weights
from typer.testing import CliRunner

import asr
from asr import checkpoint, kinds, model_settings
from asr.cli import build_app
from asr.cli.decoder import DecoderName, DecoderOptions, choose_decoder
from asr.decoding import AttentionDecoder, AttentionSearch, BeamDecoder, decode_greedy
from asr.errors import CheckpointError, DecoderError
from asr.export import export
from asr.model_settings import AttentionSettings
from asr.recognizer import Recognizer
from asr.report.drawing import draw
from asr.report.inspection import inspect, segment
from asr.report.strips import picture
from asr.training.module import CTCTraining
from asr.windows import WindowSettings

ATTENTION = AttentionSettings(
    hidden_size=32, embedding_size=8, width=16, reach=5, dropout=0.0, ctc_weight=0.5, longest=2.0
)
MODEL = {"kind": "seq2seq", "attention": ATTENTION}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """Four recordings learned by heart: a run directory with its corpus beside it."""
    folder = tmp_path_factory.mktemp("seq2seq")
    make = make_settings(folder)
    manifest = str(folder / "corpus" / "four" / "manifest.jsonl")
    trainer = {"max_epochs": 50, "learning_rate": 2e-2, "warmup_epochs": 5.0}
    result, _ = train(
        make(data={"train": manifest, "dev": manifest}, model=MODEL | {"dropout": 0.0}, trainer=trainer)
    )
    assert result.dev_wer == 0.0
    return folder / "run"


@pytest.fixture(scope="module")
def recordings(run) -> list[Path]:
    return sorted((run.parent / "corpus" / "four").glob("*.wav"))


@pytest.fixture(scope="module")
def texts(run) -> list[str]:
    return [one.text for one in asr.read_manifest(run.parent / "corpus" / "four" / "manifest.jsonl")]


def command(*arguments) -> str:
    result = CliRunner().invoke(
        build_app(), [str(argument) for argument in arguments], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_kind_has_its_entry():
    assert set(kinds.KINDS) == set(model_settings.KINDS)


@pytest.mark.parametrize(
    "decoder",
    [
        None,
        decode_greedy,
        AttentionDecoder(AttentionSearch(ctc_weight=0.0)),
        AttentionDecoder(AttentionSearch(ctc_weight=1)),
    ],
    ids=["beam", "greedy", "attention alone", "ctc alone"],
)
def test_what_was_learned_by_heart_is_written(run, recordings, texts, decoder):
    recognizer = asr.load(run, decoder=decoder)
    assert [recognizer.transcribe(path).text for path in recordings] == texts


def test_alternatives_words_and_batches(run, recordings):
    recognizer = asr.load(run)
    alone = [recognizer.transcribe(path, nbest=3) for path in recordings]
    for transcript in alone:
        assert (
            transcript.alternatives[0].text
            == transcript.text
            == " ".join(word.text for word in transcript.words)
        )
        edges = [edge for word in transcript.words for edge in (word.start, word.end)]
        assert edges == sorted(edges)
        assert 0 <= edges[0] < edges[-1] <= transcript.duration
        assert all(0 < word.confidence <= 1 for word in transcript.words)
    together = list(recognizer.transcribe_all(recordings, batch_size=4))
    assert [one.text for one in together] == [one.text for one in alone]


def test_silence_is_no_text(run):
    silence = np.zeros(3 * RATE, np.float32)
    for decoder in (None, AttentionDecoder(AttentionSearch(ctc_weight=0.0))):
        transcript = asr.load(run, decoder=decoder).transcribe(silence, sample_rate=RATE)
        assert (transcript.text, transcript.words) == ("", ())


@pytest.mark.parametrize("window", [300.0, 10.0])
def test_a_long_recording_is_written_in_pieces(run, recordings, texts, window):
    sounds = [soundfile.read(path, dtype="float32")[0] for path in recordings]
    pause = np.random.default_rng(1).normal(0, 0.003, RATE // 2).astype(np.float32)
    long = np.concatenate([part for sound in sounds * 5 for part in (sound, pause)])
    own = asr.load(run)
    settings = WindowSettings(window=window, overlap=4.0, search=1.0)
    recognizer = Recognizer(own.acoustic, own.vocabulary, own.text, own.decoder, window_settings=settings)
    transcript = recognizer.transcribe(long, sample_rate=RATE)
    said = " ".join(texts * 5)
    # Nothing runs away and nothing is left out; here and there a letter is another behind a cut.
    assert 0.8 * len(said) < len(transcript.text) < 1.2 * len(said)
    assert transcript.duration == pytest.approx(len(long) / RATE)
    edges = [edge for word in transcript.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert edges[-1] > 0.9 * transcript.duration
    assert len(list(recognizer.transcribe_parts(long, sample_rate=RATE))) >= (1 if window > 100 else 10)


def test_the_attention_is_shown(run, recordings, texts, tmp_path):
    sight = inspect(asr.load(run), segment(recordings[0]))
    assert "".join(sight.written) == f"{texts[0]}."
    assert sight.attention.shape == (len(texts[0]) + 1, len(sight.log_probs))
    assert sight.attention.sum(axis=1) == pytest.approx(np.ones(len(sight.written)), abs=1e-4)
    assert picture(sight)["strips"][-1]["label"] == "attention"
    assert len(picture(sight)["strips"][-1]["ticks"]) == len(texts[0].split())
    draw(tmp_path / "sight.png", sight)
    assert (tmp_path / "sight.png").stat().st_size > 10_000
    of_ctc = inspect(Recognizer(random_model().acoustic, VOCABULARY), segment(recordings[0]))
    assert of_ctc.attention is None


def test_the_ctc_branch_aligns_a_text(run, recordings, texts):
    alignment = asr.load(run).align(recordings[0], texts[0])
    assert [word.aligned for word in alignment.words] == [True] * len(texts[0].split())


def test_what_is_saved_is_heard_again_bit_for_bit(run, recordings, tmp_path):
    first = checkpoint.load(run)
    checkpoint.save(tmp_path / "again", first, "card")
    sound = soundfile.read(recordings[0], dtype="float32")[0]
    once, again = (one.acoustic.rows([sound])[0] for one in (first, checkpoint.load(tmp_path / "again")))
    assert once.shape[1] == len(VOCABULARY) + 2 * SMALL.hidden_size
    assert np.array_equal(once, again)
    assert np.array_equal(first.acoustic.log_probs([sound])[0], once[:, : len(VOCABULARY)])


def test_the_command_line_from_training_to_evaluation(run, recordings, texts, tmp_path):
    manifest = run.parent / "corpus" / "four" / "manifest.jsonl"
    printed = command("transcribe", *recordings, "-m", run)
    assert all(text in printed for text in texts)
    written = json.loads(command("transcribe", recordings[0], "-m", run, "--beam-width", "3", "-f", "json"))
    assert written["text"] == texts[0]
    assert written["_meta"]["decoder"]["name"] == "attention"
    assert "0.00" in command("evaluate", manifest, "-m", run, "-o", tmp_path / "report")
    assert '"attention"' in (tmp_path / "report" / "report.html").read_text()
    assert command("inspect", recordings[0], "-m", run, "-o", tmp_path / "seen.html").strip() == texts[0]
    assert '"attention"' in (tmp_path / "seen.html").read_text()
    assert "none, since it needs the whole" in command("models", run)


def test_the_search_is_steered_from_the_command_line(run, recordings, texts):
    steered = ["--ctc-weight", "0.5", "--length-bonus", "0.1", "--beam-width", "3"]
    assert command("transcribe", recordings[0], "-m", run, *steered).strip() == texts[0]
    shorter = command("transcribe", recordings[0], "-m", run, "--max-ratio", "0.02").strip()
    assert len(shorter) < len(texts[0])
    line, decoder = choose_decoder(DecoderOptions(ctc_weight=0.5, max_ratio=0.3), str(run))
    assert line == "attention, beam of 8, CTC's share 0.5, labels a frame at most 0.3"
    assert (decoder.settings.ctc_weight, decoder.settings.max_ratio) == (0.5, 0.3)
    with pytest.raises(typer.BadParameter, match="of the beam of attention models"):
        choose_decoder(DecoderOptions(decoder=DecoderName.greedy, length_bonus=1.0), str(run))


def test_what_cannot_hold_is_refused_in_a_sentence(run, recordings, tmp_path):
    with pytest.raises(DecoderError, match="needs the whole utterance"):
        asr.load(run).stream()
    with pytest.raises(DecoderError, match="writes with its own beam search"):
        asr.load(run, decoder=BeamDecoder())
    with pytest.raises(DecoderError, match="has no attention"):
        asr.load("digits-en", decoder=AttentionDecoder())
    with pytest.raises(CheckpointError, match="only CTC models are exported"):
        export(run, tmp_path / "model.onnx")
    for arguments in (
        ["transcribe", recordings[0], "-m", run, "--lm", "lm.arpa"],
        ["transcribe", recordings[0], "-m", run, "--hotwords", "ab"],
        ["transcribe", recordings[0], "-m", run, "--rnnlm", "rnnlm/"],
        ["transcribe", recordings[0], "-m", run, "--fuse"],
        ["tune", run.parent / "corpus" / "four" / "manifest.jsonl", "-m", run, "-o", tmp_path / "tuned"],
    ):
        result = CliRunner().invoke(build_app(), [str(argument) for argument in arguments])
        assert result.exit_code != 0
        assert "own beam" in " ".join((result.output + str(result.exception)).replace("│", " ").split())


@pytest.fixture
def settings(tmp_path):
    return make_settings(tmp_path)


@pytest.mark.parametrize("ctc_weight", [0.0, 0.5])
def test_a_run_that_crashed_ends_as_one_that_did_not(settings, ctc_weight):
    attention = dataclasses.replace(ATTENTION, ctc_weight=ctc_weight, dropout=0.2, scheduled_sampling=0.3)
    trainer = {
        "max_epochs": 2,
        "save_minutes": 1e-9,
        "label_smoothing": 0.1,
        "ema": 0.9,
        "watch_gradients": True,
    }
    asked = settings(model=MODEL | {"attention": attention}, trainer=trainer)
    whole = dataclasses.replace(asked, run_dir=f"{asked.run_dir}-whole")
    train(whole)
    for epoch, batch in ((0, 3), (1, 2)):
        with before_batch(epoch, batch, crash), pytest.raises(Crash):
            train(asked)
        torch.manual_seed(batch)
    train(asked)
    assert left_behind(asked) == left_behind(whole)


def test_what_is_scheduled_changes_the_training(settings, tmp_path):
    trained = []
    for sampling in (0.0, 0.5):
        attention = dataclasses.replace(ATTENTION, scheduled_sampling=sampling)
        asked = settings(
            model=MODEL | {"attention": attention},
            trainer={"max_epochs": 1},
            run_dir=tmp_path / str(sampling),
        )
        train(asked)
        trained.append(weights(asked))
    assert trained[0] != trained[1]


def test_it_starts_from_the_layers_of_a_ctc_model(settings, tmp_path):
    ctc = settings(trainer={"max_epochs": 1}, run_dir=tmp_path / "ctc")
    train(ctc)
    trainer = {"max_epochs": 1, "init_from": str(tmp_path / "ctc" / "last"), "learning_rate": 1e-9}
    asked = settings(model=MODEL, trainer=trainer | {"warmup_epochs": 0.0, "weight_decay": 0.0})
    _, printed = train(asked)
    assert "its weights; speller is new" in printed
    before, after = (
        checkpoint.load(one).acoustic.state_dict() for one in (tmp_path / "ctc" / "last", asked.run_dir)
    )
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, rtol=0, atol=1e-5)
    shutil.rmtree(asked.run_dir)


def test_a_loss_that_is_none_leaves_the_others_alone(settings):
    asked = settings(model=MODEL)
    acoustic = random_model(FEATURES, dataclasses.replace(SMALL, **MODEL)).acoustic
    module = CTCTraining(acoustic, asked, asr.read_manifest(asked.data.train), 1)
    from asr.data import Example, collate

    features = acoustic.front_end.extract(utter("ab", 1))
    good = Example(features, torch.tensor([1, 2]), 0)
    bad = Example(features[:4], torch.tensor([1, 2, 3, 4, 1, 2, 3]), 1)
    losses, kept = module.eval().losses(collate([good, bad]))
    assert kept.tolist() == [True, False]
    assert losses.isfinite().all()
    assert module._num_lost == 1
