import shlex

import pytest

from asr.config import compose
from asr.evaluation import Evaluation
from asr.training.card import model_card


@pytest.mark.parametrize(
    "overrides", [[], ["features=log_mel", "model.layer_dropout=[0.1,0.2,0.3,0.4]"], ["recipe=yesno"]]
)
def test_the_card_has_the_command_that_gives_the_settings(overrides):
    settings = compose([*overrides, "data.train=train set.jsonl"])
    card = model_card(settings, Evaluation((), 1.0), "3")
    (command,) = (line.strip() for line in card.splitlines() if line.startswith("    asr train"))
    assert compose(shlex.split(command)[2:]) == settings


def test_what_the_dev_set_repeats_stands_under_its_rates():
    remark = "dev: 20 % of its speakers are in train too; its WER says little of new ones"
    card = model_card(compose(["data.train=train.jsonl"]), Evaluation((), 1.0), "3", remark)
    assert f"\n\n{remark}\n\nMade by\n" in card
