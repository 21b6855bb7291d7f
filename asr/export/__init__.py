"""A model as one ONNX file: raw waveform in, log_probs out, and the texts that a recognizer needs.

The graph is built of the weights, not traced: both directions of a layer become one operator that stops at each
utterance's length, and every matrix product is written so that it has an int8 form.
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from asr import checkpoint, onnx_file, stored_decoder
from asr.checkpoint import Model
from asr.errors import CheckpointError
from asr.export import front_end, network
from asr.export.graph import Graph
from asr.kinds import kind_of
from asr.onnx_model import (
    FEATURES,
    LENGTHS,
    LOG_PROB_LENGTHS,
    LOG_PROBS,
    MOST_FRAMES,
    UNNORMALIZED,
    WAVEFORMS,
    start,
)
from asr.settings import to_yaml
from asr.whole_files import written_beside

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from torch import nn

__all__ = ["export"]

TOLERANCE = 1e-3
"""Of natural logarithms; the order in which float32 is added up makes a tenth of it."""


def export(
    model_dir: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    int8: bool = False,
    features: bool = False,
) -> float:
    """Write a model as one file, its language model beside, and give how far its float32 form is from torch at most.

    ``int8`` stores the matrices in 8 bits. With ``features`` it takes static features instead of waveforms.

    Raises:
        CheckpointError: it is no CTC model, cannot be read or written, or onnxruntime gives other numbers than torch.
        ConfigError: onnxruntime is not installed.
    """
    place, target = checkpoint.resolve(model_dir), Path(output)
    model = checkpoint.load(place)
    if not kind_of(model.settings.model).frame_by_frame:
        raise CheckpointError(
            f"{place}: only CTC models are exported, and this is one of model.kind={model.settings.model.kind}."
        )
    graph = _graph(model, False, features)
    difference = _difference(model, start(graph, target), features)
    if not difference < TOLERANCE:
        raise CheckpointError(
            f"{place}: as ONNX it is {difference:.2g} from torch; please report this model."
        )
    graph = _graph(model, True, features) if int8 else graph
    onnx_file.write(target, graph, _texts(place) | _decoder(place, target))
    return difference


def _graph(model: Model, int8: bool, features: bool) -> bytes:
    """Waveforms or features ``(batch, time)`` and lengths to log_probs and their lengths."""
    settings, graph = model.settings, Graph(int8)
    ears, brain = _tensors(model.acoustic.front_end), _tensors(model.acoustic.network)
    if features:
        num_static = settings.features.num_static
        static = graph.input(FEATURES, TensorProto.FLOAT, ["batch", "frames", num_static])
        lengths = graph.input(LENGTHS, TensorProto.INT64, ["batch"])
    else:
        waveforms = graph.input(WAVEFORMS, TensorProto.FLOAT, ["batch", "samples"])
        lengths = graph.input(LENGTHS, TensorProto.INT64, ["batch"])
        static, lengths = front_end.static(graph, settings.features, ears, waveforms, lengths)
    columns = front_end.with_deltas(graph, settings.features, static, lengths)
    heard = front_end.normalize(graph, settings.features, ears, columns, lengths)
    # onnxruntime runs all of a graph, whatever is asked of it: who wants features alone has little of the rest run.
    most = graph.input(MOST_FRAMES, TensorProto.INT64, [1], [2**62])
    heard, lengths = graph.slice(heard, 0, most, axis=1), graph("Min", lengths, most)
    log_probs, lengths = network.network(graph, settings.model, brain, heard, lengths)
    graph.output(LOG_PROBS, log_probs, TensorProto.FLOAT, ["batch", "time", len(model.vocabulary)])
    graph.output(LOG_PROB_LENGTHS, lengths, TensorProto.INT64, ["batch"])
    graph.output(
        UNNORMALIZED, columns, TensorProto.FLOAT, ["batch", "frames", settings.features.num_features]
    )
    return graph.serialize()


def _tensors(module: "nn.Module") -> dict[str, NDArray[np.float32]]:
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor.detach().cpu().numpy() for name, tensor in named}


def _difference(model: Model, session: "InferenceSession", features: bool) -> float:
    """Between torch and onnxruntime, on bursts of noise of two lengths in one padded batch."""
    settings = model.settings.features
    shape = (settings.num_static,) if features else ()
    rate = round(1 / settings.hop_seconds) if features else settings.sample_rate
    lengths = [rate * 3 // 5, rate]
    clips = [_bursts(length, rate, shape) for length in lengths]
    batch = np.ones((len(clips), max(lengths), *shape), np.float32)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    given = {session.get_inputs()[0].name: batch, LENGTHS: np.array(lengths)}
    heard, ends = session.run([LOG_PROBS, LOG_PROB_LENGTHS], given)
    pairs = zip(heard, ends, model.acoustic.log_probs(clips), strict=True)
    return max(float(np.abs(ours[:end] - theirs).max()) for ours, end, theirs in pairs)


def _bursts(length: int, rate: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Noise that swells and fades four times a second, as syllables do."""
    swell = np.sin(4 * np.pi * np.arange(length) / rate) ** 2
    noise = np.random.default_rng(length).normal(0, 0.1, (length, *shape))
    clip: NDArray[np.float32] = (noise.T * swell).T.astype(np.float32)
    return clip


def _texts(place: Path) -> dict[str, str]:
    names = (checkpoint.CONFIG, checkpoint.VOCABULARY, onnx_file.DICTIONARY, checkpoint.CARD)
    paths = [place / name for name in names]
    return {path.name: path.read_text(encoding="utf-8") for path in paths if path.exists()}


def _decoder(place: Path, target: Path) -> dict[str, str]:
    """What the model remembers of its decoder; its language model, which is mapped and not read, goes beside."""
    if not (place / stored_decoder.FILE).exists():
        return {}
    stored = stored_decoder.load(place)
    if stored.language_model is not None:
        beside = target.with_suffix(f".{stored_decoder.LANGUAGE_MODEL}")
        _copy(place / stored.language_model, beside)
        stored = replace(stored, language_model=beside.name)
    # A recurrent language model needs torch, which an exported model does without.
    stored = replace(stored, recurrent=None)
    return {stored_decoder.FILE: to_yaml(stored, format_version=stored_decoder.FORMAT_VERSION)}


def _copy(source: Path, target: Path) -> None:
    try:
        with written_beside(target) as partial:
            shutil.copyfile(source, partial)
    except OSError as error:
        raise CheckpointError(
            f"{target}: the language model cannot be written ({error.strerror}); make room, or choose another place."
        ) from None
