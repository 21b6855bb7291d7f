"""CTC prefix beam search with language model and hotwords, compiled (Graves 2012, 7.5; Hannun et al. 2014).

A prefix is the labels so far, without blanks, repeats, and spaces that no word stands before. Its share is kept in
two parts, of the paths that end in a blank and of those that end in its last label, for only a blank lets that label
come again.

    stay      with a blank, or with the last label once more: the prefix is the same
    arrive    from the prefix without the last label, where both are in the beam: the shares add up
    extend    by a label: a new prefix

Shares are linear, language model included, and rescaled before they get too small or too large: no logarithm is taken
and no memory asked for inside the loop. What a label multiplies the share by is a constant of the prefix and the label.
"""

from typing import Any, NamedTuple

import numpy as np

from asr.compiled import compiled_bare
from asr.decoding.lexicon import ROOT, UNKNOWN_NODE
from asr.decoding.prefixes import (
    BLANK,
    CHARACTERS,
    WORDS,
    Options,
    child_of,
    end_word,
    find_child,
    grow,
    num_unasked,
    step,
)
from asr.decoding.selection import NUM_BUCKETS, best_of, nth_largest

_SMALLEST, _LARGEST = 1e-150, 1e150


class Workspace(NamedTuple):
    """Memory that is used in a frame and asked for once."""

    arrived: Any
    """(width, vocab) the last frame at which this extension came to a prefix of the beam."""
    tokens: Any
    """(vocab,)"""
    kept: Any
    """(num_candidates,)"""
    order: Any
    """(at least num_candidates,)"""
    bits: Any
    """(num_candidates,) the candidates' scores, seen as integers."""
    buckets: Any
    """(NUM_BUCKETS,)"""
    candidates: "Candidates"


class Candidates(NamedTuple):
    """What may follow: first every prefix of the beam again, then new ones."""

    source: Any
    label: Any
    word: Any
    """Node of the lexicon; 0 between words."""
    state: Any
    """Of the n-gram."""
    gain: Any
    blank: Any
    """Of the prefixes that stay; new ones have none."""
    score: Any
    """Both shares together."""


@compiled_bare
def search(  # type: ignore[no-untyped-def]
    probs, frame, options, spelling, lexicon, hotwords, ngram, workspace, tree, beam, num_nodes, num_beams
):
    """Advance a beam from ``frame`` on, in place; feeding chunks is feeding them at once.

    Args:
        probs: ``(time, vocab)`` probabilities.
        spelling, lexicon: arrays of a ``Spelling`` and of a ``WeightedLexicon``, see there.
        hotwords: next node and factor, ``(num_nodes, vocab)`` each.
        ngram: the arrays of an ``NGram``.
        workspace: as ``make_workspace`` made it.
        tree: PREFIX for every prefix that was ever kept.

    Returns:
        The frame to go on from, before the end where the tree has no room for a frame's new prefixes or the
        caller is to be asked; the new number of prefixes in the tree and in the beam; and the log of what the
        rescaling took out.
    """
    arrived, tokens, kept, order, bits, buckets, candidates = workspace
    nodes, lasts, blanks, labels = beam
    arrived[:] = 0
    taken_out = 0.0
    while frame < len(probs):
        row = probs[frame]
        num_tokens, has_opening = _tokens(
            row, options.token_share, options.max_tokens, spelling.opens, tokens, order
        )
        if num_nodes + options.width > len(tree) or (
            has_opening and options.asks and num_unasked(tree, nodes, num_beams)
        ):
            break
        frame += 1
        if num_tokens == 0:
            best = _stay(row, options.space, lasts, blanks, labels, num_beams)
        else:
            best = _stay_or_arrive(
                row, frame, options.space, tree, nodes, lasts, blanks, labels, num_beams, candidates.blank,
                candidates.score, arrived,
            )  # fmt: skip
            count, best = _extend(
                row, frame, tokens, num_tokens, options, spelling, lexicon, hotwords, ngram, tree, beam,
                num_beams, candidates, arrived, best,
            )  # fmt: skip
            count = best_of(
                candidates.score, count, options.width, best * options.beam_share, kept, bits, buckets, order
            )
            num_nodes = _move(kept, count, hotwords.next, tree, beam, num_nodes, num_beams, candidates)
            num_beams = count
        if best < _SMALLEST or best > _LARGEST:
            taken_out += _rescale(blanks, labels, num_beams, best)
    return frame, num_nodes, num_beams, taken_out


@compiled_bare
def _rescale(blanks, labels, num_beams, best):  # type: ignore[no-untyped-def]
    """Make the best share 1; returns the log of what was taken out of all."""
    for slot in range(num_beams):
        blanks[slot] /= best
        labels[slot] /= best
    return np.log(best)


@compiled_bare
def _tokens(row, share, most, opens, tokens, order):  # type: ignore[no-untyped-def]
    """The labels worth trying: near enough to the best, the best of them where they are too many."""
    best = row[BLANK]
    for label in range(BLANK + 1, len(row)):
        best = max(best, row[label])
    floor, count = best * share, 0
    for label in range(BLANK + 1, len(row)):
        if row[label] >= floor:
            tokens[count], order[count] = label, row[label]
            count += 1
    if count > most:
        floor, count = nth_largest(order, count, most), 0
        for label in range(BLANK + 1, len(row)):
            if row[label] >= floor and count < most:
                tokens[count] = label
                count += 1
    has_opening = False
    for index in range(count):
        has_opening |= opens[tokens[index]]
    return count, has_opening


@compiled_bare
def _again(row, space, last, blank, label):  # type: ignore[no-untyped-def]
    """The shares of a prefix that stays: with a blank, with its last label once more, or with a space too many."""
    whole = blank + label
    if last == BLANK:  # the empty prefix
        return whole * (row[BLANK] + row[space]) if space >= 0 else whole * row[BLANK], 0.0
    return whole * row[BLANK], (whole if last == space else label) * row[last]


@compiled_bare
def _stay(row, space, lasts, blanks, labels, num_beams):  # type: ignore[no-untyped-def]
    """A frame in which only the blank is worth trying: every prefix stays what it is. Returns the best share."""
    best = 0.0
    for slot in range(num_beams):
        blank, label = _again(row, space, lasts[slot], blanks[slot], labels[slot])
        blanks[slot], labels[slot] = blank, label
        best = max(best, blank + label)
    return best


@compiled_bare
def _stay_or_arrive(  # type: ignore[no-untyped-def]
    row, stamp, space, tree, nodes, lasts, blanks, labels, num_beams, stay_blanks, scores, arrived
):
    """Every prefix of the beam as a candidate, with what comes from its parent; marks these extensions."""
    best = 0.0
    for slot in range(num_beams):
        last = lasts[slot]
        blank, label = _again(row, space, last, blanks[slot], labels[slot])
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


@compiled_bare
def _extend(  # type: ignore[no-untyped-def]
    row, stamp, tokens, num_tokens, options, spelling, lexicon, hotwords, ngram, tree, beam, num_beams,
    candidates, arrived, best,
):  # fmt: skip
    """New prefixes, those that will not be kept in any case left out. Returns all candidates and the best share."""
    nodes, lasts, blanks, labels = beam
    mode, space, alpha, beta = options.mode, options.space, options.alpha, options.beta
    has_hotwords, beam_share = options.has_hotwords, options.beam_share
    letters, ends, opens, reach = spelling
    mask, first, gains, fall = lexicon.mask, lexicon.first, lexicon.gain, lexicon.fall
    word_of, most, hot_gain = lexicon.word_of, lexicon.most, hotwords.gain
    sources, new_labels, words, states, new_gains, _, scores = candidates
    count, floor = num_beams, best * beam_share
    for slot in range(num_beams):
        node, prefix = nodes[slot], tree[nodes[slot]]
        for index in range(num_tokens):
            label = tokens[index]
            opening = opens[label]
            # A label after itself is a new one only behind a blank.
            score = row[label] * (blanks[slot] if label == lasts[slot] else blanks[slot] + labels[slot])
            # Do not ask the lexicon or the n-gram where their best answer would not help.
            if score * (reach[label] * most[prefix.word] if opening else reach[label]) <= floor:
                continue
            if arrived[slot, label] == stamp or (label == space and (lasts[slot] in (space, BLANK))):
                continue
            word, state, gain = 0, prefix.state, 1.0
            if mode == WORDS:
                word = prefix.word
                if opening:
                    end_word(tree, node, alpha, lexicon, ngram)
                    word, state, gain = ROOT, prefix.ending_state, prefix.ending
                for place in range(ends[label], ends[label + 1]):
                    before, word = word, child_of(word, letters[place], mask, first)
                    gain *= fall[before] if word == UNKNOWN_NODE else gains[word]
            elif mode == CHARACTERS:
                # The space with which a first word begins is not in the text.
                for place in range(ends[label] + (opening and lasts[slot] == BLANK), ends[label + 1]):
                    log_prob, state = step(ngram, state, word_of[letters[place]])
                    gain *= np.exp(alpha * log_prob + beta)
            if has_hotwords:
                gain *= hot_gain[prefix.hot, label]
            score *= gain
            # Written in any case and then counted or not: a branch would be guessed wrong every other time.
            sources[count], new_labels[count], words[count], states[count] = node, label, word, state
            new_gains[count], scores[count] = gain, score
            count += score > floor
            best = max(best, score)
            floor = best * beam_share
    return count, best


@compiled_bare
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


def make_workspace(options: Options, num_symbols: int) -> Workspace:
    """Memory for a search of this width and vocabulary."""
    size = options.width * (options.max_tokens + 1)
    integers, floats = np.empty((5, size), np.int32), np.empty((3, size))
    candidates = Candidates(*integers[:4], *floats)
    return Workspace(
        np.zeros((options.width, num_symbols), np.int32),
        np.empty(num_symbols, np.int32),
        integers[4],
        np.empty(size + num_symbols),
        candidates.score.view(np.int64),
        np.zeros(NUM_BUCKETS, np.int32),
        candidates,
    )
