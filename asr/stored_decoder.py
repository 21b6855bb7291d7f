"""The decoder that a model remembers: ``decoder.yaml`` in its directory, and the language model beside it.

decoder.yaml   format_version, decoder, language_model, settings, confidence, tuned; `asr tune` writes it
lm.bin         the packed n-gram, unless it was left out
rnnlm/         the recurrent language model, if it helps (``asr.recurrent_lm.files``)
"""

import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from asr.decoding import BeamDecoder, BeamSettings
from asr.decoding.confidence import Calibration
from asr.decoding.recurrent import RecurrentDecoder, RecurrentUse
from asr.errors import AsrError, CheckpointError
from asr.onnx_file import has_text, is_exported
from asr.settings import build, load_yaml, save_yaml
from asr.wording import printable

if TYPE_CHECKING:
    from asr.lm.kenlm_binary import KenlmModel
    from asr.lm.ngram import NGram

    LanguageModel = NGram | KenlmModel

FORMAT_VERSION = 1
FILE, LANGUAGE_MODEL, RECURRENT = "decoder.yaml", "lm.bin", "rnnlm"
DECODERS = ("greedy", "beam")
WITHOUT_LANGUAGE_MODEL = BeamSettings(beta=0.0)
"""A bonus for words that nothing takes from would only make more of them."""


@dataclass(frozen=True)
class Confidence:
    """What word confidences are corrected by, a decoder each; nothing where nobody fitted one."""

    greedy: Calibration | None = None
    beam: Calibration | None = None


@dataclass(frozen=True)
class Tuned:
    """What the settings were chosen on, and what they gave there."""

    manifest: str | None = None
    """Name of the dev set's file."""
    utterances: int = 0
    words: int = 0
    dev_wer: float | None = None
    """A share, as all rates here; chosen on this set, so optimistic."""
    greedy_dev_wer: float | None = None
    date: str | None = None
    language_model: str | None = None
    """Name of the file that the weights were chosen with; none if without any."""


@dataclass(frozen=True)
class StoredDecoder:
    """How a model is decoded unless somebody asks for something else."""

    decoder: str = "beam"
    """greedy, where no beam was better on the dev set, or beam."""
    language_model: str | None = None
    """Name of the packed n-gram in the same directory."""
    settings: BeamSettings = field(default_factory=BeamSettings)
    """Of the best beam, whichever ``decoder`` is; without the recurrent model."""
    recurrent: RecurrentUse | None = None
    """How the recurrent language model in the same directory is used; None: there is none."""
    confidence: Confidence = field(default_factory=Confidence)
    tuned: Tuned = field(default_factory=Tuned)

    def __post_init__(self) -> None:
        if self.decoder not in DECODERS:
            raise CheckpointError(f"decoder={self.decoder!r} is not one of {', '.join(DECODERS)}.")
        # A model is a directory: what it needs lies in it, wherever it is copied to.
        name = self.language_model
        if name is not None and (Path(name).name != name or name in ("", "..")):
            raise CheckpointError(f"language_model={self.language_model!r} is no name of a file beside it.")

    @property
    def lacks_language_model(self) -> bool:
        """Whether the weights are for a language model that was left out."""
        return self.language_model is None and self.tuned.language_model is not None

    def settings_for(self, with_language_model: bool) -> BeamSettings:
        """The settings; weights chosen with a language model say nothing without one, and the other way round."""
        chosen_with_one = (self.language_model or self.tuned.language_model) is not None
        if with_language_model == chosen_with_one:
            return self.settings
        default = BeamSettings() if with_language_model else WITHOUT_LANGUAGE_MODEL
        names = ("alpha", "beta", "unknown", "unknown_letter", "lexicon")
        return replace(self.settings, **{name: getattr(default, name) for name in names})

    @property
    def uses_beam(self) -> bool:
        """Whether the beam is this model's decoder as it stands; not where its language model was left out."""
        return self.decoder == "beam" and not self.lacks_language_model


def save(
    folder: Path,
    stored: StoredDecoder,
    language_model_file: Path | None = None,
    recurrent: Path | None = None,
) -> StoredDecoder:
    """Write into a model's directory, and return what is written; the language models are packed or copied beside.

    To readers the two files are one only where the whole directory takes another's place (``checkpoint.revise``).
    """
    (folder / LANGUAGE_MODEL).unlink(missing_ok=True)
    shutil.rmtree(folder / RECURRENT, ignore_errors=True)
    if recurrent is not None:
        from asr.recurrent_lm import files

        files.copy(recurrent, folder / RECURRENT)
    if language_model_file is not None:
        _pack(language_model_file, folder / LANGUAGE_MODEL)
        stored = replace(stored, language_model=LANGUAGE_MODEL)
    save_yaml(stored, folder / FILE, format_version=FORMAT_VERSION)
    return stored


def load(folder: str | os.PathLike[str]) -> StoredDecoder:
    """What a model's directory remembers, greedy if nothing; the language model is not opened.

    Raises:
        CheckpointError: it is damaged, has an unknown key, or is of a newer format.
    """
    path = Path(folder) / FILE
    if not has_text(path):
        return StoredDecoder("greedy", settings=WITHOUT_LANGUAGE_MODEL)
    try:
        values = load_yaml(path)
        version = values.pop("format_version", None)
        if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
            raise CheckpointError(
                f"format {printable(str(version))} is unknown to this version; update asr to read it."
            )
        return build(StoredDecoder, values)
    except AsrError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise CheckpointError(f"{path}: {reason} Without this file the model decodes greedily.") from None


def beside(place: Path) -> Path:
    """The folder of a model's language model: its own, or the one that an exported model lies in."""
    return place.parent if is_exported(place) else place


def load_stored_language_model(
    folder: str | os.PathLike[str], stored: StoredDecoder
) -> "LanguageModel | None":
    """The n-gram that lies beside, if one does.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    if stored.language_model is None:
        return None
    from asr.lm.load import load_language_model

    try:
        return load_language_model(beside(Path(folder)) / stored.language_model)
    except AsrError as error:
        remedy = "export the model again" if is_exported(Path(folder)) else "`asr tune` packs it anew"
        raise CheckpointError(
            f"{error} It belongs beside the model: copy it there, or {remedy}; --decoder greedy does without."
        ) from None


def make_decoder(folder: str | os.PathLike[str], stored: StoredDecoder) -> BeamDecoder:
    """The beam decoder that a model's directory describes.

    Raises:
        CheckpointError: a language model is missing or damaged.
    """
    ngram = load_stored_language_model(folder, stored)
    if stored.recurrent is None:
        return BeamDecoder(stored.settings, ngram)
    from asr.recurrent_lm import files

    try:
        recurrent = files.load(Path(folder) / RECURRENT)
        return RecurrentDecoder(stored.settings, ngram, recurrent, stored.recurrent)
    except AsrError as error:
        raise CheckpointError(f"{error} `asr tune` stores it anew.") from None


def _pack(source: Path, target: Path) -> None:
    from asr.lm.load import load_language_model
    from asr.lm.ngram import NGram

    language_model = load_language_model(source)
    if isinstance(language_model, NGram):
        language_model.save(target)
    else:  # KenLM's binaries are packed
        shutil.copyfile(source, target)
