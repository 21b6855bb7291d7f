"""One process after the other recording, which is also what each worker does with its batches."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from asr.errors import AsrError
from asr.recognizer import Recognizer
from asr.transcription.jobs import Job
from asr.types import Transcript

Outcome = Transcript | AsrError
OnPiece = Callable[[Job, Transcript], None]
"""Told each piece of a long recording as soon as it is recognised."""


def transcribe(
    recognizer: Recognizer, batches: Iterable[list[Job]], nbest: int, on_piece: OnPiece
) -> Iterator[tuple[Job, Outcome]]:
    """Every job of every batch with what came of it, in this order."""
    for batch in batches:
        waiting = deque(batch)

        def tell(piece: Transcript, waiting: deque[Job] = waiting) -> None:
            on_piece(waiting[0], piece)

        sources = (job.open() for job in batch)
        for outcome in recognizer.transcribe_all(sources, batch_size=len(batch), nbest=nbest, on_piece=tell):
            yield waiting.popleft(), outcome
