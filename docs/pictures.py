"""Draw docs/pipeline.png: one of the bundled recordings on its way through the bundled model.

.venv/bin/pip install matplotlib && .venv/bin/python docs/pictures.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np

from asr import checkpoint, load, read_manifest
from asr.inputs import load_input

FOLDER = Path(__file__).parent
SAMPLE = 4
"""Which of the bundled recordings: a voice that no training heard."""


def main() -> None:
    """Waveform, static MFCC, symbol probabilities and the words, over one time axis."""
    utterance = read_manifest(FOLDER.parent / "recipes" / "demo" / "samples" / "samples.jsonl")[SAMPLE]
    model = checkpoint.load("digits-en")
    acoustic = model.acoustic
    waveform = load_input(utterance, acoustic.sample_rate, acoustic.num_static)
    mfcc = acoustic.front_end.extract(waveform)[:, : acoustic.num_static].numpy()
    log_probs = acoustic.log_probs([waveform])[0]
    transcript = load("digits-en").transcribe(utterance)
    end = len(waveform) / acoustic.sample_rate

    figure, axes = plt.subplots(4, 1, figsize=(11, 7), sharex=True, height_ratios=[2, 2, 3, 0.8])
    axes[0].plot(np.linspace(0, end, len(waveform)), waveform, linewidth=0.4, color="#246")
    axes[0].set_ylabel("waveform")
    axes[1].imshow(mfcc.T, aspect="auto", origin="lower", extent=(0, end, 0, mfcc.shape[1]), cmap="magma")
    axes[1].set_ylabel("MFCC")
    symbols = [symbol.replace("<blank>", "–").replace(" ", "␣") for symbol in model.vocabulary.symbols]
    extent = (0, len(log_probs) * acoustic.frame_seconds, len(symbols) - 0.5, -0.5)
    axes[2].imshow(np.exp(log_probs).T, aspect="auto", extent=extent, cmap="Blues", interpolation="nearest")
    axes[2].set_yticks(range(len(symbols)), symbols, fontsize=8)
    axes[2].set_ylabel("symbol probabilities")
    for word in transcript.words:
        axes[3].axvspan(word.start, word.end, color="#cde")
        middle = (word.start + word.end) / 2
        axes[3].text(middle, 0.5, f"{word.text}\n{word.confidence:.2f}", ha="center", va="center", fontsize=9)
    axes[3].set_yticks([])
    axes[3].set_ylabel("words")
    axes[3].set_xlabel("seconds")
    axes[3].set_xlim(0, end)
    figure.align_ylabels(axes)
    figure.tight_layout()
    figure.savefig(FOLDER / "pipeline.png", dpi=110)


if __name__ == "__main__":
    main()
