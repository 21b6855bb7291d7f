"""An evaluation: what was said, what was heard, and what that counts, for each utterance and for all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from asr import scoring
from asr.evaluation.ids import utterance_ids
from asr.manifest import Utterance
from asr.scoring import Counts, Interval, Pair, Weights
from asr.text import TextSettings
from asr.types import Word
from asr.wording import counted


@dataclass(frozen=True)
class Setup:
    """What was scored, and how: enough to do it again."""

    test: str = ""
    """The manifest, or the file of references."""
    model: str = ""
    """Or the file of hypotheses."""
    decoder: str = ""
    """In words, its language model among them."""
    normalization: str = ""
    """What was done to the texts before they were compared, on both sides."""
    weights: Weights = "jiwer"
    """Of the alignment of words; characters are always jiwer's."""
    version: str = ""
    date: str = ""
    rate: str = "WER"
    """WER, of words, or PER, of phones, which then stand where words do."""


def describe(text: TextSettings | None) -> str:
    """Of a normalisation, for ``Setup``. Example: ``NFC, case: lower, punctuation: remove, all but '``"""
    if text is None:
        return "none"
    kept = (
        f", all but {text.keep_characters}" if text.punctuation == "remove" and text.keep_characters else ""
    )
    return f"NFC, case: {text.case}, punctuation: {text.punctuation}{kept}"


@dataclass(frozen=True)
class Scored:
    """One utterance, what was said, what was heard, and how the words of both pair up."""

    utterance: Utterance
    reference: str
    hypothesis: str
    pairs: tuple[Pair, ...]
    characters: Counts
    failure: str | None = None
    """Why it could not be transcribed, if so; its words then count as deleted."""
    heard: tuple[Word, ...] = ()
    """The words of the hypothesis with times and confidences, where a recognizer gave them."""
    alternatives: tuple[str, ...] = ()
    """The texts of the n-best list, best first, where it was asked for."""
    greedy: str | None = None
    """What greedy decoding hears, where the hypothesis is another decoder's."""

    @cached_property
    def words(self) -> Counts:
        """What the pairs count."""
        return scoring.count(self.pairs)


@dataclass(frozen=True)
class Evaluation:
    """A whole test set, counted."""

    utterances: tuple[Scored, ...]
    seconds: float
    """Wall time of the recognition."""
    setup: Setup = field(default_factory=Setup)

    @cached_property
    def ids(self) -> list[str]:
        """A name for each utterance that no other has."""
        return utterance_ids([scored.utterance for scored in self.utterances])

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
        """The 95 % interval of the word error rate, over utterances."""
        return scoring.interval([scored.words for scored in self.utterances])

    @property
    def speakers(self) -> list[str] | None:
        """Of each utterance; None where not all are known."""
        speakers = [scored.utterance.speaker for scored in self.utterances]
        known = [speaker for speaker in speakers if speaker is not None]
        return known if known and len(known) == len(speakers) else None

    def over_speakers(self, counts: Sequence[Counts]) -> Interval | None:
        """The interval of counts an utterance, over speakers; None unless two at least are known."""
        units = scoring.by_unit(self.speakers or [], counts if self.speakers else [])
        return scoring.interval(units) if len(units) > 1 else None

    @property
    def sentences(self) -> list[Counts]:
        """Each utterance as one thing that is right or wrong."""
        wrong = [int(scored.words.errors > 0) for scored in self.utterances]
        return [Counts(hits=1 - one, substitutions=one) for one in wrong]

    @property
    def sentence_errors(self) -> int:
        """Utterances with at least one wrong word."""
        return scoring.total(self.sentences).errors

    @property
    def audio_seconds(self) -> float:
        """Seconds of speech that were scored, as the manifest states them."""
        return sum(scored.utterance.duration for scored in self.utterances)

    @property
    def has_times(self) -> bool:
        """Whether it was heard, so that seconds are known of utterances and words; not where texts were scored."""
        places_known = all(scored.heard or not scored.hypothesis for scored in self.utterances)
        return self.audio_seconds > 0 and places_known

    @property
    def failures(self) -> list[Scored]:
        """Utterances that could not be transcribed."""
        return [scored for scored in self.utterances if scored.failure]


def score(
    utterance: Utterance,
    reference: str,
    hypothesis: str,
    failure: str | None = None,
    *,
    weights: Weights = "jiwer",
    heard: tuple[Word, ...] = (),
    alternatives: tuple[str, ...] = (),
    greedy: str | None = None,
) -> Scored:
    """One utterance compared: words for WER, characters for CER."""
    return Scored(
        utterance,
        reference,
        hypothesis,
        tuple(scoring.align(reference, hypothesis, weights)),
        scoring.count_characters(reference, hypothesis),
        failure,
        heard,
        alternatives,
        greedy,
    )


def summary(evaluation: Evaluation) -> str:
    """The lines that everybody quotes: %WER with its intervals, %CER, %SER."""
    wrong, count = evaluation.sentence_errors, len(evaluation.utterances)
    return "\n".join(
        [
            scoring.wer_line(evaluation.words, evaluation.setup.rate),
            *_intervals(evaluation),
            scoring.wer_line(evaluation.characters, "CER"),
            f"%SER {100 * wrong / max(count, 1):.2f} [ {wrong} / {count} ]",
        ]
    )


def _intervals(evaluation: Evaluation) -> Iterator[str]:
    speakers, counts = evaluation.speakers, [scored.words for scored in evaluation.utterances]
    over = {
        counted(len(counts), "utterance"): evaluation.interval,
        counted(len(set(speakers or [])), "speaker"): evaluation.over_speakers(counts),
    }
    for units, interval in over.items():
        if interval is not None:
            yield (
                f"95 % interval {100 * interval.low:.2f} to {100 * interval.high:.2f} (bootstrap over {units})"
            )
