"""A model directory, written whole or not at all, read without running any code of its author's.

config.yaml           format_version, features, text, model; since format 2 the digests of weights and vocabulary
weights.safetensors   the tensors, float32 or float16
vocabulary.txt        one symbol a line, the blank first; dictionary.txt, of a model of phones
README.md             the model card: data, licence, WER table, command
decoder.yaml, lm.bin, rnnlm/  how it is decoded, if `asr tune` chose that (``asr.stored_decoder``)

torch is imported by what needs the weights: an exported model is found and described without it.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr.errors import CheckpointError, ConfigError, VocabularyError
from asr.kinds import kind_of
from asr.onnx_file import SUFFIX, is_exported
from asr.settings import RecognizerSettings, build, load_yaml, save_yaml
from asr.text import TextSettings, Vocabulary
from asr.units import load_vocabulary as read_vocabulary
from asr.wording import printable

if TYPE_CHECKING:
    import torch

    from asr.acoustic import TorchAcousticModel

FORMAT_VERSION = 2
CONFIG, WEIGHTS, VOCABULARY, CARD = "config.yaml", "weights.safetensors", "vocabulary.txt", "README.md"
DIGESTS = "sha256"
BUNDLED = Path(__file__).parent / "bundled"


@dataclass(frozen=True)
class Model:
    """Everything that recognises: the network with its front end, and how text is written."""

    acoustic: "TorchAcousticModel"
    vocabulary: Vocabulary
    settings: RecognizerSettings

    @property
    def text(self) -> TextSettings:
        """How references are written before they are compared with this model's text."""
        return self.settings.text


def save(model_dir: str | os.PathLike[str], model: Model, card: str, *, half: bool = False) -> None:
    """Write beside, then rename; ``half`` stores float16 (half the size, and no longer the same bits).

    Raises:
        CheckpointError: it cannot be written there, or something is there that is no model; it is still there.
    """
    from safetensors import SafetensorError

    target = Path(os.path.abspath(model_dir))
    _check_replaceable(target)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _write(partial, model, card, half)
        _replace(partial, target)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise CheckpointError(
            f"{target}: the model cannot be written ({error}); make room, or choose another folder."
        ) from None


@contextmanager
def revise(
    model_dir: str | os.PathLike[str], output_dir: str | os.PathLike[str] | None = None
) -> Iterator[Path]:
    """A copy of a model to write into; when the block ends well it takes the model's place, or ``output_dir``'s.

    Raises:
        CheckpointError: it cannot be written there, or ``output_dir`` holds something that is no model.
    """
    source = resolve(model_dir)
    target = Path(os.path.realpath(source if output_dir is None else output_dir))
    check_writable(target)
    partial = target.with_name(f".{target.name}.revised")  # a training that saves meanwhile has its own
    shutil.rmtree(partial, ignore_errors=True)
    try:
        # The contents alone: a copy of what is read-only may be written into.
        partial.mkdir(parents=True)
        for path in (one for one in source.rglob("*") if one.is_file()):
            copied = partial / path.relative_to(source)
            copied.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, copied)
        yield partial
        _replace(partial, target)
    except OSError as error:
        raise CheckpointError(
            f"{target}: the model cannot be written ({error}); make room, or choose another folder."
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_writable(target: Path) -> None:
    """Raise ``CheckpointError`` unless a model may be written at ``target``, in place of another or of nothing."""
    if target.parent == BUNDLED:
        raise CheckpointError(f"{target.name}: comes with the package; write a copy of it (--output).")
    nearest = next(place for place in target.parents if place.exists())
    closed = target.is_dir() and not os.access(target, os.W_OK)
    if not nearest.is_dir() or not os.access(nearest, os.W_OK) or closed:
        raise CheckpointError(f"{target}: cannot be written there; choose another folder (--output).")
    _check_replaceable(target)


def _check_replaceable(target: Path) -> None:
    if target.exists() and not _is_model(target) and not _is_empty(target):
        raise CheckpointError(f"{target}: holds something that is no model; choose another folder.")


def load(model_dir: str | os.PathLike[str]) -> Model:
    """The model of a directory or of a bundled name, on the CPU and in evaluation mode.

    Raises:
        CheckpointError: a file is missing or damaged, or does not fit the others.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from asr.acoustic import TorchAcousticModel

    folder = resolve(model_dir)
    if is_exported(folder):
        raise CheckpointError(
            f"{folder}: an exported model only recognises; give the directory it is made from."
        )
    settings = load_settings(folder)
    vocabulary = load_vocabulary(folder)
    try:
        tensors = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise _unreadable(folder, error) from None
    _check_shapes(settings, len(vocabulary), tensors, folder)
    acoustic = TorchAcousticModel(settings.features, settings.model, len(vocabulary))
    _fill(acoustic, tensors, folder)
    _check_digests(folder)
    return Model(acoustic.eval(), vocabulary, settings)


def load_vocabulary(place: Path) -> Vocabulary:
    """The vocabulary of what ``resolve`` found.

    Raises:
        CheckpointError: they are missing or damaged.
    """
    try:
        return read_vocabulary(place / VOCABULARY, load_settings(place).text)
    except VocabularyError as error:
        raise _unreadable(place, error) from None


def _unreadable(place: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"{place}: the model cannot be read ({error}); copy it again, whole.")


def load_settings(model_dir: str | os.PathLike[str]) -> RecognizerSettings:
    """The settings of a model directory, a bundled name or an exported model, without the weights.

    Raises:
        CheckpointError: the directory holds no model, or one of a newer format.
    """
    path = resolve(model_dir) / CONFIG
    try:
        values = load_yaml(path)
        version = values.pop("format_version", None)
        if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
            raise CheckpointError(
                f"{path}: format {printable(str(version))} is unknown to this version; update asr to read this model."
            )
        values.pop(DIGESTS, None)
        return build(RecognizerSettings, values)
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from None


def resolve(name: str | os.PathLike[str]) -> Path:
    """The folder of a bundled name (``digits-en``), a model directory, or a run directory (its best model).

    Of an exported model, the file.

    Raises:
        CheckpointError: there is no such model.
    """
    if is_exported(Path(name)):
        return Path(name)
    # A run interrupted in its first epoch has a last model and no best one yet.
    for place in (Path(name), Path(name) / "best", Path(name) / "last", BUNDLED / name):
        for folder in (place, _previous(place)):
            if _is_model(folder):
                return folder
    known = ", ".join(bundled()) or "none"
    raise CheckpointError(
        f"{os.fspath(name)}: no model directory (it would hold {CONFIG} and {WEIGHTS}), no exported {SUFFIX} file, "
        f"nor one of the bundled models: {known}."
    )


def bundled() -> list[str]:
    """The names of the models that came with the package."""
    return sorted(path.parent.name for path in BUNDLED.glob(f"*/{CONFIG}"))


def _write(folder: Path, model: Model, card: str, half: bool) -> None:
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    model.vocabulary.save(folder / VOCABULARY)
    (folder / CARD).write_text(card, encoding="utf-8")
    # safetensors' own file mode would be 0600: a model made by one user is read by others.
    save_file(_tensors(model.acoustic, half), folder / WEIGHTS)
    os.chmod(folder / WEIGHTS, 0o644)
    header = {
        "format_version": FORMAT_VERSION,
        DIGESTS: {n: _digest(folder / n) for n in (WEIGHTS, VOCABULARY)},
    }
    save_yaml(model.settings, folder / CONFIG, **header)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_digests(folder: Path) -> None:
    """Weights with one wrong byte, or of another training, have the right shapes too."""
    stated = load_yaml(folder / CONFIG).get(DIGESTS) or {}
    for name in (WEIGHTS, VOCABULARY):
        if isinstance(stated, dict) and name in stated and stated[name] != _digest(folder / name):
            raise CheckpointError(
                f"{folder}: {name} is not the one that the model was saved with; copy the model again, whole."
            )


def _tensors(module: "torch.nn.Module", half: bool) -> dict[str, "torch.Tensor"]:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    return {name: tensor.half() for name, tensor in tensors.items()} if half else tensors


def _check_shapes(
    settings: RecognizerSettings, vocabulary_size: int, tensors: dict[str, Any], folder: Path
) -> None:
    """Without memory: settings may speak of a network that no machine could hold."""
    import torch

    wrong = [name for name, one in tensors.items() if not one.is_floating_point() or not one.isfinite().all()]
    if wrong:
        raise _unreadable(folder, ValueError(f"{wrong[0]} holds what is no finite number"))
    with torch.device("meta"):
        network = kind_of(settings.model).network(
            settings.model, settings.features.num_features, vocabulary_size
        )
    of_network = {name: one for name, one in tensors.items() if name.startswith("network.")}
    _fill(torch.nn.ModuleDict({"network": network}), of_network, folder, assign=True)


def _fill(module: "torch.nn.Module", tensors: dict[str, Any], folder: Path, *, assign: bool = False) -> None:
    try:
        module.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=assign)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise CheckpointError(
            f"{folder}: {WEIGHTS} does not fit {CONFIG} ({first}); copy it again, whole."
        ) from None


def _replace(partial: Path, target: Path) -> None:
    """A directory cannot be renamed over another, so the old one steps aside, where ``resolve`` finds it."""
    previous = _previous(target)
    if target.exists():
        shutil.rmtree(previous, ignore_errors=True)
        os.replace(target, previous)
    os.replace(partial, target)
    shutil.rmtree(previous, ignore_errors=True)


def _is_model(folder: Path) -> bool:
    return (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file()


def _is_empty(place: Path) -> bool:
    return place.is_dir() and not any(place.iterdir())


def _previous(target: Path) -> Path:
    """Where the old model waits while the new one takes its place; only a kill in between leaves it there."""
    return target.parent / f".{target.name}.previous"
