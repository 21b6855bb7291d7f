"""The decoder's options, which every command that recognises shares."""

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from asr.recognizer import Decoder


class DecoderName(enum.StrEnum):
    """What ``--decoder`` takes."""

    greedy = "greedy"
    beam = "beam"


DecoderOption = Annotated[
    DecoderName,
    typer.Option("--decoder", help="greedy takes each frame's best symbol, beam weighs whole texts."),
]
WidthOption = Annotated[int | None, typer.Option("--beam-width", min=1, help="Texts that beam follows [64].")]
ModelOption = Annotated[
    Path | None, typer.Option("--lm", help="Word n-gram for beam: ARPA, .gz or packed (`asr lm build`).")
]
AlphaOption = Annotated[
    float | None, typer.Option("--lm-alpha", help="Weight of the language model; 0 is none [0.5].")
]
BetaOption = Annotated[float | None, typer.Option("--lm-beta", help="Bonus for each word, in nats [1.0].")]
UnknownOption = Annotated[
    float | None, typer.Option("--unknown", help="Bonus for each word that the language model lacks [-5].")
]
LexiconOption = Annotated[
    str | None, typer.Option("--lexicon", help="open: any word; strict: the language model's alone [open].")
]


def make_decoder(
    name: DecoderName,
    width: int | None,
    lm: Path | None,
    alpha: float | None,
    beta: float | None,
    unknown: float | None,
    lexicon: str | None,
) -> "Decoder":
    """The decoder that the options ask for; what was not given keeps its default.

    Raises:
        typer.BadParameter: an option of beam was given to greedy, or one of the language model without --lm.
        LanguageModelError: the language model cannot be read.
    """
    from asr.decoding import BeamDecoder, BeamSettings, decode_greedy

    asked: dict[str, Any] = {
        "beam_width": width,
        "alpha": alpha,
        "beta": beta,
        "unknown": unknown,
        "lexicon": lexicon,
    }
    given = {key: value for key, value in asked.items() if value is not None}
    if name is DecoderName.greedy:
        if given or lm is not None:
            raise typer.BadParameter(
                "--lm, --lm-alpha, --lm-beta, --lexicon and --beam-width need --decoder beam."
            )
        return decode_greedy
    if lm is None:
        if {"alpha", "unknown", "lexicon"} & given.keys():
            raise typer.BadParameter("--lm-alpha, --unknown and --lexicon need --lm.")
        return BeamDecoder(BeamSettings(**{"beta": 0.0, **given}))
    from asr.lm.ngram import NGram

    return BeamDecoder(BeamSettings(**given), NGram.load(lm))
