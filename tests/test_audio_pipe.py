"""Samples from a pipe as it gives them, whatever the pieces; wavs whose header tells lies about their end."""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asr import audio
from asr.audio_pipe import raw_samples, wav_samples
from asr.errors import AudioError


class Trickle(io.RawIOBase):
    """A pipe that gives as many bytes at a time as it is told to."""

    def __init__(self, data: bytes, pieces: list[int]):
        self.data, self.pieces = data, [*pieces, *[len(data)] * 2]

    def read1(self, count: int) -> bytes:
        size = min(count, self.pieces.pop(0) if self.pieces else count)
        given, self.data = self.data[:size], self.data[size:]
        return given


@given(st.lists(st.integers(1, 9), max_size=30), st.integers(1, 3), st.integers(0, 5))
def test_raw_samples_in_any_pieces(pieces, channels, unfinished):
    samples = np.arange(-30, 30, dtype="<i2").reshape(-1, channels)
    data = samples.tobytes() + b"\1" * min(unfinished, 2 * channels - 1)
    chunks = list(raw_samples(Trickle(data, pieces), channels))
    np.testing.assert_array_equal(np.concatenate(chunks), samples)
    assert all(len(chunk) for chunk in chunks)


def test_what_is_in_the_pipe_is_not_kept_waiting():
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as file, os.fdopen(writer, "wb", buffering=0) as sink:
        chunks = raw_samples(file)
        for number in range(3):  # each is read before the next one is written, so no read may wait for more
            sink.write(struct.pack("<h", number))
            np.testing.assert_array_equal(next(chunks), [[number]])


def streamed_wav(folder: Path, subtype: str, rate: int = 8000, channels: int = 2) -> tuple[bytes, np.ndarray]:
    sound = np.random.default_rng(0).uniform(-0.9, 0.9, (500, channels))
    soundfile.write(folder / "x.wav", sound, rate, subtype)
    data = bytearray((folder / "x.wav").read_bytes())
    place = data.index(b"data") + 4
    data[4:8] = data[place : place + 4] = b"\xff" * 4  # as ffmpeg writes to a pipe
    return bytes(data), soundfile.read(folder / "x.wav", dtype="float32")[0]


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_32", "FLOAT", "DOUBLE"])
def test_a_wav_without_an_end(subtype, tmp_path):
    data, expected = streamed_wav(tmp_path, subtype)
    rate, chunks = wav_samples(io.BytesIO(data), "x")
    heard = np.concatenate([audio.prepare(chunk, rate, rate) for chunk in chunks])
    assert rate == 8000
    np.testing.assert_allclose(heard, expected.mean(axis=1), atol=1e-6)


def test_a_wav_of_the_extensible_kind(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.full((9, 1), 0.5), 16000, "PCM_16", format="WAVEX")
    rate, chunks = wav_samples(io.BytesIO((tmp_path / "x.wav").read_bytes()), "x")
    assert rate == 16000
    np.testing.assert_array_equal(np.concatenate(list(chunks)), np.full((9, 1), 2**14))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends before its sound begins"),
        (b"fLaC" + bytes(40), "give --raw and --rate"),
        (b"RIFF1234WAVEfmt \xff\xff\xff\xff", "header of this wav is damaged"),
        (b"RIFF1234WAVEdata1234", "does not say what its samples are"),
        (
            b"RIFF1234WAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 1, 1, 8000, 0, 0, 24) + b"data1234",
            "write 16-bit",
        ),
    ],
)
def test_what_is_no_stream_of_sound_is_one_sentence(data, message):
    with pytest.raises(AudioError, match=message):
        wav_samples(io.BytesIO(data), "standard input")


@given(st.lists(st.integers(0, 3000), max_size=8), st.sampled_from([8000, 16000, 22050, 44100]))
def test_resampled_in_pieces_is_resampled_as_a_whole(cuts, rate):
    sound = np.random.default_rng(1).normal(0, 0.1, 3000).astype(np.float32)
    resampler = audio.Resampler(rate, 8000)
    pieces = [resampler.accept(piece) for piece in np.split(sound, sorted(cuts))]
    np.testing.assert_allclose(
        np.concatenate([*pieces, resampler.finish()]), audio.resample(sound, rate, 8000), atol=1e-6
    )


def test_a_lower_rate_is_warned_of_once(caplog):
    resampler = audio.Resampler(8000, 16000, name="the microphone")
    resampler.accept(np.zeros(10, np.int16))
    assert [record.getMessage() for record in caplog.records] == [
        "the microphone: 8000 Hz audio for a 16000 Hz model; the high frequencies are missing."
    ]
