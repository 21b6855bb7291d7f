"""The words of a language model as a trie over a vocabulary's symbols, and what the weights make of it."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROOT, UNKNOWN_NODE = 0, 1
"""Between words; in a word that is not in the trie."""


WORD_BITS = 32
"""Symbols in one element of a mask."""


class Lexicon(NamedTuple):
    """Level by level; the children of a node stand together, sorted by their symbols.

    A child is found by counting: the bits of the mask below its own are the children before it (Jacobson 1989).
    """

    mask: NDArray[np.int64]
    """(num_nodes, symbols / 32) a bit for each symbol that leads on."""
    first: NDArray[np.int32]
    """(num_nodes, symbols / 32) the child of the lowest bit."""
    parent: NDArray[np.int32]
    """(num_nodes,)"""
    levels: tuple[int, ...]
    """Where each level begins, and the end."""
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
    words: Sequence[str], log_prob: NDArray[np.float32], symbols: Sequence[str], further: Sequence[str] = ()
) -> Lexicon:
    """The trie of the words that the symbols can write; their ids are their places in ``words``, 0 the unknown one.

    ``log_prob`` has the unigram of each word. ``further`` words may be written though the model does not know them.
    """
    ids = {symbol: index for index, symbol in enumerate(symbols) if len(symbol) == 1 and symbol != " "}
    word_ids = np.array([*range(1, len(words)), *[0] * len(further)], np.int32)
    letters, lengths = _spell([*words[1:], *further], ids)
    word_ids, lengths = word_ids[lengths > 0], lengths[lengths > 0]
    starts = np.cumsum(lengths) - lengths
    at = np.zeros(len(lengths), np.int64)
    parents, lasts, levels = [np.array([-1, -1])], [np.array([-1, -1])], [0, 2]
    for depth in range(int(lengths.max(initial=0))):
        longer = np.flatnonzero(lengths > depth)
        keys = at[longer] * len(symbols) + letters[starts[longer] + depth]
        nodes, where = np.unique(keys, return_inverse=True)
        at[longer] = levels[-1] + where
        parents.append(nodes // len(symbols))
        lasts.append(nodes % len(symbols))
        levels.append(levels[-1] + len(nodes))
    parent, symbol = np.concatenate(parents).astype(np.int32), np.concatenate(lasts).astype(np.int32)
    mask, first = _masks(parent, symbol, len(symbols))
    word_of, is_word = np.zeros(len(parent), np.int32), np.zeros(len(parent), bool)
    np.maximum.at(word_of, at, word_ids)  # a further word that the model knows after all keeps its id
    is_word[at] = True
    unigram = log_prob[word_of].astype(np.float64)
    return Lexicon(mask, first, parent, tuple(levels), word_of, is_word, unigram)


def weigh(
    lexicon: Lexicon, alpha: float, beta: float, unknown: float, unknown_letter: float, *, strict: bool
) -> WeightedLexicon:
    """The trie under weights; ``strict`` allows nothing but its words."""
    depth = np.repeat(np.arange(len(lexicon.levels) - 1), np.diff(lexicon.levels))
    spelling = unknown + unknown_letter * depth  # of an unknown word that ends at this depth
    bonus = beta + np.where(lexicon.word_of > 0, 0.0, spelling)
    bonus[~lexicon.is_word] = -np.inf if strict else beta + spelling[~lexicon.is_word]
    promise = np.where(lexicon.is_word, alpha * lexicon.log_prob + bonus, -np.inf)
    promise[UNKNOWN_NODE] = alpha * lexicon.log_prob[UNKNOWN_NODE] + bonus[UNKNOWN_NODE]
    for start, end in reversed(list(pairwise(lexicon.levels[1:]))):
        np.maximum.at(promise, lexicon.parent[start:end], promise[start:end])
    promise[ROOT] = 0.0  # between words nothing is promised
    with np.errstate(invalid="ignore"):  # the unknown node of a strict lexicon, which nobody reaches
        gain = np.exp(promise - promise[lexicon.parent])
        most = np.exp(bonus - promise)
        fall = np.exp(promise[UNKNOWN_NODE] + unknown_letter * (depth + 1) - promise)
    gain[:2], fall[UNKNOWN_NODE] = 1.0, np.exp(unknown_letter)
    reach = float(max(gain.max(), fall.max()))
    return WeightedLexicon(
        lexicon.mask, lexicon.first, lexicon.word_of, bonus, promise, most, gain, fall, reach
    )


def character_lexicon(tokens: Sequence[int]) -> WeightedLexicon:
    """For a model of characters: no trie, but in ``word_of`` the model's token for each symbol."""
    nothing, anything = np.zeros(2), np.full(2, np.inf)
    nowhere, word_of = np.zeros((2, 1), np.int32), np.array(tokens, np.int32)
    return WeightedLexicon(
        nowhere.astype(np.int64), nowhere, word_of, nothing, nothing, anything, nothing, nothing, np.inf
    )


def _masks(
    parent: NDArray[np.int32], symbol: NDArray[np.int32], num_symbols: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    shape = (len(parent), -(-num_symbols // WORD_BITS))
    mask, first = np.zeros(shape, np.int64), np.full(shape, len(parent), np.int32)
    at = (parent[2:], symbol[2:] // WORD_BITS)
    np.bitwise_or.at(mask, at, np.int64(1) << (symbol[2:].astype(np.int64) % WORD_BITS))
    np.minimum.at(first, at, np.arange(2, len(parent), dtype=np.int32))
    return mask, first


def _spell(words: Sequence[str], ids: Mapping[str, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The symbols of all words in one row, and the length of each: 0, and no symbols, where one is missing."""
    characters = np.frombuffer("".join(words).encode("utf-32-le"), np.uint32)
    kinds, where = np.unique(characters, return_inverse=True)
    letters = np.array([ids.get(chr(kind), -1) for kind in kinds], np.int64)[where]
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    word_at = np.repeat(np.arange(len(words)), lengths)
    cannot = np.bincount(word_at[letters < 0], minlength=len(words)) > 0
    return letters[~cannot[word_at]], np.where(cannot, 0, lengths)
