"""A test set counted: run through a recognizer, or read from texts; kept in a folder; looked at from many sides."""

from asr.evaluation.run import evaluate
from asr.evaluation.scored import Evaluation, Scored, Setup, score, summary

__all__ = ["Evaluation", "Scored", "Setup", "evaluate", "score", "summary"]
