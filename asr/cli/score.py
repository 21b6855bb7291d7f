"""``asr score``: the error rates of one text file against another, without a model."""

import datetime
import enum
from pathlib import Path
from typing import Annotated

import typer

from asr.cli.scores import ByOption, OutputOption, TrainTextOption, WeightsName, WeightsOption, write


class FormatName(enum.StrEnum):
    """What ``--format`` takes."""

    auto = "auto"
    kaldi = "kaldi"
    trn = "trn"
    tsv = "tsv"
    lines = "lines"


FormatOption = Annotated[
    FormatName,
    typer.Option(
        help="kaldi: `id words`; trn: `words (id)`; tsv: id, tab, text; lines: in parallel. auto: lines, unless "
        "all lines end with an id, have a tab, or begin with a word of their own with a digit."
    ),
]


def score(
    references: Annotated[Path, typer.Argument(help="What was said.", metavar="REF")],
    hypotheses: Annotated[Path, typer.Argument(help="What was heard.", metavar="HYP")],
    format: FormatOption = FormatName.auto,
    normalize: Annotated[
        bool,
        typer.Option("--normalize", help="Lower case, no punctuation but the apostrophe, on both sides."),
    ] = False,
    weights: WeightsOption = WeightsName.jiwer,
    utt2spk: Annotated[
        Path | None, typer.Option(help="Speakers: an id and its speaker a line, as in Kaldi.")
    ] = None,
    output: OutputOption = None,
    by: ByOption = None,
    train_text: TrainTextOption = None,
) -> None:
    """Score any two text files: WER with its 95 % intervals, CER, sentence errors.

    Words are compared as they stand, upper and lower case apart, unless --normalize is given. Every id must be in
    both files.

    Examples:

        asr score ref.txt hyp.txt

        asr score ref.trn hyp.trn --weights sclite      # the counts of `sclite -s`

        asr score text hyp.txt --utt2spk data/test/utt2spk --normalize -o report/
    """
    from asr import __version__
    from asr.evaluation import Setup
    from asr.evaluation.scored import describe
    from asr.evaluation.transcripts import count_words, evaluate_texts, read_speakers
    from asr.text import TextSettings

    text = TextSettings() if normalize else None
    setup = Setup(
        test=str(references),
        model=str(hypotheses),
        normalization=describe(text),
        weights=weights.value,
        version=f"asr {__version__}",
        date=datetime.date.today().isoformat(),
    )
    speakers = {} if utt2spk is None else read_speakers(utt2spk)
    evaluation = evaluate_texts(
        references, hypotheses, format=format.value, setup=setup, text=text, speakers=speakers
    )
    write(evaluation, output, by or [], None if train_text is None else count_words(train_text, text))
