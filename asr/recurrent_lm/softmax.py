"""Word vectors that are read and predicted with: one table, in clusters by frequency (Grave et al. 2017).

The head tells the most frequent words and the clusters apart, each cluster its own words, in a narrower space. The
vectors at the input are the same ones, widened by the same matrices (Baevski and Auli 2019). One cluster is a plain
softmax.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

_NARROWER = 4
_INITIAL = 0.1


class TiedSoftmax(nn.Module):
    """Words by rank to vectors, and vectors to log-probabilities of words."""

    def __init__(self, counts: Sequence[float], width: int, cutoffs: Sequence[int]):
        """``counts`` of each word, the most frequent first: where the biases begin."""
        super().__init__()
        self.edges = (0, *(cutoff for cutoff in cutoffs if cutoff < len(counts)), len(counts))
        widths = [max(width // _NARROWER**rank, 1) for rank in range(len(self.edges) - 1)]
        self.tables = nn.ParameterList(
            torch.empty(end - start, narrow).uniform_(-_INITIAL, _INITIAL)
            for (start, end), narrow in zip(pairwise(self.edges), widths, strict=True)
        )
        self.widening = nn.ParameterList(torch.randn(width, narrow) / narrow**0.5 for narrow in widths[1:])
        self.clusters = nn.Parameter(torch.empty(len(widths) - 1, width).uniform_(-_INITIAL, _INITIAL))
        self.biases = nn.ParameterList(_log_shares(torch.tensor(counts), self.edges))

    def vectors(self, words: Tensor) -> Tensor:
        """``(...)`` words to ``(..., width)``."""
        flat = words.flatten()
        vectors = torch.zeros(len(flat), self.tables[0].shape[1])
        for rank, inside, places in self._split(flat):
            rows = self.tables[rank][places]
            vectors[inside] = linear(rows, self.widening[rank - 1]) if rank else rows
        return vectors.view(*words.shape, -1)

    def log_probs_of(self, hidden: Tensor, words: Tensor) -> Tensor:
        """``(num, width)`` and the ``(num,)`` words that follow to ``(num,)`` log-probabilities."""
        head, chosen = self._head(hidden), torch.zeros(len(hidden))
        for rank, inside, places in self._split(words):
            if rank == 0:
                chosen[inside] = head[inside, places]
            elif len(inside):
                tail = self._tail(rank, hidden[inside])
                own = tail.gather(1, places[:, None])[:, 0]
                chosen[inside] = head[inside, self.edges[1] + rank - 1] + own
        return chosen

    def log_probs(self, hidden: Tensor) -> Tensor:
        """``(num, width)`` to ``(num, num_words)``: of every word."""
        head, shortlist = self._head(hidden), self.edges[1]
        tails = [
            head[:, shortlist + rank - 1 : shortlist + rank] + self._tail(rank, hidden)
            for rank in range(1, len(self.tables))
        ]
        return torch.cat([head[:, :shortlist], *tails], dim=1)

    def _head(self, hidden: Tensor) -> Tensor:
        weights = torch.cat([self.tables[0], self.clusters])
        return linear(hidden, weights, self.biases[0]).log_softmax(dim=1)

    def _tail(self, rank: int, hidden: Tensor) -> Tensor:
        narrow = hidden @ self.widening[rank - 1]
        return linear(narrow, self.tables[rank], self.biases[rank]).log_softmax(dim=1)

    def _split(self, words: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Of each cluster: its rank, where its words stand, and their places in its table."""
        for rank, (start, end) in enumerate(pairwise(self.edges)):
            inside = torch.nonzero((words >= start) & (words < end))[:, 0]
            yield rank, inside, words[inside] - start


def _log_shares(counts: Tensor, edges: Sequence[int]) -> Iterator[Tensor]:
    """The biases that give the words their frequencies: of the head, then of each cluster."""
    logs = counts.clamp(min=0.5).log()
    tails = [logs[start:end] for start, end in pairwise(edges[1:])]
    yield torch.cat([logs[: edges[1]], *(tail.logsumexp(0, keepdim=True) for tail in tails)])
    yield from (tail.clone() for tail in tails)
