"""The likeliest path through the states of CTC, compiled: labels, and blanks around and between them.

    blank 0 - label 0 - blank 1 - label 1 - ... - blank n

Blank j is entered from label j - 1, label j from blank j, or from label j - 1 where that is another label
(Graves et al. 2006, section 4.1, with a maximum for the sum). Scores are kept for blanks and labels apart, so
that each is one plain loop over memory.
"""

import numpy as np

from asr.compiled import compiled

BLANK = 0
BLOCK = 1024
"""Frames whose back pointers are kept at a time: those of an hour of speech would take gigabytes."""


@compiled
def label_spans(log_probs, labels):  # type: ignore[no-untyped-def]
    """The frames ``[start, end)`` of each label, ``(num_labels, 2)``; no rows where no path is possible.

    Of equally good ways into a state, staying comes first, then the nearer state. Of the blocks of frames only the
    scores before each are kept, and the back pointers of all but the last are computed again on the way back.
    """
    num_frames, num_labels = len(log_probs), len(labels)
    num_blocks = (num_frames + BLOCK - 1) // BLOCK
    steps = np.empty((min(num_frames, BLOCK), 2, num_labels + 1), np.int8)
    before = np.empty((num_blocks, 2, num_labels + 1))
    scores = np.full((2, num_labels + 1), -np.inf)
    scores[0, 0] = 0.0  # before the first frame there is but the first blank
    for block in range(num_blocks):
        before[block] = scores
        _forward(log_probs[block * BLOCK : (block + 1) * BLOCK], labels, scores, steps)
    in_label, in_blank = scores[1, num_labels - 1], scores[0, num_labels]
    if max(in_label, in_blank) == -np.inf:
        return np.empty((0, 2), np.int64)
    spans = np.zeros((num_labels, 2), np.int64)
    state = 2 * num_labels if in_blank > in_label else 2 * num_labels - 1
    for block in range(num_blocks - 1, -1, -1):
        frames = log_probs[block * BLOCK : (block + 1) * BLOCK]
        if block < num_blocks - 1:
            _forward(frames, labels, before[block], steps)
        state = _backward(steps[: len(frames)], block * BLOCK, state, spans)
    return spans


@compiled
def _forward(log_probs, labels, scores, steps):  # type: ignore[no-untyped-def]
    """Advance the scores of blanks and labels, in place; ``steps`` gets how far back the best way in came from."""
    num_labels = len(labels)
    skipping = np.zeros(
        num_labels + 1
    )  # from label j - 1 to label j; what it adds forbids it for equal labels
    skipping[1:num_labels] = np.where(labels[1:] == labels[:-1], -np.inf, 0.0)
    blanks, others = scores[0], scores[1]
    previous = np.full(num_labels + 1, -np.inf)  # of label j - 1, at j
    for frame in range(len(log_probs)):
        row = log_probs[frame]
        blank_steps, label_steps = steps[frame, 0], steps[frame, 1]
        previous[1:] = others[:num_labels]
        for place in range(num_labels):
            best, step = others[place], 0
            if blanks[place] > best:
                best, step = blanks[place], 1
            if previous[place] + skipping[place] > best:
                best, step = previous[place] + skipping[place], 2
            others[place] = best + row[labels[place]]
            label_steps[place] = step
        for place in range(num_labels + 1):
            blank_steps[place] = previous[place] > blanks[place]
            blanks[place] = max(previous[place], blanks[place]) + row[BLANK]


@compiled
def _backward(steps, first, state, spans):  # type: ignore[no-untyped-def]
    """Note the labels' frames from the last of a block to its ``first``; returns the state before it."""
    for index in range(len(steps) - 1, -1, -1):
        place = state // 2
        if state % 2:
            spans[place, 0] = first + index
            spans[place, 1] = max(spans[place, 1], first + index + 1)
        state -= steps[index, state % 2, place]
    return state
