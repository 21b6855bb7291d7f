"""``asr train``: settings in, a model directory out."""

from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.console import say
from asr.cli.sweep import Jobs, Slurm, Sweep, Trials, train_many
from asr.wording import counted

if TYPE_CHECKING:
    from asr.settings import Settings


def train(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[GROUP=CHOICE|KEY=VALUE]...", help="As recipe=fsdd, model=bigru, seed=2."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Try the longest batch, say time and memory, write nothing.")
    ] = False,
    sweep: Sweep = False,
    trials: Trials = None,
    jobs: Jobs = None,
    slurm: Slurm = None,
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

        asr train --trials 20 recipe=fsdd trainer.learning_rate=5e-4..5e-3 model.dropout=0.1..0.5 model=bilstm,bigru

        asr train --sweep --slurm "--partition=gpu --gpus=1 --cpus-per-task=4 --time=4:00:00" recipe=fsdd seed=1,2,3
    """
    if (sweep or trials) and (dry_run or show):
        raise typer.BadParameter("--dry-run and --show are for one training, not for --sweep or --trials")
    if sweep or trials:
        return train_many(overrides or [], trials, jobs, slurm)
    if jobs or slurm is not None:
        raise typer.BadParameter("--jobs and --slurm go with --sweep or --trials")
    settings = _compose(overrides or [])
    if show:
        _show(settings)
    elif dry_run:
        _dry_run(settings)
    else:
        _train(settings)


def _compose(overrides: list[str]) -> "Settings":
    from asr.config import compose
    from asr.errors import ConfigError
    from asr.sweep.points import RANGE, values

    for override in overrides:
        if len(values(override)) > 1:
            raise ConfigError(f"{override} has several values; give --sweep to train with each.")
        if RANGE.fullmatch(override):
            raise ConfigError(f"{override} is a range; give --trials N to search it.")
    return compose(overrides)


def _show(settings: "Settings") -> None:
    import yaml

    from asr.settings import to_dict

    print(yaml.safe_dump(to_dict(settings), sort_keys=False, allow_unicode=True), end="")


def _dry_run(settings: "Settings") -> None:
    from asr import training

    tried = training.dry_run(settings)
    if not training.is_first():
        return
    speed = tried.audio_seconds / tried.seconds
    print(
        f"{tried.num_parameters / 1e6:.2f} M parameters; one batch, the longest, "
        f"{tried.audio_seconds:.0f} s of audio: {tried.seconds:.2f} s ({speed:.0f} audio-seconds a second), "
        f"peak memory {tried.peak_bytes / 1e9:.2f} GB; {counted(tried.batches_per_epoch, 'batch')} an epoch, "
        f"at most {tried.seconds * tried.batches_per_epoch / 60:.1f} minutes"
    )


def _train(settings: "Settings") -> None:
    from asr import training
    from asr.kinds import kind_of

    result = training.train(settings)
    if training.is_first() and result.best_epoch:  # none of a run that was stopped in its first
        test = settings.data.test or "test.jsonl"
        following = (
            f"evaluate {test}" if kind_of(settings.model).writes_texts else f"classify --manifest {test}"
        )
        say(
            f"best dev {result.rate} {100 * result.dev_wer:.2f} % in epoch {result.best_epoch}, "
            f"{result.minutes:.1f} minutes; "
            f"next: asr {following} -m {result.model_dir}"
        )
        print(result.model_dir)
    if result.interrupted:
        say("stopped; the same command goes on where it was")
        # As shells have it: scripts see that the training was not finished, and why.
        raise typer.Exit(128 + result.interrupted)
