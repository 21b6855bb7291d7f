"""The words of a language model as a trie over a model's symbols: which letters may follow, and what they promise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Lexicon:
    """Node 0 is the beginning of a word, node 1 is a word that nobody knows."""

    children: NDArray[np.int32]
    """(num_nodes, num_symbols) the node behind each symbol."""
    promise: NDArray[np.float32]
    """(num_nodes,) the best unigram log-probability of the words below."""
    word_of: NDArray[np.int64]
    """(num_nodes,) the id of the word that ends here; 0, the unknown word, where none does."""


UNKNOWN_NODE = 1


def build_lexicon(words: Sequence[str], log_prob: NDArray[np.float32], symbols: Sequence[str]) -> Lexicon:
    """The trie of the words that the symbols can write; their ids are their places in ``words``, 0 the unknown one.

    ``log_prob`` has the unigram of each word; special words in angle brackets are left out.
    """
    ids = {symbol: index for index, symbol in enumerate(symbols) if len(symbol) == 1 and symbol != " "}
    branches: list[dict[int, int]] = [{}, {}]
    word_of, promise = [0, 0], [-np.inf, float(log_prob[0])]
    for word_id, word in enumerate(words):
        if word_id == 0 or not word or any(character not in ids for character in word):
            continue
        node = 0
        for character in word:
            symbol = ids[character]
            if symbol not in branches[node]:
                branches[node][symbol] = len(branches)
                branches.append({})
                word_of.append(0)
                promise.append(-np.inf)
            node = branches[node][symbol]
            promise[node] = max(promise[node], float(log_prob[word_id]))
        word_of[node] = word_id
    promise[0] = 0.0  # between words nothing is promised
    return Lexicon(_table(branches, len(symbols)), np.array(promise, np.float32), np.array(word_of, np.int64))


def _table(branches: Sequence[dict[int, int]], num_symbols: int) -> NDArray[np.int32]:
    table = np.full((len(branches), num_symbols), UNKNOWN_NODE, np.int32)
    for node, followers in enumerate(branches):
        for symbol, child in followers.items():
            table[node, symbol] = child
    return table
