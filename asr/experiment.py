"""A recipe's story: train for each seed, score each test set once, print the table, fail if it got worse."""

import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from statistics import mean

import torch

from asr import __version__, checkpoint, results, stored_decoder
from asr.config import compose
from asr.decoding import decode_greedy
from asr.dev_set import DevSet
from asr.errors import AsrError
from asr.evaluation import Evaluation, evaluate
from asr.lm.load import load_language_model
from asr.loading import load
from asr.manifest import read_manifest
from asr.results import Result, Score, mean_score
from asr.scoring import Counts, Interval
from asr.settings import Settings
from asr.training import LAST, TrainingResult, train
from asr.training.provenance import commit, processor
from asr.tuning import store, tune
from asr.wording import counted


@dataclass(frozen=True)
class Trial:
    """One training and how it did on each test set, through each decoder."""

    label: str
    """The row's name in the table: a seed, a speaker."""
    training: TrainingResult
    tests: tuple["Tested", ...]
    heard_dev: bool = False
    """Whether the dev set was trained on, so that its WER says nothing."""

    @property
    def dev(self) -> str:
        """The cell of its dev WER."""
        return "heard" if self.heard_dev else f"{100 * self.training.dev_wer:.2f}"


@dataclass(frozen=True)
class Tested:
    """One test set through one decoder."""

    name: str
    manifest: Path
    decoder: str
    """``greedy``, or ``tuned``: the beam chosen on dev, with the n-gram."""
    evaluation: Evaluation

    @property
    def title(self) -> str:
        """Of its column."""
        return self.name if self.decoder == "greedy" else f"{self.name}, tuned"


def run_trial(
    label: str, overrides: Sequence[str], tests: Mapping[str, Path], lm: Path | None = None
) -> Trial:
    """Train with these overrides, then score the best model on each test manifest, greedily.

    With the file of a language model, the beam search is tuned on the dev set, stored with the model, and scored too.

    Raises:
        AsrError: as training and evaluation do; also when the training was interrupted.
    """
    settings = compose(overrides)
    training = _train(label, settings)
    scored = _score(training.model_dir, tests, "greedy")
    if lm is not None:
        assert settings.data.dev is not None  # or there would be no training
        _tune(training.model_dir, Path(settings.data.dev), lm)
        scored += _score(training.model_dir, tests, "tuned")
    return Trial(label, training, scored)


def run_whole(
    label: str, overrides: Sequence[str], tests: Mapping[str, Path], tuned: Path, lm: Path
) -> Trial:
    """Train on the dev set too, with what was chosen on it before, then score the last model.

    It decodes as the model at ``tuned`` does, which has not heard the dev set, with another ``lm``.

    Raises:
        AsrError: as ``run_trial``.
    """
    settings = compose(overrides)
    training = replace(
        _train(label, settings),
        model_dir=Path(settings.run_dir) / LAST,
        best_epoch=settings.trainer.max_epochs,
    )
    scored = _score(training.model_dir, tests, "greedy")
    with checkpoint.revise(training.model_dir) as folder:
        stored_decoder.save(folder, stored_decoder.load(checkpoint.resolve(tuned)), lm)
    return Trial(label, training, scored + _score(training.model_dir, tests, "tuned"), heard_dev=True)


def _train(label: str, settings: Settings) -> TrainingResult:
    training = train(settings)
    if training.interrupted:
        raise AsrError(f"{label}: interrupted; the same command goes on where it was stopped.")
    return training


def _score(model_dir: Path, tests: Mapping[str, Path], decoder: str) -> tuple[Tested, ...]:
    recognizer = load(model_dir, device="cpu", decoder=decode_greedy if decoder == "greedy" else None)
    return tuple(
        Tested(name, path, decoder, evaluate(recognizer, read_manifest(path))) for name, path in tests.items()
    )


def _tune(model_dir: Path, manifest: Path, lm: Path) -> None:
    """Choose the best beam on dev, which the model remembers from now on."""
    dev = DevSet(load(model_dir, device="cpu", decoder=decode_greedy), read_manifest(manifest))
    store(tune(dev, load_language_model(lm)), model_dir, manifest, lm)


def table(trials: Sequence[Trial], scores: Sequence[Score], title: str = "seed") -> str:
    """Markdown: a row a trial, then their mean; WER in percent with its 95 % interval and the counts."""
    lines = [
        f"| {title} | dev WER | {' | '.join(test.title for test in trials[0].tests)} | epoch | minutes |",
        "|---|---|" + "---|" * (len(trials[0].tests) + 2),
    ]
    for trial in trials:
        cells = [_cell(test.evaluation.words, test.evaluation.interval) for test in trial.tests]
        training = trial.training
        lines.append(
            f"| {trial.label} | {trial.dev} | {' | '.join(cells)} "
            f"| {training.best_epoch} | {training.minutes:.1f} |"
        )
    if len(trials) > 1:
        means = [f"**{100 * one.wer:.2f}** [{100 * one.low:.2f}, {100 * one.high:.2f}]" for one in scores]
        heard = any(trial.heard_dev for trial in trials)
        dev = "" if heard else f"{100 * mean(trial.training.dev_wer for trial in trials):.2f}"
        minutes = mean(trial.training.minutes for trial in trials)
        lines.append(f"| mean | {dev} | {' | '.join(means)} | | {minutes:.1f} |")
    return "\n".join(lines)


def summarise(trials: Sequence[Trial]) -> tuple[Score, ...]:
    """The mean of the trials for each test set and decoder."""
    columns = zip(*(trial.tests for trial in trials), strict=True)
    return tuple(
        mean_score(
            column[0].name,
            [str(tested.manifest) for tested in column],
            column[0].decoder,
            [tested.evaluation for tested in column],
        )
        for column in columns
    )


def conclude(script: str, run_dir: Path, trials: Sequence[Trial], title: str = "seed") -> int:
    """Print the table and where it was made, and write it to ``run_dir``/results.json.

    The exit code is 1 when a result of the same title that is stated in ``results.json`` beside the script is missed.
    """
    scores = summarise(trials)
    print(f"{table(trials, scores, title)}\n\n{provenance()}")
    recipe = Path(script).parent
    models = tuple(str(trial.training.model_dir) for trial in trials)
    result = Result(
        title,
        models,
        sum(weight.numel() for weight in checkpoint.load(models[0]).acoustic.parameters()),
        mean(trial.training.minutes for trial in trials),
        shlex.join(["python", f"recipes/{recipe.name}/{Path(script).name}", *sys.argv[1:]]),
        provenance(),
        scores,
    )
    results.write(run_dir / results.FILE, [result])
    stated = [one for one in results.read(recipe / results.FILE) if one.title == title]
    misses = results.worse(scores, stated[0].scores) if stated else []
    for sentence in misses:
        print(sentence, file=sys.stderr)
    return 1 if misses else 0


def provenance() -> str:
    """Date, commit, versions and machine, as they stand above a table of results."""
    return (
        f"{date.today().isoformat()}, commit {commit()}, asr {__version__}, torch {torch.__version__}, "
        f"Python {platform.python_version()}, {counted(torch.get_num_threads(), 'thread')} of {processor()}"
    )


def _cell(words: Counts, interval: Interval) -> str:
    bounds = f"[{100 * interval.low:.2f}, {100 * interval.high:.2f}]"
    return f"{100 * words.rate:.2f} {bounds} {words.errors}/{words.num_reference}"
