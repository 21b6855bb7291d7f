"""A recipe's story: train for each seed, score each test set once, print the table, fail if it got worse."""

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import torch

from asr import __version__, scoring
from asr.config import compose
from asr.decoding import BeamDecoder, decode_greedy
from asr.dev_set import DevSet
from asr.errors import AsrError
from asr.evaluation import Evaluation, evaluate
from asr.lm.load import load_language_model
from asr.manifest import read_manifest
from asr.recognizer import Decoder, load
from asr.scoring import Counts, Interval
from asr.training import TrainingResult, train
from asr.training.provenance import commit, processor
from asr.tuning import store, tune


@dataclass(frozen=True)
class Trial:
    """One training and how it did on each test set."""

    label: str
    """The row's name in the table: a seed, a speaker."""
    training: TrainingResult
    tests: Mapping[str, Evaluation]


def run_trial(
    label: str, overrides: Sequence[str], tests: Mapping[str, Path], lm: Path | None = None
) -> Trial:
    """Train with these overrides, then score the best model on each test manifest, greedily.

    With the file of a language model, the beam search is tuned on the dev set, stored with the model, and scored too.

    Raises:
        AsrError: as training and evaluation do; also when the training was interrupted.
    """
    settings = compose(overrides)
    training = train(settings)
    if training.interrupted:
        raise AsrError(f"{label}: interrupted; the same command goes on where it was stopped.")
    scored = _score(training.model_dir, tests, decode_greedy)
    if lm is not None:
        assert settings.data.dev is not None  # or there would be no training
        decoder = _tune(training.model_dir, Path(settings.data.dev), lm)
        with_lm = _score(training.model_dir, tests, decoder)
        scored |= {f"{name}, beam + n-gram": evaluation for name, evaluation in with_lm.items()}
    return Trial(label, training, scored)


def _score(model_dir: Path, tests: Mapping[str, Path], decoder: Decoder) -> dict[str, Evaluation]:
    recognizer = load(model_dir, device="cpu", decoder=decoder)
    return {name: evaluate(recognizer, read_manifest(path)) for name, path in tests.items()}


def _tune(model_dir: Path, manifest: Path, lm: Path) -> Decoder:
    """The best beam on dev, which the model remembers from now on."""
    dev = DevSet(load(model_dir, device="cpu", decoder=decode_greedy), read_manifest(manifest))
    language_model = load_language_model(lm)
    tuning = tune(dev, language_model)
    store(tuning, model_dir, manifest, lm)
    assert tuning.beam.settings is not None
    return BeamDecoder(tuning.beam.settings, language_model)


def table(trials: Sequence[Trial], title: str = "seed") -> str:
    """Markdown: a row a trial, then their mean; WER in percent with its 95 % interval and the counts."""
    names = list(trials[0].tests)
    lines = [
        f"| {title} | dev WER | {' | '.join(names)} | epoch | minutes |",
        "|---|---|" + "---|" * (len(names) + 2),
    ]
    for trial in trials:
        cells = [_cell(evaluation.words, evaluation.interval) for evaluation in trial.tests.values()]
        training = trial.training
        lines.append(
            f"| {trial.label} | {100 * training.dev_wer:.2f} | {' | '.join(cells)} "
            f"| {training.best_epoch} | {training.minutes:.1f} |"
        )
    if len(trials) > 1:
        means = [f"**{100 * mean_rate(trials, name):.2f}** {_pooled(trials, name)}" for name in names]
        dev = sum(trial.training.dev_wer for trial in trials) / len(trials)
        minutes = sum(trial.training.minutes for trial in trials) / len(trials)
        lines.append(f"| mean | {100 * dev:.2f} | {' | '.join(means)} | | {minutes:.1f} |")
    return "\n".join(lines)


def mean_rate(trials: Sequence[Trial], name: str) -> float:
    """The mean WER of the trials on one test set."""
    return sum(trial.tests[name].words.rate for trial in trials) / len(trials)


def missed(trials: Sequence[Trial], stated: Mapping[str, float]) -> list[str]:
    """A sentence for each stated WER that the mean of the trials exceeds."""
    return [
        f"{name}: {100 * mean_rate(trials, name):.2f} % WER, but {100 * bar:.2f} % is stated"
        for name, bar in stated.items()
        if mean_rate(trials, name) > bar
    ]


def conclude(trials: Sequence[Trial], stated: Mapping[str, float], title: str = "seed") -> int:
    """Print the table and where it was made; the exit code is 1 when a stated result is missed."""
    print(table(trials, title))
    print(f"\n{provenance()}")
    misses = missed(trials, stated)
    for sentence in misses:
        print(sentence, file=sys.stderr)
    return 1 if misses else 0


def provenance() -> str:
    """Date, commit, versions and machine, as they stand above a table of results."""
    return (
        f"{date.today().isoformat()}, commit {commit()}, asr {__version__}, torch {torch.__version__}, "
        f"Python {platform.python_version()}, {torch.get_num_threads()} threads of {processor()}"
    )


def _cell(words: Counts, interval: Interval) -> str:
    bounds = f"[{100 * interval.low:.2f}, {100 * interval.high:.2f}]"
    return f"{100 * words.rate:.2f} {bounds} {words.errors}/{words.num_reference}"


def _pooled(trials: Sequence[Trial], name: str) -> str:
    """The interval over all trials' utterances: each counts once a trial."""
    counts = [scored.words for trial in trials for scored in trial.tests[name].utterances]
    interval = scoring.interval(counts)
    return f"[{100 * interval.low:.2f}, {100 * interval.high:.2f}]"
