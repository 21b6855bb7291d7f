"""The run over all jobs: outputs fed, seconds and failures counted, what a Ctrl-C leaves kept."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from asr import windows
from asr.errors import AsrError
from asr.transcription.alone import OnPiece, Outcome
from asr.transcription.jobs import Job
from asr.transcription.outputs import Outputs
from asr.types import Transcript

Team = Callable[[OnPiece], Iterator[tuple[Job, Outcome]]]
"""Who does the work, told whom to tell of pieces."""


@dataclass
class Summary:
    """What a run came to."""

    num_done: int = 0
    seconds: float = 0.0
    """Of audio, transcribed in whole."""
    elapsed: float = 0.0
    failed: dict[int, str] = field(default_factory=dict)
    """Why, by the job's number."""
    begun: list[str] = field(default_factory=list)
    """What is left of recordings that were stopped in the middle, a sentence each."""
    is_stopped: bool = False

    @property
    def failures(self) -> list[str]:
        """A sentence each, in the order of the inputs."""
        return [self.failed[number] for number in sorted(self.failed)]

    @property
    def times_real_time(self) -> float:
        """Seconds of audio a second."""
        return self.seconds / max(self.elapsed, 1e-9)


def run(
    team: Team,
    outputs: Outputs,
    on_progress: Callable[[Job, float, bool], None] = lambda job, seconds, is_done: None,
) -> Summary:
    """Let a team do its jobs. ``on_progress`` gets each job, seconds of audio that were done of it, and if it ended.

    Ctrl-C ends it early; of long recordings what was recognised goes to the outputs.
    """
    started, summary = time.perf_counter(), Summary()
    begun: dict[int, tuple[Job, list[Transcript]]] = {}

    def on_piece(job: Job, piece: Transcript) -> None:
        begun.setdefault(job.number, (job, []))[1].append(piece)
        on_progress(job, piece.duration, False)

    try:
        for job, outcome in team(on_piece):
            outputs.put(job, outcome)
            heard = sum(piece.duration for piece in begun.pop(job.number, (job, []))[1])
            on_progress(job, _count(summary, job, outcome) - heard, True)
    except KeyboardInterrupt:
        summary.is_stopped = True
        summary.begun = [_keep(outputs, job, pieces) for job, pieces in begun.values()]
    summary.elapsed = time.perf_counter() - started
    return summary


def _count(summary: Summary, job: Job, outcome: Outcome) -> float:
    """Returns the seconds of audio."""
    if isinstance(outcome, AsrError):
        summary.failed[job.number] = str(outcome)
        return 0.0
    summary.num_done += 1
    summary.seconds += outcome.duration
    return outcome.duration


def _keep(outputs: Outputs, job: Job, pieces: list[Transcript]) -> str:
    transcript = windows.together(pieces)
    place = outputs.put_begun(job, transcript)
    return f"{job.name}: its first {transcript.duration:.0f} s " + (
        f"are in {place}" if place else "are lost"
    )
