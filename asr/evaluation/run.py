"""A recognizer over a manifest: every utterance is scored, what cannot be read as so many deletions."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from asr.decoding import decode_greedy
from asr.errors import AsrError
from asr.evaluation.scored import Evaluation, Scored, Setup, describe, score
from asr.hearing import Heard
from asr.manifest import Utterance
from asr.recognizer import Recognizer
from asr.types import Transcript

Outcome = tuple[Transcript | AsrError, str | None]


def evaluate(
    recognizer: Recognizer,
    utterances: Sequence[Utterance],
    *,
    batch_size: int = 8,
    nbest: int = 0,
    setup: Setup = Setup(),
    on_progress: Callable[[Utterance], None] = lambda utterance: None,
) -> Evaluation:
    """Transcribe and score every utterance, references written the way the model writes.

    ``nbest`` alternatives are kept for the error rate of the best of them. What greedy decoding hears is kept too
    where the recognizer's decoder is another.
    """
    started = time.perf_counter()
    setup = replace(setup, normalization=describe(recognizer.text), rate=recognizer.rate)
    scored = []
    for utterance, outcome in zip(
        utterances, _transcribe(recognizer, utterances, batch_size, nbest), strict=True
    ):
        scored.append(_score(recognizer, utterance, outcome, setup))
        on_progress(utterance)
    return Evaluation(tuple(scored), time.perf_counter() - started, setup)


def _transcribe(
    recognizer: Recognizer, utterances: Sequence[Utterance], batch_size: int, nbest: int
) -> Iterator[Outcome]:
    remaining = recognizer.hear_all(utterances, batch_size=batch_size)
    while batch := list(islice(remaining, batch_size)):
        transcripts = recognizer.decode_all([heard for heard in batch if isinstance(heard, Heard)], nbest)
        for heard in batch:
            if isinstance(heard, AsrError):
                yield heard, None
            else:
                yield next(transcripts), _greedy(recognizer, heard)


def _greedy(recognizer: Recognizer, heard: Heard) -> str | None:
    if recognizer.decoder is decode_greedy or recognizer.vocabulary.rate != recognizer.rate:
        return None  # phones are no words to compare with
    symbols, frame_seconds = recognizer.vocabulary.symbols, recognizer.acoustic.frame_seconds
    return decode_greedy(heard.log_probs, symbols, frame_seconds).text


def _score(recognizer: Recognizer, utterance: Utterance, outcome: Outcome, setup: Setup) -> Scored:
    reference = recognizer.reference(utterance.text)
    transcript, greedy = outcome
    if isinstance(transcript, AsrError):
        return score(utterance, reference, "", str(transcript), weights=setup.weights)
    return score(
        utterance,
        reference,
        transcript.text,
        weights=setup.weights,
        heard=transcript.words,
        alternatives=tuple(one.text for one in transcript.alternatives),
        greedy=greedy,
    )
