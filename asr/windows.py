"""Recordings of any length in flat memory: a network hears overlapping windows, and their log_probs are one stream.

    waveforms -> overlapping windows -> (the network) -> joined in pauses -> cut into pieces in pauses -> (the decoder)

Each window has context on both sides of the part of it that is used. Where two overlap they say the same, all but; they
are joined where both are surest that nobody speaks, so no word is lost or doubled. Pieces end in pauses, too.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr import memory
from asr.types import Hypothesis, Transcript, Word, pronunciations_of

LogProbs = NDArray[np.float32]
BLANK = 0
_BLOCK_FRAMES = 6000
"""Whose features are computed at a time for the statistics of a recording."""
_EDGE_FRAMES = 20
"""So many at either end of a block are a neighbour's: their windows and deltas reach over its edge."""


@dataclass(frozen=True)
class WindowSettings:
    """Seconds; `benchmarks/long_files.py` measures how nearly texts are those of the whole recording heard at once."""

    window: float = 450.0
    """Heard at a time. What is not longer is heard whole."""
    overlap: float = 200.0
    """Of a window and the next one, so half of it is the context that either has at the least, but for ``search``."""
    search: float = 10.0
    """So far from the middle of the overlap a pause is looked for to join them in."""
    piece: float = 30.0
    """Decoded at a time, at most; mostly two thirds of it, as a pause to end it in is looked for around these.

    A beam over minutes fills up with texts that differ in what was said long ago, and has little room left for now.
    """


@dataclass(frozen=True)
class Grid:
    """The settings in rows of log_probs, and how many samples a row has."""

    samples_per_row: int
    window: int
    overlap: int
    search: int
    piece: int

    @property
    def step(self) -> int:
        """Rows from the beginning of a window to that of the next."""
        return self.window - self.overlap


def grid(settings: WindowSettings, frame_seconds: float, sample_rate: int) -> Grid:
    """Windows begin at whole rows, so that their rows are those of the whole recording."""
    search = min(settings.search, settings.overlap / 2)
    seconds = (settings.window, settings.overlap, search, settings.piece)
    return Grid(round(frame_seconds * sample_rate), *(round(value / frame_seconds) for value in seconds))


def hear(
    log_probs: Callable[[Sequence[NDArray[np.float32]]], list[LogProbs]],
    waveforms: Iterable[NDArray[np.float32]],
    grid: Grid,
    symbols: Sequence[str],
) -> Iterator[tuple[LogProbs, int]]:
    """The pieces of a long recording, each with the samples that it is of."""
    size, num_samples = grid.samples_per_row, 0

    def windows() -> Iterator[LogProbs]:
        nonlocal num_samples
        for number, window in enumerate(overlapping(waveforms, grid.window * size, grid.step * size)):
            num_samples = number * grid.step * size + len(window)
            memory.give_back()
            yield log_probs([window])[0]

    pieces = cut(join(windows(), grid), symbols, grid.piece)
    piece, begin = next(pieces), 0
    for following in pieces:
        yield piece, len(piece) * size
        begin += len(piece) * size
        piece = following
    yield piece, num_samples - begin  # the last row is seldom a whole one


def overlapping(
    waveforms: Iterable[NDArray[np.float32]], length: int, step: int
) -> Iterator[NDArray[np.float32]]:
    """Windows of ``length`` samples, one every ``step``, of consecutive waveforms; the last one may be shorter."""
    waiting = np.empty(0, np.float32)
    for waveform in waveforms:
        waiting = np.concatenate([waiting, waveform])
        while len(waiting) > length:
            yield waiting[:length]
            waiting = waiting[step:]
    yield waiting


class Moments(NamedTuple):
    """What windows of a recording are normalised by: how many frames all of it has, their means and variances."""

    num_frames: int
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


def moments(
    features: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    waveforms: Iterable[NDArray[np.float32]],
    hop_length: int,
) -> Moments:
    """Those of ``features`` ``(num_frames, num_features)`` of consecutive waveforms, as if they were one."""
    length = (_BLOCK_FRAMES + 2 * _EDGE_FRAMES) * hop_length
    blocks = overlapping(waveforms, length, _BLOCK_FRAMES * hop_length)
    begin, sums = 0, []
    for block, following in pairwise(chain(blocks, [np.empty(0, np.float32)])):
        end = _BLOCK_FRAMES + _EDGE_FRAMES if len(following) else None
        frames = features(block)[begin:end].astype(np.float64)
        sums.append((len(frames), frames.sum(axis=0), np.square(frames).sum(axis=0)))
        begin = _EDGE_FRAMES
    count, total, squares = (sum(column) for column in zip(*sums, strict=True))
    mean = total / count
    return Moments(count, mean, np.maximum(squares / count - mean**2, 0))


def in_batches(inputs: Sequence[NDArray[np.float32]], most: float) -> Iterator[Sequence[NDArray[np.float32]]]:
    """The same in order, so many at a time that they are ``most`` samples with their padding; at least one."""
    begin = 0
    for end in range(1, len(inputs) + 1):
        longest = max(map(len, inputs[begin : end + 1]))
        if end == len(inputs) or longest * (end + 1 - begin) > most:
            yield inputs[begin:end]
            begin = end


def join(windows: Iterable[LogProbs], grid: Grid) -> Iterator[LogProbs]:
    """Consecutive parts ``(time, vocab)`` of one stream, of the log_probs of windows that overlap."""
    remaining = iter(windows)
    current, begin = next(remaining), 0
    for following in remaining:
        seam = _seam(current[grid.step :], following, grid.search)
        yield current[begin : grid.step + seam]
        current, begin = following, seam
    yield current[begin:]


def cut(parts: Iterable[LogProbs], symbols: Sequence[str], longest: int) -> Iterator[LogProbs]:
    """The stream again in pieces of up to ``longest`` rows that end in pauses, between two words.

    Each pause is looked for around a place of its own, whatever was cut before it: where a hair makes one pause longer
    than another, one piece is another and not all that follow.
    """
    space, opens = symbols.index(" ") if " " in symbols else BLANK, openings(symbols)
    remaining = iter(parts)
    waiting, done, place = next(remaining), 0, 0
    step, reach = 2 * longest // 3, longest // 6
    for part in chain([waiting[:0]], remaining):
        waiting = np.concatenate([waiting, part])
        while len(waiting) > longest:
            place += step
            begin = place - reach - done
            end = begin + pause(waiting[begin : begin + 2 * reach, : len(symbols)], space, opens)
            yield waiting[:end]
            waiting, done = waiting[end:], done + end
    yield waiting


def shifted(transcript: Transcript, seconds: float) -> Transcript:
    """The same, said so much later."""
    alternatives = tuple(replace(one, words=_shifted(one.words, seconds)) for one in transcript.alternatives)
    return replace(transcript, words=_shifted(transcript.words, seconds), alternatives=alternatives)


def together(transcripts: Sequence[Transcript]) -> Transcript:
    """One transcript of consecutive ones; its alternatives are the best ways to choose one of each."""
    first, *others = transcripts
    if not others:
        return first
    whole = _one_after_another([Hypothesis(one.text, one.score, one.words) for one in transcripts])
    count = max(len(one.alternatives) for one in transcripts)
    best = reduce(
        lambda left, right: _best_pairs(left, right, count), (one.alternatives for one in transcripts)
    )
    return Transcript(whole.text, whole.words, whole.score, sum(one.duration for one in transcripts), best)


def _seam(before: LogProbs, after: LogProbs, search: int) -> int:
    """The row of an overlap at which the window before ends and the one after begins."""
    shared = min(len(before), len(after))
    around = slice(max(0, shared // 2 - search), min(shared, shared // 2 + search + 1))
    speech = np.maximum(_speech(before[around]), _speech(after[around]))
    return around.start + int(_averaged(speech).argmin())


def _speech(log_probs: LogProbs) -> NDArray[np.float32]:
    """``(time,)`` how likely each row is to show a label."""
    return np.asarray(1 - np.exp(log_probs[:, BLANK]), np.float32)


def _averaged(values: NDArray[np.float32], reach: int = 6) -> NDArray[np.float32]:
    """Over ``reach`` rows on either side; beyond the ends there is speech."""
    padded = np.pad(values, reach, constant_values=1.0)
    return np.convolve(padded, np.full(2 * reach + 1, 1 / (2 * reach + 1)), "valid").astype(np.float32)


def openings(symbols: Sequence[str]) -> NDArray[np.bool_]:
    """Of each symbol whether it begins a word; of no phone, for these are words only in writing."""
    begins = [symbol.startswith(" ") for symbol in symbols]
    return np.array(begins) & (pronunciations_of(symbols) is None)


def pause(log_probs: LogProbs, space: int, opens: NDArray[np.bool_]) -> int:
    """The middle of the longest stretch between two words (it has a space, or a letter behind it that begins one).

    Where there is none, of the longest stretch without a letter.
    """
    path = log_probs.argmax(axis=1)
    letters = np.flatnonzero((path != BLANK) & (path != space))
    edges = np.concatenate([[-1], letters, [len(path)]])
    lengths = np.diff(edges) - 1
    spaces = np.concatenate([[0], np.cumsum(path == space)])
    has_space = spaces[edges[1:]] > spaces[edges[:-1] + 1]
    has_space[:-1] |= opens[path[letters]]
    longest = int(np.where(has_space, lengths + len(path), lengths).argmax())
    return int(edges[longest] + 1 + lengths[longest] // 2)


def _shifted(words: Sequence[Word], seconds: float) -> tuple[Word, ...]:
    return tuple(replace(word, start=word.start + seconds, end=word.end + seconds) for word in words)


def _one_after_another(hypotheses: Sequence[Hypothesis]) -> Hypothesis:
    return Hypothesis(
        " ".join(one.text for one in hypotheses if one.text),
        sum(one.score for one in hypotheses),
        tuple(word for one in hypotheses for word in one.words),
        *(_sum([getattr(one, name) for one in hypotheses]) for name in ("acoustic", "language")),
    )


def _sum(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return sum(known) if len(known) == len(scores) else None


def _best_pairs(
    left: tuple[Hypothesis, ...], right: tuple[Hypothesis, ...], count: int
) -> tuple[Hypothesis, ...]:
    pairs = sorted(((a, b) for a in left for b in right), key=lambda pair: -(pair[0].score + pair[1].score))
    return tuple(_one_after_another(pair) for pair in pairs[:count])
