"""``asr lm``: build or train a model of words or characters from text, look at it, score text with it."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand

from asr.cli.console import say
from asr.cli.lm_score import score
from asr.cli.lm_text import Raw, Texts, read_sentences
from asr.cli.lm_train import train
from asr.cli.options import refuse_inputs

Model = Annotated[
    Path,
    typer.Argument(
        help="ARPA file, plain or .gz, packed file, KenLM binary, or a recurrent model's folder.",
        metavar="LM",
    ),
]


class _WithPrune(TyperCommand):
    """lmplz's ``--prune 0 1 1``: an option with as many values as there are numbers after it."""

    # Untyped, for where the types of its arguments live is typer's own affair.
    def parse_args(self, ctx, args):  # type: ignore[no-untyped-def]
        return super().parse_args(ctx, list(_join_numbers(args)))


def app() -> typer.Typer:
    """The commands of ``asr lm``."""
    commands = typer.Typer(
        help="Build and train language models for the beam search, look at them, score text with them.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
    )
    commands.command(no_args_is_help=True, cls=_WithPrune)(build)
    for command in (info, score, train):
        commands.command(no_args_is_help=True)(command)
    return commands


def build(
    texts: Texts,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="What to write: .arpa, .arpa.gz, or .bin (packed).")
    ],
    order: Annotated[
        int | None,
        typer.Option(
            help="Words in the longest n-grams, 1 to 6.",
            show_default="3, or 6 of characters",
            metavar="INTEGER",
        ),
    ] = None,
    prune: Annotated[
        str,
        typer.Option(
            help="For each order, the count up to which n-grams are left out; the last is for all longer ones.",
            metavar="0 1 1",
        ),
    ] = "0",
    discount_fallback: Annotated[
        bool,
        typer.Option(
            "--discount-fallback", help="Discounts 0.5, 1 and 1.5 where a text is too small for its own."
        ),
    ] = False,
    characters: Annotated[
        bool,
        typer.Option(
            "--characters",
            help="A model of characters, the space among them, for languages without a list of words.",
        ),
    ] = False,
    raw: Raw = False,
) -> None:
    """Build a modified Kneser-Ney model, with the numbers of KenLM's lmplz.

    Text is written as transcripts are (lower case, no punctuation but the apostrophe), and empty lines are
    left out. With --raw an empty line is an empty sentence, as it is to lmplz. There are too few characters for
    discounts of their own, so that --characters takes those of --discount-fallback where it must.

    Examples:

    - `asr lm build text.txt more.txt --order 3 --prune 0 1 1 -o lm.arpa.gz`
    - `asr lm build --characters text.txt -o chars.arpa.gz`
    - `zcat news.gz | asr lm build - --order 4 -o lm.bin`
    """
    from asr.errors import LanguageModelError
    from asr.lm import arpa, kneser_ney

    refuse_inputs(output, texts)
    thresholds = _thresholds(prune)
    if not output.absolute().parent.is_dir():
        raise LanguageModelError(f"{output}: its folder does not exist; make it first.")
    fallback = kneser_ney.FALLBACK if discount_fallback or characters else None
    sentences = read_sentences(texts, raw, characters)
    table = kneser_ney.build(sentences, order or (6 if characters else 3), thresholds, fallback)
    for number, level in enumerate(table.levels, 1):
        say(f"{len(level.log_prob)} {number}-grams")
    if output.suffix == ".bin":
        from asr.lm.ngram import NGram

        NGram.from_table(table).save(output)
    else:
        arpa.write(output, table)
    print(output)


def info(model: Model) -> None:
    """Say what is in a language model.

    Examples:

    - `asr lm info lm.arpa.gz`
    - `asr lm info rnnlm/`
    """
    rows = _recurrent_rows(model) if model.is_dir() else _ngram_rows(model)
    for name, value in rows:
        print(f"{name:24}{value}")


def _ngram_rows(model: Path) -> list[tuple[str, object]]:
    from asr.lm.kenlm_binary import KenlmModel
    from asr.lm.load import load_language_model

    loaded = load_language_model(model)
    rows: list[tuple[str, object]] = [
        ("order", loaded.order),
        ("words are", "characters" if loaded.is_characters else "words"),
        *((f"{order}-grams", count) for order, count in enumerate(loaded.counts, 1)),
        ("log10 of unknown words", f"{loaded.log_prob[0] / math.log(10):.3f}"),
    ]
    if isinstance(loaded, KenlmModel):
        return [*rows, ("megabytes on disk", f"{model.stat().st_size / 1e6:.1f}")]
    megabytes = sum(array.nbytes for array in loaded.arrays) / 1e6
    return [*rows, ("contexts", len(loaded.backoff)), ("megabytes in memory", f"{megabytes:.1f}")]


def _recurrent_rows(model: Path) -> list[tuple[str, object]]:
    from asr.recurrent_lm.load import load_recurrent

    loaded = load_recurrent(model)
    settings = loaded.settings
    return [
        ("network", f"{settings.num_layers} x {settings.size} {settings.cell}"),
        ("words are", settings.unit),
        (settings.unit, len(loaded.words)),
        ("parameters", loaded.num_parameters),
        ("log10 of unknown words", f"{loaded.log_prob[0] / math.log(10):.3f}"),
    ]


def _join_numbers(arguments: Iterable[str]) -> Iterator[str]:
    """The arguments with the numbers after --prune made one: ``--prune 0 1 1`` to ``--prune 0,1,1``."""
    numbers: list[str] | None = None
    for argument in arguments:
        if numbers is not None and argument.replace(",", "").isdecimal():
            numbers.append(argument)
            continue
        if numbers:
            yield ",".join(numbers)
        yield argument
        numbers = [] if argument == "--prune" else None
    if numbers:
        yield ",".join(numbers)


def _thresholds(prune: str) -> list[int]:
    try:
        return [int(number) for number in prune.replace(",", " ").split()]
    except ValueError:
        raise typer.BadParameter(f"{prune!r} is not numbers such as 0 1 1", param_hint="--prune") from None
