"""A training that starts from another model's weights."""

from collections.abc import Sequence

from torch import nn

from asr.checkpoint import Model
from asr.errors import ConfigError
from asr.models import Encoder
from asr.settings import RecognizerSettings, to_dict
from asr.text import TextSettings, Vocabulary, normalize
from asr.training.state import difference

_NO_SHAPE = (
    "kind",
    "pooling",
    "dropout",
    "layer_dropout",
    "dither",
    "ctc_weight",
    "scheduled_sampling",
    "longest",
)
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
    of_vocabulary = tuple(f"network.{part}." for part in model.acoustic.network.of_vocabulary)
    weights = source.acoustic.state_dict()
    lacking = model.acoustic.load_state_dict(
        {key: tensor for key, tensor in weights.items() if same or not key.startswith(of_vocabulary)},
        strict=False,
    ).missing_keys
    if not same:
        return f"starts from {name}; the head is new, since that model {_reason(source, model)}"
    if lacking:
        return f"starts from {name}, with its alphabet and its weights; {lacking[0].split('.')[1]} is new"
    return f"starts from {name}, with its alphabet and all of its weights"


def _reason(source: Model, model: Model) -> str:
    """Why the head of the one is of no use to the other."""
    if source.text.units != model.text.units:
        return f"writes {source.text.units}"
    new = "".join(symbol for symbol in model.vocabulary.symbols if symbol not in source.vocabulary)
    return f"cannot write {new!r}"


def freeze(network: Encoder, parts: Sequence[str]) -> None:
    """Let these parts keep their weights."""
    modules: dict[str, nn.Module] = {"subsampling": network.subsampling, "recurrent": network.blocks}
    for part in parts:
        modules[part].requires_grad_(False)


def _refuse_other_shape(source: RecognizerSettings, own: RecognizerSettings, name: str) -> None:
    for part in ("features", "model"):
        theirs, ours = to_dict(getattr(source, part)), to_dict(getattr(own, part))
        # Of another kind, the layers are taken over and what it has above them is its own.
        alone = ("attention",) if theirs.get("kind") != ours.get("kind") else ()
        found = difference(theirs, ours, _NO_SHAPE + alone, f"{part}.")
        if found:
            raise ConfigError(f"trainer.init_from={name}: that model has {found}; give the same value.")
