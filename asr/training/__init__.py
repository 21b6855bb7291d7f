"""Training: the only place that knows Lightning."""

from asr.training.distributed import is_first
from asr.training.dry import DryRun, dry_run, measure_speed
from asr.training.fit import TrainingResult, train
from asr.training.scorer import LAST

__all__ = ["LAST", "DryRun", "TrainingResult", "dry_run", "is_first", "measure_speed", "train"]
