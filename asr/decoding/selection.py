"""The best of many scores, without sorting them and without memory of its own; compiled."""

from asr.compiled import compiled_bare


@compiled_bare
def best_of(scores, count, width, floor, kept, order):  # type: ignore[no-untyped-def]
    """The candidates to keep, in order: at most ``width``, none below ``floor``. Returns their number."""
    num_kept = 0
    for candidate in range(count):
        if scores[candidate] >= floor:
            kept[num_kept], order[num_kept] = candidate, scores[candidate]
            num_kept += 1
    if num_kept <= width:
        return num_kept
    cut, room_at_cut = nth_largest(order, num_kept, width), width
    for index in range(num_kept):
        room_at_cut -= order[index] > cut
    position = 0
    for index in range(num_kept):
        score = scores[kept[index]]
        if score == cut:
            room_at_cut -= 1
        if score > cut or (score == cut and room_at_cut >= 0):
            kept[position] = kept[index]
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
