"""What the decoders are compared on: synthetic emissions of held-out sentences, and stored ones of AN4's models.

Synthetic emissions are peaky, as those of a trained network: blanks with a spike for each letter. A spike is
shared with a letter that sounds alike or with the blank by a margin that is normal and now and then negative, so
that the best path has some 8 wrong letters in 100. The whole spike has one margin: averaging over its frames does
not mend it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.text import normalize

SYMBOLS = ("<blank>", " ", "'", *"abcdefghijklmnopqrstuvwxyz")
ALIKE = ("aeiou", "bpvdt", "ckgqx", "szcx", "mn", "fvh", "lrw", "ywi", "jgz", " 'h")
"""Letters that are taken for each other."""
STORED = Path(__file__).parents[1] / "tests" / "fixtures" / "emissions" / "an4.npz"
STEPS_PER_NAT = 12
MOST_STEPS = 15 * STEPS_PER_NAT
"""Stored emissions are whole steps of -log p; what is beyond 15 nats no decoder looks at."""


class Utterance(NamedTuple):
    log_probs: NDArray[np.float32]
    """(time, vocab)."""
    text: str
    """What was said."""
    model: int = 0
    """Which of the set's language models belongs to it."""


@dataclass(frozen=True)
class EmissionSet:
    """Utterances of one acoustic model, in two parts, and the sentences to build their language models from."""

    name: str
    symbols: Sequence[str]
    tuning: Sequence[Utterance]
    measuring: Sequence[Utterance]
    sentences: Sequence[Sequence[str]]
    """Of each language model."""


def read_sentences(corpora: Path) -> list[str]:
    """LJ Speech's and LibriSpeech's, normalised, those that our letters can write."""
    lines = (corpora / "ljspeech/LJSpeech-1.1/metadata.csv").read_text(encoding="utf-8").splitlines()
    texts = [line.split("|")[2] for line in lines]
    for path in sorted((corpora / "librispeech").rglob("*.trans.txt")):
        texts += [line.partition(" ")[2] for line in path.read_text(encoding="utf-8").splitlines()]
    return [text for text in map(normalize, texts) if text and set(text) <= set(SYMBOLS[1:])]


def synthetic(name: str, sentences: Sequence[str], num_frames: int, count: int, seed: int = 0) -> EmissionSet:
    """``count`` held-out sentences of 100 to 150 letters to tune on, as many to measure; the rest is the text."""
    rng = np.random.default_rng(seed)
    fitting = [index for index, text in enumerate(sentences) if 100 <= len(text) <= 150]
    chosen = rng.choice(fitting, 2 * count, replace=False).tolist()
    held_out = {sentences[index] for index in chosen}
    utterances = [Utterance(emit(sentences[index], num_frames, rng), sentences[index]) for index in chosen]
    rest = [text for text in sentences if text not in held_out]
    return EmissionSet(name, SYMBOLS, utterances[:count], utterances[count:], [rest])


def emit(text: str, num_frames: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Log-probabilities ``(num_frames, len(SYMBOLS))`` that mostly say ``text``."""
    labels = np.array([SYMBOLS.index(letter) for letter in text])
    starts, lengths = _places(labels, num_frames, rng)
    scores = rng.normal(-7.5, 2, (num_frames, len(SYMBOLS)))
    scores[:, 0] = rng.normal(2, 1, num_frames)
    _sprinkle(scores, rng)
    margins = rng.normal((5.5, 6.5, 6.5), 3, (len(labels), 3))  # over two rivals, over the blank
    for label, start, length, margin in zip(labels, starts, lengths, margins, strict=True):
        frames = slice(start, start + length)
        others = [*_rivals(label, rng), 0]
        scores[frames, label] = 2 + rng.normal(0, 0.5, length)
        scores[frames, others] = 2 - margin + rng.normal(0, 0.5, (length, 3))
        for beside in (start - 1, start + length):
            if 0 <= beside < num_frames:  # a spike has no sharp edge
                scores[beside, label] = max(scores[beside, label], scores[beside, 0] - rng.gamma(2.0, 2.0))
    return log_softmax(scores)


def log_softmax(scores: NDArray[np.floating]) -> NDArray[np.float32]:
    return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)


def _places(labels: NDArray[np.int64], num_frames: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """First frames and lengths of the spikes; a letter after itself leaves a frame for the blank between."""
    gaps = np.concatenate(([0], 1 + (np.diff(labels) == 0)))
    weights = rng.gamma(3.0, size=len(labels) + 1)
    spare = rng.multinomial(num_frames - 1 - gaps.sum(), weights / weights.sum())[:-1]
    starts = np.cumsum(gaps + spare)
    room = np.diff(starts, append=num_frames) - np.append(np.diff(labels) == 0, 0)
    return starts, np.minimum(room, rng.integers(1, 4, len(labels)))


def _rivals(label: int, rng: np.random.Generator) -> list[int]:
    alike = "".join(group for group in ALIKE if SYMBOLS[label] in group).replace(SYMBOLS[label], "")
    return [SYMBOLS.index(alike[place]) for place in rng.integers(len(alike), size=2)]


def _sprinkle(scores: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Letters that nobody said, in one frame of 25, seldom above the blank."""
    frames = np.flatnonzero(rng.random(len(scores)) < 0.04)
    scores[frames, rng.integers(1, scores.shape[1], len(frames))] = scores[frames, 0] + rng.normal(
        -9, 3, len(frames)
    )


def store(
    path: Path, symbols: Sequence[str], utterances: Sequence[Utterance], sentences: Sequence[Sequence[str]]
) -> None:
    """Write what ``stored`` reads; of each model the sentences that its 3-gram is built from."""
    frames = np.concatenate([one.log_probs for one in utterances])
    steps = np.round(-frames * STEPS_PER_NAT).clip(0, MOST_STEPS).astype(np.uint8)
    np.savez_compressed(
        path,
        symbols=np.array(symbols),
        steps=steps,
        lengths=np.array([len(one.log_probs) for one in utterances]),
        texts=np.array([one.text for one in utterances]),
        models=np.array([one.model for one in utterances], np.uint8),
        sentences=np.array(["\n".join(texts) for texts in sentences]),
    )


def load(path: Path = STORED) -> tuple[list[str], list[Utterance], list[list[str]]]:
    """What was stored; the frames are normalised anew."""
    with np.load(path) as file:
        frames = log_softmax(file["steps"] / -STEPS_PER_NAT)
        log_probs = np.split(frames, np.cumsum(file["lengths"])[:-1])
        rows = zip(log_probs, file["texts"].tolist(), file["models"].tolist(), strict=True)
        sentences = [texts.split("\n") for texts in file["sentences"].tolist()]
        return file["symbols"].tolist(), [Utterance(*row) for row in rows], sentences


def stored() -> EmissionSet:
    """AN4's: two models, each on the half it has not heard, with the 3-gram of the half that it has.

    Four utterances of nine tune, five measure, so that these are more than 500.
    """
    symbols, utterances, sentences = load()
    parts: tuple[list[Utterance], list[Utterance]] = [], []
    for index, one in enumerate(utterances):
        parts[index % 9 >= 4].append(one)
    return EmissionSet("an4", symbols, *parts, sentences)
