"""Training: the only place that knows Lightning."""

from asr.training.fit import DryRun, TrainingResult, dry_run, train

__all__ = ["DryRun", "TrainingResult", "dry_run", "train"]
