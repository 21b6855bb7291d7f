"""`asr export` as a process, and what `asr models` and `asr tune` say of what it writes."""

from pathlib import Path

import pytest
from test_cli import run

import asr

RECORDING = Path(__file__).parents[1] / "recipes" / "demo" / "samples" / "01-espeak-en-us+travis.wav"


def test_int8_is_written_and_hears(tmp_path):
    target = tmp_path / "digits.onnx"
    done = run("export", "digits-en", "-o", target, "--int8")
    assert (done.returncode, done.stdout) == (0, "")
    assert " MB; in float32 " in done.stderr
    assert target.stat().st_size < 1.2e6
    assert asr.load(target).transcribe(RECORDING).words
    assert [path.name for path in tmp_path.iterdir()] == ["digits.onnx"]
    assert run("models", target).stdout == run("models", "digits-en").stdout


@pytest.mark.parametrize(
    ("model", "output", "code", "sentence"),
    [
        ("digits-en", "digits.bin", 2, "called NAME.onnx"),
        ("digits-en", "missing/digits.onnx", 1, "cannot be written"),
        ("nothing", "digits.onnx", 1, "no model directory"),
    ],
)
def test_what_goes_wrong_is_one_sentence(tmp_path, model, output, code, sentence):
    done = run("export", model, "-o", tmp_path / output)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert sentence in " ".join(done.stderr.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []
