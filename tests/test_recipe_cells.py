"""recipes/cells: nine small trainings on one page, and statements held against figures that are known."""

import dataclasses
import importlib
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml
from toys import RATE
from trainings import train, write_sets

from asr.config import compose
from asr.evaluation import Evaluation, evaluate
from asr.evaluation.scored import score
from asr.inspection import Gates, Memory
from asr.loading import load
from asr.manifest import Utterance, read_manifest, write_manifest
from asr.settings import build

FOLDER = Path(__file__).parents[1] / "recipes" / "cells"
OVERRIDES = [
    *(f"features.sample_rate={RATE}", "features.window_length=200", "features.hop_length=80"),
    *("features.fft_length=256", "features.num_mels=20", "features.cmvn=stored", "features.kind=log_mel"),
    *("model.num_channels=8", "model.kernel_size=3", "model.subsampling=2", "data.batch_seconds=6"),
    *("trainer.max_epochs=2", "trainer.device=cpu", "trainer.threads=1", "trainer.watch_gradients=false"),
]
GRID = {
    "overrides": OVERRIDES,
    "parameters": 3000,
    "layers": [1],
    "seeds": [1],
    "loss": 30.0,
    "studied_layers": 3,
}


@pytest.fixture(scope="module")
def recipe():
    """The recipe's modules, which import each other by their own names as those of a script do."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield {name: importlib.import_module(name) for name in ("grid", "study", "claims", "pages")}
    finally:
        sys.path.remove(str(FOLDER))
        for name in ("grid", "study", "claims", "pages"):
            sys.modules.pop(name, None)


@pytest.mark.parametrize(("name", "trainings", "unclipped"), [("fsdd", 30, 3), ("an4", 18, 3)])
def test_the_grids_that_are_there_compose(recipe, write_audio, tmp_path, name, trainings, unclipped):
    grid = recipe["grid"].read_grid(FOLDER / f"{name}.yaml", {})
    write_manifest(tmp_path / "train.jsonl", [Utterance(str(write_audio("a.wav")), 1.0, "one two")])
    points = recipe["grid"].make_points(grid, [f"data.train={tmp_path / 'train.jsonl'}"], tmp_path / "runs")
    counts = {
        clipped: sum(len(points[m]) for m in points if m.clipped == clipped) for clipped in (True, False)
    }
    assert counts == {True: trainings, False: unclipped}
    assert grid.parameters <= 1_500_000


@pytest.fixture(scope="module")
def trained(recipe, tmp_path_factory):
    """The grid, its results and its studies."""
    folder = tmp_path_factory.mktemp("cells")
    corpus = write_sets(folder / "corpus")
    (folder / "toy.yaml").write_text(yaml.safe_dump(GRID), encoding="utf-8")
    grid = recipe["grid"].read_grid(folder / "toy.yaml", {"layers": None, "seeds": [2]})
    data = [f"data.{name}={corpus / name / 'manifest.jsonl'}" for name in ("train", "dev")]
    points = recipe["grid"].make_points(grid, data, folder / "runs")
    for some in points.values():
        for point in some:
            train(compose([*point.overrides, f"run_dir={point.run_dir}"]))
    dev = corpus / "dev" / "manifest.jsonl"
    results = recipe["grid"].collect(
        points, lambda run, name: evaluate(load(run, device="cpu"), read_manifest(dev)), True
    )
    return grid, results, recipe["study"].study(grid, results, dev)


def test_every_network_comes_as_near_to_the_parameters_as_its_units_allow(trained):
    grid, results, _ = trained
    assert [str(one.member) for one in results][:3] == [
        "plain RNN, one direction, 1 layer",
        "plain RNN, two directions, 1 layer",
        "plain RNN, one direction, 1 layer, unclipped",
    ]
    assert len(results) == 9
    assert (grid.seeds, grid.studied_layers) == ((2,), 1)
    for one in results:
        assert one.parameters == pytest.approx(3000, rel=0.05)
        assert one.megabytes > 50
        assert one.runs[0]["settings"]["trainer"]["clip_norm"] == (5 if one.member.clipped else 0)


def test_the_networks_are_looked_into(trained):
    _, _, studies = trained
    assert len(studies) == 6
    for one in studies:
        assert one.trained.past.max() <= 1
        assert one.trained.past[0] > 0
        assert (one.gates[0].keeping is None) == (one.result.member.cell == "rnn_tanh")
        heard = one.trained.changed_future[4:].max() > 1e-6
        assert heard == (one.result.member.directions == 2)


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_the_page_stands_alone_and_holds_every_plot_and_training(trained, recipe):
    grid, results, studies = trained
    claims = recipe["claims"].check(grid, results, studies)
    page = Page()
    page.feed(recipe["pages"].html(grid, results, studies, claims, "made <today>"))
    assert not [attrs for _, attrs in page.tags if {"src", "href"} & set(attrs)], "it must open offline"
    drawn = [attrs["points"] for tag, attrs in page.tags if tag == "polyline"]
    # Losses, gradients trained and untrained, masking on both sides, norms, gates with their spread.
    assert len(drawn) == 6 + 2 * 6 + 6 + 3 + 3 * 4 + (3 + 2) + (2 + 2)
    assert not [points for points in drawn if "nan" in points or not points]
    for text in (*(str(one.member) for one in results), *(one.statement for one in claims), "made <today>"):
        assert text in page.text
    tables = recipe["pages"].markdown(grid, results, claims, "made today")
    assert tables.count("| plain RNN, ") == 3
    assert len({line.count("|") for line in tables.splitlines()[:11]}) == 1


# --- statements --------------------------------------------------------------------------------------------


def evaluation(wrong: int) -> Evaluation:
    """Of forty utterances, the first ones wrong."""
    one = Utterance("a.wav", 1.0, "yes")
    return Evaluation(tuple(score(one, "yes", "no" if n < wrong else "yes") for n in range(40)), 1.0)


def made(recipe, wrong: int, epochs=(), **member):
    grid = recipe["grid"]
    shape = {"cell": "lstm", "directions": 1, "layers": 1} | member
    run = {"epochs": list(epochs), "parameters": 1}
    return grid.Result(grid.Member(**shape), 1, [run], [Path()], [evaluation(wrong)])


def verdicts(recipe, *results) -> dict[str, str]:
    grid = build(recipe["grid"].Grid, GRID | {"studied_layers": 1})
    return {one.statement: one.verdict for one in recipe["claims"].check(grid, results, [])}


@pytest.mark.parametrize(
    ("one", "two", "verdict"), [(20, 2, "agree"), (2, 20, "disagree"), (9, 9, "cannot tell")]
)
def test_two_directions_are_better_only_where_the_whole_interval_says_so(recipe, one, two, verdict):
    found = verdicts(recipe, made(recipe, one), made(recipe, two, directions=2))
    assert found["At equal parameters two directions beat one."] == verdict


@pytest.mark.parametrize(
    ("wrong", "verdict"), [((20, 2, 20), "agree"), ((20, 10, 1), "disagree"), ((9, 8, 9), "cannot tell")]
)
def test_depth_helps_up_to_a_point_or_does_not(recipe, wrong, verdict):
    results = [made(recipe, errors, layers=layers) for layers, errors in enumerate(wrong, 1)]
    assert verdicts(recipe, *results)["At equal parameters depth helps up to a point."] == verdict


@pytest.mark.parametrize(("largest", "verdict"), [(500.0, "agree"), (6.0, "disagree"), (None, "agree")])
def test_an_explosion_is_a_gradient_many_times_the_usual(recipe, largest, verdict):
    def epoch(norm: float | None):
        return {"largest_gradient_norm": norm or 3.0, "gradient_norm": 2.0, "left_out": int(norm is None)}

    results = [
        made(recipe, 5, [epoch(3.0), epoch(value)], cell=cell, clipped=clipped)
        for cell, value in (("rnn_tanh", largest), ("lstm", 3.0), ("gru", 3.0))
        for clipped in (True, False)
    ]
    found = verdicts(recipe, *results)
    assert (
        found["Without clipping the gradients of a plain RNN explode, those of LSTM and GRU do not."]
        == verdict
    )
    assert found["A plain RNN trains better with clipping."] == "cannot tell"
    assert found["LSTM and GRU are alike, within 1 point."] == "agree"


def test_a_network_without_clipping_is_compared_with_the_same_seeds(recipe):
    epoch = {"largest_gradient_norm": 3.0, "gradient_norm": 2.0, "left_out": 0}
    clipped, other, unclipped = (
        made(recipe, wrong, [epoch], cell="rnn_tanh", clipped=wrong < 30) for wrong in (20, 25, 39)
    )
    both = dataclasses.replace(clipped, runs=[*clipped.runs, *other.runs], dev=[*clipped.dev, *other.dev])
    lstms = [made(recipe, 5, [epoch], clipped=clipped) for clipped in (True, False)]
    for first in (clipped, both):
        grid = build(recipe["grid"].Grid, GRID | {"studied_layers": 1})
        found = recipe["claims"].check(grid, [first, unclipped, *lstms], [])
        (claim,) = (one for one in found if one.statement == "A plain RNN trains better with clipping.")
        assert claim.verdict == "agree"
        assert "WER 50.00 against 97.50 %" in claim.figures


def test_where_all_of_them_explode_the_gated_ones_are_no_better(recipe):
    burst = {"largest_gradient_norm": 3.0, "gradient_norm": 2.0, "left_out": 1}
    results = [
        made(recipe, 5, [burst], cell=cell, clipped=clipped)
        for cell in ("rnn_tanh", "lstm", "gru")
        for clipped in (True, False)
    ]
    statement = "Without clipping the gradients of a plain RNN explode, those of LSTM and GRU do not."
    assert verdicts(recipe, *results)[statement] == "disagree"


@pytest.mark.parametrize(("lstm", "verdict"), [(0, "agree"), (9, "cannot tell"), (400, "disagree")])
def test_networks_are_alike_within_a_point_or_surely_further_apart(recipe, lstm, verdict):
    """Of a thousand utterances the LSTM has so many more errors, of others than the GRU's: none, 0.9 or 40 points."""
    grid = recipe["grid"]
    one = Utterance("a.wav", 1.0, "yes")

    def of(cell: str, wrong: int):
        rows = (score(one, "yes", "no" if n < wrong else "yes") for n in range(1000))
        run = {"epochs": [], "parameters": 1}
        return grid.Result(grid.Member(cell, 1, 1), 1, [run], [Path()], [Evaluation(tuple(rows), 1.0)])

    found = verdicts(recipe, of("lstm", 10 + lstm), of("gru", 10))
    assert found["LSTM and GRU are alike, within 1 point."] == verdict


def studied(recipe, cell: str, frames: int, kept: float = 0.0):
    """A network whose gradient and memory reach so many frames back, and whose units keep so much of their content."""
    past = np.where(np.arange(100) < frames, 1.0, 0.0)
    memory = Memory(past, np.zeros(100), past, np.zeros(100), span=1)
    name = {"lstm": "forget", "gru": "update", "rnn_tanh": "output"}[cell]
    layer = Gates({name: np.full((9, 4), kept, np.float32)}, np.zeros((9, 4), np.float32))
    return recipe["study"].Study(
        made(recipe, 5, cell=cell), memory, memory, [layer], Utterance("a.wav", 1.0, "yes"), 0.02
    )


@pytest.mark.parametrize(("plain", "verdict"), [(5, "agree"), (40, "disagree"), (20, "cannot tell")])
def test_a_plain_network_forgets_first_or_does_not(recipe, plain, verdict):
    studies = [
        studied(recipe, cell, reach) for cell, reach in (("rnn_tanh", plain), ("lstm", 30), ("gru", 20))
    ]
    grid = build(recipe["grid"].Grid, GRID)
    found = {one.statement: one for one in recipe["claims"].check(grid, [], studies)}
    vanishes = "Through a plain RNN the gradient vanishes sooner than through LSTM and GRU"
    for when in ("untrained", "trained"):
        assert found[f"{vanishes} ({when})."].verdict == verdict
    forgets = found["A trained plain RNN forgets first: what is masked far back changes less of its output."]
    assert forgets.verdict == verdict
    assert forgets.figures.endswith(f"plain RNN {plain}; LSTM 30; GRU 20")


@pytest.mark.parametrize(("kept", "verdict"), [(0.8, "agree"), (0.3, "disagree")])
def test_a_gate_that_keeps_is_above_a_half(recipe, kept, verdict):
    studies = [studied(recipe, cell, 9, kept) for cell in ("lstm", "gru", "rnn_tanh")]
    claims = recipe["claims"].check(build(recipe["grid"].Grid, GRID), [], studies)
    found = {one.statement: one.verdict for one in claims if "keeps what it holds" in one.statement}
    assert len(found) == 2, "a plain RNN has no gate"
    assert set(found.values()) == {verdict}


def test_steps_and_seconds_to_a_loss_lie_between_the_epochs(recipe):
    epochs = [
        {"loss": loss, "steps": 10.0 * n, "seconds": 2.0} for n, loss in enumerate((8.0, 4.0, None, 1.0), 1)
    ]
    one = made(recipe, 0, epochs)
    assert one.until(6.0) == (15.0, 3.0)
    assert one.until(8.0) == (10.0, 2.0)
    assert one.until(0.5) is None


def test_a_typo_is_a_sentence_before_anything_trains(tmp_path):
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(GRID), encoding="utf-8")
    command = [sys.executable, FOLDER / "run.py", tmp_path / "toy.yaml", "trainer.max_epoch=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("cells: ")
    assert "trainer.max_epochs" in done.stderr
    assert done.stderr.count("\n") == 1
