"""A recurrent decoder that writes a text label by label, attending to the frames (Chan et al. 2016).

Where it attends depends on what it has written, on what it hears and on where it attended before (Chorowski et al.
2015, equations 5 to 9): its filters see both the last weights and the sum of all before.
The blank's id stands for the beginning and the end of a text, as no text holds it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from asr.model_settings import AttentionSettings
from asr.models.lengths import valid_positions

END = 0


class Attended(NamedTuple):
    """What there is to attend to: one for each hypothesis, or one for all."""

    states: Tensor
    """``(batch, time, num_states)`` of the encoder."""
    keys: Tensor
    """``(batch, time, width)``: the same, where they are compared."""
    outside: Tensor
    """``(batch, time)``: true beyond each length."""


class Written(NamedTuple):
    """Where a decoder stands; the first dimension of each is the hypothesis."""

    hidden: Tensor
    memory: Tensor
    """Of an LSTM; a GRU's is empty."""
    context: Tensor
    """What was attended to."""
    weights: Tensor
    """``(batch, time)``: how much each frame was."""
    earlier: Tensor
    """The sum of the weights up to now."""


class LocationAttention(nn.Module):
    """Weights of frames by content and by location."""

    def __init__(self, settings: AttentionSettings, num_states: int):
        super().__init__()
        width, reach = settings.width, settings.reach
        self.query = nn.Linear(settings.hidden_size, width)
        self.key = nn.Linear(num_states, width, bias=False)
        self.filters = nn.Conv1d(2, settings.num_filters, 2 * reach + 1, padding=reach, bias=False)
        self.location = nn.Linear(settings.num_filters, width, bias=False)
        self.energy = nn.Linear(width, 1, bias=False)

    def forward(self, hidden: Tensor, attended: Attended, before: Written) -> Tensor:
        """``(batch, time)``: weights that sum to 1, zero beyond each length."""
        trace = torch.stack([before.weights, before.earlier], dim=1)  # (batch, 2, time)
        located = self.location(self.filters(trace).transpose(1, 2))
        compared = attended.keys + located + self.query(hidden).unsqueeze(1)
        energies: Tensor = self.energy(compared.tanh()).squeeze(-1)
        return energies.masked_fill(attended.outside, -torch.inf).softmax(dim=-1)


class Speller(nn.Module):
    """One recurrent cell, its attention, and the scores of the next label."""

    def __init__(self, settings: AttentionSettings, num_states: int, vocabulary_size: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, settings.embedding_size)
        cell = nn.LSTMCell if settings.cell == "lstm" else nn.GRUCell
        self.cell = cell(settings.embedding_size + num_states, settings.hidden_size)
        self.attention = LocationAttention(settings, num_states)
        self.output = nn.Linear(settings.hidden_size + num_states, vocabulary_size)
        self.dropout = nn.Dropout(settings.dropout)
        self.sampling = settings.scheduled_sampling

    def attend_to(self, states: Tensor, lengths: Tensor) -> Attended:
        """The states ``(batch, time, num_states)`` of utterances, ready."""
        states = states.to(self.output.weight.dtype)
        return Attended(states, self.attention.key(states), ~valid_positions(lengths, states.shape[1]))

    def begin(self, attended: Attended) -> Written:
        """Nothing is written, nothing attended to."""
        batch, time, num_states = attended.states.shape
        hidden = attended.states.new_zeros(batch, self.cell.hidden_size)
        memory = hidden if isinstance(self.cell, nn.LSTMCell) else hidden[:, :0]
        nowhere = attended.states.new_zeros(batch, time)
        return Written(hidden, memory, attended.states.new_zeros(batch, num_states), nowhere, nowhere)

    def step(self, embedded: Tensor, before: Written, attended: Attended) -> Written:
        """Take in the embedding ``(batch, embedding_size)`` of the last label, and attend to what comes next."""
        heard = torch.cat([embedded, before.context], dim=-1)
        if isinstance(self.cell, nn.LSTMCell):
            hidden, memory = self.cell(heard, (before.hidden, before.memory))
        else:
            hidden, memory = self.cell(heard, before.hidden), before.memory
        weights = self.attention(hidden, attended, before)
        context = (weights.unsqueeze(1) @ attended.states).squeeze(1)
        return Written(hidden, memory, context, weights, before.earlier + weights)

    def score(self, written: Written) -> Tensor:
        """``(batch, vocab)`` natural logs: which label comes next, or the end."""
        return self._log_probs(torch.cat([written.hidden, written.context], dim=-1))

    def forward(self, states: Tensor, lengths: Tensor, targets: Tensor) -> Tensor:
        """Log_probs ``(batch, label + 1, vocab)`` of each text's labels and its end, each after those before it.

        In training, dropout, and the scheduled share of the decoder's own labels in place of the text's.
        """
        attended = self.attend_to(states, lengths)
        written, seen = self.begin(attended), list[Tensor]()
        for labels in nn.functional.pad(targets, (1, 0), value=END).unbind(dim=1):
            if seen and self.training and self.sampling:
                labels = self._sampled(labels, written)
            written = self.step(self.dropout(self.embedding(labels)), written, attended)
            seen.append(torch.cat([written.hidden, written.context], dim=-1))
        return self._log_probs(self.dropout(torch.stack(seen, dim=1)))

    def _sampled(self, labels: Tensor, written: Written) -> Tensor:
        drawn = torch.rand(labels.shape, device=labels.device) < self.sampling
        own = torch.multinomial(self.score(written).detach().exp(), 1).squeeze(1)
        return torch.where(drawn, own, labels)

    def _log_probs(self, seen: Tensor) -> Tensor:
        scores: Tensor = self.output(seen)
        return scores.log_softmax(dim=-1)


class Spelling:
    """One utterance that is being written, for a search without torch: ``asr.decoding.attention.Spelling``."""

    def __init__(self, speller: Speller, states: Tensor, ctc_weight: float):
        self.speller, self.ctc_weight = speller, ctc_weight
        with torch.inference_mode():
            states = states.to(speller.output.weight.device)[None]
            self.attended = speller.attend_to(states, torch.tensor([states.shape[1]], device=states.device))

    def begin(self) -> Written:
        """The state of one text with nothing in it."""
        with torch.inference_mode():
            return self.speller.begin(self.attended)

    def advance(
        self, state: Written, rows: Sequence[int], labels: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], Written]:
        """Write a label behind each of some texts: what comes next, what was attended to, and the new state."""
        with torch.inference_mode():
            device = state.hidden.device
            chosen = torch.tensor(rows, device=device)
            embedded = self.speller.embedding(torch.tensor(labels, device=device))
            before = Written(*(part[chosen] for part in state))
            written = self.speller.step(embedded, before, self.attended)
            return self.speller.score(written).cpu().numpy(), written.weights.cpu().numpy(), written
