"""``asr train``: settings in, a model directory out."""

from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.console import say

if TYPE_CHECKING:
    from asr.sweep import Outcome


def train(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[GROUP=CHOICE|KEY=VALUE]...", help="As recipe=fsdd, model=bigru, seed=2."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Try the longest batch, say time and memory, write nothing.")
    ] = False,
    sweep: Annotated[
        bool,
        typer.Option("--sweep", help="Train every combination of settings given as a,b,c or range(1,4)."),
    ] = False,
    jobs: Annotated[
        int, typer.Option(min=1, help="Trainings of a sweep at a time; set trainer.threads=1.")
    ] = 1,
    show: Annotated[bool, typer.Option("--show", help="Print the settings as YAML and stop.")] = False,
) -> None:
    """Train a recogniser; the same command goes on where it was stopped.

    Prints the folder of the best model. Ctrl-C stops after the step it is in, scores and saves.

    Examples:

        asr train data.train=train.jsonl data.dev=dev.jsonl run_dir=runs/mine

        asr train recipe=fsdd model=bigru trainer.max_epochs=20

        asr train recipe=fsdd trainer.max_epochs=40             # the same run, finished or not, goes on to 40

        asr train data.train=t.jsonl data.dev=d.jsonl run_dir=runs/new trainer.init_from=runs/mine

        asr train recipe=fsdd trainer.max_epoch=20     # a typo is refused and the nearest key named

        asr train recipe=fsdd --dry-run

        torchrun --standalone --nproc-per-node 2 -m asr train recipe=fsdd     # shared by two processes: docs/scale.md

        asr train --sweep --jobs 2 recipe=fsdd model=bilstm,bigru model.hidden_size=192,256 trainer.threads=1
    """
    if sweep:
        return _sweep(overrides or [], jobs)
    from asr.config import compose

    settings = compose(overrides or [])
    if show:
        _show(settings)
    elif dry_run:
        _dry_run(settings)
    else:
        _train(settings)


def _show(settings: object) -> None:
    import yaml

    from asr.settings import to_dict

    print(yaml.safe_dump(to_dict(settings), sort_keys=False, allow_unicode=True), end="")


def _dry_run(settings: object) -> None:
    from asr import training
    from asr.settings import Settings

    assert isinstance(settings, Settings)
    tried = training.dry_run(settings)
    if not training.is_first():
        return
    speed = tried.audio_seconds / tried.seconds
    print(
        f"{tried.num_parameters / 1e6:.2f} M parameters; one batch, the longest, "
        f"{tried.audio_seconds:.0f} s of audio: {tried.seconds:.2f} s ({speed:.0f} audio-seconds a second), "
        f"peak memory {tried.peak_bytes / 1e9:.2f} GB; {tried.batches_per_epoch} batches an epoch, "
        f"at most {tried.seconds * tried.batches_per_epoch / 60:.1f} minutes"
    )


def _train(settings: object) -> None:
    from asr import training
    from asr.settings import Settings

    assert isinstance(settings, Settings)
    result = training.train(settings)
    if training.is_first():
        say(
            f"best dev WER {100 * result.dev_wer:.2f} % in epoch {result.best_epoch}, "
            f"{result.minutes:.1f} minutes; "
            f"next: asr evaluate {settings.data.test or 'test.jsonl'} -m {result.model_dir}"
        )
        print(result.model_dir)
    if result.interrupted:
        # As shells have it: scripts see that the training was not finished, and why.
        raise typer.Exit(128 + result.interrupted)


def _sweep(overrides: list[str], jobs: int) -> None:
    from asr.sweep import expand, run

    points = expand(overrides)
    say(f"{len(points)} trainings, {jobs} at a time, in {points[0].run_dir.parent}")
    outcomes = run(points, jobs, lambda one: say(f"{' '.join(one.point.particular)}: {_outcome(one)}"))
    print("| settings | dev WER % [95 %] | epoch | folder |\n|---|---|---|---|")
    for one in outcomes:
        print(
            f"| {' '.join(one.point.particular)} | {_outcome(one)} | {one.epoch or ''} | {one.point.run_dir} |"
        )
    raise typer.Exit(1 if outcomes[-1].dev_wer is None else 0)


def _outcome(one: "Outcome") -> str:
    if one.dev_wer is None:
        return one.failure
    low, high = one.interval
    return f"{100 * one.dev_wer:.2f} [{100 * low:.2f}, {100 * high:.2f}]"
