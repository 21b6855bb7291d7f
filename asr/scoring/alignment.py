"""Which word of the reference became which word of the hypothesis: jiwer's alignment, or sclite's."""

from collections.abc import Iterable
from itertools import zip_longest
from typing import Literal

import jiwer

from asr.scoring import sclite
from asr.scoring.counts import Counts

Pair = tuple[str | None, str | None]
"""A word of the reference and what was heard for it; None where one has no partner."""

Weights = Literal["jiwer", "sclite"]
"""What an alignment keeps small: jiwer the number of errors; sclite their price, of which a substitution
costs 4 and a deletion or an insertion 3."""


def align(reference: str, hypothesis: str, weights: Weights = "jiwer") -> list[Pair]:
    """Pairs of white-space separated words along the counted alignment."""
    if weights == "sclite":
        return sclite.align(reference.split(), hypothesis.split())
    return _pairs(jiwer.process_words(reference, hypothesis))


def align_characters(reference: str, hypothesis: str) -> list[Pair]:
    """Pairs of characters, spaces included."""
    return _pairs(jiwer.process_characters(reference, hypothesis))


def count(pairs: Iterable[Pair]) -> Counts:
    """The counts of an alignment."""
    pairs = list(pairs)
    hits = sum(said == heard for said, heard in pairs)
    deletions = sum(heard is None for _, heard in pairs)
    insertions = sum(said is None for said, _ in pairs)
    return Counts(hits, len(pairs) - hits - deletions - insertions, deletions, insertions)


def count_words(reference: str, hypothesis: str, weights: Weights = "jiwer") -> Counts:
    """Counts over white-space separated words."""
    return count(align(reference, hypothesis, weights))


def count_characters(reference: str, hypothesis: str) -> Counts:
    """Counts over characters, spaces included."""
    return count(align_characters(reference, hypothesis))


def judge(reference: str, hypothesis: str) -> list[bool]:
    """Of each word of the hypothesis, whether it is right."""
    return [said == heard for said, heard in align(reference, hypothesis) if heard is not None]


def _pairs(output: jiwer.WordOutput | jiwer.CharacterOutput) -> list[Pair]:
    pairs: list[Pair] = []
    for chunk in output.alignments[0]:
        said = output.references[0][chunk.ref_start_idx : chunk.ref_end_idx]
        heard = output.hypotheses[0][chunk.hyp_start_idx : chunk.hyp_end_idx]
        pairs += zip_longest(said, heard)
    return pairs
