"""The best of many scores, without sorting them and without memory of its own; compiled."""

import numpy as np

from asr.compiled import compiled_bare

NUM_BUCKETS = 512
_SHIFT = 49
"""Of a score's bits: its exponent and three more, so that a bucket spans an eighth of a factor of two."""


@compiled_bare
def best_of(scores, count, width, floor, kept, bits, buckets, order):  # type: ignore[no-untyped-def]
    """The candidates to keep, in order: at most ``width``, none below ``floor``. Returns their number.

    ``bits`` is ``scores`` seen as integers, which order positive numbers alike; ``buckets`` are zeros, and left so.
    """
    num_kept, top = 0, 0
    for candidate in range(count):
        kept[num_kept] = candidate
        num_kept += scores[candidate] >= floor
        top = max(top, bits[candidate])
    if num_kept <= width:
        return num_kept
    lowest = max((top >> _SHIFT) - NUM_BUCKETS + 1, 0)
    for index in range(num_kept):
        buckets[max((bits[kept[index]] >> _SHIFT) - lowest, 0)] += 1
    room, bucket = width, NUM_BUCKETS - 1
    while buckets[bucket] <= room:
        room -= buckets[bucket]
        bucket -= 1
    buckets[:] = 0
    return _keep(scores, kept, num_kept, bits, lowest, bucket, room, order)


@compiled_bare
def _keep(scores, kept, num_kept, bits, lowest, bucket, room, order):  # type: ignore[no-untyped-def]
    """All that lie above a bucket, and the ``room`` best in it, the first of equals first."""
    inside = 0
    for index in range(num_kept):
        if max((bits[kept[index]] >> _SHIFT) - lowest, 0) == bucket:
            order[inside] = scores[kept[index]]
            inside += 1
    cut, ties = np.inf, room
    if room > 0:
        cut = nth_largest(order, inside, room)
        for index in range(inside):
            ties -= order[index] > cut
    position = 0
    for index in range(num_kept):
        one = kept[index]
        place = max((bits[one] >> _SHIFT) - lowest, 0)
        tied = place == bucket and scores[one] == cut and ties > 0
        ties -= tied
        if place > bucket or (place == bucket and scores[one] > cut) or tied:
            kept[position] = one
            position += 1
    return position


@compiled_bare
def nth_largest(values, count, rank):  # type: ignore[no-untyped-def]
    """Of the first ``count`` values, which are put into another order (Hoare's FIND, 1961)."""
    low, high, place = 0, count - 1, rank - 1
    while low < high:
        pivot = values[(low + high) >> 1]
        left, right = low, high
        while left <= right:
            while values[left] > pivot:
                left += 1
            while values[right] < pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left, right = left + 1, right - 1
        if place <= right:
            high = right
        elif place >= left:
            low = left
        else:
            break
    return values[place]
