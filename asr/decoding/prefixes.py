"""The prefixes of a beam search as a tree: what is known of each, and what it is worth as a text.

What a label multiplies a prefix's share by, and what ending a word would, are constants of the prefix: they are
found once and kept here.
"""

from typing import Any, NamedTuple

import numpy as np

from asr.compiled import compiled, compiled_bare
from asr.decoding.lexicon import UNKNOWN_NODE
from asr.lm.lookup import advance

BLANK = 0
ALIKE, WORDS, CHARACTERS = range(3)
"""What the language model tells apart: nothing, words, characters."""
NOT_ASKED = -1.0

PREFIX = np.dtype(
    [
        ("parent", np.int32),  # the prefix without its last label; -1: this is the empty one
        ("label", np.int32),
        ("first_child", np.int32),  # the prefixes with one label more that were ever kept, a linked list
        ("sibling", np.int32),
        ("slot", np.int32),  # its place in the beam; -1: outside
        ("word", np.int32),  # node of the lexicon: the word that has begun
        ("state", np.int32),  # of the n-gram, after the words that have ended
        ("hot", np.int32),  # node of the hotwords
        ("ending_state", np.int32),
        ("ending_word", np.int32),  # node of the lexicon: the word that ends here, of those that sound alike
        ("ending", np.float64),  # factor for ending its word here, or NOT_ASKED
        ("gain", np.float64),  # factor of its last label
    ],
    align=True,
)


class Options(NamedTuple):
    """What does not change during a search."""

    width: int
    max_tokens: int
    token_share: float
    """Of a frame's best symbol: symbols below it are not tried."""
    beam_share: float
    """Of the best prefix: prefixes below it are dropped."""
    space: int
    """Its id, or -1."""
    mode: int
    alpha: float
    beta: float
    has_hotwords: bool
    asks: bool
    """Whether the language model is asked by the caller, where words end, instead of here."""


class Beam(NamedTuple):
    """The prefixes that are followed, ``(width,)`` each."""

    node: Any
    last: Any
    """Last label; 0 of the empty prefix."""
    blank: Any
    """Share of the paths that end in a blank."""
    label: Any
    """Share of those that end in the last label."""


@compiled_bare
def step(ngram, state, word):  # type: ignore[no-untyped-def]
    """The n-gram's log-probability of a word after a state, and the state after it."""
    return advance(ngram[0], ngram[1], ngram[2], ngram[3], ngram[4], ngram[5], state, word)


@compiled_bare
def child_of(node, label, mask, first):  # type: ignore[no-untyped-def]
    """The lexicon's node behind a label, by the rank of its bit."""
    part, bit = label >> 5, label & 31
    bits = mask[node, part]
    if not (bits >> bit) & 1:
        return UNKNOWN_NODE
    below = bits & ((1 << bit) - 1)
    # The number of bits, four, two and one at a time; compilers know this as one instruction.
    below = below - ((below >> 1) & 0x55555555)
    below = (below & 0x33333333) + ((below >> 2) & 0x33333333)
    below = (below + (below >> 4)) & 0x0F0F0F0F
    return first[node, part] + (((below * 0x01010101) & 0xFFFFFFFF) >> 24)


@compiled_bare
def num_unasked(tree, nodes, num_beams):  # type: ignore[no-untyped-def]
    """The prefixes of which nobody knows yet what ending their word would bring."""
    count = 0
    for slot in range(num_beams):
        count += tree[nodes[slot]].ending == NOT_ASKED
    return count


@compiled_bare
def end_word(tree, node, alpha, lexicon, ngram):  # type: ignore[no-untyped-def]
    """Ask the n-gram what ending its word would bring to a prefix, once in the prefix's life."""
    prefix = tree[node]
    if prefix.ending != NOT_ASKED:
        return
    word = prefix.word
    prefix.ending_word = word
    if word == 0:  # a space at the beginning: no word
        prefix.ending, prefix.ending_state = 1.0, prefix.state
        return
    promise = lexicon.promise[word]
    log_prob, prefix.ending_state = step(ngram, prefix.state, lexicon.word_of[word])
    prefix.ending = np.exp(alpha * log_prob + lexicon.bonus[word] - promise)
    other = lexicon.alike[word]
    while other > 0:
        log_prob, state = step(ngram, prefix.state, lexicon.word_of[other])
        ending = np.exp(alpha * log_prob + lexicon.bonus[other] - promise)
        if ending > prefix.ending:
            prefix.ending, prefix.ending_state, prefix.ending_word = ending, state, other
        other = lexicon.alike[other]


@compiled
def whole_scores(tree, beam, num_beams, options, lexicon, hotwords, ngram, eos):  # type: ignore[no-untyped-def]
    """Each prefix as a whole text, its last word ended, then the sentence (unless ``eos`` is -1).

    Returns ``(num_beams, 2)``: the log of its share with all that, and the part of it that came with the end.
    """
    scores = np.empty((num_beams, 2))
    for slot in range(num_beams):
        prefix = tree[beam.node[slot]]
        state, end = prefix.state, 0.0
        if options.mode == WORDS:
            if not options.asks:
                end_word(tree, beam.node[slot], options.alpha, lexicon, ngram)
            state, end = prefix.ending_state, np.log(prefix.ending)
        if options.has_hotwords:
            end += hotwords.end[prefix.hot]
        if eos >= 0:
            log_prob, _ = step(ngram, state, eos)
            end += options.alpha * log_prob
        scores[slot] = np.log(beam.blank[slot] + beam.label[slot]) + end, end
    if options.mode != CHARACTERS:
        _join_trailing(tree, beam, num_beams, options.space, scores)
    return scores


@compiled_bare
def _join_trailing(tree, beam, num_beams, space, scores):  # type: ignore[no-untyped-def]
    """A text and the same with a space behind it are one: give its share to the one without."""
    for slot in range(num_beams):
        parent = tree[beam.node[slot]].parent
        if beam.last[slot] == space and tree[parent].slot >= 0:
            same = tree[parent].slot
            scores[same, 0] = np.logaddexp(scores[same, 0], scores[slot, 0])
            scores[slot, 0] = -np.inf


@compiled
def gains_of(tree, node):  # type: ignore[no-untyped-def]
    """The log of all that language model and hotwords have multiplied a prefix's share by."""
    total = 0.0
    while tree[node].parent >= 0:
        total += np.log(tree[node].gain)
        node = tree[node].parent
    return total


@compiled_bare
def find_child(tree, parent, label):  # type: ignore[no-untyped-def]
    """The child of a prefix, were it ever kept, or -1: one that comes back is the same as before."""
    node = tree[parent].first_child
    while node >= 0 and tree[node].label != label:
        node = tree[node].sibling
    return node


@compiled_bare
def grow(tree, node, parent, label, word, state, gain):  # type: ignore[no-untyped-def]
    """Write a new prefix into the tree."""
    before, prefix = tree[parent], tree[node]
    prefix.parent, prefix.label = parent, label
    prefix.first_child, prefix.sibling = -1, before.first_child
    before.first_child = node
    prefix.word, prefix.state = word, state
    prefix.gain, prefix.ending, prefix.ending_state, prefix.ending_word = gain, NOT_ASKED, 0, 0


@compiled
def labels_of(tree, node):  # type: ignore[no-untyped-def]
    """The labels of a prefix, first to last."""
    length, ancestor = 0, node
    while tree[ancestor].parent >= 0:
        length, ancestor = length + 1, tree[ancestor].parent
    labels = np.empty(length, np.int32)
    for place in range(length - 1, -1, -1):
        labels[place] = tree[node].label
        node = tree[node].parent
    return labels


@compiled
def num_shared(tree, nodes):  # type: ignore[no-untyped-def]
    """The number of labels with which all these prefixes begin."""
    shared = labels_of(tree, nodes[0])
    length = len(shared)
    for node in nodes[1:]:
        labels = labels_of(tree, node)
        length = min(length, len(labels))
        for place in range(length):
            if labels[place] != shared[place]:
                length = place
                break
    return length
