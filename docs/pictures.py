"""Draw docs/pipeline.png: one of the bundled recordings on its way through the bundled model.

.venv/bin/pip install matplotlib && .venv/bin/python docs/pictures.py
.venv/bin/python docs/pictures.py augmentation                   draws docs/augmentation.png: each augmentation
.venv/bin/python docs/pictures.py reliability MODEL MANIFEST     draws docs/reliability.svg: do confidences hold?
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

from asr import load, read_manifest
from asr.augment import AugmentSettings, augment_waveform, babble, mask_features
from asr.config import compose
from asr.decoding.confidence import expected_calibration_error, reliability
from asr.dev_set import DevSet
from asr.features import FrontEnd
from asr.inputs import load_input
from asr.report.drawing import draw
from asr.report.inspection import inspect

FOLDER = Path(__file__).parent
SAMPLE = 4
"""Which of the bundled recordings: a voice that no training heard."""


def draw_pipeline(path: Path = FOLDER / "pipeline.png") -> None:
    """Waveform, MFCC, symbol probabilities and the words, over one time axis: as `asr inspect` draws them."""
    utterance = read_manifest(FOLDER.parent / "recipes" / "demo" / "samples" / "samples.jsonl")[SAMPLE]
    draw(path, inspect(load("digits-en"), utterance))
    Image.open(path).quantize(64).save(path, optimize=True)  # a third of the bytes


def draw_reliability(model: str, manifest: str, path: Path = FOLDER / "reliability.svg") -> None:
    """Of the words of like confidence the share that is right, before and after the model's calibration."""
    recognizer = load(model)
    judged = DevSet(recognizer, read_manifest(manifest)).judge(recognizer.decoder)
    words = [word for utterance in judged for word in utterance]
    raw, correct = [confidence for confidence, _ in words], [right for _, right in words]
    panels = {"as decoded": raw}
    if recognizer.calibration is not None:
        panels["calibrated"] = [recognizer.calibration(confidence) for confidence in raw]
    size = (4.2 * len(panels), 4.8)
    figure, axes = plt.subplots(
        1, len(panels), figsize=size, sharey=True, squeeze=False, layout="constrained"
    )
    for axis, (name, confidences) in zip(axes[0], panels.items(), strict=True):
        _draw_bins(axis, confidences, correct)
        error = expected_calibration_error(confidences, correct)
        axis.set_title(f"{name}: expected calibration error {error:.3f}", fontsize=10)
    axes[0, 0].set_ylabel("share of words that are right")
    figure.suptitle(f"{len(words)} words of {Path(manifest).name}", fontsize=11)
    figure.savefig(path)


def _draw_bins(axis: plt.Axes, confidences: list[float], correct: list[bool]) -> None:
    bins = reliability(confidences, correct)
    axis.plot([0, 1], [0, 1], color="#999", linewidth=1, linestyle="--")
    sizes = [4 + 300 * part.count / len(confidences) for part in bins]
    centres, shares = [part.confidence for part in bins], [part.accuracy for part in bins]
    axis.plot(centres, shares, color="#246", linewidth=1)
    axis.scatter(centres, shares, s=sizes, color="#246", alpha=0.6)
    for part in bins:
        axis.annotate(str(part.count), (part.confidence, part.accuracy), fontsize=7, ha="right", va="bottom")
    axis.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="confidence", aspect="equal")


AUGMENTED = 1
"""Which of the bundled recordings is augmented: 16 kHz, so that there is a band to lose."""
AUGMENTATIONS: dict[str, dict[str, float]] = {
    "as recorded": {},
    "speed_min=0.9": {"speed_min": 0.9, "speed_max": 0.9},
    "speed_max=1.1": {"speed_min": 1.1, "speed_max": 1.1},
    "gain_min=-15": {"gain_min": -15, "gain_max": -15},
    "reverb_max=0.5": {"reverb_probability": 1, "reverb_max": 0.5},
    "band_probability": {"band_probability": 1},
    "noise_probability, 5 dB": {"noise_probability": 1, "snr_min": 5, "snr_max": 5},
    "babble_probability, 5 dB": {"babble_probability": 1, "snr_min": 5, "snr_max": 5},
    "telephone_probability": {"telephone_probability": 1},
    "mulaw_probability": {"mulaw_probability": 1},
    "gsm_probability": {"gsm_probability": 1},
    "mp3_probability": {"mp3_probability": 1},
    "time_masks=2": {"time_masks": 2, "time_mask_frames": 40},
    "feature_masks=2": {"feature_masks": 2, "feature_mask_size": 16},
}


def draw_augmentation(path: Path = FOLDER / "augmentation.png") -> None:
    """Log mel energies of one recording, a panel for each way in which training changes it."""
    front_end = FrontEnd(compose(["features=log_mel", "features.num_mels=80"]).features)
    samples = read_manifest(FOLDER.parent / "recipes" / "demo" / "samples" / "samples.jsonl")
    waveforms = [load_input(sample, 16000, 80) for sample in samples]
    voice, others = waveforms.pop(AUGMENTED), waveforms
    figure, axes = plt.subplots(7, 2, figsize=(8, 9), sharex=True, layout="constrained")
    for axis, (title, settings) in zip(axes.flat, AUGMENTATIONS.items(), strict=True):
        features = _augmented(front_end, voice, others, AugmentSettings(**settings))
        extent = (0, len(features) * 0.01, 0, 80)
        axis.imshow(features.T, aspect="auto", origin="lower", extent=extent, cmap="magma", vmin=6, vmax=26)
        axis.set_title(title, fontsize=9, family="monospace")
        axis.set(yticks=[], xlim=(0, 2.4))
    axes[-1, 0].set_xlabel("seconds")
    axes[-1, 1].set_xlabel("seconds")
    figure.savefig(path, dpi=72)
    Image.open(path).quantize(32).save(path, optimize=True)  # a third of the bytes


def _augmented(
    front_end: FrontEnd, voice: np.ndarray, others: list[np.ndarray], settings: AugmentSettings
) -> np.ndarray:
    def talk(num_samples: int, rng: np.random.Generator) -> np.ndarray:
        return babble(others[: settings.babble_voices], num_samples, rng)

    torch.manual_seed(4)
    rng = np.random.default_rng(6)
    features = front_end.extract(augment_waveform(voice, 16000, settings, rng, babble=talk), normalize=False)
    mean = features.mean(dim=0)
    masked = mask_features((features - mean)[None], torch.tensor([len(features)]), settings)[0]
    return (masked + mean).numpy()


if __name__ == "__main__":
    if sys.argv[1:2] == ["augmentation"]:
        draw_augmentation()
    elif sys.argv[1:2] == ["reliability"]:
        draw_reliability(*sys.argv[2:4])
    else:
        draw_pipeline()
