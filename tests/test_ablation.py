"""Ablations: two real trainings of a second, compared on their dev set."""

from pathlib import Path

import pytest
from trainings import settings_for, write_sets

from asr.ablation import compare, compare_orders, make_points, read_changes, table, train_all
from asr.errors import AsrError, ConfigError
from asr.settings import to_dict
from asr.training.card import _leaves, _spelled


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablation")
    corpus = write_sets(folder / "corpus")
    four = str(corpus / "four" / "manifest.jsonl")
    trainer = {"max_epochs": 70, "learning_rate": 2e-2, "warmup_epochs": 5.0}
    asked = settings_for(corpus, folder, data={"train": four, "dev": four}, trainer=trainer)
    overrides = [f"{key}={_spelled(value)}" for key, value in _leaves(to_dict(asked)) if key != "run_dir"]
    changes = {"base": overrides, "one epoch/few": ["trainer.max_epochs=1"]}
    points = make_points(changes, [], folder / "runs")
    ended = []
    train_all(points.values(), 2, ended.append)
    assert {outcome.point.run_dir.name for outcome in ended} == {"base", "one-epoch-few"}
    return folder, points, Path(four)


def test_a_row_is_compared_with_the_base(trained):
    _, points, dev = trained
    base, changed = compare(points, dev)
    assert base.difference is None
    assert base.evaluation.words.rate < changed.evaluation.words.rate == 1
    assert 0 < changed.difference.low <= 1 - base.evaluation.words.rate <= changed.difference.high
    lines = table([base, changed]).splitlines()
    assert lines[2].startswith("| base | ")
    assert lines[2].endswith(" |  |")
    assert lines[3].startswith("| one epoch/few | 100.00 [100.00, 100.00] | ")


def test_orders_of_the_language_model_are_rows_of_the_base(trained):
    folder, points, dev = trained
    text = folder / "text.txt"
    text.write_text("ab cd\ncd ab\nab ab cd\n", encoding="utf-8")
    one, two = compare_orders(points["base"], dev, text, [1, 2])
    assert (one.name, two.name) == ("beam with 1-gram", "beam with 2-gram")
    assert (
        max(one.evaluation.words.rate, two.evaluation.words.rate)
        <= compare(points, dev)[0].evaluation.words.rate
    )


def test_a_training_that_fails_is_said_when_the_others_are_done(trained, tmp_path):
    _, points, dev = trained
    overrides = [one for one in points["base"].overrides if not one.startswith("data.dev=")]
    changes = {"base": [f"data.dev={tmp_path / 'absent.jsonl'}"], "good": [f"data.dev={dev}"]}
    ended = []
    broken = make_points(changes, [*overrides, "trainer.max_epochs=1"], tmp_path)
    with pytest.raises(AsrError, match=r"absent\.jsonl"):
        train_all(broken.values(), 1, ended.append)
    assert [outcome.dev_wer is None for outcome in ended] == [True, False]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[1, 2]", "no list of overrides"),
        ("a: [", "no list of overrides"),
        ("more: [seed=1]", "no row 'base'"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, text, sentence):
    (tmp_path / "ablation.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=sentence):
        read_changes(tmp_path / "ablation.yaml")


def test_a_typo_is_found_before_anything_trains(tmp_path):
    with pytest.raises(ConfigError, match="max_epochs"):
        make_points({"base": [], "typo": ["trainer.max_epoch=1"]}, [], tmp_path)
