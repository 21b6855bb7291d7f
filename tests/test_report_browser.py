"""The report in headless Chromium: searched, filtered, sorted, opened, played; on a screen and on a phone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import CHROMIUM, Browser
from evaluations import evaluation
from PIL import Image
from test_report import HOSTILE
from toys import VOCABULARY, Mumbling, random_texts, write_corpus

from asr.evaluation import Evaluation, evaluate
from asr.recognizer import Recognizer
from asr.report import write_report
from asr.report.inspection import inspect, segment, write_page

ROWS = "#utterances tbody tr.row"
TEXTS = f"[...document.querySelectorAll('{ROWS}')].map(row => row.cells[0].textContent)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: the report's clicks are not tested (apt install chromium)")
    with Browser() as started:
        yield started


@pytest.fixture(scope="module")
def heard(tmp_path_factory) -> Path:
    """A report with pictures and linked sound, and another one beside it with the sound inside."""
    folder = tmp_path_factory.mktemp("heard")
    recognizer = Recognizer(Mumbling(), VOCABULARY)
    scored = evaluate(recognizer, write_corpus(folder / "a #1", random_texts(6, 3)))
    for name, embedded in (("linked.html", False), ("embedded.html", True)):
        write_report(folder / name, scored, name, recognizer=recognizer, embed_audio=embedded)
    return folder


def many(count: int = 300) -> Evaluation:
    """Every third utterance has a substitution, every fifth a deletion, every seventh an insertion."""
    rows = []
    for number in range(count):
        heard = ["two" if number % 3 else "too", "three", "four", "five"]
        before, after = ([] if number % 7 else ["and"]), (["six"] if number % 5 else [])
        rows.append(("one two three four five six", " ".join([*before, "one", *heard, *after])))
    return evaluation(rows, speakers=[f"s{number % 4}" for number in range(count)])


@pytest.fixture(scope="module")
def listed(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("listed") / "report.html"
    write_report(path, many(), "many")
    return path


def choose(browser: Browser, label: str, value: str) -> None:
    """What typing or choosing does."""
    field = f"document.querySelector('.filters [aria-label=\"{label}\"]')"
    kind = "input" if label.startswith("Search") else "change"
    browser.run(f"{field}.value = {value!r}; {field}.dispatchEvent(new Event('{kind}', {{bubbles: true}}))")


def count(browser: Browser) -> str:
    return browser.run("document.querySelector('[role=status]').textContent")


def sort_by(browser: Browser, column: int) -> str:
    """The order after a click."""
    browser.run(f"document.querySelectorAll('#utterances th button')[{column}].click()")
    return browser.run(f"document.querySelectorAll('#utterances th')[{column}].getAttribute('aria-sort')")


def numbers(browser: Browser, column: int) -> list[float]:
    return browser.run(
        f"[...document.querySelectorAll('{ROWS}')].map(row => +row.cells[{column}].textContent)"
    )


def test_it_opens_offline_and_draws_few_rows(browser, listed):
    browser.open(listed)
    assert browser.requests == [listed.as_uri()]
    assert browser.complaints == []
    assert count(browser) == "300 of 300"
    first = browser.run(f"document.querySelectorAll('{ROWS}').length")
    assert 60 <= first < 300
    browser.run(
        f"new Promise(done => {{ const step = () => document.querySelectorAll('{ROWS}').length === 300 ? done() : "
        "(scrollTo(0, document.body.scrollHeight), requestAnimationFrame(step)); step(); })"
    )
    assert len(set(browser.run(TEXTS))) == 300


def test_it_is_searched_and_filtered(browser, listed):
    browser.open(listed)
    choose(browser, "Errors", "S")
    assert count(browser) == "100 of 300"
    choose(browser, "Errors", "D")
    assert count(browser) == "60 of 300"
    choose(browser, "Speaker", "=s1")
    assert count(browser) == "15 of 300"
    choose(browser, "Errors", "right")
    assert (
        count(browser) == f"{sum(n % 4 == 1 and n % 3 > 0 < n % 5 and n % 7 > 0 for n in range(300))} of 300"
    )
    choose(browser, "Errors", "")
    choose(browser, "Speaker", "")
    choose(browser, "Search words and names", "TOO and")
    assert count(browser) == f"{len(range(0, 300, 21))} of 300"
    choose(browser, "Search words and names", "nowhere")
    assert count(browser) == "0 of 300"


def test_an_error_of_the_list_shows_who_made_it(browser, listed):
    browser.open(listed)
    browser.run("document.querySelector('button[data-said=two][data-heard=too]').click()")
    assert count(browser) == "100 of 300"
    assert "two → too" in browser.run("document.querySelector('.chip').textContent")
    browser.run("document.querySelector('.chip').click()")
    browser.run("document.querySelector('button[data-said=\"\"][data-heard=and]').click()")
    assert count(browser) == f"{len(range(0, 300, 7))} of 300"


def test_columns_are_sorted(browser, listed):
    browser.open(listed)
    assert sort_by(browser, 4) == "descending"
    most = numbers(browser, 4)
    assert most == sorted(most, reverse=True)
    assert most[0] == 3
    assert sort_by(browser, 4) == "ascending"
    assert set(numbers(browser, 4)) == {0}
    assert sort_by(browser, 0) == "ascending"
    assert browser.run(TEXTS)[:12] == [str(number) for number in range(12)]
    table = "document.querySelector('table.sortable')"
    browser.run(f"{table}.querySelectorAll('button')[1].click()")
    rates = browser.run(f"[...{table}.tBodies[0].rows].map(row => +row.cells[1].textContent)")
    assert rates == sorted(rates, reverse=True)


def ink(browser: Browser, place: int) -> int:
    """Different colours of one canvas of the utterance that is open."""
    return browser.run(
        f"(() => {{ const canvas = document.querySelectorAll('.details canvas')[{place}];"
        "const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;"
        "return new Set(new Uint32Array(data.buffer)).size; })()"
    )


def open_first(browser: Browser) -> None:
    """As the keyboard does."""
    browser.run(f"document.querySelector('{ROWS} button').focus()")
    browser.press("Enter", 13, "\r")
    wait_for(browser, ".details canvas")


def wait_for(browser: Browser, drawn: str) -> None:
    """Strips and words are drawn, all at once, when the page has given them their place."""
    browser.run(
        f"new Promise(done => {{ const step = () => document.querySelector('{drawn}') "
        "? done() : requestAnimationFrame(step); step(); })"
    )


def test_an_utterance_is_opened_by_keyboard(browser, heard):
    browser.open(heard / "linked.html")
    open_first(browser)
    assert browser.run(f"document.querySelector('{ROWS} button').getAttribute('aria-expanded')") == "true"
    assert [ink(browser, place) > colours for place, colours in enumerate((1, 50, 10, 1))] == [True] * 4
    words = browser.run("document.querySelectorAll('.words.said button').length")
    assert words == browser.run("+document.querySelector('tr.open').cells[3].textContent")
    assert browser.run("document.querySelectorAll('.pairs del').length") > 0
    browser.press("Enter", 13, "\r")
    assert browser.run("document.querySelectorAll('tr.details').length") == 0
    assert browser.complaints == []


@pytest.mark.parametrize("name", ["linked.html", "embedded.html"])
def test_the_cursor_moves_while_it_plays(browser, heard, name):
    browser.open(heard / name)
    open_first(browser)
    browser.run("document.querySelector('.play').click()")
    moved = browser.run(
        "new Promise(done => { const seen = new Set(); const step = () => {"
        "seen.add(document.querySelector('.cursor').style.left);"
        "seen.size > 2 ? done(document.querySelector('.play').textContent) : requestAnimationFrame(step); };"
        "step(); })"
    )
    assert moved == "Pause"
    browser.run("document.querySelector('.play').click()")
    browser.run(
        "new Promise(done => { const step = () => document.querySelector('.play').textContent === 'Play' "
        "? done() : requestAnimationFrame(step); step(); })"
    )
    assert browser.complaints == []


def test_a_click_on_a_word_goes_there(browser, heard):
    browser.open(heard / "linked.html")
    open_first(browser)
    browser.run("document.querySelector('.words.said button:last-child').click()")
    word, cursor = (
        browser.run(f"document.querySelector('{one}').getBoundingClientRect().left")
        for one in (".words.said button:last-child", ".cursor")
    )
    assert cursor >= word - 2


def test_hostile_texts_do_nothing(browser, tmp_path):
    scored = evaluation(
        [(HOSTILE, "b " + HOSTILE)], speakers=[HOSTILE], extras=[{"id": HOSTILE}], greedy=HOSTILE
    )
    write_report(tmp_path / "report.html", scored, HOSTILE)
    browser.open(tmp_path / "report.html")
    open_first(browser)
    assert browser.run("document.images.length") == 0
    assert browser.run("document.querySelector('h1').textContent") == HOSTILE
    assert browser.complaints == []


def test_it_fits_a_phone_and_the_dark(browser, heard, tmp_path):
    bright = {}
    for name, width, dark in (("screen", 1280, False), ("phone", 360, False), ("dark", 1280, True)):
        browser.open(heard / "linked.html", width, 800, dark=dark)
        open_first(browser)
        assert browser.run("document.documentElement.scrollWidth") <= width
        browser.screenshot(tmp_path / f"{name}.png")
        picture = np.asarray(Image.open(tmp_path / f"{name}.png").convert("L"))
        assert picture.shape == (800, width)
        bright[name] = np.median(picture)
    assert bright["dark"] < 60 < 200 < bright["phone"]


def test_an_inspected_recording_is_shown(browser, heard, tmp_path):
    recognizer = Recognizer(Mumbling(), VOCABULARY)
    path = heard / "a #1" / "000.wav"
    write_page(tmp_path / "seen.html", inspect(recognizer, segment(path)), segment(path), "seen")
    browser.open(tmp_path / "seen.html")
    wait_for(browser, "#recording canvas")
    assert browser.run("document.querySelectorAll('#recording .words.heard button').length") > 0
    assert browser.run("document.querySelectorAll('#recording canvas').length") == 4
    assert browser.complaints == []
