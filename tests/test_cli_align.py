"""`asr align` as a process."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from praatio import textgrid

from asr.manifest import read_manifest, write_manifest

SAMPLES = Path(__file__).parent.parent / "recipes" / "demo" / "samples"
FIRST, SECOND, THIRD = read_manifest(SAMPLES / "samples.jsonl")[:3]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asr", "align", "-m", "digits-en", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_text_becomes_a_textgrid(tmp_path: Path) -> None:
    (tmp_path / "said.txt").write_text(f"Eight, {FIRST.text}!\n")
    out = tmp_path / "new" / "said.TextGrid"
    done = run(FIRST.audio_filepath, tmp_path / "said.txt", "-o", out)
    assert (done.returncode, done.stdout) == (0, "")
    assert "1 of 6 words unaligned: Eight, (0.00 s)." in done.stderr
    grid = textgrid.openTextgrid(str(out), includeEmptyIntervals=False)
    assert grid.tierNames == ("words", "characters", "unaligned")
    assert [entry.label for entry in grid.getTier("words").entries] == f"{FIRST.text}!".split()
    assert [path.name for path in out.parent.iterdir()] == ["said.TextGrid"]
    assert run(FIRST.audio_filepath, tmp_path / "said.txt", "-o", out, "-q").stderr == ""


def test_a_manifest_becomes_a_folder_and_bad_lines_cost_only_themselves(tmp_path: Path) -> None:
    wrong = type(FIRST)(str(tmp_path / "absent.wav"), 1.0, "one")
    silent = type(FIRST)(SECOND.audio_filepath, 1.0, "")
    write_manifest(tmp_path / "all.jsonl", [FIRST, wrong, silent, SECOND, SECOND])
    done = run(tmp_path / "all.jsonl", "-o", tmp_path / "out", "-f", "json")
    assert done.returncode == 1
    stems = [Path(one.audio_filepath).stem for one in (FIRST, SECOND)]
    written = {path.name for path in (tmp_path / "out").iterdir()}
    # Which is called what does not depend on which of them fail.
    assert written == {f"{stems[0]}.json", f"{stems[1]}.wav.json", f"{stems[1]}-2.json"}
    entry = json.loads((tmp_path / "out" / f"{stems[0]}.json").read_text())
    assert [word["text"] for word in entry["words"]] == FIRST.text.split()
    assert entry["_meta"]["model"] == "digits-en"
    assert len(entry["_meta"]["weights"]) == len("sha256:") + 64
    complaints = [line for line in done.stderr.splitlines() if line.startswith("asr: ")]
    assert len(complaints) == 2
    assert "absent.wav" in complaints[0]
    assert "no word to align" in complaints[1]


def test_pairs_go_to_stdout_where_the_format_joins_them(tmp_path: Path) -> None:
    files = []
    for one in (FIRST, SECOND):
        text = tmp_path / f"{Path(one.audio_filepath).stem}.txt"
        text.write_text(one.text)
        files += [one.audio_filepath, text]
    done = run(*files, "-f", "ctm")
    assert done.returncode == 0
    heard = [line.split()[4] for line in done.stdout.splitlines()]
    assert heard == f"{FIRST.text} {SECOND.text}".split()


def test_a_folder_may_have_a_dot_and_a_path_an_at(tmp_path: Path) -> None:
    folder = tmp_path / "me@host"
    folder.mkdir()
    shutil.copy(FIRST.audio_filepath, folder / "a.b.wav")
    (tmp_path / "said.txt").write_text(FIRST.text)
    segment = replace(FIRST, audio_filepath=str(folder / "a.b.wav"), offset=0.0)
    write_manifest(tmp_path / "all.jsonl", [segment])
    done = run(folder / "a.b.wav", tmp_path / "said.txt", "-o", f"{tmp_path}/v1.0/", "-f", "ctm")
    assert done.returncode == 0, done.stderr
    done = run(tmp_path / "all.jsonl", "-o", f"{tmp_path}/v1.0/", "-f", "ctm")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "v1.0").iterdir()} == {"a.b.ctm", "a.b@0s.ctm"}


def test_an_input_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "said.txt").write_text(FIRST.text)
    done = run(FIRST.audio_filepath, tmp_path / "said.txt", "-f", "json", "-o", tmp_path / "said.txt")
    assert done.returncode == 1
    assert "would be written over" in done.stderr
    assert (tmp_path / "said.txt").read_text() == FIRST.text


def test_another_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("6 8")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    other = [FIRST.audio_filepath, tmp_path / "other.txt"]
    done = run(*other, FIRST.audio_filepath, tmp_path / "bytes.txt", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert "none of the 2 words of the text is heard in it" in done.stderr
    assert "bytes.txt: is no UTF-8 text" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["a.wav"], "behind it its text's file"),
        (["a.wav", "a.txt", "-o", "x.docx"], "no format has this suffix"),
        (["a.wav", "a.txt", "b.wav", "b.txt", "-o", "x.json"], "a folder"),
    ],
)
def test_misuse_is_said(arguments: list[str], named: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert named in " ".join(done.stderr.replace("│", " ").split())
