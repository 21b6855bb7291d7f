"""A recognizer over a manifest: every utterance is scored, what cannot be read as so many deletions."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asr import scoring
from asr.errors import AsrError
from asr.manifest import Utterance
from asr.recognizer import Recognizer
from asr.scoring import Counts, Interval
from asr.text import normalize
from asr.wording import counted


@dataclass(frozen=True)
class Scored:
    """One utterance, what was said, what was heard, and what that counts."""

    utterance: Utterance
    reference: str
    hypothesis: str
    words: Counts
    characters: Counts
    failure: str | None = None
    """Why it could not be transcribed, if so; its words then count as deleted."""


@dataclass(frozen=True)
class Evaluation:
    """A whole test set, counted."""

    utterances: tuple[Scored, ...]
    seconds: float
    """Wall time of the recognition."""

    @property
    def words(self) -> Counts:
        """Added over all utterances."""
        return scoring.total([scored.words for scored in self.utterances])

    @property
    def characters(self) -> Counts:
        """Added over all utterances."""
        return scoring.total([scored.characters for scored in self.utterances])

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the word error rate."""
        return scoring.interval([scored.words for scored in self.utterances])

    @property
    def sentence_errors(self) -> int:
        """Utterances with at least one wrong word."""
        return sum(scored.words.errors > 0 for scored in self.utterances)

    @property
    def audio_seconds(self) -> float:
        """Seconds of speech that were scored, as the manifest states them."""
        return sum(scored.utterance.duration for scored in self.utterances)

    @property
    def failures(self) -> list[Scored]:
        """Utterances that could not be transcribed."""
        return [scored for scored in self.utterances if scored.failure]


def evaluate(
    recognizer: Recognizer,
    utterances: Sequence[Utterance],
    *,
    batch_size: int = 8,
    on_progress: Callable[[Utterance], None] = lambda utterance: None,
) -> Evaluation:
    """Transcribe and score every utterance, references written the way the model writes."""
    started = time.perf_counter()
    scored = []
    for utterance, outcome in zip(
        utterances, recognizer.transcribe_all(utterances, batch_size=batch_size), strict=True
    ):
        failure = str(outcome) if isinstance(outcome, AsrError) else None
        hypothesis = "" if isinstance(outcome, AsrError) else outcome.text
        scored.append(score(utterance, normalize(utterance.text, recognizer.text), hypothesis, failure))
        on_progress(utterance)
    return Evaluation(tuple(scored), time.perf_counter() - started)


def score(utterance: Utterance, reference: str, hypothesis: str, failure: str | None = None) -> Scored:
    """One utterance compared: words for WER, characters for CER."""
    return Scored(
        utterance,
        reference,
        hypothesis,
        scoring.count_words(reference, hypothesis),
        scoring.count_characters(reference, hypothesis),
        failure,
    )


def summary(evaluation: Evaluation) -> str:
    """The lines that everybody quotes: %WER with its interval, %CER, %SER."""
    words, interval = evaluation.words, evaluation.interval
    wrong, count = evaluation.sentence_errors, len(evaluation.utterances)
    return "\n".join(
        [
            scoring.wer_line(words),
            f"95 % interval {100 * interval.low:.2f} to {100 * interval.high:.2f} "
            f"(bootstrap over {counted(count, 'utterance')})",
            scoring.wer_line(evaluation.characters, "CER"),
            f"%SER {100 * wrong / max(count, 1):.2f} [ {wrong} / {count} ]",
        ]
    )
