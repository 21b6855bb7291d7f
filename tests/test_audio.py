"""Every format, rate and channel count comes out right, and every broken file as one sentence."""

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import tones

from asr import audio
from asr.errors import AudioError

RATE = 16000

# (file name, subtype, the largest error that the format may make)
FORMATS = [
    ("a.wav", "PCM_U8", 2**-7),
    ("a.wav", "PCM_16", 2**-15),
    ("a.wav", "PCM_24", 2**-22),
    ("a.wav", "PCM_32", 2**-23),
    ("a.wav", "FLOAT", 0),
    ("a.wav", "DOUBLE", 0),
    ("a.wav", "ALAW", 0.02),
    ("a.wav", "ULAW", 0.02),
    ("a.wav", "IMA_ADPCM", 0.2),
    ("a.wav", "GSM610", 0.3),
    ("a.flac", "PCM_16", 2**-15),
    ("a.flac", "PCM_24", 2**-22),
    ("a.ogg", "VORBIS", 0.1),
    ("a.opus", "OPUS", 0.1),
    ("a.mp3", "MPEG_LAYER_III", 0.1),
    ("a.sph", "PCM_16", 2**-15),
    ("a.sph", "ULAW", 0.02),
    ("a.aiff", "PCM_16", 2**-15),
    ("a.w64", "PCM_16", 2**-15),
]
CONTAINERS = {".opus": "OGG", ".sph": "NIST"}
FORMAT_NAMES = [f"{name}-{subtype}" for name, subtype, _ in FORMATS]


def write(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str | None = None) -> Path:
    """In blocks, because soundfile crashes when a minute of Vorbis is written in one call."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    options = {"format": CONTAINERS.get(path.suffix), "subtype": subtype}
    with soundfile.SoundFile(path, "w", samplerate=rate, channels=channels, **options) as file:
        for start in range(0, len(samples), RATE):
            file.write(samples[start : start + RATE])
    return path


def refused(source, **segment) -> str:
    """The message that refuses it, which must be one plain sentence with the file's name."""
    with pytest.raises(AudioError) as caught:
        audio.load(source, RATE, **segment)
    message = str(caught.value)
    assert message.startswith(f"{audio.name_of(source)}: ")
    assert message.endswith(".")
    assert "\n" not in message
    assert ";" in message, "a message ends with the remedy"
    for jargon in ("Traceback", "Errno", "Exception", "Error opening"):
        assert jargon not in message
    return message


@pytest.mark.parametrize(("name", "subtype", "tolerance"), FORMATS, ids=FORMAT_NAMES)
class TestFormats:
    def test_whole_file(self, tmp_path, name, subtype, tolerance):
        expected = tones(2.0)
        waveform = audio.load(write(tmp_path / name, expected, subtype=subtype), RATE)
        assert waveform.dtype == np.float32
        assert len(waveform) - len(expected) in range(1000 if "ADPCM" in subtype else 1)
        assert np.abs(waveform[: len(expected)] - expected).max() <= tolerance + 1e-7

    def test_segment_is_the_same_part_of_the_whole(self, tmp_path, name, subtype, tolerance):
        path = write(tmp_path / name, tones(3.0), subtype=subtype)
        whole = audio.load(path, RATE)
        for offset, duration in [(0.0, 0.5), (1.2345, 0.75), (2.5, None)]:
            start = round(offset * RATE)
            end = None if duration is None else start + round(duration * RATE)
            segment = audio.load(path, RATE, offset=offset, duration=duration)
            np.testing.assert_allclose(segment, whole[start:end], rtol=0, atol=2e-7)

    def test_duration(self, tmp_path, name, subtype, tolerance):
        path = write(tmp_path / name, tones(2.0), subtype=subtype)
        assert audio.duration(path) == pytest.approx(len(audio.load(path, RATE)) / RATE, abs=1e-4)

    def test_sample_rate(self, tmp_path, name, subtype, tolerance):
        path = write(tmp_path / name, tones(0.5), subtype=subtype)
        assert audio.sample_rate(path) == soundfile.info(path).samplerate

    def test_file_object_gives_the_same(self, tmp_path, name, subtype, tolerance):
        path = write(tmp_path / name, tones(1.0), subtype=subtype)
        by_path = audio.load(path, RATE)
        with path.open("rb") as file:
            file.read(7)  # wherever it stands, it is read from its start
            np.testing.assert_array_equal(audio.load(file, RATE), by_path)
            assert not file.closed
        np.testing.assert_array_equal(audio.load(io.BytesIO(path.read_bytes()), RATE), by_path)
        np.testing.assert_array_equal(audio.load(str(path), RATE), by_path)

    def test_cut_in_the_middle_gives_what_is_there_and_a_warning(
        self, tmp_path, caplog, name, subtype, tolerance
    ):
        whole_path = write(tmp_path / name, tones(4.0), subtype=subtype)
        whole = audio.load(whole_path, RATE)
        data = whole_path.read_bytes()
        path = tmp_path / f"cut{whole_path.suffix}"
        path.write_bytes(data[: len(data) // 2])
        assert not caplog.records, "a whole file gives no warning"
        waveform = audio.load(path, RATE)
        assert 0.8 * RATE < len(waveform) < 2.6 * RATE
        if subtype not in ("IMA_ADPCM", "GSM610"):  # their blocks straddle the cut
            np.testing.assert_allclose(waveform, whole[: len(waveform)], rtol=0, atol=2e-7)
        (warning,) = caplog.messages
        assert warning.startswith(f"{path}: damaged or cut short: {len(waveform) / RATE:.2f}")
        if whole_path.suffix not in (".ogg", ".opus"):  # ogg states no length
            assert f" of {len(whole) / RATE:.1f}" in warning


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.opus", "a.mp3", "a.sph", "a.aiff"])
def test_cut_inside_its_header(tmp_path, name):
    data = write(tmp_path / name, tones(1.0)).read_bytes()
    for size in (1, 5, 11, 30):
        path = tmp_path / f"cut{Path(name).suffix}"
        path.write_bytes(data[:size])
        refused(path)


def test_sphere_header_is_never_heard_as_noise(tmp_path):
    path = write(tmp_path / "a.sph", tones(1.0))
    path.write_bytes(path.read_bytes()[:900])
    assert "cut short inside its header" in refused(path)


class TestRatesAndChannels:
    @pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000, 192000])
    @pytest.mark.parametrize("channels", [1, 2, 3, 12])
    def test_any_becomes_mono_at_the_rate(self, tmp_path, rate, channels):
        mono = tones(0.5, rate)
        path = write(tmp_path / "a.wav", np.repeat(mono[:, None], channels, 1), rate, "FLOAT")
        waveform = audio.load(path, RATE)
        assert waveform.ndim == 1
        assert abs(len(waveform) - RATE // 2) <= 1
        np.testing.assert_allclose(waveform, audio.resample(mono, rate, RATE), rtol=0, atol=1e-5)

    @pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
    def test_mixing_down_is_the_mean(self, tmp_path, subtype):
        stereo = np.stack([tones(0.5), -0.5 * tones(0.5, pitches=(300.0,))], axis=1)
        waveform = audio.load(write(tmp_path / "a.wav", stereo, subtype=subtype), RATE)
        np.testing.assert_allclose(waveform, stereo.mean(axis=1), rtol=0, atol=2**-14)

    @pytest.mark.parametrize("channels", [1, 2])
    def test_reading_as_integers_is_reading_as_floats(self, tmp_path, channels):
        path = write(tmp_path / "a.wav", np.repeat(tones(1.0)[:, None], channels, 1), subtype="PCM_16")
        floats = soundfile.read(path, dtype="float64", always_2d=True)[0].mean(axis=1)
        np.testing.assert_allclose(audio.load(path, RATE), floats, rtol=0, atol=1e-7)

    def test_resampling_is_clean_beyond_100_db(self):
        time = np.arange(2 * 44100) / 44100
        sine = (0.5 * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)
        found = audio.resample(sine, 44100, RATE)
        expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(len(found)) / RATE)
        inner = slice(RATE // 4, -RATE // 4)  # the ends hold the filter's transient
        noise = np.mean((found - expected)[inner] ** 2)
        assert 10 * np.log10(np.mean(expected[inner] ** 2) / noise) > 100

    def test_what_the_rate_cannot_hold_is_filtered_out(self):
        time = np.arange(44100) / 44100
        above = np.sin(2 * np.pi * 12000 * time).astype(np.float32)
        assert np.abs(audio.resample(above, 44100, RATE)[1000:-1000]).max() < 1e-4

    def test_upsampling_is_said(self, write_audio, caplog):
        path = write_audio("a.wav", rate=8000)
        assert len(audio.load(path, RATE)) == RATE
        assert caplog.messages == [
            f"{path}: 8000 Hz audio for a 16000 Hz model; the high frequencies are missing."
        ]

    @pytest.mark.parametrize("rate", [-1, 0, 3, 2_000_000_000])
    def test_absurd_rates_are_refused(self, rate):
        with pytest.raises(AudioError, match=f"a sample rate of {rate} Hz"):
            audio.prepare(np.zeros(100, np.float32), rate, RATE)

    def test_absurd_rate_in_a_header_is_refused(self, write_audio):
        path = write_audio("a.wav")
        data = bytearray(path.read_bytes())
        data[24:28] = (3).to_bytes(4, "little")
        path.write_bytes(data)
        assert "a sample rate of 3 Hz" in refused(path)


class TestArrays:
    @pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint8", "uint16", "float16", "float64"])
    def test_every_type_of_number(self, dtype):
        waveform = tones(0.1)
        samples = waveform.astype(dtype) if dtype.startswith("float") else _quantised(waveform, dtype)
        found = audio.prepare(samples, RATE, RATE)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, waveform, rtol=0, atol=0.02)

    @pytest.mark.parametrize("dtype", ["int16", "uint8", "float64"])
    def test_mixing_down(self, dtype):
        waveform = tones(0.1)
        samples = waveform.astype(dtype) if dtype.startswith("float") else _quantised(waveform, dtype)
        stereo = np.stack([samples, samples], axis=1)
        np.testing.assert_allclose(audio.prepare(stereo, RATE, RATE), waveform, rtol=0, atol=0.02)

    @pytest.mark.parametrize(
        "samples",
        [
            np.zeros((0,)),
            np.zeros(()),
            np.zeros((2, 2, 2)),
            np.zeros((2, 9000)),
            np.array(["a"]),
            np.zeros(9, complex),
            np.zeros(9, np.int64),
        ],
        ids=["empty", "scalar", "cube", "transposed", "strings", "complex", "of no known full scale"],
    )
    def test_what_is_no_audio_is_refused(self, samples):
        with pytest.raises(AudioError, match=r"^mic: expected floats or integers .*\.$"):
            audio.prepare(samples, RATE, RATE, name="mic")

    def test_integers_kept_as_floats_are_refused(self):
        with pytest.raises(AudioError, match="samples reach 20000 where full scale is 1"):
            audio.prepare(np.array([0.0, 20000.0, -3.0]), RATE, RATE)


def _quantised(waveform: np.ndarray, dtype: str) -> np.ndarray:
    limits = np.iinfo(dtype)
    middle, half = (limits.max + limits.min + 1) // 2, (limits.max - limits.min) // 2
    return (
        (waveform.astype(np.float64) * half + middle).clip(limits.min, limits.max * (1 - 1e-15)).astype(dtype)
    )


class TestOddButValid:
    @pytest.mark.parametrize(
        "samples",
        [
            np.zeros(RATE),
            np.full(RATE, 0.5),
            np.where(tones(1.0) > 0, 1.0, -1.0),
            tones(0.01),
            np.array([0.25]),
        ],
        ids=["silence", "DC", "clipped", "10 ms", "one sample"],
    )
    def test_is_loaded_as_it_is(self, tmp_path, samples):
        path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
        np.testing.assert_allclose(audio.load(path, RATE), samples.astype(np.float32), rtol=0, atol=1e-7)

    @pytest.mark.parametrize("rate", [8000, 44100, 192000])
    def test_one_sample_of_another_rate_stays_audio(self, tmp_path, rate):
        assert len(audio.load(write(tmp_path / "a.wav", np.array([0.25]), rate), RATE)) >= 1

    @pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF])
    def test_streamed_wav_states_no_length(self, write_audio, caplog, size):
        path = write_audio("a.wav")
        data = bytearray(path.read_bytes())
        data[40:44] = size.to_bytes(4, "little")
        path.write_bytes(data)
        assert len(audio.load(path, RATE)) == RATE
        assert not caplog.records

    def test_name_of_another_kind_does_not_matter(self, tmp_path):
        data = write(tmp_path / "a.wav", tones(0.5)).read_bytes()
        for name in ("a.raw", "a.au", "a.mp3", "no suffix", "grüße ☃.wav"):
            (tmp_path / name).write_bytes(data)
            assert len(audio.load(tmp_path / name, RATE)) == RATE // 2

    @pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux only")
    def test_name_that_is_no_utf8(self, tmp_path):
        path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")
        Path(path).write_bytes(write(tmp_path / "a.wav", tones(0.5)).read_bytes())
        assert len(audio.load(path, RATE)) == RATE // 2

    def test_non_seekable_stream(self, write_audio):
        path = write_audio("a.flac")
        read_end, write_end = os.pipe()
        with (
            os.fdopen(read_end, "rb") as stream,
            subprocess.Popen(["cat", str(path)], stdout=write_end) as process,
        ):
            os.close(write_end)
            waveform = audio.load(stream, RATE)
            process.wait()
        np.testing.assert_array_equal(waveform, audio.load(path, RATE))

    def test_named_pipe(self, tmp_path, write_audio):
        path = write_audio("a.wav")
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        with subprocess.Popen(["cp", str(path), str(pipe)]):
            assert len(audio.load(pipe, RATE)) == RATE

    def test_long_vorbis(self, tmp_path):
        path = write(tmp_path / "a.ogg", np.tile(tones(5.0), 18))
        assert audio.duration(path) == pytest.approx(90.0, abs=1e-3)
        assert len(audio.load(path, RATE)) == 90 * RATE

    def test_segment_reads_no_more_than_it_needs(self, tmp_path):
        path = write(tmp_path / "a.wav", np.zeros(600 * RATE, np.int16), subtype="PCM_16")
        stream = _CountingStream(path.read_bytes())
        assert len(audio.load(stream, RATE, offset=300.0, duration=1.0)) == RATE
        assert stream.bytes_read < 200_000


class _CountingStream(io.BytesIO):
    bytes_read = 0

    def readinto(self, buffer) -> int:
        self.bytes_read += (count := super().readinto(buffer))
        return count


class TestSegments:
    def test_at_another_rate(self, tmp_path):
        path = write(tmp_path / "a.wav", tones(2.0, 44100), 44100)
        segment = audio.load(path, RATE, offset=0.5, duration=1.0)
        assert len(segment) == RATE
        inner = slice(200, -200)  # the whole has neighbours where the segment ends
        np.testing.assert_allclose(
            segment[inner], audio.load(path, RATE)[RATE // 2 : RATE // 2 + RATE][inner], rtol=0, atol=1e-3
        )

    def test_beyond_the_end_is_refused(self, write_audio):
        assert "the segment at 5 s lies outside" in refused(write_audio("a.wav"), offset=5.0)

    @pytest.mark.parametrize(
        "segment", [(-1.0, 1.0), (0.0, 0.0), (0.0, -1.0), (float("nan"), None), (0.0, float("inf"))]
    )
    def test_impossible_is_refused(self, write_audio, segment):
        assert "no segment at" in refused(write_audio("a.wav"), offset=segment[0], duration=segment[1])

    def test_longer_than_the_recording_is_said(self, write_audio, caplog):
        path = write_audio("a.wav")
        assert len(audio.load(path, RATE, offset=0.5, duration=2.0)) == RATE // 2
        (warning,) = caplog.messages
        assert "0.50 of 2.00 s could be read" in warning

    def test_rounding_of_a_manifest_is_not_said(self, write_audio, caplog):
        audio.load(write_audio("a.wav"), RATE, offset=0.5, duration=0.55)
        assert not caplog.records


class TestRefused:
    @pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg", "a.m4a"])
    def test_empty_file(self, tmp_path, name):
        (tmp_path / name).touch()
        assert "the file is empty" in refused(tmp_path / name)

    def test_no_samples(self, tmp_path):
        assert "holds no audio" in refused(write(tmp_path / "a.wav", np.zeros(0)))

    @pytest.mark.parametrize("name", ["a.wav", "a.au", "a.raw", "a.mp3", "a.sph"])
    def test_text(self, tmp_path, name):
        (tmp_path / name).write_text("Sehr geehrte Damen und Herren,\nschöne Grüße.\n" * 90, encoding="utf-8")
        assert "text, not audio" in refused(tmp_path / name)

    def test_large_file_pointer(self, tmp_path):
        (tmp_path / "a.wav").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
        assert "git lfs pull" in refused(tmp_path / "a.wav")

    def test_shorten(self, tmp_path):
        header = b"NIST_1A\n   1024\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n"
        (tmp_path / "a.sph").write_bytes(header.ljust(1024) + b"ajkg" + bytes(500))
        assert "sph2pipe" in refused(tmp_path / "a.sph")

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
    def test_sample_that_is_no_number(self, tmp_path, value, subtype):
        samples = tones(1.0)
        samples[8000] = value
        assert "a sample at 0.500 s is not a finite number" in refused(
            write(tmp_path / "a.wav", samples, subtype=subtype)
        )

    def test_folder(self, tmp_path):
        assert "Is a directory" in refused(tmp_path)

    def test_missing(self, tmp_path):
        assert "No such file or directory" in refused(tmp_path / "missing.wav")
        assert "No such file or directory" in refused(str(tmp_path / "missing" / "a.wav"))

    def test_path_with_a_null_byte(self):
        assert "embedded null byte" in refused("a\0b.wav")

    @pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of this kind are Unix's")
    def test_forbidden(self, write_audio):
        path = write_audio("a.wav")
        path.chmod(0)
        user = os.geteuid()
        if user == 0:  # root may read everything, so be nobody for a moment
            os.seteuid(65534)
        try:
            assert "Permission denied" in refused(path)
        finally:
            os.seteuid(user)

    def test_stream_opened_as_text(self, write_audio):
        with write_audio("a.wav").open(encoding="latin-1") as stream:
            assert "mode 'rb'" in refused(stream)

    def test_closed_stream(self, write_audio):
        stream = write_audio("a.wav").open("rb")
        stream.close()
        assert "closed file" in refused(stream)

    def test_random_bytes(self, tmp_path):
        (tmp_path / "a.wav").write_bytes(np.random.default_rng(0).bytes(5000))
        refused(tmp_path / "a.wav")

    def test_duration_is_refused_likewise(self, tmp_path):
        (tmp_path / "a.wav").touch()
        for path in (tmp_path, tmp_path / "a.wav", tmp_path / "missing.wav"):
            with pytest.raises(AudioError, match=str(path)):
                audio.duration(path)

    def test_header_that_lies_about_its_length_takes_no_memory(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "av", None)  # PyAV does not believe the header and reads it
        path = write(tmp_path / "a.flac", tones(1.0))
        data = bytearray(path.read_bytes())
        data[21:26] = bytes([data[21] | 0x07, 0xFF, 0xFF, 0xFF, 0xFF])  # 34 thousand million samples
        path.write_bytes(data)
        refused(path)


class TestMutations:
    """Random damage: loaded or refused, never another exception; a decoder's crash would end the run."""

    @pytest.mark.parametrize(
        "name", ["a.wav", "a.flac", "a.ogg", "a.opus", "a.mp3", "a.sph", "a.aiff", "a.w64", "a.caf"]
    )
    def test_damaged_bytes(self, tmp_path, name, capfd):
        data = write(tmp_path / name, tones(0.3)).read_bytes()
        random = np.random.default_rng(1)
        outcomes = {audio_loads(data, random, tmp_path / f"damaged{Path(name).suffix}") for _ in range(80)}
        assert False in outcomes, "the damage was too little to test anything"
        capfd.readouterr()  # what the decoders' own C libraries print


def audio_loads(data: bytes, random: np.random.Generator, path: Path) -> bool:
    """Whether it loads after a few bytes were changed, mostly in its header, and it was perhaps cut."""
    damaged = bytearray(data)
    reach = int(random.choice([16, 64, 1100, len(data)]))
    for position in random.integers(min(reach, len(data)), size=random.integers(1, 6)):
        damaged[position] = random.choice([0, 255, 128, random.integers(256)])
    if random.random() < 0.3:
        damaged = damaged[: random.integers(len(data))]
    path.write_bytes(damaged)
    try:
        waveform = audio.load(path if random.random() < 0.5 else io.BytesIO(damaged), RATE)
    except AudioError:
        return False
    assert np.isfinite(waveform).all()
    return True


class TestWithoutAv:
    @pytest.fixture(autouse=True)
    def _no_av(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "av", None)

    def test_m4a_names_the_extra(self, tmp_path):
        (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x1cftypM4A \0\0\2\0isomiso2\0\0\0\x08free" + bytes(900))
        assert "pip install 'asr[av]'" in refused(tmp_path / "a.m4a")

    def test_streamed_flac_is_not_lost(self, tmp_path):
        assert "states no length" in refused(_streamed_flac(tmp_path))

    def test_damaged_file_is_refused(self, tmp_path):
        data = write(tmp_path / "a.flac", tones(1.0)).read_bytes()
        (tmp_path / "a.flac").write_bytes(data[:500])
        refused(tmp_path / "a.flac")


def _streamed_flac(folder: Path) -> Path:
    path = write(folder / "a.flac", tones(1.0))
    data = bytearray(path.read_bytes())
    data[21:26] = bytes([data[21] & 0xF0, 0, 0, 0, 0])
    path.write_bytes(data)
    return path


class TestWithAv:
    @pytest.fixture(autouse=True)
    def _av(self):
        pytest.importorskip("av", reason="PyAV is not installed (pip install 'asr[av]')")

    def encode(self, path: Path, samples: np.ndarray, codec: str, rate: int = RATE, **options) -> Path:
        import av

        samples = samples.reshape(len(samples), -1)
        layout = {1: "mono", 2: "stereo"}[samples.shape[1]]
        with av.open(str(path), "w", options=options) as container:
            track = container.add_stream(codec, rate=rate, layout=layout)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout=layout)
            frame.sample_rate = rate
            queue = av.AudioFifo()
            queue.write(frame)
            size = track.codec_context.frame_size or 1024
            while (block := queue.read(size, partial=True)) is not None:
                container.mux(track.encode(block))
            container.mux(track.encode(None))
        return path

    @pytest.mark.parametrize(
        ("name", "codec"), [("a.m4a", "aac"), ("a.mkv", "aac"), ("a.aac", "aac"), ("a.mp4", "aac")]
    )
    def test_decodes(self, tmp_path, name, codec):
        expected = tones(3.0)
        path = self.encode(tmp_path / name, expected, codec)
        waveform = audio.load(path, RATE)
        assert abs(len(waveform) - len(expected)) <= 4096  # encoders pad to whole blocks
        delay = int(np.argmax(np.correlate(waveform[: RATE + 4096], expected[:RATE], "valid")))
        aligned = waveform[delay : delay + 2 * RATE]
        assert np.corrcoef(aligned, expected[: len(aligned)])[0, 1] > 0.95
        np.testing.assert_array_equal(audio.load(io.BytesIO(path.read_bytes()), RATE), waveform)
        assert audio.duration(path) == pytest.approx(len(waveform) / RATE, abs=0.1)

    @pytest.mark.parametrize(("name", "samples"), [("a.m4a", 0), ("a.mkv", 16), ("a.aac", 0)])
    def test_segment(self, tmp_path, name, samples):
        path = self.encode(tmp_path / name, tones(6.0), "aac")
        whole = audio.load(path, RATE)
        for offset in (0.0, 0.5, 1.7, 4.3333):
            start = round(offset * RATE)
            segment = audio.load(path, RATE, offset=offset, duration=1.0)
            assert len(segment) == RATE
            shifts = range(max(0, start - samples), start + samples + 1)
            assert min(np.abs(segment - whole[s : s + RATE]).max() for s in shifts) < 1e-4

    def test_mixing_down_is_the_mean(self, tmp_path):
        left, right = tones(1.0), tones(1.0, pitches=(300.0,))
        path = self.encode(tmp_path / "a.mkv", np.stack([left, right], 1), "pcm_s16le")
        np.testing.assert_allclose(audio.load(path, RATE)[:RATE], (left + right) / 2, rtol=0, atol=2**-14)

    def test_streamed_flac(self, tmp_path):
        path = _streamed_flac(tmp_path)
        np.testing.assert_allclose(audio.load(path, RATE), tones(1.0), rtol=0, atol=2**-15)
        assert audio.duration(path) == 1.0

    def test_mp3_whose_length_libsndfile_underrates(self, tmp_path):
        noise = np.random.default_rng(0).normal(0, 0.2, 8 * RATE).clip(-1, 1)
        samples = np.concatenate([noise, np.zeros(24 * RATE)]).astype(np.float32)
        # Without the Xing header, the bit rate of the noise is taken for that of the silence.
        path = self.encode_vbr(tmp_path / "a.mp3", samples)
        assert soundfile.info(path).duration < 20
        assert len(audio.load(path, RATE)) == pytest.approx(32 * RATE, rel=0.01)

    def encode_vbr(self, path: Path, samples: np.ndarray) -> Path:
        with soundfile.SoundFile(
            path, "w", RATE, 1, format="MP3", bitrate_mode="VARIABLE", compression_level=0.1
        ) as file:
            file.write(samples)
        data = path.read_bytes()
        start = data.index(b"Xing") - 13  # the header is in the first frame, which is silent
        end = data.index(b"\xff" + data[start + 1 : start + 2], start + 20)
        path.write_bytes(data[end:])
        return path

    def test_cut_in_the_middle(self, tmp_path, caplog):
        data = self.encode(tmp_path / "a.mkv", tones(4.0), "aac").read_bytes()
        (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
        assert len(audio.load(tmp_path / "cut.mkv", RATE)) > RATE
        data = self.encode(tmp_path / "a.m4a", tones(4.0), "aac").read_bytes()
        (tmp_path / "cut.m4a").write_bytes(data[: len(data) // 2])
        refused(tmp_path / "cut.m4a")  # its index was at the end

    def test_video_without_sound(self, tmp_path):
        import av

        with av.open(str(tmp_path / "a.mkv"), "w") as container:
            track = container.add_stream("mpeg4", rate=25)
            track.width = track.height = 32
            track.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            container.mux(track.encode(frame))
            container.mux(track.encode(None))
        assert "holds no sound" in refused(tmp_path / "a.mkv")


class TestFind:
    def test_by_suffix_sorted_without_hidden(self, write_audio, tmp_path):
        for name in ("b/2.flac", "a/1.WAV", "a/.hidden.wav"):
            write_audio(name, 0.1)
        (tmp_path / "a" / "notes.txt").touch()
        (tmp_path / "folder.wav").mkdir()
        assert audio.find(tmp_path) == [tmp_path / "a/1.WAV", tmp_path / "b/2.flac"]

    def test_linked_folders_are_searched_and_hidden_ones_not(self, write_audio, tmp_path):
        for name in ("in/z/1.wav", "out/deep/2.wav", "in/.trash/3.wav", "out/.trash/4.wav"):
            write_audio(name, 0.1)
        folder = tmp_path / "in"
        (folder / "a").symlink_to(tmp_path / "out", target_is_directory=True)
        (folder / "5.wav").symlink_to(tmp_path / "out" / "deep" / "2.wav")
        (folder / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
        (folder / "itself").symlink_to(folder / "itself")
        assert audio.find(folder) == [folder / "5.wav", folder / "a/deep/2.wav", folder / "z/1.wav"]
        assert audio.find(folder / ".trash") == [folder / ".trash/3.wav"], "who names it means it"
        assert audio.find(folder, recursive=False) == [folder / "5.wav"]

    def test_what_several_paths_lead_to_comes_once_by_the_one_without_links(self, write_audio, tmp_path):
        folder = write_audio("in/b/1.wav", 0.1).parent.parent
        (folder / "a").symlink_to(folder / "b", target_is_directory=True)
        (folder / "b" / "up").symlink_to(folder, target_is_directory=True)
        write_audio("out/2.wav", 0.1)
        (tmp_path / "out" / "back").symlink_to(folder, target_is_directory=True)
        for name in ("c", "d"):
            (folder / name).symlink_to(tmp_path / "out", target_is_directory=True)
        assert audio.find(folder) == [folder / "b/1.wav", folder / "c/2.wav"]

    def test_what_is_no_folder_holds_nothing(self, write_audio, tmp_path):
        assert audio.find(tmp_path / "nowhere") == audio.find(write_audio("a.wav", 0.1)) == []


def test_names():
    assert audio.name_of("a.wav") == "a.wav"
    assert audio.name_of(Path("b") / "a.wav") == os.path.join("b", "a.wav")
    assert audio.name_of(io.BytesIO()) == "the audio stream"
    assert audio.name_of(audio.from_bytes(b"", "a.wav")) == "a.wav"
    assert audio.name_of(audio.from_bytes(b"", "<stdin>")) == "standard input"


def test_standard_input(write_audio):
    code = "import sys; from asr import audio; print(len(audio.load(sys.stdin.buffer, 16000)))"
    data = write_audio("a.flac").read_bytes()
    found = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    assert int(found.stdout) == RATE


def test_warnings_go_through_logging(write_audio, caplog):
    with caplog.at_level(logging.ERROR):
        audio.load(write_audio("a.wav", rate=8000), RATE)
    assert not caplog.records


class TestStream:
    @pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.m4a"])
    @pytest.mark.parametrize("rate", [RATE, 44100])
    def test_a_long_recording_comes_in_pieces(self, write_audio, tmp_path, monkeypatch, name, rate):
        monkeypatch.setattr("asr.audio_files._BLOCK_SAMPLES", 20_000)
        monkeypatch.setattr("asr.av_files._BLOCK_FRAMES", 20)
        if name == "a.m4a":
            path = TestWithAv().encode(tmp_path / name, tones(9.0, rate), "aac", rate)
        else:
            path = write_audio(name, 9.0, rate)
        whole = audio.load(path, RATE)
        (alone,) = audio.stream(path, RATE, 60.0)
        assert np.array_equal(alone, whole)
        pieces = list(audio.stream(path, RATE, 2.0))
        assert len(pieces) > 2
        np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=0, atol=1e-4)

    def test_what_is_wrong_in_a_later_piece_is_named_by_its_place_in_the_recording(
        self, tmp_path, monkeypatch
    ):
        monkeypatch.setattr("asr.audio_files._BLOCK_SAMPLES", 20_000)
        samples = tones(9.0)
        samples[100_000] = np.nan
        path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
        with pytest.raises(AudioError, match=r"a sample at 6\.250 s is not a finite number"):
            list(audio.stream(path, RATE, 2.0))

    def test_a_segment_of_it(self, write_audio):
        path = write_audio("a.wav", 9.0, 8000)
        pieces = list(audio.stream(path, RATE, 1.0, offset=2.0, duration=5.0))
        expected = audio.load(path, RATE, offset=2.0, duration=5.0)
        np.testing.assert_allclose(np.concatenate(pieces), expected, rtol=0, atol=1e-4)
