"""`asr transcribe - --stream` and `asr listen` as processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from test_cli_transcribe import UTTERANCES, run

from asr.cli.streaming import check_stream

CHOSEN = [UTTERANCES[5], UTTERANCES[10]]
TEXTS = [utterance.text for utterance in CHOSEN]
SOUNDS = [soundfile.read(utterance.audio_filepath, dtype="int16")[0] for utterance in CHOSEN]
RATE = 8000
PAUSE = np.random.default_rng(0).normal(0, 20, 2 * RATE).astype(np.int16)
SPEECH = np.concatenate([SOUNDS[0], PAUSE, SOUNDS[1], PAUSE[:RATE]])


LISTEN = [sys.executable, "-m", "asr", "listen", "-m", "digits-en"]


def listen(*arguments: object, modules: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(modules or ""), os.environ.get("PYTHONPATH")]))
    command = [*LISTEN, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "speech.wav", SPEECH, RATE)
    return tmp_path / "speech.wav"


def test_raw_samples_from_a_pipe_are_an_utterance_a_line() -> None:
    done = run("-", "--stream", "--raw", "--rate", str(RATE), stdin=SPEECH.tobytes())
    assert (done.returncode, done.stdout.splitlines()) == (0, TEXTS)
    assert "hears 1.50 s behind the sound, in windows" in done.stderr
    stereo = np.stack([SPEECH, SPEECH], axis=1).tobytes()
    again = run("-", "--raw", "--rate", str(RATE), "--channels", "2", "-q", stdin=stereo)
    assert (again.stdout, again.stderr) == (done.stdout, "")


@pytest.mark.parametrize("arguments", [["--raw"], ["--stream"]])
def test_a_pipe_that_nothing_came_from_is_no_success(arguments: list[str]) -> None:
    done = run("-", *arguments, "-q", stdin=b"")
    assert (done.returncode, done.stdout) == (1, "")
    assert "standard input: the stream ends before its sound begins" in done.stderr


def test_a_wav_from_a_pipe_gives_partials_and_finals_in_json(recording: Path) -> None:
    done = run("-", "--stream", "-f", "json", "-q", stdin=recording.read_bytes())
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    finals = [entry for entry in entries if entry["final"]]
    assert [final["text"] for final in finals] == TEXTS
    assert finals[1]["words"][0]["start"] > len(SOUNDS[0]) / RATE + 2
    assert {final["_meta"]["model"] for final in finals} == {"digits-en"}
    partials = [entry for entry in entries if not entry["final"]]
    assert all(set(entry) == {"final", "text", "stable", "seconds"} for entry in partials)
    assert entries[0] in partials
    assert TEXTS[0].startswith(entries[0]["text"])


def test_a_final_is_there_while_the_pipe_is_open() -> None:
    command = [
        sys.executable,
        "-m",
        "asr",
        "transcribe",
        "-m",
        "digits-en",
        "-",
        "--raw",
        "--rate",
        str(RATE),
        "-q",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(np.concatenate([SOUNDS[0], PAUSE, PAUSE]).tobytes())
        process.stdin.flush()
        assert process.stdout.readline().decode() == TEXTS[0] + "\n"
        assert process.poll() is None
        process.stdin.write(SOUNDS[1].tobytes())
        process.stdin.close()
        assert process.stdout.read().decode() == TEXTS[1] + "\n"
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((["-"], "srt"), "as txt or json"),
        ((["-"], "txt", True), "without options for files or n-best"),
        ((["-", "-"], "txt"), "one thing at a time"),
    ],
)
def test_what_a_stream_cannot_do_is_said(arguments: tuple, named: str) -> None:
    with pytest.raises(typer.BadParameter, match=named):
        check_stream(*arguments)
    check_stream(["-"], "json")


@pytest.mark.parametrize(
    "arguments",
    [["--jobs", "2"], ["--shard", "1/2"], ["-r"], ["-H"], ["-o", "out"], ["--overwrite"], ["--nbest", "2"]],
)
def test_what_is_for_files_is_refused_for_a_stream(arguments: list[str]) -> None:
    done = run("-", "--stream", *arguments, stdin=b"")
    assert done.returncode == 2
    assert "without options for files" in " ".join(done.stderr.replace("│", " ").split())


def test_a_rate_is_of_bare_samples() -> None:
    done = run("a.wav", "--rate", "8000")
    assert done.returncode == 2
    assert "give --raw too" in " ".join(done.stderr.replace("│", " ").split())


def test_a_pipe_without_sound_is_one_sentence() -> None:
    done = run("-", "--stream", stdin=b"")
    assert (done.returncode, done.stdout) == (1, "")
    assert "asr: standard input: the stream ends before its sound begins" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_recording_is_played_as_a_microphone(recording: Path) -> None:
    done = listen("--file", recording, "--speed", 1000)
    assert (done.returncode, done.stdout.splitlines()) == (0, TEXTS)
    assert f"{recording}: hears 1.50 s behind" in done.stderr
    quick = listen("--file", recording, "--speed", 1000, "--chunk", "0.3", "--after", "0.4", "--silence", "5")
    assert "hears 0.70 s behind" in quick.stderr
    assert quick.stdout.split() == " ".join(TEXTS).split()


def test_a_terminal_sees_what_is_not_final_yet(recording: Path) -> None:
    ours, theirs = os.openpty()
    command = [
        *LISTEN,
        "--file",
        str(recording),
        "--speed",
        "1000",
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert done.stdout.decode().splitlines() == TEXTS
    assert TEXTS[0].split()[0] in shown
    assert shown.endswith("\r\x1b[2K")


def test_ctrl_c_writes_what_was_said_until_then(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.concatenate([SPEECH, np.tile(PAUSE, 300)]), RATE)
    command = [
        *LISTEN,
        "--file",
        str(tmp_path / "long.wav"),
        "-f",
        "json",
    ]
    with subprocess.Popen(
        [*command, "--speed", "4"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert not json.loads(process.stdout.readline())["final"]
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read().decode().splitlines()
        assert process.stderr.read().decode().count("Traceback") == 0
    assert process.returncode == 0
    assert json.loads(rest[-1])["final"]


FAKE = """
class PortAudioError(Exception):
    pass
{body}
"""
PLAYING = """
import soundfile
MICROPHONE = dict(index=3, name="Toy", max_input_channels=1, default_samplerate=float({rate}))
def query_devices(device=None, kind=None):
    if kind and device not in (None, 3, "Toy"):
        raise ValueError(f"No input device matching {{device!r}}")
    return MICROPHONE if kind else [dict(MICROPHONE, index=0, name="Speaker", max_input_channels=0), MICROPHONE]
class InputStream:
    def __init__(self, samplerate, blocksize, device, channels, dtype, callback, finished_callback):
        assert (samplerate, device, channels, dtype) == ({rate}, 3, 1, "int16")
        samples, _ = soundfile.read({path!r}, dtype=dtype, always_2d=True)
        for start in range(0, len(samples), blocksize):
            callback(samples[start : start + blocksize], blocksize, None, None)
        finished_callback()
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
"""


def write_sounddevice(folder: Path, body: str) -> Path:
    """A stand-in for the library: tests have no microphone."""
    (folder / "modules").mkdir()
    (folder / "modules" / "sounddevice.py").write_text(FAKE.format(body=body))
    return folder / "modules"


def test_a_microphone_is_heard_until_it_is_unplugged(tmp_path: Path, recording: Path) -> None:
    modules = write_sounddevice(tmp_path, PLAYING.format(rate=RATE, path=str(recording)))
    assert listen("--list-devices", modules=modules).stdout == f"3\tToy\t{RATE} Hz\n"
    done = listen("--device", "Toy", modules=modules)
    assert (done.returncode, done.stdout.splitlines()) == (0, TEXTS), done.stderr
    assert "Toy: hears" in done.stderr
    wrong = listen("--device", "Other", modules=modules)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "There is no microphone 'Other' here" in wrong.stderr


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("raise ImportError", "pip install 'asr[mic]'"),
        ("raise OSError('PortAudio library not found')", "apt install libportaudio2"),
        (
            "def query_devices(*_):\n    raise PortAudioError('Error querying device -1')",
            "There is no microphone",
        ),
    ],
)
def test_no_microphone_is_one_sentence(body: str, named: str, tmp_path: Path) -> None:
    done = listen(modules=write_sounddevice(tmp_path, body))
    assert (done.returncode, done.stdout) == (1, "")
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_no_device_to_list_is_one_sentence(tmp_path: Path) -> None:
    modules = write_sounddevice(tmp_path, "def query_devices():\n    return []")
    done = listen("--list-devices", modules=modules)
    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no microphone here; plug one in" in done.stderr
