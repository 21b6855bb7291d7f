"""asr evaluate -o, asr score and asr compare as processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent.parent / "recipes" / "demo" / "samples" / "samples.jsonl"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asr", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def texts(tmp_path) -> dict[str, Path]:
    lines = {
        "ref": ["u1 the cat sat", "u2 one two", "u3 so it goes"],
        "one": ["u1 the cat sat", "u2 one too", "u3 so"],
        "two": ["u1 the cats sat", "u2 one two", "u3 so it goes"],
        "short": ["u1 the cat sat"],
    }
    for name, rows in lines.items():
        (tmp_path / name).write_text("\n".join(rows) + "\n")
    return {name: tmp_path / name for name in lines}


def test_two_text_files_are_scored_and_systems_compared(texts, tmp_path):
    for name in ("one", "two"):
        done = run("score", texts["ref"], texts[name], "-o", tmp_path / "out" / name)
        assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "%WER 12.50 [ 1 / 8, 0 ins, 0 del, 1 sub ]"
    assert json.loads((tmp_path / "out" / "two" / "results.json").read_text())["words"]["errors"] == 1
    assert "the cats sat" in (tmp_path / "out" / "two" / "utterances.tsv").read_text()
    assert (tmp_path / "out" / "two" / "report.html").is_file()
    assert not (tmp_path / "out" / "two" / "hyp.ctm").exists(), "texts have no times"
    done = run("compare", tmp_path / "out" / "one", tmp_path / "out" / "two")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "3 utterances, 8 words"
    assert lines[1].split()[:3] == ["system", "WER", "%"]
    assert lines[2].split()[:2] == ["one", "37.50"]
    assert lines[3].split()[:2] == ["two", "12.50"]
    assert "-25.00" in lines[3]
    assert "two: 3 utterances changed, 2 with fewer errors, 1 with more" in lines
    assert "3 words fixed: goes->*, it->*, two->too" in lines
    assert "1 words broken: cat->cats" in lines


def test_what_is_missing_is_named(texts):
    done = run("score", texts["ref"], texts["short"])
    assert done.returncode == 1
    assert "short lacks u2, u3" in done.stderr
    assert "Traceback" not in done.stderr


def test_sets_that_differ_are_refused(texts, tmp_path):
    run("score", texts["ref"], texts["one"], "-o", tmp_path / "a")
    run("score", texts["short"], texts["short"], "-o", tmp_path / "b")
    done = run("compare", tmp_path / "a", tmp_path / "b")
    assert done.returncode == 1
    assert "b lacks u2, u3" in done.stderr
    assert run("compare", tmp_path / "a").returncode == 2


def test_scoring_texts_needs_no_torch(texts):
    script = (
        "import sys; from asr.cli import main; sys.argv = ['asr', 'score', *sys.argv[1:]]\n"
        "try: main()\nfinally: print([name for name in ('torch', 'numba', 'lightning') if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, str(texts["ref"]), str(texts["one"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_evaluate_says_where_it_fails(tmp_path):
    options = ("--decoder", "beam", "--nbest", "3", "--by", "speaker", "--train-text", SAMPLES)
    done = run("evaluate", SAMPLES, "-m", "digits-en", "-o", tmp_path / "report", *options)
    assert done.returncode == 0, done.stderr
    for text in ("out of vocabulary 0.00 %", "best of each n-best list", "greedy: WER", "\nspeaker\n"):
        assert text in done.stdout
    found = json.loads((tmp_path / "report" / "results.json").read_text())
    assert found["setup"]["decoder"].startswith("beam of 64")
    assert found["setup"]["normalization"].startswith("NFC, case: lower")
    assert found["oracle"]["errors"] <= found["words"]["errors"]
    assert found["calibration"]["bins"]
    assert found["greedy"]["fixed"]["words"] >= 0


def test_an_unknown_field_is_an_error_and_so_is_a_page_for_a_folder(tmp_path):
    done = run("evaluate", SAMPLES, "-m", "digits-en", "--by", "agee")
    assert done.returncode == 1
    assert "No utterance has the field 'agee'; there is" in done.stderr
    done = run("evaluate", SAMPLES, "-m", "digits-en", "-o", tmp_path / "errors.html")
    assert done.returncode == 2
