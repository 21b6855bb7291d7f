"""The recipes as a user runs them, on the real corpora."""

import re
import runpy
import shlex
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asr.recipe import parse_options
from asr.settings import load_yaml

ROOT = Path(__file__).parent.parent
COMMAND = re.compile(
    r"^ *python recipes/(\S+/run\.py|ablation\.py|speechocean762/audit\.py)(.*)$", re.MULTILINE
)
"""Those that take settings."""
Parse = Callable[[str], Namespace]


def run(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "recipes" / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_yesno_reaches_its_stated_result(corpora: Path, tmp_path: Path) -> None:
    folders = ["--output-dir", tmp_path / "data", "--run-dir", tmp_path / "runs"]
    done = run("yesno/run.py", "--corpus-dir", corpora / "yesno", *folders)
    assert done.returncode == 0, done.stderr
    assert "1/240" in done.stdout, "the recording of one file lacks a word: see the recipe's README"


def test_a_missed_result_fails_the_recipe(corpora: Path, tmp_path: Path) -> None:
    folders = ["--output-dir", tmp_path / "data", "--run-dir", tmp_path / "runs"]
    done = run("yesno/run.py", "--corpus-dir", corpora / "yesno", *folders, "trainer.max_epochs=1")
    assert done.returncode == 1
    assert "is stated" in done.stderr


def test_an4_is_scored_greedily_and_with_its_trigram(corpora: Path, tmp_path: Path) -> None:
    folders = ["--output-dir", tmp_path / "data", "--run-dir", tmp_path / "runs"]
    tiny = ["trainer.max_epochs=1", "model.num_layers=1", "model.hidden_size=16", "model.num_channels=16"]
    done = run("an4/run.py", "--corpus-dir", corpora / "an4", *folders, *tiny)
    assert done.returncode == 0, done.stderr
    assert "| test | test, tuned |" in done.stdout
    assert (tmp_path / "data" / "train.arpa.gz").is_file()
    recordings = ["--recordings", corpora / "an4" / "wav_sample", "--data", tmp_path / "data"]
    done = run("an4/audio.py", *recordings, "--model", tmp_path / "runs" / "seed1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("43 of 43 recordings give the text of their cepstra")


def test_an4_of_all_speakers_decodes_by_what_was_chosen_without_those_of_dev(
    corpora: Path, tmp_path: Path
) -> None:
    data, runs = tmp_path / "data", tmp_path / "runs"
    tiny = ["trainer.max_epochs=1", "model.num_layers=1", "model.hidden_size=16", "model.num_channels=16"]
    folders = ["--corpus-dir", corpora / "an4", "--output-dir", data, "--run-dir", runs]
    done = run("an4/run.py", *folders, "--train-all", "--seeds", 2, *tiny)
    assert done.returncode == 1
    assert "is stated" in done.stderr, "one epoch of a tiny model reaches nothing"
    (row,) = (line for line in done.stdout.splitlines() if line.startswith("| 2 |"))
    assert row.split(" | ")[1] == "heard"
    assert "948 utterances" in done.stderr
    chosen, last = (
        load_yaml(runs / name / "decoder.yaml") for name in ("seed2/best", "train-all-seed2/last")
    )
    assert last == chosen
    card = (runs / "train-all-seed2" / "last" / "README.md").read_text()
    assert "100 % of its speakers, 100 % of its recordings are in train too" in card
    lms = [(runs / name / "lm.bin").stat().st_size for name in ("seed2/best", "train-all-seed2/last")]
    assert lms[0] < lms[1], "the second is of all texts"


@pytest.mark.parametrize(
    "script", ["yesno/run.py", "fsdd/run.py", "an4/run.py", "librispeech/run.py", "speechocean762/run.py"]
)
def test_a_wrong_folder_is_one_sentence(script: str, tmp_path: Path) -> None:
    done = run(script, "--corpus-dir", tmp_path / "absent", "--output-dir", tmp_path / "data")
    assert done.returncode == 1
    assert "absent" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_folder_recipe_wants_a_folder_that_is_there(tmp_path: Path) -> None:
    done = run("folder/run.py", tmp_path / "absent", "--output-dir", tmp_path / "data")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "absent: no such file or folder" in done.stderr


def stated() -> Iterator[str]:
    """Every command that a page or a script itself says to be one, without those that leave something out."""
    recipes = ROOT / "recipes"
    for path in (ROOT / "RESULTS.md", *sorted(recipes.rglob("*.md")), *sorted(recipes.rglob("*.py"))):
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        for script, arguments in COMMAND.findall(text):
            if "..." not in arguments and not script.startswith("demo"):
                yield f"{script} {arguments.partition('#')[0].strip()}"


class Parsed(Exception):
    """What a script was asked for, instead of doing it."""


@pytest.fixture
def parse(monkeypatch) -> Iterator[Parse]:
    """From a command to its options, as its script parses them."""

    def stop(parser: ArgumentParser) -> None:
        raise Parsed(parse_options(parser))

    def parsed(command: str) -> Namespace:
        script, *arguments = shlex.split(command)
        path = ROOT / "recipes" / script
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        monkeypatch.syspath_prepend(path.parent)
        with pytest.raises(Parsed) as found:
            runpy.run_path(str(path), run_name="__main__")
        return found.value.args[0]

    before = set(sys.modules)
    monkeypatch.delitem(sys.modules, "prepare", raising=False)
    monkeypatch.setattr("asr.recipe.parse_options", stop)
    yield parsed
    for name in ({"prepare"} | set(sys.modules) - before) & {
        path.stem for path in ROOT.glob("recipes/*/*.py")
    }:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("command", sorted(set(stated())))
def test_a_stated_command_is_understood(parse, command):
    arguments = shlex.split(command)[1:]
    assert parse(command).overrides == [one for one in arguments if "=" in one]


def test_settings_may_stand_behind_options_of_several_values(parse):
    fsdd = parse("fsdd/run.py --corpus-dir d --voices --seeds 1 2 3 trainer.precision=bf16 --elsewhere e")
    assert (fsdd.seeds, fsdd.overrides, fsdd.voices) == ([1, 2, 3], ["trainer.precision=bf16"], True)


def test_a_recipe_may_stand_behind_the_subsets(parse):
    options = parse("librispeech/run.py --subsets dev-clean test-clean recipe=librispeech_100")
    assert [archive.name for archive in options.archives] == ["dev-clean", "test-clean"]
    assert options.overrides == ["recipe=librispeech_100"]


def test_a_setting_is_no_text_for_the_language_model(parse):
    options = parse("librispeech/run.py --lm-text a=b.txt t.txt trainer.max_epochs=1")
    assert options.lm_text == [Path("a=b.txt"), Path("t.txt")]
    assert options.overrides == ["trainer.max_epochs=1"]


def test_scripts_that_are_no_recipe_take_settings_anywhere_too(parse):
    ablation = parse("ablation.py an4 --orders 1 2 trainer.threads=1")
    assert (ablation.recipe, ablation.orders, ablation.overrides) == ("an4", [1, 2], ["trainer.threads=1"])
    cells = parse("cells/run.py model.cell=gru fsdd --layers 1 2 --seeds 3 trainer.threads=1")
    assert (cells.grid, cells.layers, cells.seeds) == ("fsdd", [1, 2], [3])
    assert cells.overrides == ["model.cell=gru", "trainer.threads=1"]
    audit = parse("speechocean762/audit.py --seeds 1 2 model=bigru")
    assert (audit.seeds, audit.overrides) == ([1, 2], ["model=bigru"])


def test_a_card_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    done = run("english/bundle.py", "--card", tmp_path / "nosuch.md")
    assert done.returncode == 1
    assert done.stderr.startswith(f"bundle: {tmp_path}/nosuch.md: No such file or directory; ")
    assert done.stderr.count("\n") == 1


def test_the_demo_transcribes_every_sample() -> None:
    done = run("demo/run.py")
    assert done.returncode == 0, done.stderr
    assert "12 recordings through digits-en" in done.stdout
    assert "%WER" in done.stdout
    assert "95 % interval" in done.stdout
