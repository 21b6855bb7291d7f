"""Decoder weights chosen on a dev set: better there than greedy, stored with the model, used unasked."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from toys import VOCABULARY, Mumbling, ToneModel, random_model, random_texts, write_corpus, write_unigram

import asr
from asr import checkpoint, tuning
from asr.cli.decoder import DecoderName, DecoderOptions, make_decoder
from asr.decoding import BeamDecoder, BeamSettings, decode_greedy
from asr.decoding.confidence import Calibration
from asr.dev_set import DevSet
from asr.errors import CheckpointError
from asr.lm.load import load_language_model
from asr.manifest import Utterance, write_manifest
from asr.recognizer import Recognizer
from asr.tuning import tune

SAMPLES = Path(__file__).parent.parent / "recipes" / "demo" / "samples" / "samples.jsonl"


@pytest.fixture(scope="module")
def lm(tmp_path_factory) -> Path:
    return write_unigram(tmp_path_factory.mktemp("lm") / "toy.arpa")


@pytest.fixture(scope="module")
def dev(tmp_path_factory) -> DevSet:
    utterances = write_corpus(tmp_path_factory.mktemp("dev"), random_texts(10, 7))
    return DevSet(Recognizer(Mumbling(), VOCABULARY), utterances)


@pytest.fixture(scope="module")
def found(dev, lm) -> tuning.Tuning:
    return tune(dev, load_language_model(lm), BeamSettings(beam_width=16))


def test_a_language_model_helps_one_who_mumbles(found):
    assert found.chosen is found.beam
    assert found.beam.errors < found.greedy.errors
    assert found.gain.high <= 0
    assert found.without_lm.evaluation.words.errors > found.beam.evaluation.words.errors


def test_nothing_tried_is_better_than_what_is_chosen(dev, lm, found):
    settings = found.beam.settings
    assert settings.beam_width <= 16
    assert [trial.settings.beam_width for trial in found.widths] == [8, 16, 32, 64, 128]
    for alpha, beta in ((0.25, 0.0), (1.0, 1.0), (1.5, 3.0)):
        other = BeamSettings(beam_width=16, alpha=alpha, beta=beta)
        words = dev.evaluate(BeamDecoder(other, load_language_model(lm))).words
        assert words.errors >= found.beam.evaluation.words.errors


def test_of_equals_the_narrowest_and_most_usual_is_chosen(dev):
    same = tuning.Trial(BeamSettings(beam_width=8), dev.evaluate(BeamDecoder()))
    wider = tuning.Trial(BeamSettings(beam_width=16), same.evaluation)
    stranger = tuning.Trial(BeamSettings(beam_width=8, alpha=0.25), same.evaluation)
    assert min([stranger, wider, same], key=lambda trial: trial.rank(BeamSettings())) is same


def test_without_a_language_model_the_beam_is_tuned_alone(dev):
    heard: list[tuple[int, int]] = []
    found = tune(dev, None, BeamSettings(beam_width=8), on_trial=lambda *counts: heard.append(counts))
    assert found.without_lm is None
    assert found.num_trials == len(heard) < 30
    assert all(done <= foreseen for done, foreseen in heard)
    assert {trial.settings.alpha for trial in found.widths} == {BeamSettings().alpha}
    assert {trial.settings.unknown for trial in found.widths} == {BeamSettings().unknown}


def test_what_is_stored_is_what_was_found(dev, lm, found, tmp_path):
    checkpoint.save(tmp_path / "model", random_model(), "card")
    stored = tuning.store(found, tmp_path / "model", tmp_path / "d.jsonl", lm)
    recognizer = asr.load(tmp_path / "model", device="cpu")
    assert recognizer.decoder.settings == found.beam.settings
    assert recognizer.calibration == found.beam_confidence.calibration
    evaluated = dev.evaluate(recognizer.decoder)
    assert evaluated.words.rate == stored.tuned.dev_wer == found.beam.evaluation.words.rate
    assert (stored.tuned.manifest, stored.tuned.utterances) == ("d.jsonl", 10)
    assert (stored.tuned.language_model, stored.language_model) == ("toy.arpa", "lm.bin")
    assert (tmp_path / "model" / "README.md").read_text() == "card"


def test_greedy_stays_where_no_beam_is_better(tmp_path, lm):
    utterances = write_corpus(tmp_path / "dev", random_texts(3, 2))
    perfect = DevSet(Recognizer(ToneModel(), VOCABULARY), utterances)
    found = tune(perfect, load_language_model(lm), BeamSettings(beam_width=8))
    assert found.chosen is found.greedy
    checkpoint.save(tmp_path / "model", random_model(), "card")
    assert tuning.store(found, tmp_path / "model", Path("d.jsonl"), lm).decoder == "greedy"
    assert asr.load(tmp_path / "model", device="cpu").decoder is decode_greedy


def test_confidences_are_corrected_only_where_that_helps():
    sure = [[(0.99, index % 4 < 2), (0.98, index % 3 == 0)] for index in range(120)]
    corrected = tuning.calibrate(sure)
    assert corrected.before > 0.4
    assert corrected.after < 0.15
    assert isinstance(corrected.calibration, Calibration)
    right = [[(1.0, True)] for _ in range(20)]
    assert tuning.calibrate(right).calibration is None


# --- the command ---------------------------------------------------------------------------------------------------


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asr", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> dict[str, Path]:
    """A dev set of four recordings, a unigram of the digits, and where a tuned copy of the bundled model lies."""
    folder = tmp_path_factory.mktemp("digits")
    write_manifest(folder / "dev.jsonl", asr.read_manifest(SAMPLES)[:4])
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    rows = "".join(f"-1.0\t{word}\n" for word in ("</s>", *words))
    (folder / "lm.arpa").write_text(
        f"\\data\\\nngram 1=13\n\n\\1-grams:\n-3\t<unk>\n-99\t<s>\n{rows}\n\\end\\\n"
    )
    return {"dev": folder / "dev.jsonl", "lm": folder / "lm.arpa", "tuned": folder / "tuned"}


@pytest.fixture(scope="module")
def tuned(digits) -> subprocess.CompletedProcess[str]:
    options = ["-m", "digits-en", "--lm", digits["lm"], "-o", digits["tuned"], "--beam-width", "8"]
    return run("tune", digits["dev"], *options)


def test_the_command_prints_a_table_and_stores(digits, tuned):
    assert tuned.returncode == 0, tuned.stderr
    lines = tuned.stdout.splitlines()
    assert lines[0].startswith("decoder ")
    assert lines[1].lstrip("* ").startswith("greedy ")
    assert sum(line.startswith("* ") for line in lines) == 1
    assert "optimistic" in tuned.stdout
    assert str(digits["tuned"] / "decoder.yaml") in tuned.stderr
    remembered = yaml.safe_load((digits["tuned"] / "decoder.yaml").read_text())["tuned"]
    assert (remembered["manifest"], remembered["utterances"]) == ("dev.jsonl", 4)
    assert remembered["language_model"] == "lm.arpa"
    assert not (checkpoint.BUNDLED / "digits-en" / "decoder.yaml").exists()


def edit(digits: dict[str, Path], target: Path, **changes) -> Path:
    """A copy of the tuned model that remembers something else."""
    with checkpoint.revise(digits["tuned"], target) as folder:
        path = folder / "decoder.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))
    return target


def test_what_is_stored_is_used_unasked(digits, tuned, tmp_path):
    settings = {"beam_width": 4, "alpha": 0.25, "beta": -0.5}
    model = edit(digits, tmp_path / "model", decoder="beam", settings=settings)
    path = asr.read_manifest(SAMPLES)[1].audio_filepath
    done = run("transcribe", path, "-m", model, "-f", "json")
    decoder_line = done.stderr.splitlines()[0]
    assert decoder_line.startswith("decoder: beam of 4, ")
    assert "lm.bin, alpha 0.25, beta -0.5, unknown -5 and -1 a letter (chosen on dev.jsonl" in decoder_line
    transcript = asr.load(model).transcribe(path)
    assert json.loads(done.stdout)["score"] == pytest.approx(transcript.score, abs=1e-3)


def said(capsys, model: Path, **options) -> str:
    """What the commands say of the decoder that they take."""
    make_decoder(DecoderOptions(**options), str(model))
    return capsys.readouterr().err


def test_options_go_over_what_is_stored_one_by_one(digits, tuned, tmp_path, capsys):
    settings = {"beam_width": 4, "alpha": 0.25, "beta": -0.5}
    model = edit(digits, tmp_path / "model", decoder="beam", settings=settings)
    assert "beam of 4, " in said(capsys, model, beta=0.0)
    assert "alpha 0.25, beta 0, unknown -5 and -1 a letter\n" in said(capsys, model, beta=0.0)
    assert "alpha 0, beta -0.5, unknown -5 and -1 a letter\n" in said(capsys, model, alpha=0.0)
    assert "strict lexicon\n" in said(capsys, model, lexicon="strict")
    assert f"{digits['lm']}, alpha 0.25, " in said(capsys, model, lm=digits["lm"])
    assert said(capsys, model, decoder=DecoderName.greedy) == "decoder: greedy\n"


def test_a_language_model_that_was_left_out_is_asked_for(digits, tuned, tmp_path, capsys):
    settings = {"beam_width": 4, "alpha": 0.25, "beta": 2.0}
    model = edit(digits, tmp_path / "model", decoder="beam", settings=settings, language_model=None)
    assert "need lm.arpa: give it as --lm" in said(capsys, model)
    assert asr.load(model).decoder is decode_greedy
    assert "lm.arpa, alpha 0.25, beta 2, " in said(capsys, model, lm=digits["lm"])
    assert "beam of 4, no language model, beta 0, 1 hotword\n" in said(capsys, model, hotwords="five")


def test_json_and_failures(digits, tmp_path):
    lost = Utterance(str(tmp_path / "lost.wav"), 1.0, "one")
    write_manifest(tmp_path / "dev.jsonl", [*asr.read_manifest(digits["dev"])[:1], lost])
    checkpoint_dir = tmp_path / "model"
    done = run(
        "tune", tmp_path / "dev.jsonl", "-m", "digits-en", "-o", checkpoint_dir, "--beam-width", "4", "--json"
    )
    assert done.returncode == 1
    assert "lost.wav" in done.stderr
    figures = json.loads(done.stdout)
    assert [row["decoder"] for row in figures["rows"]][:2] == ["greedy", "beam of 4"]
    assert not (checkpoint_dir / "lm.bin").exists()


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--lexicon", "strict"], 2, "--lexicon needs --lm"),
        (["--lm", "absent.arpa", "-o", "absent/copy"], 1, "absent.arpa"),
        (["-o", SAMPLES.parent], 1, "holds something that is no model"),
    ],
)
def test_misuse_is_one_sentence(options, code, sentence):
    done = run("tune", SAMPLES, "-m", "digits-en", *options)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written there"):
        checkpoint.check_writable(tmp_path / "file" / "model")


def test_a_model_of_the_package_is_not_written_into():
    with pytest.raises(CheckpointError, match="comes with the package"):
        checkpoint.check_writable(checkpoint.resolve("digits-en"))


def test_what_is_read_only_can_be_copied_and_written_into(tmp_path):
    shutil.copytree(checkpoint.resolve("digits-en"), tmp_path / "closed")
    for path in (*(tmp_path / "closed").iterdir(), tmp_path / "closed"):
        path.chmod(0o555)
    with checkpoint.revise(tmp_path / "closed", tmp_path / "copy") as folder:
        assert all(path.stat().st_mode & 0o200 for path in (folder, *folder.iterdir()))
    assert asr.load(tmp_path / "copy").vocabulary == asr.load("digits-en").vocabulary
