import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from asr import results
from asr.errors import AsrError
from asr.evaluation import Evaluation, score
from asr.manifest import Utterance
from asr.results import Result, mean_score, worse

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "recipes" / "demo" / "samples" / "samples.jsonl"


def evaluation(*texts: tuple[str, str]) -> Evaluation:
    heard = tuple(score(Utterance("a.wav", 1.0, said), said, text) for said, text in texts)
    return Evaluation(heard, 1.0)


RIGHT = evaluation(("one two", "one two"), ("three four", "three four"))
HALF = evaluation(("one two", "one two"), ("three four", "tree for"))
SCORE = mean_score("test", ["test.jsonl"] * 2, "greedy", [RIGHT, HALF])
RESULT = Result("seed", ("digits-en",), 770_000, 9.5, "python run.py", "2026, a machine", (SCORE,))


def test_a_score_is_the_mean_over_models():
    assert SCORE.wer == 0.25
    assert (SCORE.errors, SCORE.words) == (2, 8)
    assert SCORE.low < 0.25 < SCORE.high
    assert SCORE.cer == pytest.approx(1 / 17), "two deletions in 17 characters, or none"


def test_more_models_do_not_make_a_test_set_larger():
    alone, thrice = (
        mean_score("test", ["test.jsonl"] * number, "greedy", [HALF] * number) for number in (1, 3)
    )
    assert (thrice.low, thrice.high) == (alone.low, alone.high) == (0.0, 1.0)
    of_their_own = mean_score("test", ["a.jsonl", "b.jsonl", "c.jsonl"], "greedy", [HALF] * 3)
    assert of_their_own.high < 1.0


def test_only_what_is_worse_than_stated_is_named():
    def stated(wer: float, decoder: str = "greedy") -> results.Score:
        return dataclasses.replace(SCORE, wer=wer, decoder=decoder)

    assert worse([SCORE], [stated(0.25)]) == []
    assert worse([SCORE], [stated(0.24998)]) == [], "two decimals of a percent are written"
    assert worse([SCORE], [stated(0.1, "tuned")]) == [], "of another decoder"
    assert worse([SCORE], [stated(0.2)]) == ["test, greedy: 25.00 % WER, but 20.00 % is stated"]


def test_results_are_read_as_they_were_written(tmp_path):
    assert results.read(tmp_path / "results.json") == []
    results.write(tmp_path / "results.json", [RESULT, RESULT])
    assert results.read(tmp_path / "results.json") == [RESULT, RESULT]
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("text", ["[{", '{"title": 1}', '[{"titel": "seed"}]', "[3]"])
def test_damaged_results_are_named(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(AsrError, match=r"results\.json|titel"):
        results.read(tmp_path / "results.json")


def test_the_table_at_the_top_is_that_of_the_recipes():
    command = [sys.executable, str(ROOT / "recipes" / "results.py"), "--table"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == (ROOT / "RESULTS.md").read_text()


@pytest.fixture
def scored_again(tmp_path):
    """recipes/results.py beside a recipe that states ``wer`` for the bundled model on the demo's recordings."""
    shutil.copy(ROOT / "recipes" / "results.py", tmp_path)

    def run(wer: float) -> subprocess.CompletedProcess[str]:
        stated = dataclasses.replace(SCORE, wer=wer, manifests=(str(SAMPLES),))
        results.write(tmp_path / "demo" / "results.json", [dataclasses.replace(RESULT, scores=(stated,))])
        command = [sys.executable, str(tmp_path / "results.py")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_a_stored_model_is_scored_again_and_one_that_got_worse_fails(scored_again):
    fine, bad = scored_again(0.05), scored_again(0.01)
    assert (fine.returncode, fine.stdout.splitlines()[-1]) == (0, "1 scored, 0 worse")
    assert bad.returncode == 1
    assert "test, greedy: 2.50 % WER, but 1.00 % is stated" in bad.stderr
