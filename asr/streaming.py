"""From sound that is still going on to words: partial results, ends of utterances, final results.

A model that can run as the sound comes does so, exactly; any other hears windows with some sound on both sides
(``WindowStream``). Where an utterance ends, rules like Kaldi's decide, on the blanks at its end.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from asr import audio
from asr.decoding import Partial
from asr.decoding.greedy import BLANK_ID
from asr.errors import AudioError, ConfigError
from asr.types import Hypothesis, Transcript, Word
from asr.windows import openings, pause, shifted

Rows = NDArray[np.float32]


class AcousticStream(Protocol):
    """One stream through an acoustic model: samples in, rows of log_probs out as soon as they are sure."""

    latency: float
    """Seconds of sound after the beginning of a row that it may wait for."""

    def accept(self, samples: NDArray[np.float32]) -> Rows:
        """The rows ``(time, vocab)`` that samples ``(num_samples,)`` at the model's rate complete."""
        ...

    def finish(self) -> Rows:
        """The rows that waited for more."""
        ...


class DecoderStream(Protocol):
    """A decoding in progress."""

    @property
    def partial(self) -> Partial:
        """What seems to have been said so far."""
        ...

    def accept(self, log_probs: Rows) -> None:
        """Go on with these rows."""
        ...

    def finish(self) -> list[Hypothesis]:
        """The best text of all rows."""
        ...


@dataclass(frozen=True)
class EndpointRules:
    """When an utterance is over, as in Kaldi's online decoding; seconds, infinite for never."""

    after_words: float = 0.8
    """Of silence, once something was said."""
    after_nothing: float = 5.0
    """Of silence, when nothing was: what was heard is forgotten."""
    longest: float = 20.0
    """An utterance is cut by then, between two words."""

    def __post_init__(self) -> None:
        if not all(seconds > 0 for seconds in (self.after_words, self.after_nothing, self.longest)):
            raise ConfigError("The seconds after which an utterance ends must be positive; inf is never.")


@dataclass(frozen=True)
class Windows:
    """How a model that needs the future hears a stream; seconds."""

    before: float = 3.0
    """Sound before the new one that is heard again."""
    chunk: float = 1.0
    """New sound a window."""
    after: float = 0.5
    """Sound after it, whose own rows are left to the next window."""

    def __post_init__(self) -> None:
        if not (
            0 <= self.before < math.inf and 0.1 <= self.chunk < math.inf and 0.1 <= self.after < math.inf
        ):
            raise ConfigError(
                "A stream's windows need chunk and after of 0.1 s or more, and before of 0 or more."
            )

    @property
    def latency(self) -> float:
        """Seconds that the first sound of a chunk waits."""
        return self.chunk + self.after


class WindowStream:
    """Any acoustic model on overlapping windows; of each, the rows between its contexts are kept."""

    def __init__(
        self, log_probs: Callable[[Sequence[Rows]], list[Rows]], row_samples: int, rate: int, windows: Windows
    ):
        self._hear, self._row_samples, self.latency = log_probs, row_samples, windows.latency
        self._before = round(windows.before * rate / row_samples)
        self._chunk = round(windows.chunk * rate / row_samples)
        self._after = round(windows.after * rate)
        self._samples = np.zeros(0, np.float32)
        self._known = 0
        """Rows at the beginning of the samples that were given away."""

    def accept(self, samples: NDArray[np.float32]) -> Rows:
        """The rows of the chunks that samples ``(num_samples,)`` complete."""
        self._samples = np.concatenate([self._samples, samples])
        needed = self._chunk * self._row_samples + self._after
        rows = [np.zeros((0, 0), np.float32)]
        while len(self._samples) >= self._known * self._row_samples + needed:
            window = self._samples[: self._known * self._row_samples + needed]
            rows.append(self._hear([window])[0][self._known : self._known + self._chunk])
            self._forget(self._known + len(rows[-1]))
        return np.concatenate(rows[1:] or rows)

    def finish(self) -> Rows:
        """The rows of all that is left."""
        if not len(self._samples):
            return np.zeros((0, 0), np.float32)
        return self._hear([self._samples])[0][self._known :]

    def _forget(self, known: int) -> None:
        gone = max(0, known - self._before)
        self._samples, self._known = self._samples[gone * self._row_samples :], known - gone


class Stream:
    """One stream of sound on its way to text, as ``Recognizer.stream`` makes it."""

    def __init__(
        self,
        acoustic: AcousticStream,
        samples: audio.Resampler,
        decoding: Callable[[], DecoderStream],
        words: Callable[[Hypothesis], tuple[Word, ...]],
        symbols: Sequence[str],
        frame_seconds: float,
        rules: EndpointRules,
    ):
        self._acoustic, self._samples, self._decoding, self._words = acoustic, samples, decoding, words
        self._frame_seconds = frame_seconds
        self._space = symbols.index(" ") if " " in symbols else BLANK_ID
        self._silent = (BLANK_ID, self._space)
        self._openings = openings(symbols)
        self._after_words, self._after_nothing, self._longest = (
            max(1.0, seconds / frame_seconds)
            for seconds in (rules.after_words, rules.after_nothing, rules.longest)
        )
        self._finished = False
        self._start = 0
        """Rows of the utterances before this one."""
        self._begin()

    @property
    def latency(self) -> float:
        """Algorithmic latency in seconds: how long sound at the model's rate waits for later sound to be heard."""
        return self._acoustic.latency

    @property
    def is_exact(self) -> bool:
        """Whether it hears what the model would hear in the whole."""
        return not isinstance(self._acoustic, WindowStream)

    @property
    def seconds(self) -> float:
        """How far into the stream it has heard."""
        return (self._start + self._num_rows) * self._frame_seconds

    @property
    def partial(self) -> Partial:
        """What seems to have been said since the last final result."""
        return self._decoder.partial

    def accept(self, samples: NDArray[Any]) -> list[Transcript]:
        """Hear samples ``(num_samples,)`` or ``(num_samples, channels)``, floats or integers, of any number.

        Returns:
            The utterances that ended with them; their words have the times of the whole stream.

        Raises:
            AudioError: the samples are no sound, or the stream was finished.
        """
        self._check_open()
        return list(self._advance(self._acoustic.accept(self._samples.accept(samples))))

    def finish(self) -> list[Transcript]:
        """The utterances that were still open at the end of the sound."""
        self._check_open()
        self._finished = True
        rows = [self._acoustic.accept(self._samples.finish()), self._acoustic.finish()]
        return [*(done for some in rows for done in self._advance(some)), *self._conclude()]

    def _check_open(self) -> None:
        if self._finished:
            raise AudioError("This stream was finished; open another one with recognizer.stream().")

    def _begin(self) -> None:
        self._decoder, self._rows = self._decoding(), list[Rows]()
        self._num_rows = self._num_silent = 0

    def _advance(self, rows: Rows) -> Iterator[Transcript]:
        """Row by row, so that utterances end at the same places whatever the chunks."""
        begin = 0
        for end, label in enumerate(rows.argmax(axis=1).tolist() if len(rows) else (), 1):
            self._num_rows += 1
            self._num_silent = self._num_silent + 1 if label in self._silent else 0
            if (close := self._closing()) is not None:
                self._hear(rows[begin:end])
                begin = end
                yield from close()
        self._hear(rows[begin:])

    def _closing(self) -> Callable[[], Iterator[Transcript]] | None:
        """How the utterance ends here, if it does."""
        spoken = self._num_silent < self._num_rows
        if self._num_silent >= (self._after_words if spoken else self._after_nothing):
            return self._conclude
        return self._cut if self._num_rows >= self._longest else None

    def _hear(self, rows: Rows) -> None:
        if len(rows):
            self._decoder.accept(rows)
            self._rows.append(rows)

    def _conclude(self) -> Iterator[Transcript]:
        """The utterance so far, unless nothing was said, and the beginning of the next one."""
        best = self._decoder.finish()[0]
        if best.text:
            seconds = self._num_rows * self._frame_seconds
            heard = Transcript(best.text, self._words(best), best.score, seconds)
            yield shifted(heard, self._start * self._frame_seconds)
        self._start += self._num_rows
        self._begin()

    def _cut(self) -> Iterator[Transcript]:
        """The utterance up to a silence; what follows is heard again as the beginning of the next one."""
        rows = np.concatenate(self._rows)
        half = max(1, len(rows) // 2)
        place = half + pause(rows[half:], self._space, self._openings)
        self._begin()
        self._num_rows = place
        self._hear(rows[:place])
        yield from self._conclude()
        yield from self._advance(rows[place:])
