"""Decoders tuned by one rule, then measured side by side: CPU time by chunks, word errors by utterance."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from _decoders import RUST, Decode, LanguageModel, Settings, System, combinations
from _emissions import EmissionSet, Utterance
from numpy.typing import NDArray

from asr.scoring import count_words

TUNING_WIDTH = 64
TOLERANCE, RELATIVE_TOLERANCE = 0.001, 0.005
"""WER that a faster pruning may cost: 0.1 points, or half a hundredth of it where it is high."""
CHUNK = 20
"""Utterances that one system decodes before it is the next one's turn."""
SAMPLES = 10_000
"""Of the bootstrap."""


@dataclass(frozen=True)
class Measured:
    """One system's run over some utterances."""

    seconds: NDArray[np.float64]
    """(chunks,) of CPU time."""
    errors: NDArray[np.int64]
    """(utterances,)"""
    words: NDArray[np.int64]
    """(utterances,) in the reference."""
    texts: list[str]

    @property
    def wer(self) -> float:
        return float(self.errors.sum() / self.words.sum())

    @property
    def rate(self) -> float:
        """Utterances per second."""
        return float(len(self.errors) / self.seconds.sum())


class Interval(NamedTuple):
    """A difference and where 95 % of its resamples lie."""

    difference: float
    low: float
    high: float


def decoders(
    system: System,
    models: Sequence[LanguageModel | None],
    symbols: Sequence[str],
    width: int,
    settings: Settings,
) -> list[Decode]:
    """One for each of a set's language models."""
    return [system.build(model, symbols, width, **settings) for model in models]


def measure(
    systems: Mapping[str, Sequence[Decode]], utterances: Sequence[Utterance], chunk: int = CHUNK
) -> dict[str, Measured]:
    """Every system over all utterances, chunk by chunk, so that a busy moment of the machine strikes all alike.

    What one of them needs once (compilation, its lexicon) is done before.
    """
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    texts: dict[str, list[str]] = {name: [] for name in systems}
    for name, row in systems.items():
        for decode in row:
            decode(_input(name, utterances[0]))
    for first in range(0, len(utterances), chunk):
        for name, row in systems.items():
            inputs = [(row[one.model], _input(name, one)) for one in utterances[first : first + chunk]]
            start = time.process_time()
            texts[name] += [decode(scores) for decode, scores in inputs]
            seconds[name].append(time.process_time() - start)
    return {name: _scored(utterances, texts[name], seconds[name]) for name in systems}


def _input(name: str, one: Utterance) -> NDArray[np.float32]:
    """A network gives either form, so that this is outside of the clock."""
    return np.exp(one.log_probs) if name == RUST.name else one.log_probs


def _scored(utterances: Sequence[Utterance], texts: list[str], seconds: Sequence[float]) -> Measured:
    counts = [count_words(one.text, text) for one, text in zip(utterances, texts, strict=True)]
    errors = np.array([count.errors for count in counts])
    words = np.array([count.num_reference for count in counts])
    return Measured(np.array(seconds), errors, words, texts)


def speed_ratio(ours: Measured, theirs: Measured) -> float:
    """How many times as fast ours is: the median over the chunks."""
    return statistics.median((theirs.seconds / ours.seconds).tolist())


def wer_difference(ours: Measured, theirs: Measured, seed: int = 0) -> Interval:
    """Ours less theirs by the paired bootstrap over utterances (Bisani and Ney 2004)."""
    rng = np.random.default_rng(seed)
    differences, words = ours.errors - theirs.errors, ours.words
    drawn = rng.multinomial(len(words), np.full(len(words), 1 / len(words)), SAMPLES)
    low, high = np.percentile(drawn @ differences / (drawn @ words), [2.5, 97.5])
    return Interval(ours.wer - theirs.wer, float(low), float(high))


def tune(
    system: System,
    models: Sequence[LanguageModel | None],
    emissions: EmissionSet,
    weighing: int,
    pruning: int,
) -> dict[str, Any]:
    """The settings for a system: first its weights, by WER alone, then the fastest pruning that is as good.

    As good is within the tolerances of the best WER of any pruning. ``weighing`` and ``pruning`` are how many of the
    tuning utterances each step takes.
    """

    def tried(settings: Settings, count: int) -> Measured:
        row = decoders(system, models, emissions.symbols, TUNING_WIDTH, settings)
        return measure({system.name: row}, emissions.tuning[:count])[system.name]

    settings = {name: values[0] for name, values in system.weights.items()}
    others = [(name,) for name in system.weights if name not in ("alpha", "beta")]
    for names in [("alpha", "beta"), *others] if system.weights else []:
        candidates = combinations(**{name: system.weights[name] for name in names})
        rows = [settings | row for row in candidates]
        settings = min(rows, key=lambda row: tried(row | dict(system.prunings[0]), weighing).wer)
    results = [tried(settings | dict(row), pruning) for row in system.prunings]
    best = min(result.wer for result in results)
    bar = best + max(TOLERANCE, RELATIVE_TOLERANCE * best)
    good = [index for index, result in enumerate(results) if result.wer <= bar]
    return settings | dict(system.prunings[max(good, key=lambda index: results[index].rate)])
