"""The likeliest path through the states of CTC, compiled: labels, and blanks around and between them.

    blank 0 - label 0 - blank 1 - label 1 - ... - blank n

Blank j is entered from label j - 1, label j from blank j, or from label j - 1 where that is another label
(Graves et al. 2006, section 4.1, with a maximum for the sum). Where the text may be wrong, the blanks around
words, its ``joints``, show anything at a price a frame, and for the price of a word the path goes on from the
joint before it to the joint after it.
"""

import numpy as np

from asr.compiled import compiled

BLANK = 0
BLOCK = 1024
"""Frames whose back pointers are kept at a time: those of an hour of speech would take gigabytes."""
STAYED, CAME, SKIPPED = 0, 1, 2
"""How a blank was entered: from itself, from the label before it, from the joint before it."""


@compiled
def label_spans(log_probs, labels, joints, prices, strange):  # type: ignore[no-untyped-def]
    """The frames ``[start, end)`` of each label, ``(num_labels, 2)``; no rows where no path is possible.

    ``joints`` are blanks in order, the first and the last among them, or none at all; word k lies between joints
    k and k + 1 and is left out for ``prices[k]``, which leaves the spans of its labels at (0, 0). ``strange`` is
    what a frame costs in which a joint shows the best symbol. Of equally good ways into a state, staying comes
    first, then the nearer state.

    Of the blocks of frames only the scores before each are kept, and the back pointers of all but the last are
    computed again on the way back.
    """
    num_frames, num_labels = len(log_probs), len(labels)
    num_blocks = (num_frames + BLOCK - 1) // BLOCK
    steps = np.empty((min(num_frames, BLOCK), num_labels + 1), np.uint8)
    before = np.empty((num_blocks, 2, num_labels + 2))
    scores = np.full((2, num_labels + 2), -np.inf)
    scores[0, 0] = 0.0  # before the first frame there is but the first blank
    for k in range(1, len(joints)):
        scores[0, joints[k]] = scores[0, joints[k - 1]] - prices[k - 1]
    for block in range(num_blocks):
        before[block] = scores
        frames = log_probs[block * BLOCK : (block + 1) * BLOCK]
        _forward(frames, labels, joints, prices, strange, scores, steps)
    in_label, in_blank = scores[1, num_labels], scores[0, num_labels]
    if max(in_label, in_blank) == -np.inf:
        return np.empty((0, 2), np.int64)
    spans = np.zeros((num_labels, 2), np.int64)
    state = 2 * num_labels if in_blank > in_label else 2 * num_labels - 1
    for block in range(num_blocks - 1, -1, -1):
        frames = log_probs[block * BLOCK : (block + 1) * BLOCK]
        if block < num_blocks - 1:
            _forward(frames, labels, joints, prices, strange, before[block], steps)
        state = _backward(steps[: len(frames)], joints, block * BLOCK, state, spans)
    return spans


@compiled
def _forward(log_probs, labels, joints, prices, strange, scores, steps):  # type: ignore[no-untyped-def]
    """Advance the scores, in place: of blank j at ``[0, j]``, of label j at ``[1, j + 1]``.

    ``steps`` gets how far back the best way into label j came from, and four times how blank j was entered.
    """
    num_labels = len(labels)
    jumping = np.zeros(
        num_labels + 1
    )  # from label j - 1 to label j; what it adds forbids it for equal labels
    jumping[1:num_labels] = np.where(labels[1:] == labels[:-1], -np.inf, 0.0)
    shown = np.full(num_labels + 1, -np.inf)
    old = np.empty_like(scores)
    for frame in range(len(log_probs)):
        row, step = log_probs[frame], steps[frame]
        for j in range(num_labels):
            shown[j] = row[labels[j]]
        old[:] = scores
        _advance(old, scores, shown, jumping, row[BLANK], step)
        anything = max(row[BLANK], row.max() - strange)
        for k in range(len(joints)):
            j = joints[k]
            scores[0, j] = max(old[0, j], old[1, j]) + anything
            if k and scores[0, joints[k - 1]] - prices[k - 1] > scores[0, j]:
                scores[0, j] = scores[0, joints[k - 1]] - prices[k - 1]
                step[j] = step[j] % 4 + 4 * SKIPPED


@compiled
def _advance(old, new, shown, jumping, blank, steps):  # type: ignore[no-untyped-def]
    """One frame of all states; a function of its own, of plain loops, which the compiler makes vectors of."""
    old_blanks, old_labels, new_blanks, new_labels = old[0], old[1], new[0], new[1]
    for j in range(len(shown)):
        before, between, stayed = old_labels[j], old_blanks[j], old_labels[j + 1]
        jumped = before + jumping[j]
        came = before > between
        new_blanks[j] = (before if came else between) + blank
        near = between > stayed
        best = between if near else stayed
        far = jumped > best
        new_labels[j + 1] = (jumped if far else best) + shown[j]
        steps[j] = (2 if far else 1 if near else 0) + (4 * CAME if came else 0)


@compiled
def _backward(steps, joints, first, state, spans):  # type: ignore[no-untyped-def]
    """Note the labels' frames from the last of a block to its ``first``; returns the state before it."""
    for index in range(len(steps) - 1, -1, -1):
        place = state // 2
        if state % 2:
            spans[place, 0] = first + index
            spans[place, 1] = max(spans[place, 1], first + index + 1)
            state -= steps[index, place] % 4
            continue
        while steps[index, place] // 4 == SKIPPED:
            place = joints[np.searchsorted(joints, place) - 1]
        state = 2 * place - steps[index, place] // 4
    return state
