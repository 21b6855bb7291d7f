"""Words to what is known before the next one: word vectors, recurrent layers, variational dropout."""

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import dropout

from asr.models.recurrent import RecurrentLayer
from asr.recurrent_lm.settings import RecurrentLMSettings
from asr.recurrent_lm.softmax import TiedSoftmax


class RecurrentNetwork(nn.Module):
    """The network of Mikolov et al. 2010, with later cells; a state is ``(num_layers, parts, batch, size)``."""

    def __init__(self, settings: RecurrentLMSettings, counts: list[float]):
        super().__init__()
        self.settings = settings
        self.softmax = TiedSoftmax(counts, settings.size, settings.cutoffs)
        layers = [
            RecurrentLayer(settings.cell, settings.size, settings.size, bidirectional=False)
            for _ in range(settings.num_layers)
        ]
        self.layers = nn.ModuleList(layer.ahead for layer in layers)
        self.num_words = len(counts)

    def initial(self, batch: int) -> Tensor:
        """The state before any word."""
        parts = 2 if self.settings.cell == "lstm" else 1
        return torch.zeros(len(self.layers), parts, batch, self.settings.size)

    def forward(self, words: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """``(batch, time)`` words to ``(batch, time, size)`` for the softmax, and the state after them."""
        hidden = self._same_units(self._vectors(words))
        states = []
        for layer, before in zip(self.layers, state, strict=True):
            hidden, after = self._run(layer, hidden, before)
            hidden = self._same_units(hidden)
            states.append(after)
        return hidden, torch.stack(states)

    def _vectors(self, words: Tensor) -> Tensor:
        vectors: Tensor = self.softmax.vectors(words)
        share = self.settings.word_dropout
        if not self.training or not share:
            return vectors
        kept = dropout(torch.ones(self.num_words), share)
        return vectors * kept[words][..., None]

    def _same_units(self, hidden: Tensor) -> Tensor:
        """Dropout of the same units at all steps."""
        share = self.settings.dropout
        if not self.training or not share:
            return hidden
        return hidden * dropout(torch.ones(len(hidden), 1, hidden.shape[2]), share)

    def _run(self, layer: nn.Module, hidden: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """One layer from a state ``(parts, batch, size)`` on."""
        is_lstm = len(before) == 2
        state = tuple(before.unsqueeze(1)) if is_lstm else before
        weights = dropout(layer.get_parameter("weight_hh_l0"), self.settings.weight_dropout, self.training)
        outputs, after = functional_call(layer, {"weight_hh_l0": weights}, (hidden, state))
        return outputs, torch.cat(after) if is_lstm else after
