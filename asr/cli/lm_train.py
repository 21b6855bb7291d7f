"""``asr lm train``: a recurrent language model of a text."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asr.cli.console import progress_bar, say
from asr.cli.lm_text import Raw, Texts, read_sentences

if TYPE_CHECKING:
    from asr.recurrent_lm.settings import RecurrentLMSettings
    from asr.recurrent_lm.training import Progress, Training

EVERY = 20
"""Without --dev every 20th sentence is kept for it."""


Output = Annotated[Path, typer.Option("-o", "--output", help="Folder of the model; made if need be.")]
Dev = Annotated[
    str | None,
    typer.Option(
        help="Text that says when the learning rate falls and when to stop; without it every 20th sentence.",
        metavar="TEXT",
    ),
]
Characters = Annotated[
    bool, typer.Option("--characters", help="A model of characters, the space among them.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="A setting; --show prints them all.", metavar="KEY=VALUE"),
]
Seed = Annotated[int, typer.Option(help="Another seed is another training.")]
Threads = Annotated[int, typer.Option(min=0, help="Processor threads; 0 is torch's own choice.")]
Show = Annotated[bool, typer.Option("--show", help="Print the settings as YAML and stop.")]


def train(
    texts: Texts,
    output: Output,
    dev: Dev = None,
    characters: Characters = False,
    overrides: Overrides = None,
    seed: Seed = 1,
    threads: Threads = 0,
    show: Show = False,
    raw: Raw = False,
) -> None:
    """Train a recurrent language model; the same command goes on where it was stopped, to the same bits.

    Text is written as transcripts are (lower case, no punctuation but the apostrophe).

    Examples:

    - `asr lm train text.txt --dev dev.txt -o rnnlm/`
    - `asr lm train text.txt -o rnnlm/ -s size=400 -s num_layers=2 -s cell=gru`
    - `asr lm train --characters text.txt -o chars/`
    """
    settings = _settings(overrides or [], characters, seed)
    if show:
        from asr.settings import to_yaml

        print(to_yaml(settings), end="")
        return
    _check_folder(output)
    sentences = _read(texts, raw, settings)
    sentences, judged = (
        _keep_some(sentences, texts) if dev is None else (sentences, _read([dev], raw, settings))
    )
    if threads:
        import torch

        torch.set_num_threads(threads)
    _train(output, sentences, judged, settings)
    print(output)


def _settings(overrides: list[str], characters: bool, seed: int) -> "RecurrentLMSettings":
    import yaml

    from asr.recurrent_lm.settings import RecurrentLMSettings
    from asr.settings import build

    values: dict[str, Any] = {"unit": "characters" if characters else "words", "seed": seed}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise typer.BadParameter(f"{override!r} is not KEY=VALUE, as size=400", param_hint="--set")
        try:
            values[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise typer.BadParameter(f"{value!r} is no value of a setting", param_hint="--set") from None
    return build(RecurrentLMSettings, values)


def _check_folder(output: Path) -> None:
    from asr.errors import LanguageModelError

    if output.exists() and not output.is_dir():
        raise LanguageModelError(f"{output}: is a file, and a model is a folder; give another name.")


def _read(texts: list[str], raw: bool, settings: "RecurrentLMSettings") -> list[list[str]]:
    from asr.errors import LanguageModelError

    sentences = list(read_sentences(texts, raw, settings.unit == "characters"))
    if not any(sentences):
        raise LanguageModelError(
            f"{', '.join(texts)}: there is no sentence to train with; give another text."
        )
    return sentences


def _keep_some(sentences: list[list[str]], texts: list[str]) -> tuple[list[list[str]], list[list[str]]]:
    """The sentences to train on, and every 20th to judge by, or the last of a few."""
    from asr.errors import LanguageModelError

    every = min(EVERY, len(sentences))
    if every == 1:
        raise LanguageModelError(
            f"{', '.join(texts)}: has one sentence, and another one is needed to judge by; give more, or --dev."
        )
    kept = sentences[every - 1 :: every]
    say(f"dev text: {len(kept)} of the {len(sentences)} sentences, which are not trained on")
    return [words for index, words in enumerate(sentences, 1) if index % every], kept


def _train(
    output: Path, sentences: list[list[str]], dev: list[list[str]], settings: "RecurrentLMSettings"
) -> None:
    from asr.recurrent_lm.training import Training

    training = Training(output, sentences, dev, settings)
    say(_begin(training))
    with progress_bar() as progress:
        bar = progress.add_task("epoch 1", total=training.num_pieces)

        def on_piece(done: "Progress") -> None:
            progress.update(bar, completed=done.piece, description=f"epoch {done.epoch + 1}")

        def on_epoch(done: "Progress") -> None:
            progress.console.print(_epoch_line(done), highlight=False, soft_wrap=True)

        training.run(on_piece, on_epoch)


def _begin(training: "Training") -> str:
    weights = sum(weight.numel() for weight in training.network.parameters())
    words, units = training.text.num_words, training.settings.unit
    line = f"{len(training.vocabulary.words)} {units}, {words} in the text, {weights} parameters"
    return f"{line}; goes on after epoch {training.progress.epoch}" if training.progress.epoch else line


def _epoch_line(done: "Progress") -> str:
    train, dev = done.history[-1]
    line = f"epoch {done.epoch}: perplexity {train:.1f} in training, {dev:.1f} on the dev text"
    return (
        f"{line} (best)" if dev == done.best else f"{line}; the learning rate has fallen {done.drops} times"
    )
