"""What an audit comes to: a verdict on each utterance, and how far verdicts can be trusted."""

from collections.abc import Mapping
from dataclasses import dataclass

from asr.manifest import Utterance

SHARE = 0.04
"""Of the utterances: so many somebody is thought to listen to."""


@dataclass(frozen=True)
class Verdict:
    """What is thought of one utterance."""

    index: int
    """Its position in the manifest, from 0."""
    utterance: Utterance
    doubt: float
    """Log of how much likelier its text is one made wrong than one as written; infinite where no model is needed."""
    fault: str
    """The likeliest of ``faults.FAULTS``, or ``CERTAIN``."""
    tokens: tuple[str, ...] = ()
    """The words of its text as the model writes them."""
    heard: str = ""
    """What the model writes, greedily."""
    unfit: tuple[int, ...] = ()
    """Positions of words that do not fit."""
    gaps: tuple[int, ...] = ()
    """Words before which something seems to be missing; the number of words for the end."""
    remarks: tuple[str, ...] = ()
    is_unheard: bool = False
    """Whether the recording could not be read."""


CERTAIN = "defect"
"""The fault of what no model needs to judge; the remarks name it."""


@dataclass(frozen=True)
class Audit:
    """All utterances, the most doubtful first."""

    verdicts: tuple[Verdict, ...]
    power: Mapping[str, float]
    """Of texts that were made wrong on purpose, by fault, the share that would stand among the first ``SHARE``."""
