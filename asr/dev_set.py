"""A manifest heard once and decoded in many ways: each way is scored as ``evaluation`` scores it."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial

from asr import evaluation, scoring
from asr.decoding import BeamDecoder, decode_greedy, num_cores
from asr.errors import AsrError, ManifestError
from asr.evaluation import Evaluation, Scored, Setup
from asr.hearing import Heard
from asr.manifest import Utterance
from asr.recognizer import Decoder, Recognizer, fitting
from asr.text import normalize
from asr.types import Hypothesis

Judged = list[tuple[float, bool]]
"""The words heard in an utterance: the confidence of each, and whether it is right."""


class DevSet:
    """Utterances that the acoustic model has heard, to be decoded again and again."""

    def __init__(
        self,
        recognizer: Recognizer,
        utterances: Sequence[Utterance],
        *,
        batch_size: int = 8,
        on_heard: Callable[[Utterance], None] = lambda utterance: None,
    ):
        """Run the acoustic model over all of them.

        Raises:
            ManifestError: there is no word to choose by.
        """
        self.symbols: Sequence[str] = recognizer.vocabulary.symbols
        self.frame_seconds = recognizer.acoustic.frame_seconds
        self.acoustic = recognizer.acoustic
        self.utterances = utterances
        self.greedy_rate = recognizer.vocabulary.rate
        """What greedy decoding is scored by: of phones it writes no words."""
        self.references = [normalize(utterance.text, recognizer.text) for utterance in utterances]
        self._spoken = [recognizer.vocabulary.spoken(reference) for reference in self.references]
        if not any(self.references):
            raise ManifestError("The dev set's texts hold no words; there is nothing to choose by.")
        self.heard: list[Heard | AsrError] = []
        for utterance, heard in zip(
            utterances, recognizer.hear_all(utterances, batch_size=batch_size), strict=True
        ):
            self.heard.append(heard)
            on_heard(utterance)
        self._scored: dict[tuple[int, str, str], Scored] = {}

    @property
    def failures(self) -> list[str]:
        """Why utterances could not be heard; their words count as deleted, whatever the decoder."""
        return [str(heard) for heard in self.heard if isinstance(heard, AsrError)]

    def decode(self, decoder: Decoder) -> tuple[list[Hypothesis], float]:
        """A hypothesis an utterance, and the processor seconds that all took; on all cores."""
        decoder = fitting(self.acoustic, decoder)
        if isinstance(decoder, BeamDecoder):
            decoder.scorer(self.symbols)  # once, and not in every thread
        decoded = list(self._pool.map(partial(self._decode, decoder), self.heard))
        return [hypothesis for hypothesis, _ in decoded], sum(seconds for _, seconds in decoded)

    def evaluate(self, decoder: Decoder) -> Evaluation:
        """Decode and score all of them."""
        hypotheses, seconds = self.decode(decoder)
        references = self._references(decoder)
        scored = [self._score(index, references[index], one.text) for index, one in enumerate(hypotheses)]
        rate = self.greedy_rate if decoder is decode_greedy else "WER"
        return Evaluation(tuple(scored), seconds, Setup(rate=rate))

    def nbest(self, decoder: BeamDecoder, count: int) -> list[list[Hypothesis]]:
        """The first pass's ``count`` best texts of each utterance, none of one that could not be heard."""
        first = BeamDecoder(replace(decoder.settings, times=False), decoder.language_model, decoder.hotwords)
        first.scorer(self.symbols)
        return list(self._pool.map(partial(self._nbest, first, count), self.heard))

    def errors(self, index: int, text: str) -> tuple[int, int]:
        """Wrong words and wrong characters, if this were the text of the utterance of that index."""
        scored = self._score(index, self.references[index], text)
        return scored.words.errors, scored.characters.errors

    def judge(self, decoder: Decoder) -> list[Judged]:
        """The words that a decoder hears in each utterance."""
        hypotheses, _ = self.decode(decoder)
        return [
            list(
                zip([word.confidence for word in one.words], scoring.judge(reference, one.text), strict=True)
            )
            for reference, one in zip(self._references(decoder), hypotheses, strict=True)
        ]

    def _references(self, decoder: Decoder) -> list[str]:
        return self._spoken if decoder is decode_greedy else self.references

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(num_cores(), "tune")

    def _decode(self, decoder: Decoder, heard: Heard | AsrError) -> tuple[Hypothesis, float]:
        if isinstance(heard, AsrError):
            return Hypothesis("", 0.0), 0.0
        started = time.thread_time()
        hypothesis = decoder(heard.log_probs, self.symbols, self.frame_seconds, *heard.besides)
        return hypothesis, time.thread_time() - started

    def _nbest(self, decoder: BeamDecoder, count: int, heard: Heard | AsrError) -> list[Hypothesis]:
        if isinstance(heard, AsrError):
            return []
        return decoder.nbest(heard.log_probs, self.symbols, self.frame_seconds, count)

    def _score(self, index: int, reference: str, text: str) -> Scored:
        """Most settings give an utterance one of a few texts: each is aligned once."""
        if (index, reference, text) not in self._scored:
            heard = self.heard[index]
            failure = str(heard) if isinstance(heard, AsrError) else None
            self._scored[index, reference, text] = evaluation.score(
                self.utterances[index], reference, text, failure
            )
        return self._scored[index, reference, text]
