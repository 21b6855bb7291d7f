"""A trained recurrent language model: what it says of sentences, and of words after histories that a search keeps."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.lm.words import WordModel
from asr.recurrent_lm.network import RecurrentNetwork
from asr.recurrent_lm.settings import RecurrentLMSettings
from asr.recurrent_lm.vocabulary import LMVocabulary

_AT_ONCE = 2000
"""Words of a batch that is scored, padding included."""


class RecurrentLM(WordModel):
    """Words of a vocabulary, a network that predicts them; in evaluation mode, on the processor."""

    asks = True

    def __init__(self, settings: RecurrentLMSettings, vocabulary: LMVocabulary, network: RecurrentNetwork):
        self.settings, self.vocabulary, self.network = settings, vocabulary, network.eval()
        self.words = vocabulary.words

    @cached_property
    def log_prob(self) -> NDArray[np.float32]:
        """``(num_words,)`` by their counts: of each word after nothing."""
        counts = np.maximum(self.vocabulary.counts, 0.5)
        return np.asarray(np.log(counts / counts.sum()), np.float32)

    @property
    def num_parameters(self) -> int:
        """Of the network."""
        return sum(weight.numel() for weight in self.network.parameters())

    def score(self, words: Sequence[str]) -> list[float]:
        """The log-probability of each word of a sentence after those before it, and of </s> at the end."""
        return self.score_all([words])[0]

    def score_all(self, sentences: Sequence[Sequence[str]]) -> list[list[float]]:
        """``score`` of each, many at a time; neighbours change no score by more than rounding."""
        return score_sentences(self.network, [self.vocabulary.encode(words) for words in sentences])

    def open(self) -> "Histories":
        """What one search asks."""
        return Histories(self)


class Histories:
    """Every history that a search has met, by number, and the network's state after it; gone with the search."""

    bos_state = 0

    def __init__(self, model: RecurrentLM):
        self._network, self.eos = model.network, model.eos
        self._answers: dict[tuple[int, int], tuple[float, int]] = {}
        self._words = [(0, model.eos)]
        """Of each history the one before, and the word that makes it this one."""
        self._states: dict[int, Tensor] = {}
        self._outputs: dict[int, Tensor] = {}

    def advance_all(self, states: Sequence[int], words: Sequence[int]) -> list[tuple[float, int]]:
        """The log-probability of each word after its history, and the history with it; all that is new at once."""
        asked = list(zip(states, words, strict=True))
        new = [pair for pair in dict.fromkeys(asked) if pair not in self._answers]
        if new:
            self._ask(new)
        return [self._answers[pair] for pair in asked]

    @torch.inference_mode()
    def _ask(self, pairs: Sequence[tuple[int, int]]) -> None:
        self._run(
            [state for state in dict.fromkeys(state for state, _ in pairs) if state not in self._outputs]
        )
        outputs = torch.stack([self._outputs[state] for state, _ in pairs])
        scores = self._network.softmax.log_probs_of(outputs, torch.tensor([word for _, word in pairs]))
        for pair, score in zip(pairs, scores.tolist(), strict=True):
            self._answers[pair] = score, len(self._words)
            self._words.append(pair)

    def _run(self, histories: Sequence[int]) -> None:
        """The network's answer to the last word of each history; what came before was asked for before."""
        if not histories:
            return
        before = [
            self._states[self._words[one][0]] if one else self._network.initial(1)[:, :, 0]
            for one in histories
        ]
        words = torch.tensor([[self._words[one][1]] for one in histories])
        outputs, after = self._network(words, torch.stack(before, dim=2))
        for index, one in enumerate(histories):
            self._outputs[one], self._states[one] = outputs[index, 0], after[:, :, index]


@torch.inference_mode()
def score_sentences(network: RecurrentNetwork, sentences: Sequence[Sequence[int]]) -> list[list[float]]:
    """The log-probabilities of sentences that end in </s>, each from the state before any word."""
    scores: list[list[float]] = [[] for _ in sentences]
    for batch in _batches(sentences):
        longest = max(len(sentences[index]) for index in batch)
        words = torch.ones(len(batch), longest + 1, dtype=torch.long)
        for row, index in enumerate(batch):
            words[row, 1 : len(sentences[index]) + 1] = torch.tensor(sentences[index])
        outputs, _ = network(words[:, :-1], network.initial(len(batch)))
        chosen = network.softmax.log_probs_of(outputs.flatten(0, 1), words[:, 1:].flatten())
        for index, row_scores in zip(batch, chosen.view(len(batch), -1).tolist(), strict=True):
            scores[index] = row_scores[: len(sentences[index])]
    return scores


def _batches(sentences: Sequence[Sequence[int]]) -> list[list[int]]:
    """Indices of sentences of like length, some thousand words together."""
    batches: list[list[int]] = [[]]
    for index in sorted(range(len(sentences)), key=lambda index: len(sentences[index])):
        if batches[-1] and (len(batches[-1]) + 1) * len(sentences[index]) > _AT_ONCE:
            batches.append([])
        batches[-1].append(index)
    return [batch for batch in batches if batch]
