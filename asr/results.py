"""What a recipe has reached: ``results.json`` beside its run.py, which later runs are held to; RESULTS.md has all."""

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr import scoring
from asr.errors import ConfigError, ManifestError
from asr.evaluation import Evaluation
from asr.scoring import Counts
from asr.settings import build, to_dict
from asr.whole_files import write_text

FILE = "results.json"
ROUNDING = 5e-5
"""A WER no more than this above the stated one is the stated one, written with two decimals of a percent."""


@dataclass(frozen=True)
class Score:
    """One test set through one decoder: the mean over the models of a result."""

    test: str
    manifests: tuple[str, ...]
    """Of each model: the speaker held out has one of its own."""
    decoder: str
    """greedy, or tuned: the one that the model remembers."""
    wer: float
    low: float
    """Of the 95 % interval over the utterances, each with what all models made of it."""
    high: float
    cer: float
    errors: int
    words: int


@dataclass(frozen=True)
class Result:
    """A line of RESULTS.md for each score."""

    title: str
    """What its models differ in: the seed, the speaker held out."""
    models: tuple[str, ...]
    """Where the models are: run directories, or bundled names."""
    parameters: int
    minutes: float
    """Of training, the mean."""
    command: str
    provenance: str
    """Date, commit, versions, machine."""
    scores: tuple[Score, ...]


def mean_score(test: str, manifests: Sequence[str], decoder: str, evaluations: Sequence[Evaluation]) -> Score:
    """The score of several models on one test set.

    Models of different seeds are wrong in the same utterances: so an utterance is drawn with all its models at once,
    and more of them do not make a test set larger.
    """
    drawn: dict[tuple[str, int], Counts] = defaultdict(Counts)
    for manifest, evaluation in zip(manifests, evaluations, strict=True):
        for place, one in enumerate(evaluation.utterances):
            drawn[manifest, place] += one.words
    interval = scoring.interval(list(drawn.values()))
    total = scoring.total([evaluation.words for evaluation in evaluations])
    number = len(evaluations)
    return Score(
        test,
        tuple(manifests),
        decoder,
        wer=sum(evaluation.words.rate for evaluation in evaluations) / number,
        low=interval.low,
        high=interval.high,
        cer=sum(evaluation.characters.rate for evaluation in evaluations) / number,
        errors=total.errors,
        words=total.num_reference,
    )


def worse(found: Sequence[Score], stated: Sequence[Score]) -> list[str]:
    """A sentence for each test set and decoder whose WER exceeds what is stated of it."""
    bars = {(score.test, score.decoder): score.wer for score in stated}
    return [
        f"{score.test}, {score.decoder}: {100 * score.wer:.2f} % WER, but {100 * bar:.2f} % is stated"
        for score in found
        if score.wer > (bar := bars.get((score.test, score.decoder), 1e9)) + ROUNDING
    ]


def read(path: str | os.PathLike[str]) -> list[Result]:
    """The results of a file; none where there is no file.

    Raises:
        ManifestError: it is damaged.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    try:
        return [build(Result, values) for values in json.loads(text)]
    except (ValueError, TypeError, AttributeError, ConfigError) as error:
        raise ManifestError(f"{path}: no list of results ({error}); a recipe's run.py writes one.") from None


def write(path: str | os.PathLike[str], results: Sequence[Result]) -> None:
    """Beside, then renamed."""
    write_text(path, json.dumps([to_dict(result) for result in results], indent=1) + "\n")


def table(results: Mapping[str, Sequence[Result]]) -> str:
    """Markdown, by recipe: a line a score, then the command and where it was made."""
    return "\n".join(line for recipe, members in results.items() for line in _section(recipe, members))


def _section(recipe: str, results: Sequence[Result]) -> list[str]:
    lines = [
        f"## [{recipe}](recipes/{recipe}/README.md)",
        "",
        "| models | M parameters | minutes | test set | decoder | WER % [95 %] | CER % |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results:
        about = f"| {_models(result)} | {result.parameters / 1e6:.1f} | {result.minutes:.0f} "
        lines += [f"{about}| {score.test} | {score.decoder} | {_cell(score)} |" for score in result.scores]
    for result in results:
        lines += ["", result.provenance, "", "```", result.command, "```"]
    return [*lines, ""]


def _models(result: Result) -> str:
    """How many, and in what they differ."""
    number = len(result.models)
    return Path(result.models[0]).name if number == 1 else f"{number} by {result.title}"


def _cell(score: Score) -> str:
    interval = f"[{100 * score.low:.2f}, {100 * score.high:.2f}]"
    return f"**{100 * score.wer:.2f}** {interval} | {100 * score.cer:.2f}"
