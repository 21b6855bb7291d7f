"""What a model's outputs stand for: characters, subwords, phones or labels, chosen by ``text.units``.

A vocabulary is ``encode`` (text to unit ids), ``decode`` (back) and ``symbols``; what reads and writes texts needs no
more of it. The other kinds subclass the one of characters, and are imported when one of theirs is asked for.
"""

import os
from collections.abc import Iterable
from importlib import import_module

from asr.text import TextSettings, Vocabulary

KINDS = {
    "characters": ("asr.text", "Vocabulary"),
    "subwords": ("asr.units.subwords", "Subwords"),
    "phones": ("asr.units.phones", "Phones"),
    "labels": ("asr.units.labels", "Labels"),
}
"""``text.units`` to the module and the class of the vocabulary."""


def build_vocabulary(texts: Iterable[str], settings: TextSettings = TextSettings()) -> Vocabulary:
    """The vocabulary that the settings ask for, of the training texts.

    Raises:
        VocabularyError: the texts, or the dictionary, cannot give one.
        ConfigError: a package that learns it is not installed.
    """
    return _kind(settings).build(texts, settings)


def load_vocabulary(path: str | os.PathLike[str], settings: TextSettings = TextSettings()) -> Vocabulary:
    """What ``Vocabulary.save`` wrote of a model with these settings; its directory may be an exported model.

    Raises:
        VocabularyError: a file is missing or damaged.
    """
    return _kind(settings).load(path)


def _kind(settings: TextSettings) -> type[Vocabulary]:
    module, name = KINDS[settings.units]
    kind: type[Vocabulary] = getattr(import_module(module), name)
    return kind
