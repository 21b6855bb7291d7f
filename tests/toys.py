"""The toy language for tests with torch: a tiny network learns it."""

from collections.abc import Sequence
from pathlib import Path

import soundfile
import torch
from tone_language import (
    GAP_SECONDS,
    PITCHES,
    RATE,
    SYMBOL_SECONDS,
    VOCABULARY,
    Mumbling,
    ToneModel,
    random_texts,
    utter,
)

from asr.acoustic import TorchAcousticModel
from asr.checkpoint import Model
from asr.features import FeatureSettings
from asr.manifest import Utterance, write_manifest
from asr.models import ModelSettings
from asr.settings import RecognizerSettings
from asr.text import TextSettings, Vocabulary

__all__ = [
    "FEATURES",
    "GAP_SECONDS",
    "PITCHES",
    "RATE",
    "SMALL",
    "SYMBOL_SECONDS",
    "VOCABULARY",
    "Mumbling",
    "ToneModel",
    "random_model",
    "random_texts",
    "utter",
    "write_corpus",
    "write_unigram",
]

FEATURES = FeatureSettings(
    sample_rate=RATE, window_length=200, hop_length=80, fft_length=256, num_mels=20, cmvn="utterance"
)
SMALL = ModelSettings(
    num_layers=1, hidden_size=24, num_channels=24, subsampling=2, kernel_size=3, dropout=0.1
)


def write_corpus(folder: Path, texts: Sequence[str]) -> list[Utterance]:
    """A wav a text, and ``manifest.jsonl`` beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    utterances = []
    for number, text in enumerate(texts):
        path = folder / f"{number:03d}.wav"
        sound = utter(text, number)
        soundfile.write(path, sound, RATE)
        utterances.append(Utterance(str(path), len(sound) / RATE, text))
    write_manifest(folder / "manifest.jsonl", utterances)
    return utterances


def write_unigram(path: Path) -> Path:
    """A language model of the toy language: its four words, alike."""
    words = "".join(f"-0.7\t{word}\n" for word in ("</s>", "ab", "cd", "bad", "dc"))
    path.write_text(f"\\data\\\nngram 1=7\n\n\\1-grams:\n-3\t<unk>\n-99\t<s>\n{words}\n\\end\\\n")
    return path


def random_model(
    features: FeatureSettings = FEATURES,
    model: ModelSettings = SMALL,
    vocabulary: Vocabulary = VOCABULARY,
    loudness: float = 20.0,
) -> Model:
    """Untrained, but with so loud a head that its answers depend on what it hears."""
    torch.manual_seed(1)
    acoustic = TorchAcousticModel(features, model, len(vocabulary)).eval()
    with torch.no_grad():
        acoustic.network.head[-1].weight.mul_(loudness)
    return Model(acoustic, vocabulary, RecognizerSettings(features, TextSettings(), model))
