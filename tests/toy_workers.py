"""Recognizers that worker processes make, in a module that they import without torch."""

import dataclasses
import os
import signal
from pathlib import Path

from tone_language import VOCABULARY, ToneModel

from asr.errors import CheckpointError
from asr.recognizer import Recognizer
from asr.windows import WindowSettings

DEADLY = 1.5
"""Seconds from which on a recording kills who reads it."""


def make_recognizer() -> Recognizer:
    return Recognizer(ToneModel(), VOCABULARY, window_settings=WindowSettings(3.0, 1.4, 0.4, 2.0))


@dataclasses.dataclass(frozen=True)
class Deadly:
    """Makes a recognizer that is killed by what is longer than ``DEADLY``, so many times."""

    folder: str
    times: int

    def __call__(self) -> Recognizer:
        recognizer = make_recognizer()

        def decode(log_probs, symbols, frame_seconds):
            if len(log_probs) * frame_seconds > DEADLY:
                marks = Path(self.folder)
                if len(list(marks.iterdir())) < self.times:
                    (marks / str(os.getpid())).touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            return recognizer.decoder(log_probs, symbols, frame_seconds)

        return Recognizer(recognizer.acoustic, VOCABULARY, decoder=decode)


def unmakeable() -> Recognizer:
    raise CheckpointError("no such model.")


def suicidal() -> Recognizer:
    os._exit(7)
