"""The guided tour: its code prints what the page says, its links lead somewhere, its pictures are those it draws."""

import ast
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


def defined(source: str) -> set[str]:
    """The functions and classes of a file, methods as Class.method."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
            methods = [one.name for one in ast.walk(node) if isinstance(one, ast.FunctionDef)]
            found |= {f"{node.name}.{method}" for method in methods}
    return found


def test_every_link_leads_to_a_file_and_every_name_is_in_it():
    links = [(name, target) for mark, name, target in LINK.findall(TEXT) if not mark]
    code = [(name.strip("`"), target) for name, target in links if target.endswith(".py")]
    assert len(code) > 20
    for _, target in links:
        assert (PAGE.parent / target).is_file(), target
    for name, target in code:
        assert name in defined((PAGE.parent / target).read_text(encoding="utf-8")), (name, target)


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_the_tour_is_linked(page):
    assert re.search(r"\]\((docs/)?tour\.md\)", (ROOT / page).read_text(encoding="utf-8"))
