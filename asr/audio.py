"""Recordings in, waveforms out: float32, mono, at the rate the model wants.

soundfile reads wav, flac, ogg (vorbis and opus), mp3 and NIST SPHERE from its wheel alone; soxr resamples.
Mixing down, resampling and the warning about upsampling happen here and nowhere else.
"""

import io
import logging
import os
from pathlib import Path
from typing import IO, Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from asr.errors import AudioError

Waveform = NDArray[np.float32]
Source = str | os.PathLike[str] | IO[bytes]

SUFFIXES = frozenset(
    ".wav .flac .ogg .oga .opus .mp3 .sph .nist .wv1 .aif .aiff .au .caf .w64 .rf64".split()
    + ".m4a .mp4 .aac .wma .webm .mkv .mov .amr .3gp".split()
)
"""What counts as a recording when a folder is searched; whether it can be read, the reading says."""

_log = logging.getLogger(__name__)


def load(source: Source, sample_rate: int, *, offset: float = 0.0, duration: float | None = None) -> Waveform:
    """The waveform ``(num_samples,)`` of a file or file object, or of the segment at ``offset`` seconds.

    Raises:
        AudioError: the audio cannot be read, is empty, or the segment lies outside it.
    """
    name = name_of(source)
    try:
        samples, rate = _read(source, offset, duration)
    except soundfile.LibsndfileError as error:
        samples, rate = _read_with_av(source, offset, duration, str(error))
    except (OSError, EOFError) as error:
        raise AudioError(f"{name}: cannot be read ({_reason(error)}).") from None
    if not len(samples):
        what = f"the segment at {offset:g} s lies outside the recording" if offset else "holds no audio"
        raise AudioError(f"{name}: {what}; remove it or correct its entry.")
    return prepare(samples, rate, sample_rate, name=name)


def prepare(samples: NDArray[Any], rate: int, sample_rate: int, *, name: str = "the array") -> Waveform:
    """Samples ``(num_samples,)`` or ``(num_samples, channels)`` mixed to mono and resampled; integers scaled to [-1, 1].

    Raises:
        AudioError: a sample is not finite, the rate is not positive, or the shape is another.
    """
    if samples.ndim not in (1, 2) or samples.size == 0:
        raise AudioError(f"{name}: expected (num_samples,) or (num_samples, channels), got {samples.shape}.")
    if rate <= 0:
        raise AudioError(f"{name}: the sample rate must be positive, not {rate}.")
    waveform = _mono(samples)
    if not np.isfinite(waveform).all():
        first = int(np.argmin(np.isfinite(waveform))) / rate
        raise AudioError(f"{name}: a sample at {first:.3f} s is not a finite number; export the file again.")
    return resample(waveform, rate, sample_rate, name=name)


def resample(waveform: Waveform, rate: float, sample_rate: float, *, name: str = "the array") -> Waveform:
    """The waveform at another rate (soxr HQ); going up adds no information, and that is said once a file."""
    if rate == sample_rate:
        return waveform
    if rate < sample_rate:
        _log.warning(
            "%s: %g Hz audio for a %g Hz model; the high frequencies are missing.", name, rate, sample_rate
        )
    resampled: Waveform = soxr.resample(waveform, rate, sample_rate)
    # Audio so short that the filter swallows it keeps one sample rather than becoming nothing.
    return resampled if len(resampled) else waveform[:1]


def duration(path: str | os.PathLike[str]) -> float:
    """Seconds of audio in a file, from its header where the format has the length there.

    Raises:
        AudioError: the audio cannot be read.
    """
    try:
        info = soundfile.info(os.fspath(path))
    except soundfile.LibsndfileError as error:
        samples, rate = _read_with_av(path, 0.0, None, str(error))
        return len(samples) / rate
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({_reason(error)}).") from None
    return float(info.frames / info.samplerate)


def name_of(source: Source) -> str:
    """What messages call a source: its path, its file's name, or "standard input"."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "the audio stream"


def _read(source: Source, offset: float, duration: float | None) -> tuple[NDArray[Any], int]:
    with soundfile.SoundFile(source if not isinstance(source, os.PathLike) else os.fspath(source)) as file:
        rate = file.samplerate
        start = round(offset * rate)
        if start >= file.frames > 0:
            return np.empty(0, np.float32), rate
        if start:
            file.seek(start)
        num_frames = -1 if duration is None else round(duration * rate)
        # 16-bit files stay integers until they are mixed: seven times faster than reading them as floats.
        dtype = "int16" if file.subtype == "PCM_16" else "float32"
        return file.read(num_frames, dtype=dtype, always_2d=True), rate


def _mono(samples: NDArray[Any]) -> Waveform:
    full_scale = 1.0
    if np.issubdtype(samples.dtype, np.integer):
        full_scale = float(np.iinfo(samples.dtype).max) + 1
    if samples.ndim == 1:
        mixed = samples.astype(np.float32)
    elif samples.shape[1] == 1:
        mixed = samples[:, 0].astype(np.float32)
    else:
        mixed = samples.sum(axis=1, dtype=np.float32)
        full_scale *= samples.shape[1]
    return mixed if full_scale == 1.0 else mixed / np.float32(full_scale)


def _read_with_av(
    source: Source, offset: float, duration: float | None, why: str
) -> tuple[NDArray[np.float32], int]:
    """The second way in, for m4a, aac and video: PyAV when it is installed, else the sentence that names it."""
    name = name_of(source)
    head = _head(source)
    _refuse_what_is_no_audio(name, head)
    try:
        import av
    except ImportError:
        raise AudioError(
            f"{name}: libsndfile cannot read it ({_reason(why)}); "
            "`pip install 'asr[av]'` adds m4a, aac, wma and video, or convert it to wav or flac."
        ) from None
    try:
        with av.open(source if not isinstance(source, os.PathLike) else os.fspath(source)) as container:
            rate = container.streams.audio[0].rate
            frames = [frame.to_ndarray() for frame in _resampled(av, container, rate)]
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise AudioError(
            f"{name}: damaged, or no audio ({_reason(why)}; {error}); export it again as wav or flac."
        ) from None
    samples = np.concatenate(frames, axis=1)[0] if frames else np.empty(0, np.float32)
    start = round(offset * rate)
    end = None if duration is None else start + round(duration * rate)
    return samples[start:end], rate


def _resampled(av: Any, container: Any, rate: int) -> Any:
    """The container's frames as planar mono float."""
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate)
    for frame in container.decode(audio=0):
        yield from resampler.resample(frame)
    yield from resampler.resample(None)


def _head(source: Source, size: int = 1024) -> bytes:
    if isinstance(source, (str, os.PathLike)):
        try:
            with open(source, "rb") as file:
                return file.read(size)
        except OSError as error:
            raise AudioError(f"{os.fspath(source)}: cannot be read ({_reason(error)}).") from None
    source.seek(0)
    head = source.read(size)
    source.seek(0)
    return head


def _refuse_what_is_no_audio(name: str, head: bytes) -> None:
    """The mistakes that happen most, each with its own remedy."""
    if not head:
        raise AudioError(f"{name}: the file is empty; copy or record it again.")
    if head.startswith(b"NIST_1A") and b"shorten" in head:
        raise AudioError(f"{name}: SPHERE compressed with shorten; expand it with `sph2pipe -f wav` first.")
    if head.startswith(b"version https://git-lfs"):
        raise AudioError(f"{name}: a Git LFS pointer, not audio; run `git lfs pull`.")
    if _is_text(head):
        raise AudioError(f"{name}: text, not audio, whatever its name says; replace it by the recording.")


def _is_text(head: bytes) -> bool:
    try:
        # The cut at 1024 bytes may split a character, hence the last three bytes are left out.
        text = head[: max(len(head) - 3, 1)].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)


def _reason(error: object) -> str:
    """The short cause out of a library's message, without the path that we name ourselves."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).rsplit(": ", 1)[-1].strip().rstrip(".") or "unknown reason"


def find(folder: str | os.PathLike[str]) -> list[Path]:
    """Every recording below a folder, by its suffix, sorted by path; hidden files are left alone."""
    return sorted(
        path
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def from_bytes(data: bytes, name: str) -> IO[bytes]:
    """A named, seekable file object, as standard input is not."""
    stream = io.BytesIO(data)
    stream.name = name
    return stream
