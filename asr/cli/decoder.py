"""The decoder's options, which every command that recognises shares, and the decoder that they ask for."""

import dataclasses
import enum
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asr.cli.console import say
from asr.cli.hotwords import HOTWORD_BOOST, parse_hotwords, written_by
from asr.wording import counted

if TYPE_CHECKING:
    from asr.decoding import AttentionDecoder, BeamDecoder, BeamSettings
    from asr.decoding.recurrent import RecurrentUse
    from asr.recognizer import Decoder
    from asr.stored_decoder import LanguageModel, StoredDecoder

_PATIENCE = 3.0
"""Seconds that loading compiled code takes at most; who waits longer is told what for."""


class DecoderName(enum.StrEnum):
    """What ``--decoder`` takes."""

    auto = "auto"
    greedy = "greedy"
    beam = "beam"


WidthOption = Annotated[
    int | None, typer.Option("--beam-width", min=1, help="Texts that beam follows [64; attention 8].")
]
LanguageModelOption = Annotated[
    Path | None, typer.Option("--lm", help="Word n-gram for beam: ARPA, .gz or packed (`asr lm build`).")
]
RecurrentOption = Annotated[
    Path | None, typer.Option("--rnnlm", help="Recurrent language model's folder (`asr lm train`), besides.")
]
LexiconOption = Annotated[
    str | None, typer.Option("--lexicon", help="open: any word; strict: the language model's alone [open].")
]


@dataclass(frozen=True)
class DecoderOptions:
    """What the command line says of decoding; fields that ``BeamSettings`` has too go by the same names."""

    decoder: Annotated[
        DecoderName,
        typer.Option(
            help="greedy takes each frame's best symbol, beam weighs whole texts; auto: as `asr tune` stored it "
            "with the model, beam where an option asks for it, else greedy."
        ),
    ] = DecoderName.auto
    beam_width: WidthOption = None
    lm: LanguageModelOption = None
    alpha: Annotated[
        float | None,
        typer.Option(
            "--lm-alpha", help="Weight of the language model's log-probabilities; 0 leaves them out [0.5]."
        ),
    ] = None
    beta: Annotated[
        float | None, typer.Option("--lm-beta", help="Bonus for each word, in nats [1; without --lm 0].")
    ] = None
    unknown: Annotated[
        float | None,
        typer.Option("--unknown", help="Bonus for each word that the language model lacks [-5]."),
    ] = None
    unknown_letter: Annotated[
        float | None, typer.Option("--unknown-letter", help="Bonus for each letter of such a word [-1].")
    ] = None
    lexicon: LexiconOption = None
    rnnlm: RecurrentOption = None
    rnnlm_share: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Its share in a word's probability; the rest is the n-gram's [0.5]."),
    ] = None
    rescore: Annotated[
        bool | None,
        typer.Option(
            "--rescore/--fuse", help="Ask it about the 50 best texts, or inside the beam [rescore]."
        ),
    ] = None
    hotwords: Annotated[
        str | None,
        typer.Option(
            metavar="WORD[:BOOST],...|@FILE",
            help=f"Words and phrases to expect, each with its boost in nats [{HOTWORD_BOOST:g}]; "
            "or a file with one a line, the boost behind a space.",
        ),
    ] = None
    ctc_weight: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Attention models: the share of CTC in a score [as trained]."),
    ] = None
    length_bonus: Annotated[float | None, typer.Option(help="Attention models: nats for each label [0].")] = (
        None
    )
    max_ratio: Annotated[
        float | None, typer.Option(min=0, max=1, help="Attention models: labels a frame at most [0.8].")
    ] = None

    @property
    def settings(self) -> dict[str, Any]:
        """The fields of ``BeamSettings`` that were given."""
        from asr.decoding import BeamSettings

        return self._given(BeamSettings)

    @property
    def attention(self) -> dict[str, Any]:
        """The fields of ``AttentionSearch`` that were given."""
        from asr.decoding import AttentionSearch

        return self._given(AttentionSearch)

    @property
    def ask_for_beam(self) -> bool:
        """Whether one was given that greedy decoding knows nothing of."""
        given = (self.lm, self.rnnlm, self.rnnlm_share, self.rescore, self.hotwords)
        return bool(self.settings) or any(one is not None for one in given)

    def _given(self, kind: type) -> dict[str, Any]:
        asked = {field.name: getattr(self, field.name, None) for field in dataclasses.fields(kind)}
        return {name: value for name, value in asked.items() if value is not None}


def make_decoder(options: DecoderOptions, model: str, *, nbest: int = 0, quiet: bool = False) -> "Decoder":
    """The decoder that was asked for; says which, unless ``quiet``. Raises what ``choose_decoder`` does."""
    line, decoder = choose_decoder(options, model, nbest=nbest)
    if not quiet:
        say(f"decoder: {line}")
    return decoder


def choose_decoder(options: DecoderOptions, model: str, *, nbest: int = 0) -> tuple[str, "Decoder"]:
    """The decoder that a model remembers with the options over it, field by field, and what it is in words.

    Raises:
        typer.BadParameter: an option of beam was given to greedy, or one of the language model without any.
        CheckpointError: there is no such model, or what it remembers is damaged.
        LanguageModelError: the language model cannot be read.
    """
    from asr import checkpoint, stored_decoder
    from asr.decoding import decode_greedy
    from asr.kinds import kind_of

    asks = options.ask_for_beam or nbest > 0
    if options.decoder is DecoderName.greedy and asks:
        raise typer.BadParameter(
            "--lm, --lm-alpha, --lm-beta, --unknown, --unknown-letter, --lexicon, --beam-width, --rnnlm, "
            "--rnnlm-share, --rescore, --fuse, --hotwords and --nbest need --decoder beam."
        )
    folder = checkpoint.resolve(model)
    own = kind_of(checkpoint.load_settings(folder).model).search
    if options.attention.keys() - {"beam_width"} and (own is None or options.decoder is DecoderName.greedy):
        raise typer.BadParameter(
            "--ctc-weight, --length-bonus and --max-ratio are of the beam of attention models."
        )
    if own is not None and options.decoder is not DecoderName.greedy:
        return _make_own(options, own)
    stored = stored_decoder.load(folder)
    if options.decoder is DecoderName.auto and not asks and not stored.uses_beam:
        missing = f"; its weights for beam need {stored.tuned.language_model}: give it as --lm"
        return _greedy(folder) + missing * stored.lacks_language_model, decode_greedy
    if options.decoder is DecoderName.greedy:
        return _greedy(folder), decode_greedy
    return _make_beam(options, folder, stored)


def _greedy(folder: Path) -> str:
    from asr import checkpoint

    phones = checkpoint.load_settings(folder).text.units == "phones"
    return "greedy, which writes phones (--decoder beam writes words)" if phones else "greedy"


def made_by_options(model: str, decoder: "Decoder", options: DecoderOptions) -> dict[str, Any]:
    """The ``_meta`` of what a model and the decoder of these options write."""
    from asr import checkpoint, stored_decoder
    from asr.provenance import decoded_by, made_by

    folder = checkpoint.resolve(model)
    stored = stored_decoder.load(folder).tuned.language_model
    return made_by(model, folder) | decoded_by(decoder, str(options.lm) if options.lm else stored)


def warm_up(decoder: "Decoder") -> None:
    """Load what is compiled; where that was never done, say so before and after it."""
    from asr.decoding import BeamDecoder

    if not isinstance(decoder, BeamDecoder):
        return
    waiting = threading.Timer(_PATIENCE, say, ["compiling the beam search: up to a minute, and only once"])
    waiting.start()
    try:
        seconds = decoder.warm_up()
    finally:
        waiting.cancel()
    if seconds:
        say(f"compiled the beam search in {seconds:.1f} s (kept on disk for the next time)")


def _make_beam(options: DecoderOptions, folder: Path, stored: "StoredDecoder") -> tuple[str, "BeamDecoder"]:
    """The beam decoder, and what to say of it."""
    from asr.decoding import BeamDecoder
    from asr.decoding.recurrent import RecurrentDecoder
    from asr.lm.load import load_language_model
    from asr.stored_decoder import RECURRENT, beside, load_stored_language_model

    given, source = options.settings, options.lm
    if source is not None:
        language_model: LanguageModel | None = load_language_model(source)
    else:
        language_model = load_stored_language_model(folder, stored)
        source = beside(folder) / stored.language_model if stored.language_model else None
    settings = dataclasses.replace(stored.settings_for(language_model is not None), **given)
    use = _recurrent_use(options, stored, settings, source)
    if source is None and use is None and {"alpha", "unknown", "unknown_letter"} & given.keys():
        raise typer.BadParameter("--lm-alpha, --unknown and --unknown-letter need --lm or --rnnlm.")
    if source is None and "lexicon" in given:
        raise typer.BadParameter("--lexicon needs --lm.")
    hotwords = written_by(folder, parse_hotwords(options.hotwords or ""))
    line = _describe(settings, source, len(hotwords))
    if stored.tuned.manifest and settings == stored.settings:
        line += (
            f" (chosen on {stored.tuned.manifest}, with {stored.tuned.language_model or 'no language model'})"
        )
    if use is None:
        return line, BeamDecoder(settings, language_model, hotwords)
    from asr.recurrent_lm.load import load_recurrent

    place = options.rnnlm or folder / RECURRENT
    when = f"{use.nbest} texts rescored" if use.rescore else "fused"
    line += f", {when} with {use.share:g} of {place}, alpha {use.alpha:g}, beta {use.beta:g}"
    return line, RecurrentDecoder(settings, language_model, load_recurrent(place), use, hotwords)


def _recurrent_use(
    options: DecoderOptions, stored: "StoredDecoder", settings: "BeamSettings", ngram: Path | None
) -> "RecurrentUse | None":
    """How a recurrent language model is used, if there is one: as stored, the options over it.

    Without an n-gram all of it; a share that was chosen without one says nothing of sharing.
    """
    from asr.decoding.recurrent import RecurrentUse

    if options.rnnlm is None and stored.recurrent is None:
        if options.rnnlm_share is not None or options.rescore is not None:
            raise typer.BadParameter("--rnnlm-share, --rescore and --fuse need --rnnlm.")
        return None
    if ngram is None and options.rnnlm_share is not None:
        raise typer.BadParameter("--rnnlm-share is what the n-gram leaves: it needs --lm.")
    given = {"share": 1.0 if ngram is None else options.rnnlm_share, "rescore": options.rescore} | {
        name: getattr(options, name) for name in ("alpha", "beta")
    }
    usual = stored.recurrent or RecurrentUse(alpha=settings.alpha, beta=settings.beta)
    if ngram is not None and not stored.language_model:
        usual = dataclasses.replace(usual, share=RecurrentUse.share)
    return dataclasses.replace(usual, **{name: value for name, value in given.items() if value is not None})


def _make_own(options: DecoderOptions, own: "AttentionDecoder") -> tuple[str, "AttentionDecoder"]:
    """The beam of a model that has one of its own, and what to say of it."""
    from asr.decoding import AttentionDecoder

    if dataclasses.replace(options, beam_width=None).ask_for_beam:
        raise typer.BadParameter(
            "an attention model writes with its own beam, which takes --beam-width, --nbest, --ctc-weight, "
            "--length-bonus and --max-ratio alone; language models and hotwords need a CTC model."
        )
    settings = dataclasses.replace(own.settings, **options.attention)
    line = f"attention, beam of {settings.beam_width}"
    named = {
        "ctc_weight": "CTC's share",
        "length_bonus": "a label's bonus",
        "max_ratio": "labels a frame at most",
    }
    told = [f"{named[name]} {value:g}" for name, value in options.attention.items() if name in named]
    return ", ".join([line, *told]), AttentionDecoder(settings)


def _describe(settings: "BeamSettings", source: Path | None, num_hotwords: int) -> str:
    """Example: beam of 64, lm.arpa.gz, alpha 0.5, beta 1, unknown -5 and -1 a letter, 2 hotwords"""
    parts = [f"beam of {settings.beam_width}"]
    if source is None:
        parts += ["no language model", f"beta {settings.beta:g}"]
    else:
        parts += [str(source), f"alpha {settings.alpha:g}", f"beta {settings.beta:g}"]
        strict = settings.lexicon == "strict"
        unknown = f"unknown {settings.unknown:g} and {settings.unknown_letter:g} a letter"
        parts.append("strict lexicon" if strict else unknown)
    if num_hotwords:
        parts.append(counted(num_hotwords, "hotword"))
    return ", ".join(parts)
