"""asr inspect, as a process."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parent.parent / "recipes" / "demo" / "samples" / "05-flite-rms.mp3"


def run(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asr", "inspect", "-m", "digits-en", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_a_picture_lies_in_the_folder_where_it_was_asked_for(tmp_path):
    recording = tmp_path / "sounds" / "a.mp3"
    recording.parent.mkdir()
    shutil.copy(SAMPLE, recording)
    done = run(tmp_path, recording)
    assert (done.returncode, done.stdout) == (0, "two zero seven zero two four\n"), done.stderr
    assert "picture: a.inspect.png" in done.stderr
    assert (tmp_path / "a.inspect.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in recording.parent.iterdir()] == ["a.mp3"]


def test_a_page_may_hold_the_sound_of_a_part(tmp_path):
    done = run(tmp_path, SAMPLE, "-o", "new/a.html", "--offset", "1.2", "--duration", "1.5", "--embed-audio")
    assert done.returncode == 0, done.stderr
    assert "data:audio/flac;base64," in (tmp_path / "new" / "a.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("missing.wav",), 1, "missing.wav: cannot be read"),
        ((SAMPLE, "-o", "a.wav"), 2, "must end in .png or .html"),
        ((SAMPLE, "--embed-audio"), 2, "is for pages"),
        ((SAMPLE, "--offset", "99"), 1, "give offset >= 0 and duration > 0"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(tmp_path, arguments, code, message):
    done = run(tmp_path, *arguments)
    assert done.returncode == code
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_recording_is_never_overwritten(tmp_path):
    recording = shutil.copy(SAMPLE, tmp_path / "a.png")
    done = run(tmp_path, recording, "-o", "a.png")
    assert done.returncode == 2
    assert recording.read_bytes() == SAMPLE.read_bytes()
