"""The words of a language model as a trie over a vocabulary's letters, and what the weights make of it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.decoding.spelling import Units

ROOT, UNKNOWN_NODE = 0, 1
"""Between words; in a word that is not in the trie."""


WORD_BITS = 32
"""Letters in one element of a mask."""


class Lexicon(NamedTuple):
    """Level by level; the children of a node stand together, sorted by their letters.

    A child is found by counting: the bits of the mask below its own are the children before it (Jacobson 1989).
    Words that sound like another one have nodes of their own behind all levels, which no letter leads to.
    """

    mask: NDArray[np.int64]
    """(num_nodes, letters / 32) a bit for each letter that leads on."""
    first: NDArray[np.int32]
    """(num_nodes, letters / 32) the child of the lowest bit."""
    parent: NDArray[np.int32]
    """(num_nodes,)"""
    levels: tuple[int, ...]
    """Where each level begins, and the end."""
    alike: NDArray[np.int32]
    """(num_nodes,) the node of another word that sounds like the one that ends here, 0 where there is none."""
    entry: NDArray[np.int32]
    """(num_nodes,) the place of the word that ends here among all words and further ones; -1 where none does."""
    word_of: NDArray[np.int32]
    """(num_nodes,) the id of the word that ends here; 0, the unknown word, where none does."""
    is_word: NDArray[np.bool_]
    """(num_nodes,) whether a word ends here, be it one that the language model does not know."""
    log_prob: NDArray[np.float64]
    """(num_nodes,) unigram log-probability of ``word_of``."""


class WeightedLexicon(NamedTuple):
    """What the search multiplies by; a word that has begun is given in advance what the best of its kind will get."""

    mask: NDArray[np.int64]
    first: NDArray[np.int32]
    alike: NDArray[np.int32]
    word_of: NDArray[np.int32]
    bonus: NDArray[np.float64]
    """(num_nodes,) added to a word that ends here, apart from the n-gram; -inf where none may."""
    promise: NDArray[np.float64]
    """(num_nodes,) log of what was given in advance, taken back when the word ends."""
    most: NDArray[np.float64]
    """(num_nodes,) the largest factor that ending a word here could bring, were the n-gram sure of it."""
    gain: NDArray[np.float64]
    """(num_nodes,) factor for coming here from the parent."""
    fall: NDArray[np.float64]
    """(num_nodes,) factor for leaving the trie from here, and for each letter outside."""
    reach: float
    """The largest of both."""


def build_lexicon(
    words: Sequence[str], log_prob: NDArray[np.float32], units: Units, further: Sequence[str] = ()
) -> Lexicon:
    """The trie of the words that the units can write; their ids are their places in ``words``, 0 the unknown one.

    ``log_prob`` has the unigram of each word. ``further`` words may be written though the model does not know them.
    """
    entries, letters, lengths = units.spell([*words[1:], *further])
    at, parent, letter, levels = _grow(letters, lengths, len(units.alphabet))
    word_ids = np.where(entries < len(words) - 1, entries + 1, 0)
    # A further word that the model knows after all keeps its id; of words that sound alike the first one comes first.
    order = np.lexsort((entries, -np.sign(word_ids), at))
    at, entries, word_ids = at[order], entries[order], word_ids[order]
    is_first = np.diff(at, prepend=-1) > 0
    others = np.flatnonzero(~is_first) if units.pronunciations else np.empty(0, np.int64)
    num_real = len(parent)
    parent = np.concatenate([parent, at[others].astype(np.int32)])
    nodes = np.concatenate([at[is_first], np.arange(num_real, len(parent))])
    which = np.concatenate([np.flatnonzero(is_first), others])
    word_of, entry = np.zeros(len(parent), np.int32), np.full(len(parent), -1, np.int32)
    word_of[nodes], entry[nodes] = word_ids[which], entries[which]
    mask, first = _masks(parent, letter, num_real, len(units.alphabet))
    alike = _chain(parent, num_real)
    unigram = log_prob[word_of].astype(np.float64)
    return Lexicon(mask, first, parent, tuple(levels), alike, entry, word_of, entry >= 0, unigram)


def _grow(
    letters: NDArray[np.int64], lengths: NDArray[np.int64], num_letters: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64], list[int]]:
    """The node at which each row of letters ends; parent and last letter of each node; where the levels begin."""
    starts = np.cumsum(lengths) - lengths
    at = np.zeros(len(lengths), np.int64)
    parents, lasts, levels = [np.array([-1, -1])], [np.array([-1, -1])], [0, 2]
    for depth in range(int(lengths.max(initial=0))):
        longer = np.flatnonzero(lengths > depth)
        keys = at[longer] * num_letters + letters[starts[longer] + depth]
        nodes, where = np.unique(keys, return_inverse=True)
        at[longer] = levels[-1] + where
        parents.append(nodes // num_letters)
        lasts.append(nodes % num_letters)
        levels.append(levels[-1] + len(nodes))
    return at, np.concatenate(parents).astype(np.int32), np.concatenate(lasts), levels


def _chain(parent: NDArray[np.int32], num_real: int) -> NDArray[np.int32]:
    """From each word to the next one that sounds alike."""
    alike = np.zeros(len(parent), np.int32)
    for node in range(len(parent) - 1, num_real - 1, -1):
        alike[node] = alike[parent[node]]
        alike[parent[node]] = node
    return alike


def weigh(
    lexicon: Lexicon, alpha: float, beta: float, unknown: float, unknown_letter: float, *, strict: bool
) -> WeightedLexicon:
    """The trie under weights; ``strict`` allows nothing but its words."""
    depth = np.repeat(np.arange(len(lexicon.levels) - 1), np.diff(lexicon.levels))
    num_real, parent = lexicon.levels[-1], lexicon.parent
    depth = np.concatenate([depth, depth[parent[num_real:]]])
    spelling = unknown + unknown_letter * depth  # of an unknown word that ends at this depth
    bonus = beta + np.where(lexicon.word_of > 0, 0.0, spelling)
    bonus[~lexicon.is_word] = -np.inf if strict else beta + spelling[~lexicon.is_word]
    promise = np.where(lexicon.is_word, alpha * lexicon.log_prob + bonus, -np.inf)
    promise[UNKNOWN_NODE] = alpha * lexicon.log_prob[UNKNOWN_NODE] + bonus[UNKNOWN_NODE]
    for start, end in reversed(list(pairwise([*lexicon.levels[1:], len(parent)]))):
        np.maximum.at(promise, parent[start:end], promise[start:end])
    promise[ROOT] = 0.0  # between words nothing is promised
    with np.errstate(invalid="ignore"):  # the unknown node of a strict lexicon, which nobody reaches
        gain = np.exp(promise - promise[parent])
        most = np.exp(bonus - promise)
        fall = np.exp(promise[UNKNOWN_NODE] + unknown_letter * (depth + 1) - promise)
    gain[:2], fall[UNKNOWN_NODE] = 1.0, np.exp(unknown_letter)
    reach = float(max(gain.max(), fall.max()))
    alike, word_of = lexicon.alike, lexicon.word_of
    return WeightedLexicon(
        lexicon.mask, lexicon.first, alike, word_of, bonus, promise, most, gain, fall, reach
    )


def character_lexicon(tokens: Sequence[int]) -> WeightedLexicon:
    """For a model of characters: no trie, but in ``word_of`` the model's token for each letter."""
    nothing, anything = np.zeros(2), np.full(2, np.inf)
    nowhere, word_of = np.zeros((2, 1), np.int32), np.array(tokens, np.int32)
    mask, alike = nowhere.astype(np.int64), nowhere[:, 0].copy()
    return WeightedLexicon(
        mask, nowhere, alike, word_of, nothing, nothing, anything, nothing, nothing, np.inf
    )


def _masks(
    parent: NDArray[np.int32], letter: NDArray[np.int64], num_real: int, num_letters: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    shape = (len(parent), -(-num_letters // WORD_BITS))
    mask, first = np.zeros(shape, np.int64), np.full(shape, len(parent), np.int32)
    at = (parent[2:num_real], letter[2:] // WORD_BITS)
    np.bitwise_or.at(mask, at, np.int64(1) << (letter[2:] % WORD_BITS))
    np.minimum.at(first, at, np.arange(2, num_real, dtype=np.int32))
    return mask, first
