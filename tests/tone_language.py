"""A toy language without torch: each symbol is a pitch, and a formula hears it."""

from collections.abc import Sequence

import numpy as np

from asr.text import Vocabulary

RATE = 8000
PITCHES = {" ": 200.0, "a": 400.0, "b": 800.0, "c": 1600.0, "d": 3200.0}
SYMBOL_SECONDS, GAP_SECONDS = 0.12, 0.05
VOCABULARY = Vocabulary(sorted(PITCHES))


def utter(text: str, seed: int = 0) -> np.ndarray:
    """A tone a symbol with silence between, and a little noise."""
    time = np.arange(round(SYMBOL_SECONDS * RATE)) / RATE
    gap = np.zeros(round(GAP_SECONDS * RATE))
    tones = [np.sin(2 * np.pi * PITCHES[c] * time) * np.hanning(len(time)) / 2 for c in text]
    sound = np.concatenate([gap, *(part for tone in tones for part in (tone, gap))])
    return (sound + np.random.default_rng(seed).normal(0, 0.003, len(sound))).astype(np.float32)


def random_texts(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(("ab", "cd", "bad", "dc"), size=rng.integers(1, 4))) for _ in range(count)]


class ToneModel:
    """An acoustic model without torch: the loudest pitch of each 10 ms, blank where it is silent."""

    sample_rate = RATE
    num_static = 13
    frame_seconds = 0.01

    def log_probs(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [self._one(waveform) for waveform in inputs]

    def _one(self, waveform: np.ndarray) -> np.ndarray:
        frames = waveform[: len(waveform) // 80 * 80].reshape(-1, 80)
        pitches = np.array([PITCHES[symbol] for symbol in VOCABULARY.symbols[1:]])
        waves = np.exp(-2j * np.pi * np.outer(np.arange(80) / RATE, pitches))
        energies = np.abs(frames @ waves) / 80
        scores = np.concatenate([np.full((len(frames), 1), 0.03), energies], axis=1) * 1000
        return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)


class Mumbling(ToneModel):
    """The same with its scores flattened and shaken: greedy decoding errs, what follows what helps."""

    def _one(self, waveform: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(len(waveform))
        scores = super()._one(waveform) * 0.012 + rng.normal(0, 0.9, (1, len(VOCABULARY)))
        return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)
