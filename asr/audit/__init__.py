"""Transcripts that the audio contradicts, ranked.

``hear`` has a model weigh the text of every utterance, ``judge`` learns what is usual and what wrong texts look like,
and holds each against that; ``merge`` joins the parts that several models judged.
"""

from asr.audit.hearing import Unheard, Weighed, hear
from asr.audit.judging import judge, merge
from asr.audit.verdicts import CERTAIN, SHARE, Audit, Verdict

__all__ = ["CERTAIN", "SHARE", "Audit", "Unheard", "Verdict", "Weighed", "hear", "judge", "merge"]
