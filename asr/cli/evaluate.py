"""``asr evaluate``: the error rates of a model on a manifest, with their intervals, and where it fails."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.console import complain, progress_bar, say
from asr.cli.decoder import DecoderOptions, choose_decoder, warm_up
from asr.cli.options import BatchSizeOption, DeviceOption, EmbedOption, ModelOption, PicturesOption, grouped
from asr.cli.scores import ByOption, OutputOption, TrainTextOption, WeightsName, WeightsOption, write

if TYPE_CHECKING:
    from asr.evaluation import Evaluation, Setup
    from asr.manifest import Utterance
    from asr.recognizer import Recognizer


@grouped
def evaluate(
    manifest: Annotated[Path, typer.Argument(help="The test set, as `asr data build` writes it.")],
    model: ModelOption,
    output: OutputOption = None,
    by: ByOption = None,
    train_text: TrainTextOption = None,
    weights: WeightsOption = WeightsName.jiwer,
    nbest: Annotated[
        int,
        typer.Option(min=0, help="Also score the best of the N best texts of beam: what they could give."),
    ] = 0,
    pictures: PicturesOption = 50,
    embed_audio: EmbedOption = False,
    decoding: DecoderOptions = DecoderOptions(),
    device: DeviceOption = "auto",
    batch_size: BatchSizeOption = 8,
) -> None:
    """Score a model: WER with its 95 % intervals, CER, sentence errors; with -o, where it fails.

    Every utterance counts; one that cannot be read counts as so many deletions, is named on stderr, and makes
    the exit code 1.

    Examples:

        asr evaluate test.jsonl -m digits-en

        asr evaluate test.jsonl -m runs/mine -o report/ --by age --by snr --train-text train.jsonl

        asr evaluate test.jsonl -m runs/mine --decoder greedy     # whatever `asr tune` stored
    """
    from asr import checkpoint
    from asr.evaluation.groups import check_fields
    from asr.evaluation.transcripts import count_words
    from asr.loading import load
    from asr.manifest import read_manifest

    utterances = read_manifest(manifest)
    check_fields(utterances, by or [])
    text = checkpoint.load_settings(checkpoint.resolve(model)).text
    training = None if train_text is None else count_words(train_text, text)
    line, decoder = choose_decoder(decoding, model, nbest=nbest)
    say(f"decoder: {line}")
    warm_up(decoder)
    recognizer = load(model, device=device, decoder=decoder)
    setup = _setup(manifest, model, line, weights)
    evaluation = _evaluate(recognizer, utterances, batch_size, nbest, setup)
    shown = {"recognizer": recognizer, "num_pictures": pictures, "embed_audio": embed_audio}
    write(evaluation, output, by or [], training, **shown)
    for scored in evaluation.failures:
        complain(scored.failure or "")
    heard, took = evaluation.audio_seconds, evaluation.seconds
    say(f"{heard:.0f} s of audio in {took:.1f} s, {heard / max(took, 1e-9):.0f} times real time")
    raise typer.Exit(1 if evaluation.failures else 0)


def _setup(manifest: Path, model: str, decoder: str, weights: WeightsName) -> "Setup":
    from asr import __version__
    from asr.evaluation import Setup

    today = datetime.date.today().isoformat()
    return Setup(str(manifest), model, decoder, "", weights.value, f"asr {__version__}", today)


def _evaluate(
    recognizer: "Recognizer", utterances: "Sequence[Utterance]", batch_size: int, nbest: int, setup: "Setup"
) -> "Evaluation":
    from asr.evaluation import evaluate as run

    with progress_bar() as progress:
        task = progress.add_task("scoring", total=sum(u.duration for u in utterances))
        return run(
            recognizer,
            utterances,
            batch_size=batch_size,
            nbest=nbest,
            setup=setup,
            on_progress=lambda utterance: progress.advance(task, utterance.duration),
        )
