"""Train your own small, private, offline speech recogniser.

    import asr
    recognizer = asr.load("digits-en")
    print(recognizer.transcribe("call.wav").text)

Names are imported when they are first used, so that ``import asr`` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from asr.decoding import AttentionDecoder, AttentionSearch, BeamDecoder, BeamSettings
    from asr.errors import (
        AsrError,
        AudioError,
        CheckpointError,
        ConfigError,
        DecoderError,
        LanguageModelError,
        ManifestError,
        VocabularyError,
        WorkerError,
    )
    from asr.evaluation import evaluate
    from asr.lm.load import load_language_model
    from asr.loading import load
    from asr.manifest import Utterance, read_manifest, write_manifest
    from asr.recognizer import Recognizer
    from asr.streaming import EndpointRules
    from asr.types import Alignment, Hypothesis, Transcript, Word

_HOMES = {
    "asr.decoding": ("AttentionDecoder", "AttentionSearch", "BeamDecoder", "BeamSettings"),
    "asr.errors": (
        "AsrError",
        "AudioError",
        "CheckpointError",
        "ConfigError",
        "DecoderError",
        "LanguageModelError",
        "ManifestError",
        "VocabularyError",
        "WorkerError",
    ),
    "asr.evaluation": ("evaluate",),
    "asr.lm.load": ("load_language_model",),
    "asr.manifest": ("Utterance", "read_manifest", "write_manifest"),
    "asr.loading": ("load",),
    "asr.recognizer": ("Recognizer",),
    "asr.streaming": ("EndpointRules",),
    "asr.types": ("Alignment", "Hypothesis", "Transcript", "Word"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Alignment",
    "AsrError",
    "AttentionDecoder",
    "AttentionSearch",
    "AudioError",
    "BeamDecoder",
    "BeamSettings",
    "CheckpointError",
    "ConfigError",
    "DecoderError",
    "EndpointRules",
    "Hypothesis",
    "LanguageModelError",
    "ManifestError",
    "Recognizer",
    "Transcript",
    "Utterance",
    "VocabularyError",
    "Word",
    "WorkerError",
    "evaluate",
    "load",
    "load_language_model",
    "read_manifest",
    "write_manifest",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'asr' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
