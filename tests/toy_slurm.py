"""A SLURM of one machine, as far as submitit asks for it: real commands and processes. ``TOY`` names its folder.

A job is a process of its own session that holds a lock for as long as any of it lives.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TOY = Path(os.environ.get("TOY", "."))
TASK = {"SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}


def write(folder: Path) -> dict[str, str]:
    """The commands in a folder, and an environment in which they are found."""
    folder.mkdir()
    for command in COMMANDS:
        path = folder / command
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" {command} "$@"\n')
        path.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "TOY": str(folder)}


def lose(folder: Path, number: int) -> None:
    """Take the node away from a job."""
    os.killpg(int((folder / f"{number}.pid").read_text()), signal.SIGKILL)


def sbatch(script: str) -> None:
    if "partition=full" in Path(script).read_text():
        sys.exit("sbatch: error: invalid partition specified: full")
    number = len(list(TOY.glob("*.pid"))) + 1
    shutil.copy(script, TOY / f"{number}.sh")
    lock = os.open(TOY / f"{number}.lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock, True)
    environment = {**os.environ, **TASK, "SLURM_JOB_ID": str(number), "SLURM_JOB_NODELIST": "toy"}
    nothing = subprocess.DEVNULL
    job = subprocess.Popen(
        ["sh", script],
        env=environment,
        pass_fds=(lock,),
        start_new_session=True,
        stdin=nothing,
        stdout=nothing,
        stderr=nothing,
    )
    (TOY / f"{number}.pid").write_text(str(job.pid))
    print(f"Submitted batch job {number}")


def srun(*words: str) -> None:
    """Options are --unbuffered and --name value."""
    rest = list(words)
    while rest[0].startswith("--"):
        del rest[: 1 if rest[0] == "--unbuffered" else 2]
    # Not exec: what would close the lock is the interpreter's end.
    sys.exit(subprocess.run(rest, close_fds=False, check=False).returncode)


def squeue(*words: str) -> None:
    number = words[-1]
    if number in running():
        print(f"{number} toy RUNNING")


def sacct(*_: str) -> None:
    print("JobID|State|NodeList")
    alive = set(running())
    for path in TOY.glob("*.pid"):
        print(f"{path.stem}|{'RUNNING' if path.stem in alive else 'NODE_FAIL'}|toy")


def running() -> Iterator[str]:
    for path in TOY.glob("*.lock"):
        with open(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield path.stem


COMMANDS = {"sbatch": sbatch, "srun": srun, "squeue": squeue, "sacct": sacct}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
