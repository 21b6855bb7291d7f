"""``asr lm``: build a model of words or characters from text, look at it, score text with it."""

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, NamedTuple, cast

import typer
from typer.core import TyperCommand

from asr.cli.console import say

if TYPE_CHECKING:
    from asr.lm.kenlm_binary import KenlmModel
    from asr.lm.ngram import NGram

Texts = Annotated[
    list[str], typer.Argument(help="Sentences, one a line; plain or .gz, - is stdin.", metavar="TEXT...")
]
Model = Annotated[
    Path, typer.Argument(help="ARPA file, plain or .gz, packed file, or KenLM binary.", metavar="LM")
]
Raw = Annotated[
    bool, typer.Option("--raw", help="Take the words as they stand: no lower case, punctuation stays.")
]


class _WithPrune(TyperCommand):
    """lmplz's ``--prune 0 1 1``: an option with as many values as there are numbers after it."""

    # Untyped, for where the types of its arguments live is typer's own affair.
    def parse_args(self, ctx, args):  # type: ignore[no-untyped-def]
        return super().parse_args(ctx, list(_join_numbers(args)))


def app() -> typer.Typer:
    """The commands of ``asr lm``."""
    commands = typer.Typer(
        help="Build language models for the beam search, look at them, score text with them.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
    )
    commands.command(no_args_is_help=True, cls=_WithPrune)(build)
    for command in (info, score):
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

    thresholds = _thresholds(prune)
    if not output.absolute().parent.is_dir():
        raise LanguageModelError(f"{output}: its folder does not exist; make it first.")
    fallback = kneser_ney.FALLBACK if discount_fallback or characters else None
    sentences = _sentences(texts, raw, characters)
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

    Example: `asr lm info lm.arpa.gz`
    """
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
        rows += [("megabytes on disk", f"{model.stat().st_size / 1e6:.1f}")]
    else:
        megabytes = sum(array.nbytes for array in loaded.arrays) / 1e6
        rows += [("contexts", len(loaded.backoff)), ("megabytes in memory", f"{megabytes:.1f}")]
    for name, value in rows:
        print(f"{name:24}{value}")


def score(
    model: Model,
    texts: Texts,
    sentences: Annotated[
        bool, typer.Option("--sentences", help="Print log10, unknown words and text of each sentence too.")
    ] = False,
    raw: Raw = False,
) -> None:
    """Print the perplexity of a text, each sentence's end counted as a word, and its rate of unknown words.

    With a model of characters, everything is a character's: the unknown ones, the perplexity, the bits.

    Examples:

    - `asr lm score lm.arpa.gz dev.txt`
    - `asr lm score lm.arpa.gz dev.txt --sentences`
    """
    from asr.errors import LanguageModelError
    from asr.lm.load import load_language_model

    loaded = load_language_model(model)
    total = _Score(0, 0, 0, 0.0, 0.0)
    for words in _sentences(texts, raw, loaded.is_characters):
        one = _score(loaded, words)
        total = total.plus(one)
        if sentences:
            print(f"{one.log10:.4f}\t{one.unknown}\t{' '.join(words)}")
    if not total.sentences:
        raise LanguageModelError(f"{', '.join(texts)}: there is no sentence to score.")
    for name, value in _summary(total, "characters" if loaded.is_characters else "words"):
        print(f"{name:40}{value}")


class _Score(NamedTuple):
    """Sums over sentences, so that rates are divided once."""

    sentences: int
    words: int
    unknown: int
    log10: float
    known_log10: float
    """Of the words that the model knows and the ends of sentences."""

    def plus(self, other: "_Score") -> "_Score":
        """The sums over both."""
        return _Score(
            self.sentences + other.sentences,
            self.words + other.words,
            self.unknown + other.unknown,
            self.log10 + other.log10,
            self.known_log10 + other.known_log10,
        )


def _score(model: "NGram | KenlmModel", words: Sequence[str]) -> _Score:
    scores = [score / math.log(10) for score in model.score(words)]
    known = [model.word_id(word) != 0 for word in words] + [True]
    known_log10 = sum(score for score, is_known in zip(scores, known, strict=True) if is_known)
    return _Score(1, len(words), known.count(False), sum(scores), known_log10)


def _summary(total: _Score, units: str) -> Iterator[tuple[str, object]]:
    # Never 0, for every sentence ends.
    events = total.words + total.sentences
    yield "sentences", total.sentences
    yield units, total.words
    yield f"unknown {units}", f"{total.unknown} ({100 * total.unknown / max(total.words, 1):.2f} %)"
    yield "log10", f"{total.log10:.4f}"
    yield "perplexity", _perplexity(total.log10, events)
    yield f"perplexity without unknown {units}", _perplexity(total.known_log10, events - total.unknown)
    if units == "characters":
        yield "bits per character", f"{-total.log10 / math.log10(2) / events:.4f}"


def _perplexity(log10: float, events: int) -> str:
    """The exponent of -100 a word still fits a float."""
    return f"{10 ** (-log10 / events):.3f}"


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


def _sentences(texts: Sequence[str], raw: bool, characters: bool) -> Iterator[list[str]]:
    """The words of each line of each text, or its characters.

    Raises:
        LanguageModelError: a text cannot be read, or is not UTF-8.
    """
    from asr.lm.words import to_characters
    from asr.text import normalize

    for line in _lines(texts):
        # Bytes split at ASCII blanks only, as ARPA readers do; a no-break space belongs to its word.
        words = [word.decode() for word in line.encode().split()] if raw else normalize(line).split()
        if words or raw:
            yield to_characters(words) if characters else words


def _lines(texts: Sequence[str]) -> Iterator[str]:
    import zlib

    from asr.errors import LanguageModelError

    for text in texts:
        number = 1
        try:
            with _open(text) as file:
                for line in file:
                    yield line.decode().removeprefix("\ufeff") if number == 1 else line.decode()
                    number += 1
        except UnicodeDecodeError:
            raise LanguageModelError(f"{text}: line {number} is not UTF-8; convert the text first.") from None
        except (OSError, EOFError, zlib.error) as error:
            raise LanguageModelError(f"{text}: the text cannot be read ({error}); check the path.") from None


def _open(text: str) -> AbstractContextManager[IO[bytes]]:
    import gzip

    if text == "-":
        return nullcontext(sys.stdin.buffer)
    return cast(IO[bytes], gzip.open(text)) if text.endswith(".gz") else open(text, "rb")
