"""Many trainings from one command, each a process of its own, and one table of their dev WERs."""

from asr.sweep.points import Point, expand
from asr.sweep.running import Outcome, here, ranked, run

__all__ = ["Outcome", "Point", "expand", "here", "ranked", "run"]
