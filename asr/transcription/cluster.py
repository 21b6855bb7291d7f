"""Batches as tasks of a Ray cluster, whose machines see recordings and model under the same paths.

Ray repeats what a lost worker had; each recording is written once, here, by who asked.
"""

import dataclasses
import functools
import importlib
import logging
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from asr.errors import AsrError, ConfigError, WorkerError
from asr.manifest import Utterance
from asr.recognizer import Recognizer
from asr.transcription.alone import Outcome, transcribe
from asr.transcription.jobs import Job
from asr.transcription.processes import MakeRecognizer

RETRIES = 3
"""Of a batch whose worker was lost."""
WAITING = 2
"""Batches a processor that are in the cluster at a time, so that none is idle and memory stays flat."""


def share(
    make_recognizer: MakeRecognizer, address: str, batches: Iterable[list[Job]], nbest: int
) -> Iterator[tuple[Job, Outcome]]:
    """Every job with what came of it, as it comes; ``address`` is HOST:PORT, auto, or local for this machine alone.

    Raises:
        ConfigError: Ray is not installed, or there is no cluster.
    """
    # Nothing is reported to anybody unless the user has said so.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError:
        raise ConfigError("--ray needs Ray; `pip install 'asr[ray]'` brings it.") from None
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise ConfigError(
            f"--ray {address}: no cluster there ({error}); `ray start --head` starts one."
        ) from None
    try:
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(_transcribe_batch)
        room = WAITING * max(1, int(ray.cluster_resources().get("CPU", 1)))
        remaining = iter(batches)
        running: dict[Any, list[Job]] = {}
        while True:
            for batch in islice(remaining, room - len(running)):
                running[task.remote(make_recognizer, [_absolute(job) for job in batch], nbest)] = batch
            if not running:
                return
            (done, *_), _ = ray.wait(list(running), num_returns=1)
            yield from zip(*_outcomes(ray, done, running.pop(done)), strict=True)
    finally:
        ray.shutdown()


def _outcomes(ray: Any, done: Any, batch: list[Job]) -> tuple[list[Job], list[Outcome]]:
    try:
        return batch, ray.get(done)
    except ray.exceptions.WorkerCrashedError:
        sentence = f"the workers of the cluster that read its batch died {RETRIES + 1} times; left out."
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, AsrError):  # nothing that another batch would be spared
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:  # no memory, no machine
        sentence = f"the cluster lost its batch ({type(error).__name__}); left out."
    return batch, [WorkerError(f"{job.name}: {sentence}") for job in batch]


def _transcribe_batch(make_recognizer: MakeRecognizer, batch: list[Job], nbest: int) -> list[Outcome]:
    recognizer = _recognizer(make_recognizer)
    return [outcome for _, outcome in transcribe(recognizer, [batch], nbest, lambda job, piece: None)]


def _absolute(job: Job) -> Job:
    """As a process in another folder finds the recording."""
    if isinstance(job.source, Utterance):
        return job
    return dataclasses.replace(job, source=os.path.abspath(job.source))


@functools.cache
def _recognizer(make_recognizer: MakeRecognizer) -> Recognizer:
    """The model, loaded once in each worker."""
    return make_recognizer()
