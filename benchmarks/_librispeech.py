"""Real emissions that are hard: a model of an hour and a half of LibriSpeech, on speakers that it has not heard."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from _emissions import EmissionSet, Utterance

import asr
from asr import audio
from asr.decoding import decode_greedy
from asr.dev_set import DevSet
from asr.errors import AsrError
from asr.manifest import Utterance as Line
from asr.manifest import read_manifest
from asr.text import normalize

NAME = "librispeech"


def emit(model: str, data: Path, corpora: Path) -> EmissionSet:
    """One dev speaker tunes; the other, and LJ Speech's recordings, measure.

    The 3-gram is of the training texts and of those LJ Speech sentences that are not among the recordings; ``data``
    has what ``recipes/librispeech/prepare.py`` wrote.
    """
    recognizer = asr.load(model, device="cpu", decoder=decode_greedy)
    dev, folder = read_manifest(data / "dev.jsonl"), corpora / "ljspeech" / "LJSpeech-1.1"
    rows = [line.split("|") for line in (folder / "metadata.csv").read_text(encoding="utf-8").splitlines()]
    recordings = {path.stem: path for path in audio.find(folder)}
    spoken = [
        Line(str(path), audio.duration(path), text)
        for name, _, text in rows
        if (path := recordings.get(name))
    ]
    sentences = [*(line.text for line in read_manifest(data / "train.jsonl"))]
    sentences += [text for name, _, text in rows if name not in recordings]
    return EmissionSet(
        NAME,
        recognizer.vocabulary.symbols,
        list(_heard(recognizer, [line for line in dev if line.speaker == dev[0].speaker])),
        list(_heard(recognizer, [line for line in dev if line.speaker != dev[0].speaker] + spoken)),
        [[normalize(text, recognizer.text) for text in sentences]],
    )


def _heard(recognizer: asr.Recognizer, lines: Sequence[Line]) -> Iterator[Utterance]:
    heard = DevSet(recognizer, lines)
    for one, text in zip(heard.heard, heard.references, strict=True):
        if not isinstance(one, AsrError):
            yield Utterance(one.log_probs, text)
