"""What a training is put together from: the sets, the model, the batches of each epoch."""

import math
import os
import signal
from collections.abc import Iterator, Sequence

import torch
from rich.console import Console
from torch.utils.data import DataLoader, Sampler

from asr import checkpoint
from asr.acoustic import TorchAcousticModel
from asr.corpus.check import Requirements
from asr.data import (
    Example,
    SpeechDataset,
    collate,
    count_unknown,
    make_batches,
    shard_names,
    split_missing,
    trainable,
)
from asr.errors import ConfigError
from asr.features import FrontEnd
from asr.manifest import Utterance
from asr.settings import RecognizerSettings, Settings
from asr.shards import read_utterances
from asr.training import distributed
from asr.training.module import CTCTraining
from asr.training.precision import doubt, refuse_unfit
from asr.training.transfer import freeze, inherit, shared_vocabulary
from asr.units import build_vocabulary
from asr.wording import counted


class Parts:
    """Built once from the settings; what cannot be trained on is named on the console."""

    def __init__(self, settings: Settings, console: Console):
        refuse_unfit(settings.trainer)
        if slow := doubt(settings.trainer):
            say(console, slow)
        torch.manual_seed(settings.seed)
        if settings.trainer.threads:
            torch.set_num_threads(settings.trainer.threads)
        self.settings = settings
        utterances = _manifest(settings.data.train, "train")
        self.dev = _manifest(settings.data.dev, "dev")
        self.sets = {"train": utterances, "dev": self.dev}
        if settings.data.test and os.path.exists(settings.data.test):
            self.sets["test"] = read_utterances(settings.data.test)
        vocabulary = build_vocabulary((u.text for u in utterances), settings.text)
        source = checkpoint.load(settings.trainer.init_from) if settings.trainer.init_from else None
        if source:
            vocabulary = shared_vocabulary(source, vocabulary, [u.text for u in utterances], settings.text)
        acoustic = TorchAcousticModel(settings.features, settings.model, len(vocabulary))
        remembered = RecognizerSettings(settings.features, settings.text, settings.model)
        self.model = checkpoint.Model(acoustic, vocabulary, remembered)
        if source:
            say(console, inherit(self.model, source, str(settings.trainer.init_from)))
        freeze(acoustic.network, settings.trainer.freeze)
        self.train = self._trainable(utterances, console)
        self._report_unknown(self.dev, console)
        self.dataset = self._dataset()
        if settings.features.needs_statistics:
            self._store_statistics(inherited=source is not None)
        self.durations = [utterance.duration for utterance in self.train]
        self.shards = shard_names(self.train)
        steps_per_epoch = math.ceil(len(self.batches(1)) / settings.trainer.accumulate)
        self.module = CTCTraining(acoustic, settings, self.train, steps_per_epoch)

    @property
    def requirements(self) -> Requirements:
        """What the model asks of the sets."""
        settings = self.settings
        return Requirements(
            settings.features, settings.model.subsampling, settings.text, self.model.vocabulary
        )

    def batches(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch: a function of the seed and the epoch alone."""
        data = self.settings.data
        shortest_first = epoch == 0 and data.sort_first_epoch
        return make_batches(
            self.durations,
            data.batch_seconds,
            data.batch_utterances,
            seed=self.settings.seed,
            epoch=epoch,
            shortest_first=shortest_first,
            shards=self.shards,
            window=data.shuffle_window,
        )

    def padded_seconds(self, batch: Sequence[int]) -> float:
        """Seconds of audio in a batch with its padding."""
        return len(batch) * max((self.durations[index] for index in batch), default=0.0)

    def loader(self, epoch: int, done: int) -> "DataLoader[Example]":
        """This process's share of the batches of an epoch, read; the ``done`` ones count, but are not read again."""
        self.dataset.epoch = epoch
        return DataLoader(
            self.dataset,
            batch_sampler=_Rest([list(distributed.share(batch)) for batch in self.batches(epoch)], done),
            collate_fn=collate,
            num_workers=self.settings.data.num_workers,
            worker_init_fn=_ignore_signals,
        )

    def _trainable(self, utterances: list[Utterance], console: Console) -> list[Utterance]:
        settings = self.settings
        present, missing = split_missing(utterances)
        kept, skipped = trainable(
            present,
            self.model.acoustic.front_end,
            settings.model.subsampling,
            self.model.vocabulary,
            settings.text,
            settings.augment.speed_max,
        )
        for utterance, reason in missing + skipped:
            say(console, f"left out: {utterance.name}: {reason}")
        return kept

    def _report_unknown(self, dev: list[Utterance], console: Console) -> None:
        counts = count_unknown(dev, self.model.vocabulary, self.settings.text)
        if counts:
            names = ", ".join(
                f"{unknown!r} {counted(count, 'time')}" for unknown, count in counts.most_common(10)
            )
            what = "word" if self.settings.text.units in ("phones", "labels") else "character"
            say(console, f"dev: {counted(counts.total(), what)} that the model cannot write: {names}")

    def _store_statistics(self, inherited: bool) -> None:
        theirs = self.model.acoustic.front_end
        mean, std = (theirs.mean, theirs.std) if inherited else self.dataset.statistics()
        for front_end in (self.dataset.front_end, self.model.acoustic.front_end):
            front_end.mean.copy_(mean)
            front_end.std.copy_(std)

    def _dataset(self) -> SpeechDataset:
        settings = self.settings
        return SpeechDataset(
            self.train,
            # A front end of its own: the network's may live on a GPU, and loading stays on the processor.
            FrontEnd(settings.features).train(),
            self.model.vocabulary,
            settings.text,
            augment=settings.augment,
            seed=settings.seed,
            cache_audio=settings.data.cache_audio,
            feature_cache=settings.data.feature_cache,
        )


class _Rest(Sampler[list[int]]):
    """The batches that are left; as long as all, since Lightning goes on counting where it was."""

    def __init__(self, batches: Sequence[list[int]], done: int):
        self.batches, self.done = batches, done

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches[self.done :])


def _ignore_signals(worker: int) -> None:
    """Ctrl-C and a cluster's SIGTERM go to loaders too: they live until the training has no more use for them."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def say(console: Console, line: str) -> None:
    """One line as it is: not wrapped, and brackets in a path are no markup."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _manifest(path: str | None, name: str) -> list[Utterance]:
    if path is None:
        raise ConfigError(
            f"data.{name} is not set; give data.{name}=MANIFEST (asr data build and split make one)."
        )
    return read_utterances(path)
