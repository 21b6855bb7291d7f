"""Transcripts that the audio contradicts, ranked.

A model weighs the text of every utterance (``hear``); what is usual and what wrong texts look like is learned from
all of them, and each is held against that (``judge``). ``audit`` does both, for one model or several.
"""

from asr.audit.run import audit
from asr.audit.verdicts import CERTAIN, SHARE, Audit, Verdict

__all__ = ["CERTAIN", "SHARE", "Audit", "Verdict", "audit"]
