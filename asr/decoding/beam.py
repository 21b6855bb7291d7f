"""CTC prefix beam search with language model and hotwords, compiled (Graves 2012, 7.5; Hannun et al. 2014).

A prefix is the labels so far, without blanks and repeats. Its share is kept in two parts, of the paths that end
in a blank and of those that end in its last label, for only a blank lets that label come again.

    stay      with a blank, or with the last label once more: the prefix is the same
    arrive    from the prefix without the last label, where both are in the beam: the shares add up
    extend    by a label: a new prefix

Shares are linear, language model included, and rescaled before they get too small: no logarithm is taken and no
memory asked for inside the loop. What a label multiplies the share by is a constant of the prefix and the label.
"""

from typing import Any, NamedTuple

import numpy as np

from asr.compiled import compiled
from asr.decoding.lexicon import UNKNOWN_NODE
from asr.decoding.prefixes import (
    BLANK,
    CHARACTERS,
    WORDS,
    child_of,
    end_words,
    find_child,
    grow,
    num_unasked,
    step,
)

_SMALLEST = 1e-150


class Candidates(NamedTuple):
    """What may follow: first every prefix of the beam again, then new ones."""

    source: Any
    label: Any
    word: Any
    """Node of the lexicon."""
    state: Any
    """Of the n-gram."""
    gain: Any
    blank: Any
    """Of the prefixes that stay; new ones have none."""
    score: Any
    """Both shares together."""


@compiled
def search(probs, frame, options, lexicon, hotwords, ngram, tree, beam, num_nodes, num_beams):  # type: ignore[no-untyped-def]
    """Advance a beam from ``frame`` on, in place; feeding chunks is feeding them at once.

    Args:
        probs: ``(time, vocab)`` probabilities.
        lexicon: arrays of a ``Lexicon`` with weights, see there.
        hotwords: next node and factor, ``(num_nodes, vocab)`` each.
        ngram: the arrays of an ``NGram``.
        tree: PREFIX for every prefix that was ever kept, with room for ``width`` more a frame.

    Returns:
        The frame to go on from (before the end only where ``options.asks``), the new number of prefixes in the
        tree and in the beam, and the log of what the rescaling took out.
    """
    # Arrays are taken out of their tuples where loops begin: inside, each would cost a count of references.
    nodes, lasts, blanks, labels = beam
    width = options.width
    size = width * (options.max_tokens + 1)
    tokens = np.empty(probs.shape[1], np.int32)
    arrived = np.zeros((width, probs.shape[1]), np.int32)
    integers, floats = np.empty((5, size), np.int32), np.empty((4, size))
    stay_blanks, scores, kept, order = floats[1], floats[2], integers[4], floats[3]
    candidates = Candidates(
        integers[0], integers[1], integers[2], integers[3], floats[0], stay_blanks, scores
    )
    taken_out = 0.0
    while frame < len(probs):
        row = probs[frame]
        num_tokens, has_space = _tokens(row, options.token_share, options.max_tokens, options.space, tokens)
        if has_space and options.mode == WORDS:
            if options.asks:
                if num_unasked(tree, nodes, num_beams):
                    break
            else:
                end_words(tree, nodes, num_beams, options.alpha, lexicon, ngram)
        frame += 1
        if num_tokens == 0:
            best = _stay(row, lasts, blanks, labels, num_beams)
        else:
            best = _stay_or_arrive(
                row, frame, tree, nodes, lasts, blanks, labels, num_beams, stay_blanks, scores, arrived
            )
            count, best = _extend(
                row, frame, tokens, num_tokens, options, lexicon, hotwords, ngram, tree, beam, num_beams,
                candidates, arrived, best,
            )  # fmt: skip
            count = _best(scores, count, width, best * options.beam_share, kept, order)
            num_nodes = _move(kept, count, hotwords.next, tree, beam, num_nodes, num_beams, candidates)
            num_beams = count
        if best < _SMALLEST:
            taken_out += _rescale(blanks, labels, num_beams, best)
    return frame, num_nodes, num_beams, taken_out


@compiled
def _rescale(blanks, labels, num_beams, best):  # type: ignore[no-untyped-def]
    """Make the best share 1; returns the log of what was taken out of all."""
    for slot in range(num_beams):
        blanks[slot] /= best
        labels[slot] /= best
    return np.log(best)


@compiled
def _tokens(row, share, most, space, tokens):  # type: ignore[no-untyped-def]
    """The labels worth trying: near enough to the best, the best of them where they are too many."""
    best = row[BLANK]
    for label in range(BLANK + 1, len(row)):
        best = max(best, row[label])
    floor = best * share
    count = 0
    for label in range(BLANK + 1, len(row)):
        if row[label] >= floor:
            tokens[count] = label
            count += 1
    if count > most:
        order = np.argsort(-row[tokens[:count]])[:most]
        tokens[:most] = tokens[:count][order]
        count = most
    has_space = False
    for index in range(count):
        has_space |= tokens[index] == space
    return count, has_space


@compiled
def _stay(row, lasts, blanks, labels, num_beams):  # type: ignore[no-untyped-def]
    """A frame in which only the blank is worth trying: every prefix stays what it is. Returns the best share."""
    best = 0.0
    for slot in range(num_beams):
        blank = (blanks[slot] + labels[slot]) * row[BLANK]
        label = labels[slot] * row[lasts[slot]]
        blanks[slot], labels[slot] = blank, label
        best = max(best, blank + label)
    return best


@compiled
def _stay_or_arrive(  # type: ignore[no-untyped-def]
    row, stamp, tree, nodes, lasts, blanks, labels, num_beams, stay_blanks, scores, arrived
):
    """Every prefix of the beam as a candidate, with what comes from its parent; marks these extensions."""
    best = 0.0
    for slot in range(num_beams):
        last = lasts[slot]
        blank = (blanks[slot] + labels[slot]) * row[BLANK]
        label = labels[slot] * row[last]
        prefix = tree[nodes[slot]]
        if prefix.parent >= 0:
            source = tree[prefix.parent].slot
            if source >= 0:
                # A label after itself is a new one only behind a blank.
                whole = blanks[source] if lasts[source] == last else blanks[source] + labels[source]
                label += whole * row[last] * prefix.gain
                arrived[source, last] = stamp
        stay_blanks[slot] = blank
        scores[slot] = blank + label
        best = max(best, blank + label)
    return best


@compiled
def _extend(  # type: ignore[no-untyped-def]
    row, stamp, tokens, num_tokens, options, lexicon, hotwords, ngram, tree, beam, num_beams, candidates,
    arrived, best,
):  # fmt: skip
    """New prefixes, those that will not be kept in any case left out. Returns all candidates and the best share."""
    nodes, lasts, blanks, labels = beam
    mode, space, alpha, beta = options.mode, options.space, options.alpha, options.beta
    has_hotwords, beam_share = options.has_hotwords, options.beam_share
    first_child, symbol, gains, fall = lexicon.first_child, lexicon.symbol, lexicon.gain, lexicon.fall
    word_of, hot_gain = lexicon.word_of, hotwords.gain
    sources, new_labels, words, states, new_gains, _, scores = candidates
    count, floor = num_beams, best * beam_share
    for slot in range(num_beams):
        node, prefix = nodes[slot], tree[nodes[slot]]
        for index in range(num_tokens):
            label = tokens[index]
            if arrived[slot, label] == stamp:
                continue
            word, state, gain = 0, prefix.state, 1.0
            if mode == WORDS:
                if label == space:
                    state, gain = prefix.ending_state, prefix.ending
                else:
                    word = child_of(prefix.word, label, first_child, symbol)
                    gain = fall[prefix.word] if word == UNKNOWN_NODE else gains[word]
            elif mode == CHARACTERS:
                log_prob, state = step(ngram, prefix.state, word_of[label])
                gain = np.exp(alpha * log_prob + beta)
            if has_hotwords:
                gain *= hot_gain[prefix.hot, label]
            # A label after itself is a new one only behind a blank.
            share = blanks[slot] if label == lasts[slot] else blanks[slot] + labels[slot]
            score = share * row[label] * gain
            if score > floor:
                sources[count], new_labels[count], words[count], states[count] = node, label, word, state
                new_gains[count], scores[count] = gain, score
                count += 1
                best = max(best, score)
                floor = best * beam_share
    return count, best


@compiled
def _best(scores, count, width, floor, kept, order):  # type: ignore[no-untyped-def]
    """The candidates to keep, in order: at most ``width``, none below ``floor``. Returns their number."""
    num_kept = 0
    for candidate in range(count):
        if scores[candidate] >= floor:
            kept[num_kept], order[num_kept] = candidate, scores[candidate]
            num_kept += 1
    if num_kept <= width:
        return num_kept
    cut, room_at_cut = _nth_largest(order, num_kept, width), width
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


@compiled
def _nth_largest(values, count, rank):  # type: ignore[no-untyped-def]
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


@compiled
def _move(kept, count, next_hot, tree, beam, num_nodes, num_beams, candidates):  # type: ignore[no-untyped-def]
    """Make the kept candidates the beam; returns the new number of prefixes in the tree."""
    nodes, lasts, blanks, labels = beam
    sources, new_labels, words, states, gains, stay_blanks, scores = candidates
    for slot in range(num_beams):
        tree[nodes[slot]].slot = -1
    for slot in range(count):
        one = kept[slot]
        if one < num_beams:
            # Kept candidates come in order, so what is read here has not been written yet.
            node, blank = nodes[one], stay_blanks[one]
        else:
            blank = 0.0
            node = find_child(tree, sources[one], new_labels[one])
            if node < 0:
                node, num_nodes = num_nodes, num_nodes + 1
                grow(tree, node, sources[one], new_labels[one], words[one], states[one], gains[one])
                tree[node].hot = next_hot[tree[sources[one]].hot, new_labels[one]]
        nodes[slot], blanks[slot], labels[slot] = node, blank, scores[one] - blank
        lasts[slot] = tree[node].label
        tree[node].slot = slot
    return num_nodes
