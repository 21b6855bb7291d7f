"""Words to expect, as the command line gives them."""

from pathlib import Path

import typer

HOTWORD_BOOST = 8.0
"""Nats for a hotword without a number: a word that the sounds alone make e^8 = 3000 times less likely still wins."""


def parse_hotwords(text: str) -> dict[str, float]:
    """Boosts by word, from ``Kinshasa:8,Brazzaville`` or ``@FILE`` with a line each: ``Kinshasa 8``.

    Raises:
        typer.BadParameter: the file cannot be read, or a boost is no number.
    """
    if not text.startswith("@"):
        return dict(_boosted(entry, ":") for entry in text.split(",") if entry.strip())
    try:
        lines = Path(text[1:]).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{text[1:]}: the hotwords cannot be read ({error}).") from None
    return dict(_boosted(line, None) for line in lines if line.strip())


def _boosted(entry: str, separator: str | None) -> tuple[str, float]:
    word, *boost = entry.strip().rsplit(separator, 1)
    try:
        return word.strip(), float(*boost) if boost else HOTWORD_BOOST
    except ValueError:
        if separator is not None:
            raise typer.BadParameter(
                f"hotword {entry.strip()!r}: {boost[0]!r} is no boost; give a number."
            ) from None
        return entry.strip(), HOTWORD_BOOST  # a line that is a phrase


def written_by(folder: Path, hotwords: dict[str, float]) -> dict[str, float]:
    """The same as the model of this folder writes.

    Raises:
        typer.BadParameter: it writes nothing of a word.
    """
    from asr import checkpoint
    from asr.text import normalize

    text = checkpoint.load_settings(folder).text
    written = {word: normalize(word, text) for word in hotwords}
    if unwritten := [word for word in written if not written[word]]:
        raise typer.BadParameter(f"hotword {unwritten[0]!r}: the model writes nothing of it; leave it out.")
    return {written[word]: boost for word, boost in hotwords.items()}
