"""The directory of a recurrent language model; each file is written beside and renamed, and none runs code.

settings.yaml         format_version and settings
words.txt             the words and their counts
weights.safetensors   those of the best dev perplexity
state.safetensors     where its training goes on, if it is one
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from asr.errors import ConfigError, LanguageModelError
from asr.recurrent_lm.model import RecurrentLM
from asr.recurrent_lm.network import RecurrentNetwork
from asr.recurrent_lm.settings import RecurrentLMSettings
from asr.recurrent_lm.vocabulary import LMVocabulary
from asr.settings import build, load_yaml, save_yaml
from asr.whole_files import write_text, written_beside
from asr.wording import printable

FORMAT_VERSION = 1
SETTINGS, WORDS, WEIGHTS, STATE = "settings.yaml", "words.txt", "weights.safetensors", "state.safetensors"


def refuse_other_model(folder: Path) -> None:
    """Weights without settings are no recurrent language model's, whose training writes the settings first.

    Raises:
        LanguageModelError: the folder holds such a model.
    """
    if (folder / WEIGHTS).exists() and not (folder / SETTINGS).exists():
        raise LanguageModelError(
            f"{folder}: holds a model of another kind, which would be lost; choose another folder."
        )


def save_head(folder: Path, settings: RecurrentLMSettings, vocabulary: LMVocabulary) -> None:
    """What is known before the weights.

    Raises:
        LanguageModelError: it cannot be written there.
    """
    try:
        write_text(folder / WORDS, vocabulary.text())
        save_yaml(settings, folder / SETTINGS, format_version=FORMAT_VERSION)
    except OSError as error:
        raise _unwritable(folder, error) from None


def save_tensors(path: Path, tensors: Mapping[str, Tensor], note: Any = None) -> None:
    """Tensors and a note, which JSON can hold; written beside, then renamed.

    Raises:
        LanguageModelError: it cannot be written there; what was there before is still there.
    """
    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    try:
        with written_beside(path, durable=True) as partial:
            save_file(contiguous, partial, {"note": json.dumps(note)})
            os.chmod(partial, 0o644)  # safetensors' own would be 0600
    except (OSError, SafetensorError) as error:
        raise _unwritable(path, error) from None


def load_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """What ``save_tensors`` wrote.

    Raises:
        LanguageModelError: it is missing or damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            note = json.loads((file.metadata() or {}).get("note", "null"))
        return load_file(path), note
    except (SafetensorError, OSError, ValueError) as error:
        raise LanguageModelError(
            f"{path}: cannot be read ({error}); copy the language model again, whole, or train it again."
        ) from None


def load_settings(folder: Path) -> RecurrentLMSettings:
    """The settings of a directory.

    Raises:
        LanguageModelError: they are missing, damaged, or of a newer format.
    """
    try:
        values = load_yaml(folder / SETTINGS)
        version = values.pop("format_version", None)
        if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
            raise ConfigError(
                f"format {printable(str(version))} is unknown to this version; update asr to read this model."
            )
        return build(RecurrentLMSettings, values)
    except ConfigError as error:
        raise LanguageModelError(f"{folder}: no recurrent language model: {error}") from None


def load(folder: str | os.PathLike[str]) -> RecurrentLM:
    """The model of a directory.

    Raises:
        LanguageModelError: a file is missing or damaged, or does not fit the others.
    """
    place = Path(folder)
    settings, vocabulary = load_settings(place), LMVocabulary.load(place / WORDS)
    tensors, _ = load_tensors(place / WEIGHTS)
    wrong = [name for name, one in tensors.items() if one.dtype != torch.float32 or not one.isfinite().all()]
    # Without memory at first: settings may speak of a network that no machine could hold.
    with torch.device("meta"):
        shape = RecurrentNetwork(settings, list(vocabulary.counts)).state_dict()
    expected = {name: one.shape for name, one in shape.items()}
    if wrong or expected != {name: one.shape for name, one in tensors.items()}:
        raise LanguageModelError(
            f"{place}: {WEIGHTS} does not fit {SETTINGS} and {WORDS}, or is damaged; copy the model again, whole."
        )
    network = RecurrentNetwork(settings, list(vocabulary.counts))
    network.load_state_dict(tensors)
    return RecurrentLM(settings, vocabulary, network)


def copy(source: Path, target: Path) -> None:
    """The files that recognition needs, without the state of the training."""
    target.mkdir(exist_ok=True)
    for name in (SETTINGS, WORDS, WEIGHTS):
        shutil.copyfile(source / name, target / name)


def _unwritable(place: Path, error: Exception) -> LanguageModelError:
    return LanguageModelError(
        f"{place}: the language model cannot be written ({error}); make room, or choose another folder."
    )
