"""Recurrent language models opened without torch being loaded before there is one."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr.lm.words import WordModel
    from asr.recurrent_lm.model import RecurrentLM


def load_recurrent(folder: str | os.PathLike[str]) -> "RecurrentLM":
    """The model of a directory.

    Raises:
        LanguageModelError: a file is missing or damaged, or does not fit the others.
    """
    from asr.recurrent_lm.files import load

    return load(folder)


def load_any(path: str | os.PathLike[str]) -> "WordModel":
    """A recurrent model where the path is a directory, else what ``load_language_model`` reads.

    Raises:
        LanguageModelError: it is missing, damaged or of another kind.
    """
    from asr.lm.load import load_language_model

    return load_recurrent(path) if Path(path).is_dir() else load_language_model(path)
