"""An exported model at work, in real processes: without torch, with every decoder, and without onnxruntime."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from toys import write_unigram

import asr
from asr.errors import CheckpointError

SAMPLES = Path(__file__).parents[1] / "recipes" / "demo" / "samples"
RECORDING = SAMPLES / "01-espeak-en-us+travis.wav"
HEAVY = ("torch", "lightning", "hydra", "omegaconf", "onnx", "jiwer", "safetensors", "numba", "matplotlib")


def asr_in_a_process(
    *arguments: object, before: str = ""
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """`asr` with arguments; which of the heavy packages it had loaded at its end."""
    script = f"""
import json, sys
{before}
from asr.cli import main
sys.argv = ["asr", *{list(map(str, arguments))}]
try:
    main()
finally:
    print(json.dumps([name for name in {HEAVY} if sys.modules.get(name)]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    done.stdout = "\n".join(lines[:-1])
    return done, json.loads(lines[-1])


def test_transcribe_loads_no_torch(digits_onnx):
    done, loaded = asr_in_a_process("transcribe", RECORDING, "-m", digits_onnx)
    assert (done.returncode, loaded) == (0, [])
    assert done.stdout == asr.load("digits-en").transcribe(RECORDING).text
    assert "decoder: greedy" in done.stderr


def test_every_option_of_the_decoder_works_without_torch_too(digits_onnx, tmp_path):
    options = (
        "--hotwords",
        "five:9",
        "--nbest",
        "2",
        "-f",
        "json",
        "--lm",
        write_unigram(tmp_path / "toy.arpa"),
    )
    done, loaded = asr_in_a_process("transcribe", RECORDING, "-m", digits_onnx, *options)
    assert (done.returncode, loaded) == (0, ["numba"])
    assert len(json.loads(done.stdout)["alternatives"]) == 2


def test_evaluate_loads_no_torch(digits_onnx):
    done, loaded = asr_in_a_process("evaluate", SAMPLES / "samples.jsonl", "-m", digits_onnx)
    assert (done.returncode, loaded) == (0, ["jiwer"])
    assert done.stdout.startswith("%WER ")


def test_align_and_listen_load_no_torch(digits_onnx, tmp_path):
    said = asr.load("digits-en").transcribe(RECORDING).text
    (tmp_path / "said.txt").write_text(said)
    done, loaded = asr_in_a_process("align", RECORDING, tmp_path / "said.txt", "-m", digits_onnx, "-f", "ctm")
    assert (done.returncode, loaded) == (0, ["numba"])
    assert [line.split()[4] for line in done.stdout.splitlines()] == said.split()
    done, loaded = asr_in_a_process("listen", "--file", RECORDING, "--speed", 1000, "-m", digits_onnx)
    assert (done.returncode, loaded, done.stdout) == (0, [], said)


def test_without_onnxruntime_one_sentence_says_what_to_install(digits_onnx):
    done, _ = asr_in_a_process(
        "transcribe", RECORDING, "-m", digits_onnx, before="sys.modules['onnxruntime'] = None"
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == (
        f"asr: {digits_onnx}: needs onnxruntime; install it: pip install 'asr[onnx]'."
    )


def test_batch_mates_do_not_change_an_answer_by_a_bit(digits_onnx):
    acoustic = asr.load(digits_onnx).acoustic
    rng = np.random.default_rng(0)
    clips = [rng.normal(0, 0.1, length).astype(np.float32) for length in (8000, 3000, 1)]
    for clip, scores in zip(clips, acoustic.log_probs(clips), strict=True):
        np.testing.assert_array_equal(scores, acoustic.log_probs([clip])[0])


def test_features_are_not_for_a_model_that_hears_recordings(digits_onnx):
    acoustic = asr.load(digits_onnx).acoustic
    with pytest.raises(CheckpointError, match="export it with --features"):
        acoustic.log_probs([np.zeros((9, acoustic.num_static), np.float32)])
