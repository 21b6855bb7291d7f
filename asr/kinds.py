"""The kinds of models: here alone is decided which network, with its loss, and which decoder ``model.kind`` stands for.

torch is imported only where a network is asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asr.decoding import decode_greedy
from asr.decoding.attention import AttentionDecoder
from asr.errors import DecoderError
from asr.model_settings import ModelSettings
from asr.types import Hypothesis

if TYPE_CHECKING:
    from asr.models import Encoder

Decoder = Callable[..., Hypothesis]


@dataclass(frozen=True)
class Kind:
    """What a model of some kind is made of, learns by and writes with."""

    network: "Callable[[ModelSettings, int, int], Encoder]"
    """Untrained, of the settings, the features' number and the vocabulary's size; it knows its loss."""
    fitting: Callable[[Decoder], Decoder]
    """The decoder, or what stands for it with such a model; raises ``DecoderError`` where nothing does."""
    frame_by_frame: bool
    """Whether its log_probs say all: only such a model streams, is exported and takes the beam decoder."""
    search: AttentionDecoder | None = None
    """What it writes with unless somebody asks for something else; None: as `asr tune` stored it, or greedily."""
    writes_texts: bool = True
    """Of scores for each frame; false: one row of scores for the whole recording, whose best is its label."""


def kind_of(settings: ModelSettings) -> Kind:
    """What the settings' kind stands for."""
    return KINDS[settings.kind]


def _ctc(settings: ModelSettings, num_features: int, vocabulary_size: int) -> "Encoder":
    from asr.models import RecurrentCTC

    return RecurrentCTC(settings, num_features, vocabulary_size)


def _seq2seq(settings: ModelSettings, num_features: int, vocabulary_size: int) -> "Encoder":
    from asr.models import Seq2Seq

    return Seq2Seq(settings, num_features, vocabulary_size)


def _classifier(settings: ModelSettings, num_features: int, vocabulary_size: int) -> "Encoder":
    from asr.models import RecurrentClassifier

    return RecurrentClassifier(settings, num_features, vocabulary_size)


def _of_frames(decoder: Decoder) -> Decoder:
    if isinstance(decoder, AttentionDecoder):
        raise DecoderError("A CTC model has no attention; take greedy or the beam decoder.")
    return decoder


def _of_attention(decoder: Decoder) -> Decoder:
    if decoder is decode_greedy:
        return AttentionDecoder(replace(AttentionDecoder().settings, beam_width=1))
    if not isinstance(decoder, AttentionDecoder):
        raise DecoderError(
            "An attention model (model.kind=seq2seq) writes with its own beam search, which knows no n-gram, "
            "lexicon or hotwords; take asr.AttentionDecoder, or a CTC model."
        )
    return decoder


def _of_labels(decoder: Decoder) -> Decoder:
    if decoder is not decode_greedy:
        raise DecoderError(
            "A classifier (model.kind=classifier) has nothing to search; the likeliest label is it."
        )
    return decoder


KINDS = {
    "ctc": Kind(_ctc, _of_frames, frame_by_frame=True),
    "seq2seq": Kind(_seq2seq, _of_attention, frame_by_frame=False, search=AttentionDecoder()),
    "classifier": Kind(_classifier, _of_labels, frame_by_frame=False, writes_texts=False),
}
