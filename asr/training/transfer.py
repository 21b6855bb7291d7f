"""A training that starts from another model's weights."""

from collections.abc import Sequence

from torch import nn

from asr.checkpoint import Model
from asr.errors import ConfigError
from asr.models import Encoder
from asr.settings import RecognizerSettings, to_dict
from asr.text import TextSettings, Vocabulary, normalize
from asr.training.state import difference

_HEAD = "network.head."
_MAY_DIFFER = ("kind", "pooling", "dropout", "layer_dropout", "dither")
"""Settings that say nothing of the weights below the head."""


def shared_vocabulary(source: Model, own: Vocabulary, texts: Sequence[str], text: TextSettings) -> Vocabulary:
    """The units of the model to start from, if they can write the texts, so that its head is of use; else ``own``."""
    if source.text.units != text.units:
        return own
    known = all(not source.vocabulary.unknown_characters(normalize(one, text)) for one in texts)
    return source.vocabulary if known else own


def inherit(model: Model, source: Model, name: str) -> str:
    """Take over the weights that fit, and the stored statistics; say which do not.

    Raises:
        ConfigError: the features or the network are others than the source's.
    """
    _refuse_other_shape(source.settings, model.settings, name)
    same = source.vocabulary == model.vocabulary
    weights = source.acoustic.state_dict()
    model.acoustic.load_state_dict(
        {key: tensor for key, tensor in weights.items() if same or not key.startswith(_HEAD)}, strict=False
    )
    if same:
        return f"starts from {name}, with its alphabet and all of its weights"
    if source.text.units != model.text.units:
        return f"starts from {name}; the head is new, since that model writes {source.text.units}"
    new = "".join(symbol for symbol in model.vocabulary.symbols if symbol not in source.vocabulary)
    return f"starts from {name}; the head is new, since that model cannot write {new!r}"


def freeze(network: Encoder, parts: Sequence[str]) -> None:
    """Let these parts keep their weights."""
    modules: dict[str, nn.Module] = {"subsampling": network.subsampling, "recurrent": network.blocks}
    for part in parts:
        modules[part].requires_grad_(False)


def _refuse_other_shape(source: RecognizerSettings, own: RecognizerSettings, name: str) -> None:
    for part in ("features", "model"):
        theirs, ours = to_dict(getattr(source, part)), to_dict(getattr(own, part))
        found = difference(theirs, ours, _MAY_DIFFER, f"{part}.")
        if found:
            raise ConfigError(f"trainer.init_from={name}: that model has {found}; give the same value.")
