"""Trainings of a sweep, some at a time, each a process of its own, here or on a cluster."""

import json
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from asr.sweep.points import Point

METRICS = "metrics.json"
_POLL_SECONDS = 0.2


class Training(Protocol):
    """One that has been started."""

    def poll(self) -> int | None:
        """Its exit code, None until it has ended."""


Start = Callable[[Point], Training]


@dataclass(frozen=True)
class Outcome:
    """What a point's training came to."""

    point: Point
    dev_wer: float | None
    """None where it failed."""
    interval: tuple[float, float] = (0.0, 0.0)
    epoch: int = 0
    failure: str = ""


def run(points: Iterable[Point], jobs: int, start: Start) -> Iterator[Outcome]:
    """Train them all, ``jobs`` at a time; a point is asked for when there is room for it."""
    waiting = iter(points)
    running: list[tuple[Point, Training]] = []
    while True:
        running += [(point, start(point)) for point in islice(waiting, jobs - len(running))]
        if not running:
            return
        time.sleep(_POLL_SECONDS)
        polled = [(point, training, training.poll()) for point, training in running]
        running = [(point, training) for point, training, code in polled if code is None]
        for point, _, code in polled:
            if code is not None:
                yield outcome_of(point) if code == 0 else Outcome(point, None, failure=_last_line(point))


def ranked(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The best first, what failed last; else by their folders."""
    return sorted(outcomes, key=lambda one: (one.dev_wer is None, one.dev_wer, one.point.run_dir))


def outcome_of(point: Point) -> Outcome:
    """What a training that ended well left in its folder."""
    best = json.loads((point.run_dir / METRICS).read_text(encoding="utf-8"))["best"]
    low, high = best["dev_wer_interval"]
    return Outcome(point, best["dev_wer"], (low, high), best["epoch"])


@contextmanager
def here() -> Iterator[Start]:
    """Processes of this machine. Ctrl-C reaches them too: they are waited for while they save."""
    with ExitStack() as started:

        def start(point: Point) -> Training:
            process = launch(point)
            started.callback(process.wait)
            return process

        yield start


def launch(point: Point) -> "subprocess.Popen[bytes]":
    """The training as a process, what it says added to its log."""
    point.run_dir.mkdir(parents=True, exist_ok=True)
    with open(point.log, "ab") as log:
        return subprocess.Popen(point.command, stdout=log, stderr=subprocess.STDOUT)


def _last_line(point: Point) -> str:
    lines = point.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
