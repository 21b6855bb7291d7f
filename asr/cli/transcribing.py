"""A run of `asr transcribe` as its user sees it: a bar, what came of it, what failed."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from asr.cli.console import complain, progress_bar, say
from asr.wording import counted

if TYPE_CHECKING:
    from asr.transcription import Job, Outputs, Summary
    from asr.transcription.running import Team

STOPPED = 130
"""The exit code of what Ctrl-C has ended, as shells have it."""

OnProgress = Callable[["Job", float, bool], None]


def run(team: "Team", outputs: "Outputs", jobs: "Sequence[Job]", quiet: bool) -> int:
    """Returns the exit code."""
    from asr import transcription

    with _progress(jobs, quiet or not sys.stderr.isatty()) as on_progress:
        summary = transcription.run(team, outputs, on_progress)
    if not quiet and not (summary.is_stopped and not summary.num_done):
        say(_described(summary))
    for sentence in summary.failures:
        complain(sentence)
    if summary.is_stopped:
        _tell_of_stop(summary, len(jobs))
        return STOPPED
    return 1 if summary.failures else 0


@contextmanager
def _progress(jobs: "Sequence[Job]", is_silent: bool) -> Iterator[OnProgress]:
    """A bar over the seconds of audio that the headers promise."""
    if is_silent:
        yield lambda job, seconds, is_done: None
        return
    promised = {job.number: job.seconds for job in jobs}
    with progress_bar("{task.fields[rate]}", "{task.fields[files]}") as bar:
        task = bar.add_task("transcribing", total=sum(promised.values()), rate="", files=f"0/{len(jobs)}")
        heard, num_done = 0.0, 0

        def on_progress(job: "Job", seconds: float, is_done: bool) -> None:
            nonlocal heard, num_done
            heard, num_done = heard + seconds, num_done + is_done
            promised[job.number] -= seconds
            left = promised[job.number] if is_done else 0.0  # headers err, and some files fail
            elapsed = bar.tasks[task].elapsed or 1e-9
            rate = f"{heard / elapsed:.0f} x real time"
            bar.update(task, advance=seconds + left, rate=rate, files=f"{num_done}/{len(jobs)}")

        yield on_progress


def _described(summary: "Summary") -> str:
    """Example: 3 recordings, 1 failed, 12.3 s of audio in 0.4 s, 31 times real time"""
    failed = f", {len(summary.failures)} failed" if summary.failures else ""
    count = counted(summary.num_done + len(summary.failures), "recording")
    return (
        f"{count}{failed}, {summary.seconds:.1f} s of audio in {summary.elapsed:.1f} s, "
        f"{summary.times_real_time:.0f} times real time"
    )


def _tell_of_stop(summary: "Summary", num_jobs: int) -> None:
    for sentence in summary.begun:
        complain(f"{sentence}.")
    left = counted(num_jobs - summary.num_done - len(summary.failures), "recording")
    complain(f"stopped, {left} left; with -o the same command goes on where it was stopped.")
