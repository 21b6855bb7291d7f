"""A recognizer of what lies on the disk: a bundled model, a directory, an exported file, each with its decoder."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from asr.decoding import BeamDecoder, decode_greedy
from asr.decoding.confidence import Calibration
from asr.errors import ConfigError
from asr.hearing import AcousticModel
from asr.kinds import kind_of
from asr.onnx_file import is_exported
from asr.recognizer import Decoder, Recognizer
from asr.text import Vocabulary

if TYPE_CHECKING:
    from asr.stored_decoder import StoredDecoder


def load(
    model: str | os.PathLike[str], *, device: str = "auto", decoder: Decoder | None = None
) -> Recognizer:
    """The recognizer of a bundled name (``digits-en``), a model or run directory, or an exported ``.onnx`` file.

    Without ``decoder`` it decodes as `asr tune` stored with the model, or else greedily; an attention model by its
    own beam.

    Raises:
        CheckpointError: there is no such model, or it is damaged.
        ConfigError: the model is a classifier; or this machine has no such device; or onnxruntime is missing, and the
            model an exported one.
    """
    from asr import checkpoint, stored_decoder

    place = checkpoint.resolve(model)
    settings = checkpoint.load_settings(place)
    kind = kind_of(settings.model)
    if not kind.writes_texts:
        raise ConfigError(
            f"{place}: tells labels apart and writes no text; `asr classify` is for such a model."
        )
    stored = stored_decoder.load(place)
    acoustic, vocabulary = _load_exported(place, device) if is_exported(place) else _load_torch(place, device)
    if decoder is None:
        decoder = kind.search
    if decoder is None:
        decoder = stored_decoder.make_decoder(place, stored) if stored.uses_beam else decode_greedy
    return Recognizer(acoustic, vocabulary, settings.text, decoder, _calibration(decoder, stored))


def _load_torch(place: Path, device: str) -> tuple[AcousticModel, Vocabulary]:
    from asr import checkpoint
    from asr.acoustic import pick_device

    loaded = checkpoint.load(place)
    return loaded.acoustic.to(pick_device(device)), loaded.vocabulary


def _load_exported(place: Path, device: str) -> tuple[AcousticModel, Vocabulary]:
    from asr import checkpoint
    from asr.onnx_model import OnnxAcousticModel

    if device not in ("auto", "cpu"):
        raise ConfigError(
            f"device {device!r}: an exported model runs on the processor; take its directory, or cpu."
        )
    settings = checkpoint.load_settings(place)
    vocabulary = checkpoint.load_vocabulary(place)
    return OnnxAcousticModel(place, settings, len(vocabulary)), vocabulary


def _calibration(decoder: Decoder, stored: "StoredDecoder") -> Calibration | None:
    """What was fitted for a decoder of this kind, whatever its weights."""
    if decoder is decode_greedy:
        return stored.confidence.greedy
    return stored.confidence.beam if isinstance(decoder, BeamDecoder) else None
