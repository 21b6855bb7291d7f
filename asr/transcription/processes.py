"""Worker processes of this machine: the model loaded once in each, one thread each; what kills one costs one recording.

A worker is spawned, not forked: threads and locks of the parent stay with it. Its pipe ends when it dies.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

from asr.errors import AsrError, WorkerError
from asr.recognizer import Recognizer
from asr.transcription.alone import OnPiece, Outcome, transcribe
from asr.transcription.jobs import Job
from asr.wording import counted

MakeRecognizer = Callable[[], Recognizer]
"""Sent to each worker, so that it must be a function of a module, or a dataclass."""
_TRIES = 2

_log = logging.getLogger(__name__)


def share(
    make_recognizer: MakeRecognizer,
    num_workers: int,
    batches: Iterable[list[Job]],
    nbest: int,
    on_piece: OnPiece,
) -> Iterator[tuple[Job, Outcome]]:
    """Every job with what came of it, as it comes.

    A worker that dies is replaced, and the recordings it had are tried alone; one that kills twice is given up.

    Raises:
        AsrError: the recognizer cannot be made, or WorkerError: a worker dies before it has begun.
    """
    with contextlib.ExitStack() as stack:
        yield from _Team(make_recognizer, nbest, batches, on_piece, stack).run(num_workers)


class _Worker:
    """A process, its pipe, and the jobs that it has not answered."""

    def __init__(self, make_recognizer: MakeRecognizer, nbest: int):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, make_recognizer, nbest), daemon=True)
        self.is_ready = False
        self.jobs: dict[int, Job] = {}
        with _one_thread():
            self.process.start()
        theirs.close()

    def give(self, batch: list[Job]) -> None:
        self.jobs = {job.number: job for job in batch}
        with contextlib.suppress(OSError):  # it has died: reading its pipe will say so
            self.connection.send(batch)

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


class _Team:
    def __init__(
        self,
        make_recognizer: MakeRecognizer,
        nbest: int,
        batches: Iterable[list[Job]],
        on_piece: OnPiece,
        stack: contextlib.ExitStack,
    ):
        self.make_recognizer, self.nbest, self.on_piece, self.stack = make_recognizer, nbest, on_piece, stack
        self.batches = iter(batches)
        self.again: deque[list[Job]] = deque()
        self.deaths: Counter[int] = Counter()
        self.busy: dict[Connection, _Worker] = {}

    def run(self, num_workers: int) -> Iterator[tuple[Job, Outcome]]:
        for _ in range(num_workers):
            self._start_one()
        while self.busy:
            for connection in wait(list(self.busy)):
                assert isinstance(connection, Connection)
                yield from self._hear(self.busy[connection])

    def _start_one(self) -> None:
        if (batch := self._next_batch()) is not None:
            worker = _Worker(self.make_recognizer, self.nbest)
            self.stack.callback(worker.stop)
            self.busy[worker.connection] = worker
            worker.give(batch)

    def _next_batch(self) -> list[Job] | None:
        return self.again.popleft() if self.again else next(self.batches, None)

    def _hear(self, worker: _Worker) -> Iterator[tuple[Job, Outcome]]:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            yield from self._bury(worker)
            return
        match message:
            case AsrError():
                raise message
            case "ready":
                worker.is_ready = True
            case ("piece", number, piece):
                self.on_piece(worker.jobs[number], piece)
            case ("done", number, outcome):
                yield worker.jobs.pop(number), outcome
                if not worker.jobs:
                    self._give_more(worker)

    def _give_more(self, worker: _Worker) -> None:
        batch = self._next_batch()
        if batch is None:
            del self.busy[worker.connection]
        else:
            worker.give(batch)

    def _bury(self, worker: _Worker) -> Iterator[tuple[Job, Outcome]]:
        """Say what happened, try its jobs alone, give up those that were tried so, and replace it."""
        del self.busy[worker.connection]
        worker.process.join()
        cause = _cause(worker.process.exitcode)
        if not worker.is_ready:
            raise WorkerError(f"A worker {cause} before it had loaded the model; take fewer --jobs.")
        left = list(worker.jobs.values())
        self.deaths.update(worker.jobs.keys())
        _log.warning(
            "worker %d %s; what it had (%s) is tried again, each by itself.",
            *(worker.process.pid, cause, counted(len(left), "recording")),
        )
        for job in left:
            if self.deaths[job.number] < _TRIES:
                self.again.append([job])
            else:
                yield job, WorkerError(f"{job.name}: the process that read it {cause}, twice; left out.")
        self._start_one()


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        kill = " (out of memory?)" if -exit_code == signal.SIGKILL else ""
        return f"was ended by {signal.Signals(-exit_code).name}{kill}"
    return f"ended with code {exit_code}"


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """What starts now has one thread of numpy and torch: they look when they are imported."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _work(connection: Any, make_recognizer: MakeRecognizer, nbest: int) -> None:
    """The life of a worker: batches in, outcomes out, until its pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which then stops the workers
    try:
        recognizer = make_recognizer()
    except AsrError as error:
        connection.send(error)
        return
    connection.send("ready")

    def tell(job: Job, piece: Any) -> None:
        connection.send(("piece", job.number, piece))

    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            for job, outcome in transcribe(recognizer, [connection.recv()], nbest, tell):
                connection.send(("done", job.number, outcome))
