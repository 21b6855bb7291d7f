"""Trainings as jobs of a SLURM cluster, by way of submitit.

A job outlives the command that submitted it, so its number is kept in the run's folder: the same command waits for
a job that is still there, takes the result of one that ended well, and submits the others again.
"""

import json
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from asr.errors import ConfigError
from asr.sweep.points import Point
from asr.sweep.running import Start, launch

FOLDER, JOB = "slurm", "job.json"
_DEFAULTS = {"time": "1-00:00:00"}
_MAX_REQUEUES = 100
"""Times that a job which ran out of its time goes on in another slot."""
# srun of SLURM 22.05 and later gives its step one processor unless told what the job has.
_SETUP = ["export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}"]


@dataclass(frozen=True)
class _Work:
    """What runs on the node."""

    point: Point

    def __call__(self) -> int:
        return launch(self.point).wait()

    def checkpoint(self) -> Any:
        """What to run when the time is over or the node is taken away: the same, which goes on where it was."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@dataclass(frozen=True)
class _Submitted:
    """A job as ``running`` asks about it."""

    point: Point
    job: Any

    def poll(self) -> int | None:
        if not self.job.done():
            return None
        # A result may take a while to show on a network disk, and exception() waits for it.
        expected = self.job.paths.result_pickle.exists() or self.job.state == "COMPLETED"
        if expected and self.job.exception() is None:
            return int(self.job.result())
        with open(self.point.log, "a", encoding="utf-8") as log:
            log.write(f"job {self.job.job_id} ended as {self.job.state}; see {self.job.paths.stderr}\n")
        return 1


def cluster(options: str) -> Start:
    """Submits jobs with these options of sbatch: ``--partition=gpu --gpus=1 --time=4:00:00``.

    Raises:
        ConfigError: submitit or SLURM is not here; or, where a point is started, its job is refused.
    """
    try:
        import submitit  # noqa: F401
    except ImportError:
        raise ConfigError("--slurm needs submitit: pip install 'asr[slurm]'") from None
    if not all(map(shutil.which, ("sbatch", "srun", "squeue"))):
        raise ConfigError("--slurm: there is no sbatch here; run it where you submit jobs of the cluster.")
    parameters = _DEFAULTS | _sbatch_options(options)
    return lambda point: _Submitted(point, _job_of(point) or _submit(point, parameters))


def _sbatch_options(text: str) -> dict[str, str | bool]:
    pairs = (word.removeprefix("--").partition("=") for word in shlex.split(text))
    return {name: value if equals else True for name, equals, value in pairs}


def _submit(point: Point, parameters: dict[str, str | bool]) -> Any:
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    folder = point.run_dir / FOLDER
    executor = SlurmExecutor(folder=folder, max_num_timeout=_MAX_REQUEUES)
    executor.update_parameters(job_name=point.run_dir.name, setup=_SETUP, additional_parameters=parameters)
    try:
        job = executor.submit(_Work(point))
    except (FailedJobError, FailedSubmissionError) as error:
        raise ConfigError(f"{point.run_dir}: sbatch refused the job: {str(error).splitlines()[-1]}") from None
    record = folder / f"{JOB}.partial"
    record.write_text(json.dumps({"id": job.job_id, "command": point.command}), encoding="utf-8")
    record.replace(folder / JOB)
    return job


def _job_of(point: Point) -> Any:
    """The job that trains it, or has; None where there is none, or one that failed or was lost."""
    from submitit import SlurmJob

    record = point.run_dir / FOLDER / JOB
    if not record.exists():
        return None
    stored = json.loads(record.read_text(encoding="utf-8"))
    job: Any = SlurmJob(point.run_dir / FOLDER, stored["id"])
    same = stored["command"] == point.command
    if _is_queued(job.job_id):
        if not same:
            raise ConfigError(
                f"{point.run_dir}: job {job.job_id} still trains it with other settings; "
                f"wait for it, or scancel {job.job_id}."
            )
        return job
    ended = same and job.paths.result_pickle.exists()
    return job if ended and job.exception() is None and job.result() == 0 else None


def _is_queued(job_id: str) -> bool:
    """Whether it waits or runs. (sacct would know more, but not every cluster keeps accounts.)"""
    command = ["squeue", "--noheader", "--jobs", job_id]
    return bool(subprocess.run(command, capture_output=True, check=False).stdout.strip())
