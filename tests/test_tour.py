"""The guided tour: its code prints what the page says, its links lead somewhere, its pictures are those it draws."""

import contextlib
import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tour.md"
TEXT = PAGE.read_text(encoding="utf-8")
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)]+)\)")


@pytest.fixture(scope="module")
def tour():
    """docs/tour.py, which is no package's."""
    spec = importlib.util.spec_from_file_location("tour", PAGE.with_suffix(".py"))
    module = sys.modules["tour"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def printed(tour) -> tuple[dict, list[tuple]]:
    """What all blocks define, and each with what it prints."""
    names: dict = {}
    with contextlib.chdir(ROOT):
        return names, [(block, tour.run(block, names)) for block in tour.blocks(TEXT)]


def assert_alike(printed: str, page: str) -> None:
    """The same words, and numbers that differ by no more than one in the last digit that the page has."""
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", page)
    for ours, theirs in zip(NUMBER.findall(printed), NUMBER.findall(page), strict=True):
        decimals = len(theirs.partition(".")[2])
        assert float(ours) == pytest.approx(
            float(theirs), rel=1e-6, abs=1.01 * 10.0**-decimals * bool(decimals)
        )


def test_the_code_prints_what_the_page_says(printed):
    _, outputs = printed
    assert len(outputs) == TEXT.count("```python\n") > 20
    assert TEXT.count("```text\n") == sum(bool(block.output) for block, _ in outputs)
    for block, output in outputs:
        assert_alike(output, block.output)


def test_its_pictures_are_all_that_it_draws(tour, printed, tmp_path):
    tour.draw(printed[0], tmp_path)
    drawn = {path.name for path in tmp_path.iterdir()}
    assert len(drawn) == 5
    assert {path.name for path in PAGE.with_suffix("").iterdir()} == drawn
    shown = {Path(target) for mark, _, target in LINK.findall(TEXT) if mark}
    assert shown == {Path("tour") / name for name in drawn} | {Path("pipeline.png")}


def test_every_link_leads_to_a_file_and_those_to_code_to_the_line(tour):
    targets = [target for mark, _, target in LINK.findall(TEXT) if not mark]
    for target in targets:
        assert (PAGE.parent / target.partition("#")[0]).is_file(), target
    assert sum(".py#L" in target for target in targets) > 20
    assert not [target for target in targets if target.endswith(".py")]
    assert tour.with_lines(TEXT) == TEXT, "a line has moved; python docs/tour.py sets the links"


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_the_tour_is_linked(page):
    assert re.search(r"\]\((docs/)?tour\.md\)", (ROOT / page).read_text(encoding="utf-8"))
