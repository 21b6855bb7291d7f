"""The acoustic model of an exported file, on onnxruntime: numpy in, numpy out, no torch."""

import os
from collections.abc import Iterable, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asr import onnx_file
from asr.decoding import num_cores
from asr.errors import CheckpointError, ConfigError
from asr.settings import RecognizerSettings
from asr.windows import moments

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

WAVEFORMS, FEATURES, LENGTHS = "waveforms", "features", "lengths"
LOG_PROBS, LOG_PROB_LENGTHS = "log_probs", "log_prob_lengths"
"""What goes into the graph, and what comes out; an exported model takes waveforms or features."""
UNNORMALIZED, MOST_FRAMES = "unnormalized_features", "most_frames"
"""What comes out, too, and how much of it the network hears: all, if nothing is said."""
WHOLE = ("whole_frames", "whole_mean", "whole_variance")
"""The ``windows.Moments`` that an utterance is normalised by, if they are not its own."""


class OnnxAcousticModel:
    """The recognizer's acoustic model on onnxruntime, one recording at a time.

    A batch would only fill with padding what one recording leaves, and int8 scales are those of all that is computed
    together: so no recording changes the answer for another, not by a bit.
    """

    def __init__(self, path: Path, settings: RecognizerSettings, vocabulary_size: int):
        """Load the graph of a file.

        Raises:
            CheckpointError: it is damaged, none of ours, or does not fit its own settings.
            ConfigError: onnxruntime is not installed.
        """
        self.path = path
        self.sample_rate = settings.features.sample_rate
        self.num_static = settings.features.num_static
        self.frame_seconds = settings.features.hop_seconds * settings.model.subsampling
        self._session = start(onnx_file.read_graph(path), path)
        self._input = str(self._session.get_inputs()[0].name)
        self._features = settings.features
        self._whole: dict[str, NDArray[np.float32]] = {}
        if _signature(self._session) != (LENGTHS, LOG_PROBS, LOG_PROB_LENGTHS, vocabulary_size):
            raise CheckpointError(f"{path}: its network does not fit its symbols; export it again.")

    def log_probs(self, inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """``(time, vocab)`` of each waveform ``(num_samples,)`` or features ``(num_frames, num_static)``.

        Raises:
            CheckpointError: it was exported for the other kind of input.
        """
        return [self._run(LOG_PROBS, values, self._whole) for values in inputs]

    def fitted_to(self, waveforms: Iterable[NDArray[np.float32]]) -> "OnnxAcousticModel":
        """The same, normalising by what all these waveforms are: a recording that will be heard in windows.

        Raises:
            CheckpointError: it was exported when graphs could not do that.
        """
        if self._features.cmvn != "utterance":
            return self
        if len(self._session.get_outputs()) == 2:
            raise CheckpointError(
                f"{self.path}: was exported by a version whose models cannot normalise a long recording as a whole; "
                "export it again."
            )
        found = moments(self._unnormalized, waveforms, self._features.hop_length)
        fitted = copy(self)
        given = (np.atleast_1d(np.float32(value)) for value in found)
        fitted._whole = dict(zip(WHOLE, given, strict=True))
        return fitted

    def _unnormalized(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._run(UNNORMALIZED, waveform, {MOST_FRAMES: np.array([1])})

    def _run(
        self, output: str, values: NDArray[np.float32], options: dict[str, NDArray[Any]]
    ) -> NDArray[np.float32]:
        if (values.ndim == 1) != (self._input == WAVEFORMS):
            wants = "recordings; export it with" if values.ndim == 2 else "features; export it without"
            raise CheckpointError(f"{self.path}: hears {wants} --features for what it was given.")
        given = {self._input: values[None], LENGTHS: np.array([len(values)])}
        (found,) = self._session.run([output], given | options)
        result: NDArray[np.float32] = found[0]
        return result


def start(graph: bytes, path: Path) -> "InferenceSession":
    """A graph, ready to run on as many threads as torch would take.

    Raises:
        CheckpointError: onnxruntime cannot use the graph.
        ConfigError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise ConfigError(f"{path}: needs onnxruntime; install it: pip install 'asr[onnx]'.") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", num_cores()))
    # Threads that wait for work by turning in circles take it from whoever else computes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # what fails is raised
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no common root for what it raises
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path}: onnxruntime cannot use it ({reason}); export it again.") from None


def _signature(session: "InferenceSession") -> tuple[Any, ...]:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    return (inputs[-1].name, *(output.name for output in outputs[:2]), outputs[0].shape[-1])
