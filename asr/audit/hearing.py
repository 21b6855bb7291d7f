"""Each utterance heard once: its text weighed, and, of some, texts made wrong."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

from asr.audit.doubt import measures
from asr.audit.evidence import Evidence, Rivals, weigh
from asr.audit.faults import FAULTS
from asr.audit.sound import Sound, measure_sound
from asr.decoding import decode_greedy, num_cores
from asr.errors import AsrError, ConfigError
from asr.hearing import Heard
from asr.manifest import Utterance
from asr.recognizer import Recognizer

MADE_WRONG = 500
"""Utterances of each model, drawn at random, whose texts are made wrong, in each way, to learn doubt from."""


@dataclass(frozen=True)
class Weighed:
    """One utterance that was heard."""

    index: int
    utterance: Utterance
    heard: str
    evidence: Evidence | None
    """None where no path writes its text."""
    sound: Sound | None
    wrong: Mapping[str, Evidence]
    """Of its text made wrong, by fault."""

    def measures(self, evidence: Evidence) -> list[float]:
        """Of one of its texts."""
        return measures(evidence, self.utterance.duration, self.heard)


@dataclass(frozen=True)
class Unheard:
    """One that cannot be heard, and why."""

    index: int
    utterance: Utterance
    reason: str


def hear(
    recognizer: Recognizer,
    utterances: Sequence[Utterance],
    indices: Sequence[int],
    *,
    batch_size: int = 8,
    on_progress: Callable[[Utterance], None] = lambda utterance: None,
) -> Iterator[Weighed | Unheard]:
    """Those at ``indices``, in that order; rivals are drawn from the texts of all."""
    _refuse_other_units(recognizer)
    rivals = Rivals([utterance.text for utterance in utterances], recognizer.vocabulary, recognizer.text)
    chosen = set(random.Random(1).sample(list(indices), min(MADE_WRONG, len(indices))))
    sources = [utterances[index] for index in indices]
    heard = zip(indices, sources, recognizer.hear_all(sources, batch_size=batch_size), strict=True)
    with ThreadPoolExecutor(num_cores(), "audit") as pool:
        while batch := list(islice(heard, batch_size)):
            for one in pool.map(partial(_weigh, recognizer, rivals, chosen), *zip(*batch, strict=True)):
                on_progress(one.utterance)
                yield one


def _weigh(
    recognizer: Recognizer,
    rivals: Rivals,
    chosen: set[int],
    index: int,
    utterance: Utterance,
    heard: Heard | AsrError,
) -> Weighed | Unheard:
    if isinstance(heard, AsrError):
        return Unheard(index, utterance, str(heard))
    log_probs, draw = heard.log_probs, random.Random(index)
    evidence = weigh(log_probs, utterance.text, rivals, draw)
    wrong = {}
    if index in chosen and evidence is not None:
        for fault, make in FAULTS.items():
            made = weigh(log_probs, " ".join(make(evidence.tokens, rivals, draw)), rivals, draw)
            if made is not None:
                wrong[fault] = made
    text = decode_greedy(log_probs, recognizer.vocabulary.symbols, recognizer.acoustic.frame_seconds).text
    return Weighed(index, utterance, text, evidence, measure_sound(utterance), wrong)


def _refuse_other_units(recognizer: Recognizer) -> None:
    if recognizer.text.units != "characters":
        raise ConfigError(
            f"asr audit puts words in others' places letter by letter, and this model writes {recognizer.text.units}; "
            "take one with text.units=characters."
        )
