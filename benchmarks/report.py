"""Claim: a report of 2,500 utterances, 50 of them with pictures, opens in under 2 s in headless Chromium.

    python benchmarks/report.py

From the click on a link to the end of the load event, when the first rows are on the page; then what it takes
to search, to sort, and to open an utterance with its pictures.
"""

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from _timing import Claim, Row, arguments, report

from asr import load, read_manifest
from asr.evaluation import Evaluation, score
from asr.report import write_report
from asr.types import Word

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from browser import CHROMIUM, Browser  # noqa: E402

UTTERANCES, SECONDS = 2500, 2.0
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
ACTIONS = {
    "search": "document.querySelector('.filters input').value = 'seven two';"
    "document.querySelector('.filters input').dispatchEvent(new Event('input'))",
    "sort": "document.querySelectorAll('#utterances th button')[2].click()",
    "open an utterance": "document.querySelector('#utterances tr.row').click()",
}
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def made_up() -> Evaluation:
    """The bundled recordings again and again, with other texts of 8 to 30 words, one word in seven another one."""
    samples = read_manifest(ROOT / "recipes" / "demo" / "samples" / "samples.jsonl")
    rng = np.random.default_rng(2)
    scored = []
    for number in range(UTTERANCES):
        said = rng.choice(WORDS, size=rng.integers(8, 31))
        heard = np.where(rng.random(len(said)) < 0.15, rng.choice(WORDS, size=len(said)), said)
        words = tuple(Word(str(word), place / 10, place / 10 + 0.1, 0.9) for place, word in enumerate(heard))
        scored.append(score(samples[number % len(samples)], " ".join(said), " ".join(heard), heard=words))
    return Evaluation(tuple(scored), 1.0)


def main() -> None:
    args = arguments(__doc__.splitlines()[0], rounds=5)
    if CHROMIUM is None:
        sys.exit("no Chromium here, so nothing can be measured: apt install chromium")
    folder = Path(tempfile.mkdtemp())
    path = folder / "report.html"
    write_report(path, made_up(), "2,500 utterances", recognizer=load("digits-en"))
    seconds: dict[str, list[float]] = {name: [] for name in ("load", *ACTIONS)}
    with Browser() as browser:
        for _ in range(args.rounds):
            browser.open(path)
            timing = "performance.getEntriesByType('navigation')[0].loadEventEnd"
            seconds["load"].append(browser.run(timing) / 1000)
            for name, action in ACTIONS.items():
                script = f"(async () => {{ const from = performance.now(); {action}; await {DRAWN};"
                seconds[name].append(browser.run(f"{script} return performance.now() - from; }})()") / 1000)
    megabytes = path.stat().st_size / 1e6
    shutil.rmtree(folder)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    notes = {"load": f", {megabytes:.1f} MB"}
    rows = [Row(name, 1 / time, f"{time:.2f} s{notes.get(name, '')}") for name, time in medians.items()]
    rows.append(Row("claim", 1 / SECONDS, f"{SECONDS:g} s"))
    report(f"A report of {UTTERANCES} utterances", rows, [Claim("load", "claim", 1.0)], args.check)


if __name__ == "__main__":
    main()
