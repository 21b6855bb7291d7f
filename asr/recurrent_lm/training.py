"""Truncated backpropagation through time over one stream, with the state carried on (Mikolov et al. 2010).

Every random choice is a function of the seed and the number of the step, so a training that was killed ends with the
weights of one that was not: the state on disk is weights, optimiser, carried state and a few numbers.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asr.errors import LanguageModelError
from asr.recurrent_lm import files
from asr.recurrent_lm.model import RecurrentLM, score_sentences
from asr.recurrent_lm.network import RecurrentNetwork
from asr.recurrent_lm.settings import RecurrentLMSettings
from asr.recurrent_lm.stream import Text, num_pieces, pieces
from asr.recurrent_lm.vocabulary import LMVocabulary

Sentences = Sequence[Sequence[str]]
SAVE_SECONDS = 600.0
"""Between states that are saved inside an epoch."""


@dataclass(frozen=True)
class Progress:
    """How far a training has come; all that it decides by."""

    epoch: int = 0
    """Epochs that are done."""
    piece: int = 0
    """Pieces of the next one that are done."""
    drops: int = 0
    stalled: int = 0
    """Epochs since the best one or the last fall of the learning rate."""
    train_loss: float = 0.0
    """Sum over the pieces that are done."""
    best: float = math.inf
    """Dev perplexity, words that the model does not know left out."""
    history: tuple[tuple[float, float], ...] = ()
    """Of each epoch the training perplexity, dropout included, and the dev perplexity."""


class Training:
    """One training in one folder; ``run`` begins it or goes on with it."""

    def __init__(
        self,
        folder: Path,
        text: Sentences,
        dev: Sentences,
        settings: RecurrentLMSettings,
        save_seconds: float = SAVE_SECONDS,
    ):
        """Count the words, and read what an earlier start has left; a state is saved after each epoch anyway.

        Raises:
            LanguageModelError: text or dev text are too small, or the folder holds another training or model.
        """
        if not any(text) or not any(dev):
            raise LanguageModelError(
                "There is no text to train and judge a language model with; give sentences."
            )
        files.refuse_other_model(folder)
        self.folder, self.settings, self._save_seconds = folder, settings, save_seconds
        self.vocabulary = LMVocabulary.build(text, settings)
        self.text = Text(text, self.vocabulary, settings)
        self.num_pieces = num_pieces(self.text.num_words, settings)
        self._dev = [self.vocabulary.encode(words) for words in dev]
        self._digest = hashlib.sha256(
            json.dumps([text, dev, asdict(replace(settings, max_epochs=1))]).encode()
        ).hexdigest()
        torch.manual_seed(settings.seed)
        self.network = RecurrentNetwork(settings, list(self.vocabulary.counts))
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.progress, self._carried = Progress(), torch.empty(0)
        if (folder / files.STATE).exists():
            self._restore()

    @property
    def is_done(self) -> bool:
        """Whether the learning rate has fallen often enough, or the epochs are over."""
        return (
            self.progress.epoch >= self.settings.max_epochs or self.progress.drops > self.settings.max_drops
        )

    def run(
        self,
        on_piece: Callable[[Progress], None] = lambda progress: None,
        on_epoch: Callable[[Progress], None] = lambda progress: None,
    ) -> RecurrentLM:
        """Train to the end; the model of the best dev perplexity.

        Raises:
            LanguageModelError: something cannot be written there.
        """
        files.save_head(self.folder, self.settings, self.vocabulary)
        with torch.random.fork_rng(devices=[]):
            while not self.is_done:
                self._epoch(on_piece)
                self._judge()
                self._save()
                on_epoch(self.progress)
        return files.load(self.folder)

    def _epoch(self, on_piece: Callable[[Progress], None]) -> None:
        saved = time.monotonic()
        self.network.train()
        row = self.text.epoch(self.progress.epoch)
        for words, following in islice(pieces(row, self.settings), self.progress.piece, None):
            if self.progress.piece == 0:
                self._carried = self.network.initial(len(words))
            loss = self._step(words, following)
            done = self.progress
            self.progress = replace(done, piece=done.piece + 1, train_loss=done.train_loss + loss)
            on_piece(self.progress)
            if time.monotonic() - saved > self._save_seconds:
                self._save()
                saved = time.monotonic()

    def _step(self, words: Tensor, following: Tensor) -> float:
        step = self.progress.epoch * self.num_pieces + self.progress.piece
        torch.manual_seed((self.settings.seed * 1_000_003 + step) % 2**63)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * self.settings.drop**self.progress.drops
        outputs, carried = self.network(words, self._carried)
        loss = -self.network.softmax.log_probs_of(outputs.flatten(0, 1), following.flatten()).mean()
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm or math.inf)
        self.optimizer.step()
        self._carried = carried.detach()
        return loss.item()

    def _judge(self) -> None:
        """Dev perplexity; the weights are stored if it is the best, and taken back where the learning rate falls."""
        perplexity, done = self.dev_perplexity(), self.progress
        if math.isinf(min(perplexity, done.best)):
            raise LanguageModelError(
                f"{self.folder}: the training diverges, no dev perplexity is finite; "
                "take a smaller learning_rate or a clip_norm, and another folder."
            )
        history = (*done.history, (_perplexity(done.train_loss / done.piece), perplexity))
        done = replace(done, epoch=done.epoch + 1, piece=0, train_loss=0.0, history=history)
        if perplexity < done.best:
            files.save_tensors(self.folder / files.WEIGHTS, self.network.state_dict())
            done = replace(done, best=perplexity, stalled=0)
        elif done.stalled + 1 < self.settings.patience:
            done = replace(done, stalled=done.stalled + 1)
        else:
            done = replace(done, stalled=0, drops=done.drops + 1)
            self.network.load_state_dict(files.load_tensors(self.folder / files.WEIGHTS)[0])
        self.progress = done

    def dev_perplexity(self) -> float:
        """Of each sentence by itself, its end a word; words that the model does not know are left out."""
        self.network.eval()
        scores = score_sentences(self.network, self._dev)
        known = [np.array(row)[np.array(ids) != 0] for row, ids in zip(scores, self._dev, strict=True)]
        return _perplexity(-float(np.concatenate(known).mean()))

    def _save(self) -> None:
        tensors = {f"network.{name}": one for name, one in self.network.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": one for name, one in moments.items()}
        note = {"digest": self._digest, "progress": asdict(self.progress)}
        files.save_tensors(self.folder / files.STATE, tensors | {"carried": self._carried}, note)

    def _restore(self) -> None:
        tensors, note = files.load_tensors(self.folder / files.STATE)
        if note is None or note.get("digest") != self._digest:
            raise LanguageModelError(
                f"{self.folder} holds a training of other texts or settings; choose another folder, or remove it."
            )
        state: dict[int, dict[str, Any]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, index, moment = name.split(".")
                state.setdefault(int(index), {})[moment] = tensor
        network = {name: one for name, one in tensors.items() if name.startswith("network.")}
        self.network.load_state_dict({name.removeprefix("network."): one for name, one in network.items()})
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": state})
        history = tuple((train, dev) for train, dev in note["progress"].pop("history"))
        self.progress = Progress(**note["progress"], history=history)
        self._carried = tensors["carried"]


def _perplexity(nats: float) -> float:
    """Of so many a word; infinite where they are too many, or no number."""
    return math.exp(nats) if nats < 700 else math.inf
