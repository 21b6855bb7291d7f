"""From a folder of recordings and their texts to a recogniser, with an honest error rate, in one command.

    python recipes/folder/run.py FOLDER
    python recipes/folder/run.py FOLDER --minutes 120 --speaker-from folder model=bigru

Settings are planned from how much speech there is and how fast this machine trains; any setting may be given behind
the folder. The same command goes on where it was stopped.
"""

import argparse
import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prepare import MEANING, Sets, name_of, options_of, prepare

from asr import stored_decoder
from asr.augment import AugmentSettings
from asr.config import compose
from asr.corpus.split import portion
from asr.errors import ConfigError
from asr.evaluation import Evaluation
from asr.experiment import Trial, provenance, run_trial
from asr.learning_curve import forecast
from asr.manifest import read_manifest, write_manifest
from asr.plan import FEWEST_EPOCHS, Plan, language_model_units, make_plan, survey
from asr.recipe import attempt, build_ngram, parse_options
from asr.report import write_report
from asr.scoring import Counts, Interval, interval
from asr.settings import Settings, build, load_yaml, save_yaml
from asr.training import measure_speed
from asr.training.precision import has_bf16
from asr.training.provenance import describe_set

TOO_LITTLE_MINUTES = 2.0
HOPELESS = 0.6
"""A CER from which on a model has no place on a learning curve: it has not begun to learn."""


def main() -> int:
    """Prepare, plan, train, tune, score, and say what more recordings would bring."""
    parser = options_of(__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="for everything (default: %(default)g)")
    parser.add_argument("--run-dir", type=Path, help="default: runs/folder/ and the folder's name")
    parser.add_argument("--no-curve", action="store_true", help="train on all only: all minutes for it")
    parser.add_argument("overrides", nargs="*", help="settings, as model=bigru or trainer.max_epochs=40")
    options = parse_options(parser)
    if not 0 < options.minutes < math.inf:
        parser.error("--minutes must be a positive number")
    options.run_dir = options.run_dir or Path("runs", "folder", name_of(options.folder))
    return attempt("folder", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """The story."""
    sets = prepare(options, lambda manifests: _stored_plan(options, manifests), [options.run_dir])
    base = _base(options, sets)
    plan = _plan(options, base, sets)
    settings = compose([*base, *plan.overrides, *options.overrides])
    say(describe(plan, settings, options))
    trial = run_trial(
        "all",
        [*base, *plan.overrides, *options.overrides],
        {"test": sets.paths["test"]},
        _language_model(settings, sets),
    )
    report = options.run_dir / "test.html"
    stored = stored_decoder.load(trial.training.model_dir)
    best = "tuned" if stored.uses_beam else "greedy"
    evaluations = {tested.decoder: tested.evaluation for tested in trial.tests}
    write_report(report, evaluations[best], f"{name_of(options.folder)}, test set")
    print(results(evaluations, best))
    print(f"\nDivided by {sets.by}. {MEANING[sets.by]}")
    parts = [] if options.no_curve else plan.curve
    smaller = [_smaller(options, base, plan, sets, share) for share in parts]
    if smaller:
        print(curve([*smaller, (_hours(sets.paths["train"]), trial)]))
    print(f"\n{provenance()}")
    print(f"errors, worst first: {report}\n{next_command(options.run_dir)}")
    return 0


def say(text: str) -> None:
    """Everything but results."""
    print(text, file=sys.stderr)


def next_command(run_dir: Path) -> str:
    """To be pasted into a shell, whatever the folder's name."""
    return f"next: asr transcribe new.wav -m {shlex.quote(str(run_dir))}"


def _base(options: argparse.Namespace, sets: Sets) -> list[str]:
    return [
        "recipe=folder",
        *(f"data.{name}={path}" for name, path in sets.paths.items()),
        f"seed={options.seed}",
        f"run_dir={options.run_dir}",
    ]


def _plan(options: argparse.Namespace, base: Sequence[str], sets: Sets) -> Plan:
    """The plan of this run, made once: measured again, the speed would be another one, and so would the epochs."""
    if stored := _stored_plan(options, sets.paths):
        return stored
    train, dev = (read_manifest(sets.paths[name]) for name in ("train", "dev"))
    say("measuring how fast this machine trains")
    plan = make_plan(
        survey(train, dev, compose([*base, *options.overrides]).text),
        options.minutes,
        lambda overrides: measure_speed(compose([*base, *overrides, *options.overrides])),
        bf16=has_bf16(),
        curve=not options.no_curve,
    )
    options.run_dir.mkdir(parents=True, exist_ok=True)
    save_yaml(plan, options.run_dir / "plan.yaml", **_question(options, sets.paths))
    return plan


def _stored_plan(options: argparse.Namespace, manifests: Mapping[str, Path]) -> Plan | None:
    """The plan that was made for these sets and options, if there is one.

    Raises:
        ConfigError: the run was begun with other recordings or another budget.
    """
    path, trained = options.run_dir / "plan.yaml", (options.run_dir / "last.ckpt").exists()
    question = _question(options, manifests)
    if path.exists():
        values = load_yaml(path)
        same = {key: values.pop(key) == value for key, value in question.items()}
        if same["made_for"] and (same["asked"] or trained):
            return build(Plan, values)
    if trained:
        raise ConfigError(
            f"{options.run_dir}: holds a training of other recordings, another split, seed or --minutes; give another "
            "--run-dir, or remove it. (trainer.max_epochs=N behind the same command lengthens it.)"
        )
    return None


def _question(options: argparse.Namespace, manifests: Mapping[str, Path]) -> dict[str, Any]:
    """What a plan answers: of ``made_for`` nothing may change once a training has begun."""
    data = {name: describe_set(str(path), read_manifest(path))["sha256"] for name, path in manifests.items()}
    return {
        "made_for": {"data": data, "minutes": options.minutes, "seed": options.seed},
        "asked": {"overrides": list(options.overrides), "no_curve": options.no_curve},
    }


def describe(plan: Plan, settings: Settings, options: argparse.Namespace) -> str:
    """The plan as a block to be read."""
    model, trainer = settings.model, settings.trainer
    hours = _hours(Path(settings.data.train or ""))
    rows = {
        "speech": f"{_amount(hours)} to train on",
        "model": f"{model.num_layers} x {model.hidden_size} {model.cell}, a frame of {10 * model.subsampling} ms "
        f"from {settings.features.sample_rate // 1000} kHz",
        "training": f"{trainer.max_epochs} epochs, batches of {settings.data.batch_utterances}, "
        f"{'bf16' if trainer.precision == 'bf16' else 'float32'}, augmentation: {_augmentation(settings.augment)}",
        "speed": f"{plan.speed:.0f} seconds of speech a second",
        "minutes": _minutes(plan, trainer.max_epochs / plan.epochs, options.minutes),
        "change": "--minutes N, --no-curve, or a setting: model=bigru augment=spec trainer.max_epochs=40",
    }
    lines = ["plan", *(f"  {name:9} {text}" for name, text in rows.items())]
    if 60 * hours < TOO_LITTLE_MINUTES:
        lines.append(
            f"{60 * hours:.1f} minutes are too little: expect a model that knows these recordings and little else; "
            "letters come after a quarter of an hour, words after an hour or more."
        )
    if plan.epochs < FEWEST_EPOCHS:
        lines.append(
            f"The minutes hold {plan.epochs} of the {FEWEST_EPOCHS} epochs that learning takes at least: "
            f"--minutes {math.ceil(plan.wanted_minutes)} would hold them."
        )
    return "\n".join(lines)


def _augmentation(augment: AugmentSettings) -> str:
    kinds = {
        "speed": augment.speed_max > augment.speed_min,
        "noise and microphones": augment.noise_probability > 0,
        "masks": augment.time_masks > 0,
    }
    return ", ".join(kind for kind, there in kinds.items() if there) or "none"


def _minutes(plan: Plan, stretch: float, budget: float) -> str:
    """``stretch`` is how many times the planned epochs there will be, where a setting says otherwise."""
    parts = " and ".join(f"{share:g}" for share in plan.curve)
    curve = f", {stretch * plan.curve_minutes:.0f} for models of {parts} of it" if parts else ""
    return f"{stretch * plan.minutes:.0f} to train{curve}; of {budget:g} with reading, tuning and scoring"


def _language_model(settings: Settings, sets: Sets) -> Path:
    """The n-gram of the training texts, of words or of characters as dev suggests."""
    train, dev = ([one.text for one in read_manifest(sets.paths[name])] for name in ("train", "dev"))
    units, why = language_model_units(train, dev, settings.text)
    say(f"language model of {units}: {why}")
    path = sets.paths["train"].with_name("lm.arpa.gz")
    characters = units == "characters"
    return build_ngram(train, path, 6 if characters else 3, characters=characters, text=settings.text)


def _smaller(
    options: argparse.Namespace, base: Sequence[str], plan: Plan, sets: Sets, share: float
) -> tuple[float, Trial]:
    """Hours and trial of a model that learned from a part."""
    path = sets.paths["train"].with_name(f"train-{share:g}.jsonl")
    write_manifest(path, portion(read_manifest(sets.paths["train"]), share, options.seed))
    say(f"learning curve: {share:g} of the recordings, {_amount(_hours(path))}")
    own = [f"data.train={path}", f"run_dir={options.run_dir}/part-{share:g}"]
    overrides = [*base, *plan.overrides, *options.overrides, *own]
    return _hours(path), run_trial(f"{share:g}", overrides, {"test": sets.paths["test"]})


def results(evaluations: Mapping[str, Evaluation], best: str) -> str:
    """Markdown: a row a decoder, the one that is stored with the model in bold."""
    names = {"greedy": "greedy", "tuned": "beam + n-gram of the training texts"}
    lines = ["| decoder | CER % [95 %] | WER % [95 %] |", "|---|---|---|"]
    for decoder, evaluation in evaluations.items():
        name = f"**{names[decoder]}**" if decoder == best else names[decoder]
        scored = evaluation.utterances
        characters, words = [one.characters for one in scored], [one.words for one in scored]
        lines.append(f"| {name} | {_rate(characters)} | {_rate(words)} |")
    greedy = evaluations["greedy"]
    lines.append(
        f"\nTest: {len(greedy.utterances)} utterances, {greedy.audio_seconds / 60:.1f} minutes, looked at once. "
        "Bold: stored with the model."
    )
    return "\n".join(lines)


def _rate(counts: Sequence[Counts]) -> str:
    return _percent(sum(counts, Counts()).rate, interval(counts))


def _percent(rate: float, bounds: Interval) -> str:
    return f"{100 * rate:.1f} [{100 * bounds.low:.1f}, {100 * bounds.high:.1f}]"


def curve(points: Sequence[tuple[float, Trial]]) -> str:
    """What parts of the recordings were worth, and what twice as many would be."""
    points = sorted(points, key=lambda point: point[0])
    hours = [hours for hours, _ in points]
    counts = [[one.characters for one in trial.tests[0].evaluation.utterances] for _, trial in points]
    rates = [sum(row, Counts()).rate for row in counts]
    lines = [
        "",
        *(f"with {_amount(h)}: CER {100 * rate:.1f} %" for h, rate in zip(hours, rates, strict=True)),
    ]
    return "\n".join([*lines, _outlook(hours, rates, counts)])


def _outlook(hours: Sequence[float], rates: Sequence[float], counts: Sequence[Sequence[Counts]]) -> str:
    learned = [place for place, rate in enumerate(rates) if rate < HOPELESS]
    if len(learned) < 2:
        return "What twice as many would bring cannot be said: the smaller models have not begun to learn."
    found = forecast([hours[place] for place in learned], [counts[place] for place in learned])
    if not found.falls:
        return "What twice as many would bring cannot be said: the curve does not fall beyond doubt."
    expected = _percent(found.rate, found.interval)
    return (
        f"with {_amount(2 * hours[-1])}, twice as many recordings of this kind: about {expected} %. "
        "This carries a power law on, from greedy decoding; the brackets hold the chance of these test sentences "
        "only, and another training alone may move it by as much."
    )


def _amount(hours: float) -> str:
    return f"{hours:.1f} h of speech" if hours >= 2 else f"{60 * hours:.1f} min of speech"


def _hours(manifest: Path) -> float:
    return sum(one.duration for one in read_manifest(manifest)) / 3600


if __name__ == "__main__":
    sys.exit(main())
