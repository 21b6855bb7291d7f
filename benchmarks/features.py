"""Claim: Kaldi-exact MFCCs at 1.5 times the speed of torchaudio's, and of librosa's at matching settings.

One 10 s clip at a time, one thread, 16 kHz, 25 ms windows every 10 ms, 40 filters, 13 cepstra. Only the first
two systems and kaldi-native-fbank compute the same numbers; the others are what people use instead.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import importlib
import warnings
from collections.abc import Callable

import numpy as np
import torch
from _timing import Claim, Row, arguments, interleave, report

from asr.features import FeatureSettings, FrontEnd

RATE, SECONDS, WINDOW, HOP, MELS, CEPSTRA = 16000, 10, 400, 160, 40, 13
MAX_DIFFERENCE = 2e-5
"""Between ours and torchaudio's, as a part of the largest value: float32's rounding."""


def speech_like(seconds: int) -> np.ndarray:
    """Harmonics of a gliding pitch under a syllable-like envelope, with noise."""
    time = np.arange(seconds * RATE) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.5 * time)) / RATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 20))
    noise = np.random.default_rng(0).normal(0, 0.01, len(time))
    return (0.2 * voice * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * time)) + noise).clip(-1, 1).astype(np.float32)


def ours(waveform: np.ndarray) -> Callable[[], np.ndarray]:
    front_end = FrontEnd(FeatureSettings()).eval()
    batch, lengths = torch.from_numpy(waveform)[None], torch.tensor([len(waveform)])
    return lambda: front_end(batch, lengths)[0][0].numpy()


def torchaudio(waveform: np.ndarray) -> Callable[[], np.ndarray]:
    kaldi = importlib.import_module("torchaudio.compliance.kaldi")
    batch = torch.from_numpy(waveform)[None] * 32768
    return lambda: kaldi.mfcc(batch, num_mel_bins=MELS, num_ceps=CEPSTRA, dither=0.0).numpy()


def librosa(waveform: np.ndarray) -> Callable[[], np.ndarray]:
    feature = importlib.import_module("librosa").feature
    options = {"n_fft": 512, "win_length": WINDOW, "hop_length": HOP, "n_mels": MELS, "htk": True}
    return lambda: feature.mfcc(y=waveform, sr=RATE, n_mfcc=CEPSTRA, **options).T


def kaldi_native_fbank(waveform: np.ndarray) -> Callable[[], np.ndarray]:
    knf = importlib.import_module("kaldi_native_fbank")
    options = knf.MfccOptions()
    options.frame_opts.dither, options.frame_opts.samp_freq = 0.0, RATE
    options.mel_opts.num_bins, options.num_ceps, options.use_energy = MELS, CEPSTRA, False
    samples = waveform * 32768

    def run() -> np.ndarray:
        extractor = knf.OnlineMfcc(options)
        extractor.accept_waveform(RATE, samples)
        extractor.input_finished()
        return np.stack([extractor.get_frame(i) for i in range(extractor.num_frames_ready)])

    return run


def python_speech_features(waveform: np.ndarray) -> Callable[[], np.ndarray]:
    psf = importlib.import_module("python_speech_features")
    options = {"winlen": WINDOW / RATE, "winstep": HOP / RATE, "numcep": CEPSTRA, "nfilt": MELS, "nfft": 512}
    return lambda: psf.mfcc(waveform * 32768, RATE, **options)


SYSTEMS = {
    "asr": ours,
    "torchaudio.compliance.kaldi": torchaudio,
    "librosa": librosa,
    "kaldi-native-fbank": kaldi_native_fbank,
    "python_speech_features": python_speech_features,
}
CLAIMS = [Claim("asr", "torchaudio.compliance.kaldi", 1.5), Claim("asr", "librosa", 1.5)]


def main() -> None:
    args = arguments(__doc__, rounds=40)
    torch.set_num_threads(1)
    waveform = speech_like(SECONDS)
    installed = {}
    for name, build in SYSTEMS.items():
        try:
            installed[name] = build(waveform)
        except ImportError:
            print(f"{name} is not installed: pip install -e '.[dev,bench]'")
    with torch.inference_mode():
        seconds = interleave(installed, args.rounds)
        notes = {name: difference(run(), installed["asr"]()) for name, run in installed.items()}
    rows = [
        Row(name, SECONDS / seconds[name], notes[name])
        if name in seconds
        else Row(name, None, "not installed")
        for name in SYSTEMS
    ]
    report("MFCC of 10 s clips, one thread", rows, CLAIMS, args.check, unit="audio-seconds per second")


def difference(theirs: np.ndarray, ours: np.ndarray) -> str:
    """Whether a peer computes the same numbers; a claim of exactness would be worth nothing unchecked."""
    same = theirs.shape == ours.shape and np.abs(theirs - ours).max() <= MAX_DIFFERENCE * np.abs(ours).max()
    return "the same numbers" if same else "other numbers"


if __name__ == "__main__":
    with warnings.catch_warnings():
        # torchaudio 2.11 announces at import that it is in maintenance.
        warnings.simplefilter("ignore")
        main()
