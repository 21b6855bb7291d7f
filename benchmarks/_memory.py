"""The most memory that a whole `asr` process takes, as the kernel counts it."""

import os
import subprocess
import sys


def peak_megabytes(*arguments: str) -> float:
    """Of ``asr`` with these arguments, which must succeed."""
    process = subprocess.Popen([sys.executable, "-m", "asr", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"asr {' '.join(arguments)} failed")
    return usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
