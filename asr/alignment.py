"""Forced alignment: which frames each label of a known text was said in, by the Viterbi path through CTC."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def align(log_probs: NDArray[np.floating[Any]], labels: Sequence[int]) -> list[tuple[int, int]]:
    """The half-open frame span of each label on the likeliest path of ``log_probs (time, vocab)`` that writes them.

    Spans cover the frames that show the label itself; the blanks between belong to nobody. Empty when there are
    fewer frames than the labels need. Scores are read as float32 and added as float64.
    """
    if not len(labels):
        return []
    # Compiled code is loaded when somebody aligns, not when somebody imports.
    from asr.viterbi import label_spans

    scores = np.ascontiguousarray(log_probs, np.float32)
    spans = label_spans(scores, np.asarray(labels, np.int64))
    return [(start, end) for start, end in spans.tolist()]
