"""One recording through a recognizer: what it sees on the way, as a picture or a page."""

from pathlib import Path

from asr import audio
from asr.errors import AsrError
from asr.hearing import Heard
from asr.manifest import Utterance
from asr.recognizer import Recognizer
from asr.report.page import page
from asr.report.rows import heard_row
from asr.report.sight import Sight, look
from asr.report.sound import embed, link
from asr.report.strips import picture
from asr.whole_files import write_text

PAGE = '<div id="recording"></div><noscript>This page needs JavaScript.</noscript>'


def segment(path: Path, offset: float = 0.0, duration: float | None = None) -> Utterance:
    """A recording, or the seconds of it that are asked for.

    Raises:
        AudioError: it cannot be read.
    """
    seconds = audio.duration(path) - offset if duration is None else duration
    is_whole = offset == 0 and duration is None
    return Utterance(str(path), seconds, "", offset=None if is_whole else offset)


def inspect(recognizer: Recognizer, utterance: Utterance) -> Sight:
    """Hear, decode and look; what was said in it is not asked.

    Raises:
        AudioError: the recording cannot be read.
    """
    (heard,) = recognizer.hear_all([utterance])
    if isinstance(heard, AsrError):
        raise heard
    assert isinstance(heard, Heard)
    (transcript,) = recognizer.decode_all([heard])
    return look(recognizer, utterance, heard, transcript.words)


def write_page(
    path: Path, sight: Sight, utterance: Utterance, title: str, *, embed_audio: bool = False
) -> None:
    """One recording as the report shows its utterances, and its features besides; written beside, then renamed."""
    row = heard_row(utterance.name, sight.words, sight.seconds)
    row["path"] = utterance.name
    row["audio"] = link(utterance, path.parent)
    shown = picture(sight, features=True)
    if embed_audio and sight.waveform is not None:
        shown["audio"] = embed(sight.waveform, sight.sample_rate)
    write_text(path, page(title, PAGE, {"rows": [row], "picture-0": shown}))
