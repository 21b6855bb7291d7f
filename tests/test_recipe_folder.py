"""The folder recipe as a user runs it, on a toy language whose letters are not Latin."""

import importlib.util
import os
import re
import shlex
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import soundfile
from toys import RATE, random_texts, utter

import asr
from asr.errors import ConfigError, ManifestError
from asr.lm.load import load_language_model
from asr.manifest import read_manifest
from asr.recipe import build_ngram

RECIPE = Path(__file__).parents[1] / "recipes" / "folder"
LETTERS = str.maketrans("abcd", "абвг")
TINY = [
    *("--minutes", "5", "model.hidden_size=24", "model.num_channels=24", "model.num_layers=1"),
    *("model.kernel_size=3", "model.dropout=0.1", "augment=none"),
    *("trainer.max_epochs=10", "trainer.learning_rate=1e-2", "trainer.warmup_epochs=1"),
]


def write_folder(folder: Path, count: int = 40) -> Path:
    """Recordings of a toy language, the text of each beside it, and one that has none."""
    folder.mkdir(parents=True)
    for number, text in enumerate(random_texts(count, 1)):
        soundfile.write(folder / f"{number:03d}.wav", utter(text, number), RATE)
        (folder / f"{number:03d}.txt").write_text(text.translate(LETTERS), encoding="utf-8")
    (folder / "007.txt").unlink()
    return folder


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(RECIPE / "run.py"), str(folder), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, cwd=folder.parent, **pipes)


def test_one_command_ends_with_a_recogniser_and_goes_on_where_it_was_killed(tmp_path):
    source = write_folder(tmp_path / "talk")
    killed = start(source, *TINY)
    said = next(line for line in killed.stderr if line.startswith("epoch   2/10"))
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL, said
    data, run_dir = tmp_path / "data/folder/talk", tmp_path / "runs/folder/talk"
    left = {path: path.read_bytes() for path in (run_dir / "plan.yaml", data / "train.jsonl")}
    made = (data / "all.jsonl").stat().st_mtime_ns

    process = start(source, *TINY)
    printed, said = process.communicate()
    assert process.returncode == 0, said
    assert "epoch   1/10" not in said.partition("learning curve")[0], "it began again"
    assert (data / "all.jsonl").stat().st_mtime_ns == made
    assert all(path.read_bytes() == content for path, content in left.items())
    the_plan_is_told(said)
    the_result_is_told(printed)
    assert (run_dir / "test.html").is_file()
    assert (run_dir / "best" / "decoder.yaml").is_file()
    heard = asr.load(run_dir).transcribe(source / "000.wav").text
    assert heard
    assert set(heard) <= set("абвг ")
    another_division_is_refused(source)
    assert all(path.read_bytes() == content for path, content in left.items()), (
        "of the sets that were trained on"
    )


def the_plan_is_told(said: str) -> None:
    assert "39 utterances, 0.6 minutes, speakers not known; divided by sentence" in said
    assert "8 kHz" in said
    assert "10 epochs" in said
    assert "too little" in said


def the_result_is_told(printed: str) -> None:
    assert "| decoder | CER % [95 %] | WER % [95 %] |" in printed
    rates = [float(rate) for rate in re.findall(r"^\| .*?\| ([\d.]+) \[", printed, re.MULTILINE)]
    assert len(rates) == 2
    assert max(rates) < 60, "a toy language is easy"
    assert printed.count("of speech: CER") == 3
    assert "who say something new" in printed
    assert "next: asr transcribe new.wav -m runs/folder/talk" in printed


def another_division_is_refused(source: Path) -> None:
    process = start(source, "--seed", "2", "--minutes", "6")
    printed, said = process.communicate()
    assert (process.returncode, printed) == (1, "")
    assert "holds a training of other recordings, another split, seed or --minutes" in said.splitlines()[-1]
    assert "Traceback" not in said


@pytest.fixture
def recipe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("folder_prepare", RECIPE / "prepare.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["folder_prepare"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def options(folder: Path, output_dir: Path, **changed) -> Namespace:
    usual = {"speaker_from": "none", "split_by": None, "seed": 1}
    return Namespace(folder=folder, output_dir=output_dir, **usual | changed)


def test_a_recording_without_a_text_is_named_and_the_rest_goes_on(recipe, tmp_path, capsys):
    sets = recipe.prepare(options(write_folder(tmp_path / "talk"), tmp_path / "out"))
    assert sum(len(read_manifest(path)) for path in sets.paths.values()) == 39
    assert "007.wav: it has no text; write 007.txt" in capsys.readouterr().err
    assert (tmp_path / "out" / "left-out.txt").read_text().count("\n") == 1


def test_the_manifest_is_made_again_when_the_folder_or_the_question_has_changed(recipe, tmp_path):
    source, out = write_folder(tmp_path / "talk"), tmp_path / "out"
    old = source.stat().st_mtime - 10
    for path in (source, *source.iterdir()):
        os.utime(path, (old, old))
    recipe.prepare(options(source, out))
    manifest = out / "all.jsonl"
    manifest.write_text(manifest.read_text().replace("0", "0"))
    first = manifest.stat().st_ino
    recipe.prepare(options(source, out))
    assert manifest.stat().st_ino == first
    recipe.prepare(options(source, out, speaker_from="folder"))
    assert {one.speaker for one in read_manifest(manifest)} == {"talk"}
    (source / "007.txt").write_text("аб")
    recipe.prepare(options(source, out, speaker_from="folder"))
    assert len(read_manifest(manifest)) == 40


def test_a_folder_without_anything_to_train_on_is_one_sentence(recipe, tmp_path, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(
        sys, "argv", ["prepare.py", str(tmp_path / "empty"), "--output-dir", str(tmp_path / "o")]
    )
    assert recipe.main() == 1
    assert capsys.readouterr().err == (
        f"folder: {tmp_path}/empty: it holds no recording, table, wav.scp or cut set; name another folder.\n"
    )
    write_folder(tmp_path / "two", 8)
    for path in sorted((tmp_path / "two").glob("*.txt"))[2:]:
        path.unlink()
    with pytest.raises(
        ManifestError, match=r"^2 utterances cannot fill train, dev and test, which take 3 at least"
    ):
        recipe.prepare(options(tmp_path / "two", tmp_path / "o"))


def test_another_folder_of_the_same_name_leaves_everything_as_it_is(recipe, tmp_path):
    out = tmp_path / "out"
    recipe.prepare(options(write_folder(tmp_path / "p" / "clips"), out))
    before = {path: path.read_bytes() for path in out.iterdir()}
    other = write_folder(tmp_path / "q" / "clips", 20)
    with pytest.raises(
        ManifestError, match=rf"out: holds the sets of {tmp_path}/p/clips; give another --output-"
    ):
        recipe.prepare(options(other, out))
    (tmp_path / "q.jsonl").write_bytes(before[out / "train.jsonl"])
    with pytest.raises(ManifestError, match="holds the sets of"):
        recipe.prepare(options(tmp_path / "q.jsonl", out))
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_sets_that_are_refused_do_not_take_the_place_of_others(recipe, tmp_path):
    def refuse(manifests: dict[str, Path]) -> None:
        seen.update({name: len(read_manifest(path)) for name, path in manifests.items()})
        raise ConfigError("trained on others")

    source, out, seen = write_folder(tmp_path / "talk"), tmp_path / "out", {}
    recipe.prepare(options(source, out))
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(ConfigError):
        recipe.prepare(options(source, out, seed=2), refuse)
    assert sum(seen.values()) == 39
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_what_the_recipe_writes_into_the_folder_is_no_change_of_it(recipe, tmp_path, monkeypatch):
    source = write_folder(tmp_path / "talk")
    monkeypatch.chdir(source)
    here = options(Path(), None)
    old = source.stat().st_mtime - 10
    runs, all_of_it = Path("runs/folder/talk"), Path("data/folder/talk/all.jsonl")
    recipe.prepare(here, others=[runs])
    for path in (Path("runs"), Path("data"), Path("data/folder"), runs.parent, Path(), *Path().glob("0*")):
        os.utime(path, (old, old))  # a file system's clock may not tell them from the manifest
    (runs / "plan.yaml").write_text("epochs: 1")
    first = all_of_it.stat().st_ino
    recipe.prepare(here, others=[runs])
    assert all_of_it.stat().st_ino == first
    Path("007.txt").write_text("аб")
    recipe.prepare(here, others=[runs])
    assert len(read_manifest(all_of_it)) == 40


def test_a_name_that_is_no_text_is_left_out_by_name(recipe, tmp_path, capsys):
    source = write_folder(tmp_path / "talk")
    (source / os.fsdecode(b"caf\xe9.wav")).write_bytes((source / "001.wav").read_bytes())
    recipe.prepare(options(source, tmp_path / "out"))
    assert r"caf\udce9.wav: it has no text" in (tmp_path / "out" / "left-out.txt").read_text(encoding="utf-8")
    assert r"caf\udce9.wav: it has no text" in capsys.readouterr().err


@pytest.fixture
def script(monkeypatch) -> Iterator[ModuleType]:
    """run.py, whose neighbour is named like those of other recipes."""
    monkeypatch.syspath_prepend(RECIPE)
    sys.modules.pop("prepare", None)
    spec = importlib.util.spec_from_file_location("folder_run", RECIPE / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("prepare", None)


@pytest.mark.parametrize("minutes", ["inf", "nan", "0", "-3"])
def test_minutes_that_never_end_or_begin_are_refused_at_once(script, minutes, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["run.py", "absent", f"--minutes={minutes}"])
    with pytest.raises(SystemExit) as stopped:
        script.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == "run.py: error: --minutes must be a positive number"


def test_the_next_command_can_be_pasted(script):
    command = script.next_command(Path("runs/folder/it's [a], (b)")).removeprefix("next: ")
    assert shlex.split(command) == ["asr", "transcribe", "new.wav", "-m", "runs/folder/it's [a], (b)"]
    assert script.next_command(Path("runs/folder/talk")).endswith("-m runs/folder/talk")


def test_manifests_of_several_corpora_are_taken_as_one(recipe, tmp_path, capsys):
    lines = ""
    for name in ("one", "two"):
        recipe.prepare(options(write_folder(tmp_path / name, 20), tmp_path / "out" / name))
        lines += (tmp_path / "out" / name / "all.jsonl").read_text()
    (tmp_path / "both.jsonl").write_text(lines)
    capsys.readouterr()
    sets = recipe.prepare(options(tmp_path / "both.jsonl", tmp_path / "out" / "both"))
    assert capsys.readouterr().err.startswith("38 utterances")
    assert sum(len(read_manifest(path)) for path in sets.paths.values()) == 38


def test_what_a_user_should_know_of_the_folder_is_said(recipe, tmp_path, capsys):
    for name in ("ada", "bob"):
        write_folder(tmp_path / "talk" / name, 20)
    (tmp_path / "talk" / "ada" / "001.txt").write_text("в 1990 году")
    recipe.prepare(options(tmp_path / "talk", tmp_path / "out"))
    said = capsys.readouterr().err
    assert "2 folders: if each is one person's, add --speaker-from folder" in said
    assert "1 texts have digits" in said


def test_a_language_without_spaces_gets_a_model_of_characters(tmp_path):
    path = build_ngram(["今天天气好", "今天好"], tmp_path / "lm.arpa.gz", 3, characters=True)
    model = load_language_model(path)
    assert model.is_characters
    assert model.word_id("今") > 0
