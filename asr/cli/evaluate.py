"""``asr evaluate``: the error rates of a model on a manifest, with their interval."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.console import complain, progress_bar, say
from asr.cli.decoder import DecoderOptions, make_decoder, warm_up, with_decoder_options
from asr.cli.options import BatchSizeOption, DeviceOption, ModelOption

if TYPE_CHECKING:
    from asr.evaluation import Evaluation
    from asr.recognizer import Decoder


@with_decoder_options
def evaluate(
    manifest: Annotated[Path, typer.Argument(help="The test set, as `asr data build` writes it.")],
    model: ModelOption,
    report: Annotated[
        Path | None,
        typer.Option("--report", "-o", help="Also write FILE.html: every utterance, worst first, aligned."),
    ] = None,
    decoding: DecoderOptions = DecoderOptions(),
    device: DeviceOption = "auto",
    batch_size: BatchSizeOption = 8,
) -> None:
    """Score a model: WER with its 95 % interval, CER, sentence errors.

    Every utterance counts; one that cannot be read counts as so many deletions, is named on stderr, and makes
    the exit code 1.

    Examples:

        asr evaluate test.jsonl -m digits-en

        asr evaluate test.jsonl -m runs/mine --report errors.html

        asr evaluate test.jsonl -m runs/mine --decoder greedy     # whatever `asr tune` stored
    """
    from asr.evaluation import summary

    chosen = make_decoder(decoding, model)
    warm_up(chosen)
    evaluation = _evaluate(manifest, model, chosen, device, batch_size)
    print(summary(evaluation))
    for scored in evaluation.failures:
        complain(scored.failure or "")
    heard, took = evaluation.audio_seconds, evaluation.seconds
    say(f"{heard:.0f} s of audio in {took:.1f} s, {heard / max(took, 1e-9):.0f} times real time")
    if report is not None:
        from asr.report import write_report

        write_report(report, evaluation, title=f"{model} on {manifest}")
        say(f"report: {report}")
    raise typer.Exit(1 if evaluation.failures else 0)


def _evaluate(manifest: Path, model: str, decoder: "Decoder", device: str, batch_size: int) -> "Evaluation":
    from asr.evaluation import evaluate as run
    from asr.manifest import read_manifest
    from asr.recognizer import load

    utterances = read_manifest(manifest)
    recognizer = load(model, device=device, decoder=decoder)
    with progress_bar() as progress:
        task = progress.add_task("scoring", total=sum(u.duration for u in utterances))
        return run(
            recognizer,
            utterances,
            batch_size=batch_size,
            on_progress=lambda utterance: progress.advance(task, utterance.duration),
        )
