"""``asr lm score``: the perplexity of a text under one language model, or under two and both together."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from asr.cli.lm_text import Raw, Texts, read_sentences

if TYPE_CHECKING:
    from asr.lm.compare import Compared
    from asr.lm.words import WordModel

Model = Annotated[
    Path,
    typer.Argument(
        help="ARPA file, plain or .gz, packed file, KenLM binary, or a recurrent model's folder.",
        metavar="LM",
    ),
]


def score(
    model: Model,
    texts: Texts,
    other: Annotated[
        Path | None,
        typer.Option("--with", help="Another language model: what each gives, and both interpolated."),
    ] = None,
    dev: Annotated[
        Path | None,
        typer.Option(help="Text to choose the other's share on; without it, it is 0.5.", metavar="TEXT"),
    ] = None,
    sentences: Annotated[
        bool, typer.Option("--sentences", help="Print log10, unknown words and text of each sentence too.")
    ] = False,
    raw: Raw = False,
) -> None:
    """Print the perplexity of a text, each sentence's end counted as a word, and its rate of unknown words.

    With a model of characters, everything is a character's: the unknown ones, the perplexity, the bits.

    Of two models, words that either does not know are left out of all perplexities, so that they are of the same
    words; each sentence is scored by itself.

    Examples:

    - `asr lm score lm.arpa.gz dev.txt`
    - `asr lm score lm.arpa.gz dev.txt --sentences`
    - `asr lm score lm.arpa.gz test.txt --with rnnlm/ --dev dev.txt`
    """
    from asr.recurrent_lm.load import load_any

    if other is None:
        if dev is not None:
            raise typer.BadParameter("--dev chooses the share of the model of --with; give that too.")
        _print_one(load_any(model), texts, sentences, raw)
    elif sentences:
        raise typer.BadParameter("--sentences is for one model, not for two.")
    else:
        pair = load_any(model), load_any(other)
        _print_two((model, other), pair, texts, dev, raw)


def _print_one(model: "WordModel", texts: list[str], sentences: bool, raw: bool) -> None:
    total = _Score(0, 0, 0, 0.0, 0.0)
    for words in _read(texts, raw, model.is_characters):
        one = _score(model, words)
        total = total.plus(one)
        if sentences:
            print(f"{one.log10:.4f}\t{one.unknown}\t{' '.join(words)}")
    for name, value in _summary(total, "characters" if model.is_characters else "words"):
        print(f"{name:40}{value}")


def _print_two(
    paths: tuple[Path, Path],
    models: "tuple[WordModel, WordModel]",
    texts: list[str],
    dev: Path | None,
    raw: bool,
) -> None:
    from asr.lm.compare import choose_share, compare

    both = all(model.is_characters for model in models)
    share = 0.5 if dev is None else choose_share(*models, list(_read([str(dev)], raw, both)))
    found = compare(*models, list(_read(texts, raw, both)), share)
    for name, value in _rows(found, paths, share, "characters" if both else "words"):
        print(f"{name:40}{value}")


def _rows(
    found: "Compared", paths: tuple[Path, Path], share: float, units: str
) -> Iterator[tuple[str, object]]:
    yield "sentences", found.num_sentences
    yield units, found.num_words
    yield (
        f"unknown {units}, left out",
        f"{found.unknown} ({100 * found.unknown / max(found.num_words, 1):.2f} %)",
    )
    yield f"perplexity, {paths[0].name}", f"{found.ours:.3f}"
    yield f"perplexity, {paths[1].name}", f"{found.theirs:.3f}"
    yield f"perplexity, interpolated, {share:.3f} of it", f"{found.both:.3f}"


def _read(texts: list[str], raw: bool, characters: bool) -> Iterator[list[str]]:
    """The sentences, and an error where there is none."""
    from asr.errors import LanguageModelError

    num_sentences = 0
    for num_sentences, words in enumerate(read_sentences(texts, raw, characters), 1):  # noqa: B007
        yield words
    if not num_sentences:
        raise LanguageModelError(f"{', '.join(texts)}: there is no sentence to score.")


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


def _score(model: "WordModel", words: Sequence[str]) -> _Score:
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
