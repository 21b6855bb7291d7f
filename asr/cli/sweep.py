"""The part of ``asr train`` that starts many trainings: ``--sweep`` and ``--trials``, here or on a cluster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.console import complain, say
from asr.wording import counted

if TYPE_CHECKING:
    from asr.sweep import Outcome
    from asr.sweep.running import Start

Sweep = Annotated[
    bool, typer.Option("--sweep", help="Train every combination of settings given as a,b,c or range(1,4).")
]
Trials = Annotated[
    int | None,
    typer.Option(
        min=1, help="Search settings given as low..high or a,b,c with so many trainings.", metavar="N"
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Trainings of a sweep at a time; here, set trainer.threads=1.",
        show_default="1; a sweep on a cluster: all",
    ),
]
Slurm = Annotated[
    str | None,
    typer.Option(help="Train on a SLURM cluster; the options are those of sbatch.", metavar="OPTIONS"),
]


def train_many(overrides: list[str], trials: int | None, jobs: int | None, slurm: str | None) -> None:
    """Train them, and print one table; exit code 1 if one failed."""
    from asr.errors import ConfigError

    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise ConfigError("torchrun shares one training; start a sweep without it.")
    try:
        outcomes = _search(overrides, trials, jobs, slurm) if trials else _grid(overrides, jobs, slurm)
    except KeyboardInterrupt:
        complain("interrupted; the same command goes on where it was stopped.")
        raise typer.Exit(130) from None
    print("| settings | dev WER % [95 %] | epoch | folder |\n|---|---|---|---|")
    for one in outcomes:
        print(
            f"| {' '.join(one.point.particular)} | {_outcome(one)} | {one.epoch or ''} | {one.point.run_dir} |"
        )
    raise typer.Exit(1 if outcomes[-1].dev_wer is None else 0)


def _grid(overrides: list[str], jobs: int | None, slurm: str | None) -> "list[Outcome]":
    from asr.sweep import expand, ranked, run

    points = expand(overrides)
    jobs = jobs or (1 if slurm is None else len(points))
    say(f"{counted(len(points), 'training')}, {jobs} at a time, in {points[0].run_dir.parent}")
    with _launcher(slurm) as start:
        return ranked(map(_said, run(points, jobs, start)))


def _search(overrides: list[str], trials: int, jobs: int | None, slurm: str | None) -> "list[Outcome]":
    from asr.sweep import ranked, run
    from asr.sweep.search import Search

    search = Search(overrides)
    known = search.known()
    say(
        f"{counted(trials, 'training')}, {len(known)} of them done, {jobs or 1} at a time, in {search.folder}"
    )

    with _launcher(slurm) as start:
        for outcome in run(search.points(trials), jobs or 1, start):
            search.tell(outcome)
            known.append(_said(outcome))
    return ranked(known)


@contextmanager
def _launcher(slurm: str | None) -> "Iterator[Start]":
    from asr.sweep import here

    if slurm is None:
        with here() as start:
            yield start
        return
    from asr.sweep.cluster import cluster

    try:
        yield cluster(slurm)
    except KeyboardInterrupt:
        complain(
            "the jobs go on (squeue --me shows them, scancel ends them); the same command waits for them again."
        )
        raise typer.Exit(130) from None


def _said(one: "Outcome") -> "Outcome":
    say(f"{' '.join(one.point.particular)}: {_outcome(one)}")
    return one


def _outcome(one: "Outcome") -> str:
    if one.dev_wer is None:
        return one.failure
    low, high = one.interval
    return f"{100 * one.dev_wer:.2f} [{100 * low:.2f}, {100 * high:.2f}]"
