"""What made a transcript: model, weights, decoder, version; for the ``_meta`` of a file."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asr import __version__
from asr.decoding import AttentionDecoder, BeamDecoder
from asr.decoding.recurrent import RecurrentDecoder

WEIGHTS = "weights.safetensors"


def made_by(model: str, path: Path) -> dict[str, Any]:
    """The version, the model's name, and the SHA-256 of its weights.

    ``path`` is the model's directory, or the file that a model was exported to.
    """
    with open(path / WEIGHTS if path.is_dir() else path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"asr": __version__, "model": model, "weights": f"sha256:{digest}"}


def decoded_by(decoder: Callable[..., Any], language_model: str | None = None) -> dict[str, Any]:
    """The decoder with its settings, and the name of its language model, which it does not know itself."""
    if isinstance(decoder, AttentionDecoder):
        return {"language_model": None, "decoder": {"name": "attention", **asdict(decoder.settings)}}
    if not isinstance(decoder, BeamDecoder):
        return {"language_model": None, "decoder": {"name": "greedy"}}
    settings = {"name": "beam", **asdict(decoder.settings), "hotwords": decoder.hotwords}
    if isinstance(decoder, RecurrentDecoder):
        settings["recurrent"] = asdict(decoder.use)
    return {"language_model": language_model if decoder.language_model else None, "decoder": settings}
