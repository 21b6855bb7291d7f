"""``asr tune``: decoder weights chosen on a dev set and stored with the model."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asr.cli.console import complain, progress_bar, say
from asr.cli.decoder import LanguageModelOption, LexiconOption, RecurrentOption, warm_up
from asr.cli.options import BatchSizeOption, DeviceOption, ModelOption

if TYPE_CHECKING:
    from asr.decoding import BeamSettings
    from asr.dev_set import DevSet
    from asr.tuning import Calibrated, Trial, Tuning


Manifest = Annotated[Path, typer.Argument(help="The dev set: never the set you report on.")]
Width = Annotated[int, typer.Option(min=1, help="Widest beam to store; weights are chosen at it.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Store in a copy of the model at this folder, not in the model."),
]
IncludeLM = Annotated[
    bool, typer.Option(help="Pack the language model into the model's directory, as lm.bin.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")]


def tune(
    manifest: Manifest,
    model: ModelOption,
    lm: LanguageModelOption = None,
    rnnlm: RecurrentOption = None,
    beam_width: Width = 64,
    lexicon: LexiconOption = None,
    output: Output = None,
    include_lm: IncludeLM = True,
    as_json: AsJson = False,
    device: DeviceOption = "auto",
    batch_size: BatchSizeOption = 8,
) -> None:
    """Choose the decoder on a dev set and store it with the model, which then uses it unasked.

    The weights of the language model, the beam's width and the correction of word confidences go into
    `decoder.yaml`, the language model into `lm.bin`. Greedy stays, if no beam makes fewer errors.

    A recurrent language model (`--rnnlm`) rescores what the tuned beam finds, or is asked inside it, and goes into
    `rnnlm/` if either makes fewer errors.

    Examples:

        asr tune dev.jsonl -m runs/mine --lm lm.arpa.gz

        asr tune dev.jsonl -m runs/mine --lm lm.arpa.gz --rnnlm rnnlm/

        asr tune dev.jsonl -m digits-en -o models/digits-tuned --lexicon strict --lm lm.arpa.gz
    """
    if lm is None and lexicon is not None:
        raise typer.BadParameter("--lexicon needs --lm.")
    from asr import checkpoint, tuning
    from asr.decoding import BeamSettings

    # What is wrong is said before the work, not after it.
    asked = BeamSettings(beam_width=beam_width, lexicon=lexicon or "open")
    folder = checkpoint.resolve(model)
    checkpoint.check_writable(folder if output is None else output.absolute())
    dev, found = _tune(manifest, model, lm, rnnlm, asked, device, batch_size)
    print(json.dumps(_figures(found), indent=2) if as_json else _table(found, lm))
    stored = tuning.store(found, model, manifest, lm, rnnlm, include_lm=include_lm, output_dir=output)
    for failure in dev.failures:
        complain(failure)
    say(f"stored: {output or folder}/decoder.yaml, decoder {stored.decoder}")
    raise typer.Exit(1 if dev.failures else 0)


def _tune(
    manifest: Path,
    model: str,
    lm: Path | None,
    rnnlm: Path | None,
    asked: "BeamSettings",
    device: str,
    batch_size: int,
) -> "tuple[DevSet, Tuning]":
    from asr.decoding import BeamDecoder
    from asr.dev_set import DevSet
    from asr.lm.load import load_language_model
    from asr.loading import load
    from asr.manifest import read_manifest
    from asr.recurrent_lm.load import load_recurrent
    from asr.tuning import tune as choose

    utterances = read_manifest(manifest)
    language_model = None if lm is None else load_language_model(lm)
    recurrent = None if rnnlm is None else load_recurrent(rnnlm)
    # With a beam, so that a model for which there is none is refused before the hearing.
    recognizer = load(model, device=device, decoder=BeamDecoder())
    warm_up(BeamDecoder(language_model=language_model))
    with progress_bar() as progress:
        hearing = progress.add_task("hearing", total=sum(one.duration for one in utterances))
        dev = DevSet(
            recognizer,
            utterances,
            batch_size=batch_size,
            on_heard=lambda utterance: progress.advance(hearing, utterance.duration),
        )
        trying = progress.add_task("trying weights", total=None)
        found = choose(
            dev,
            language_model,
            asked,
            recurrent,
            on_trial=lambda done, foreseen: progress.update(trying, completed=done, total=foreseen),
        )
    return dev, found


def _table(found: "Tuning", lm: Path | None) -> str:
    """What each decoder gives on the dev set; the stored one has a star."""
    gain = 100 * (found.beam.evaluation.words.rate - found.greedy.evaluation.words.rate)
    low, high = 100 * found.gain.low, 100 * found.gain.high
    lines = [
        f"{'decoder':<36}{'WER % [95 % interval]':<24}{'CER %':>7}{'real-time factor':>18}",
        *(_line(name, trial, trial is found.chosen) for name, trial in _rows(found, lm)),
        "",
        f"weights: {_weights(found)} ({found.num_trials} settings tried)",
        *(f"with the recurrent model: {_use(trial)}" for trial in found.recurrent[:1]),
        f"best beam minus greedy: {gain:+.2f} points of WER [{low:+.2f}, {high:+.2f}] (95 %, paired bootstrap)"
        if found.comparable
        else "greedy writes phones, whose error rate (PER) stands where the others have WER; the beam is stored",
        "A WER that weights were chosen by is optimistic: report another set's.",
        "",
        "word confidences, expected calibration error (each half of the dev set corrected by the other)",
        f"  greedy {_confidence(found.greedy_confidence)}",
        f"  beam   {_confidence(found.beam_confidence)}",
    ]
    return "\n".join(lines)


def _rows(found: "Tuning", lm: Path | None) -> "list[tuple[str, Trial]]":
    rows = [("greedy", found.greedy)]
    if found.without_lm is not None:
        rows.append((f"{_beam(found.without_lm)}, no language model", found.without_lm))
    suffix = f", {lm.name}" if lm is not None else ""
    rows += [(_beam(trial) + suffix, trial) for trial in found.widths]
    return rows + [(_recurrent(trial), trial) for trial in found.recurrent]


def _recurrent(trial: "Trial") -> str:
    assert trial.recurrent is not None
    return f"{_beam(trial)}, recurrent, " + ("rescored" if trial.recurrent.rescore else "fused")


def _beam(trial: "Trial") -> str:
    assert trial.settings is not None
    return f"beam of {trial.settings.beam_width}"


def _line(name: str, trial: "Trial", chosen: bool) -> str:
    words, interval = trial.evaluation.words, trial.evaluation.interval
    wer = f"{100 * words.rate:.2f} [{100 * interval.low:.2f}, {100 * interval.high:.2f}]"
    label = f"{'* ' if chosen else '  '}{name}"
    cer = 100 * trial.evaluation.characters.rate
    return f"{label:<36}{wer:<24}{cer:>7.2f}{trial.real_time_factor:>18.5f}"


def _weights(found: "Tuning") -> str:
    settings = found.beam.settings
    assert settings is not None
    if found.without_lm is None:
        return f"beta {settings.beta:g}"
    unknown = f"unknown {settings.unknown:g} and {settings.unknown_letter:g} a letter"
    unknown = "strict lexicon" if settings.lexicon == "strict" else unknown
    return f"alpha {settings.alpha:g}, beta {settings.beta:g}, {unknown}"


def _use(trial: "Trial") -> str:
    assert trial.recurrent is not None
    use = trial.recurrent
    return f"share {use.share:g}, alpha {use.alpha:g}, beta {use.beta:g}, {use.nbest} texts where it rescores"


def _confidence(found: "Calibrated") -> str:
    kept = "" if found.calibration else ", but no likelier: they stay as they are"
    return f"{found.before:.3f} -> {found.after:.3f}{kept}"


def _figures(found: "Tuning") -> dict[str, Any]:
    from dataclasses import asdict

    assert found.beam.settings is not None
    recurrent = [trial.recurrent for trial in found.recurrent if trial.recurrent is not None]
    return {
        "rows": [_figure(name, trial, trial is found.chosen) for name, trial in _rows(found, None)],
        "settings": asdict(found.beam.settings),
        "recurrent": [asdict(use) for use in recurrent],
        "gain": asdict(found.gain),
        "trials": found.num_trials,
        "confidence": {"greedy": asdict(found.greedy_confidence), "beam": asdict(found.beam_confidence)},
    }


def _figure(name: str, trial: "Trial", chosen: bool) -> dict[str, Any]:
    evaluated = trial.evaluation
    return {
        "decoder": name,
        "chosen": chosen,
        "wer": evaluated.words.rate,
        "interval": [evaluated.interval.low, evaluated.interval.high],
        "cer": evaluated.characters.rate,
        "real_time_factor": trial.real_time_factor,
    }
