"""Recordings as bad days leave them: damaged headers of every format, sizes that lie, files of other kinds, odd names.

python tests/bad_inputs.py FOLDER      writes them all there, to try another program on them
"""

import os
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from conftest import tones

RATE = 16000
CODED = {"a.wav": "WAV", "a.flac": "FLAC", "a.ogg": "OGG", "a.mp3": "MP3", "a.opus": "OGG", "a.sph": "NIST"}

EMPTY = r"the file is empty; copy or record it again\."
TEXT = r"text, not audio, whatever its name says; replace it by the recording\."
DAMAGED = r"damaged, or no audio \(.+\); export it again as wav or flac\."
SHORT = r"cut short inside its header; copy it again\."
NO_RATE = r"a sample rate of \d+ Hz is no recording's; correct its header\."
NOT_FINITE = r"a sample at 0\.500 s is not a finite number; export the file again\."
NO_AUDIO = r"holds no audio; remove it or correct its entry\."
ANY = "|".join((TEXT, DAMAGED, SHORT, NO_RATE, NO_AUDIO))


class Bad(NamedTuple):
    """A recording, and why it is refused; nothing where it is transcribed all the same."""

    name: str
    content: bytes
    reason: str = ""


def recordings(folder: Path) -> Iterator[Bad]:
    """All of them; ``folder`` is for what they are made of."""
    whole = {name: coded(folder / name) for name in (*CODED, "a.m4a")}
    for name, data in whole.items():
        yield from damaged(name.removeprefix("a."), data)
    yield from wave_headers(whole["a.wav"])
    yield from other_headers(whole)
    yield from wrong_samples(folder / "samples.wav")
    yield from other_kinds(whole["a.wav"])
    yield from odd_names(whole["a.wav"])


def coded(path: Path) -> bytes:
    if path.suffix == ".m4a":
        return coded_aac(path)
    subtype = "OPUS" if path.suffix == ".opus" else None
    soundfile.write(path, tones(1.0), RATE, format=CODED[path.name], subtype=subtype)
    return path.read_bytes()


def coded_aac(path: Path) -> bytes:
    import av

    with av.open(str(path), "w") as container:
        track = container.add_stream("aac", rate=RATE, layout="mono")
        for block in np.split(tones(1.024), 16):
            frame = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
            frame.sample_rate = RATE
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    return path.read_bytes()


def damaged(kind: str, data: bytes) -> Iterator[Bad]:
    """What copying, storing and renaming do to any format."""
    yield Bad(f"{kind}-empty.{kind}", b"", EMPTY)
    yield Bad(f"{kind}-cut-5.{kind}", data[:5], ANY)
    yield Bad(f"{kind}-cut-30.{kind}", data[:30], ANY)
    yield Bad(f"{kind}-zeroed.{kind}", bytes(48) + data[48:], "" if kind == "mp3" else ANY)
    yield Bad(f"{kind}-zeros.{kind}", bytes(len(data)), ANY)
    yield Bad(f"{kind}-mutated.{kind}", data[:8] + b"\xff" * 120 + data[128:], "" if kind == "mp3" else ANY)


def patched(data: bytes, place: int, value: bytes) -> bytes:
    return data[:place] + value + data[place + len(value) :]


def wave_headers(data: bytes) -> Iterator[Bad]:
    """A number of the header replaced."""
    for name, place, width, value, reason in (
        ("riff-4-gb", 4, "<I", 0xFFFFFFFF, ""),
        ("data-4-gb", 40, "<I", 0xFFFFFFFF, ""),
        ("data-2-gb", 40, "<I", 0x7FFE0000, ""),
        ("header-4-gb", 16, "<I", 0xFFFFFFFF, DAMAGED),
        ("kind", 20, "<H", 0x7777, DAMAGED),
        ("0-channels", 22, "<H", 0, DAMAGED),
        ("65535-channels", 22, "<H", 65535, DAMAGED),
        ("0-hz", 24, "<I", 0, DAMAGED),
        ("1-hz", 24, "<I", 1, NO_RATE),
        ("10-mhz", 24, "<I", 10_000_000, NO_RATE),
        ("4-ghz", 24, "<I", 0xFFFFFFFF, DAMAGED),
        ("0-bits", 34, "<H", 0, DAMAGED),
        ("255-bits", 34, "<H", 255, DAMAGED),
    ):
        yield Bad(f"wav-{name}.wav", patched(data, place, struct.pack(width, value)), reason)


def other_headers(whole: dict[str, bytes]) -> Iterator[Bad]:
    flac, sphere = whole["a.flac"], whole["a.sph"]
    yield Bad("flac-34e9-samples.flac", patched(flac, 21, bytes([flac[21] | 7, *b"\xff\xff\xff\xff"])))
    yield Bad("flac-block-16-mb.flac", patched(flac, 5, b"\xff\xff\xff"), DAMAGED)
    yield Bad("ogg-1-hz.ogg", patched(whole["a.ogg"], 40, struct.pack("<I", 1)), DAMAGED)
    yield Bad("ogg-255-channels.ogg", patched(whole["a.ogg"], 39, b"\xff"), DAMAGED)
    tag = b"ID3\x04\0\0\x7f\x7f\x7f\x7f"
    yield Bad("mp3-tag-256-mb.mp3", tag + whole["a.mp3"], ANY)
    yield Bad("sph-1-hz.sph", sphere.replace(b"sample_rate -i 16000", b"sample_rate -i 00001"), NO_RATE)
    yield Bad("sph-count.sph", sphere.replace(b"sample_count -i 16000", b"sample_count -i 99999"))
    yield Bad("sph-header-10-mb.sph", sphere.replace(b"   1024", b"9999999"), ANY)
    sizes = whole["a.m4a"].index(b"stsz") + 12
    yield Bad("m4a-4e9-frames.m4a", patched(whole["a.m4a"], sizes, b"\xff" * 4), DAMAGED)


def wrong_samples(path: Path) -> Iterator[Bad]:
    for name, value, reason in (
        ("nan", np.nan, NOT_FINITE),
        ("infinite", np.inf, NOT_FINITE),
        ("minus-infinite", -np.inf, NOT_FINITE),
        (
            "loud",
            1e30,
            r"samples reach 1e\+30 where full scale is 1; divide them, or export 16-bit integers\.",
        ),
    ):
        samples = tones(1.0)
        samples[RATE // 2] = value
        soundfile.write(path, samples, RATE, subtype="FLOAT")
        yield Bad(f"{name}.wav", path.read_bytes(), reason)
    soundfile.write(path, np.repeat(tones(0.5)[:, None], 255, axis=1), RATE)
    yield Bad("255-channels.wav", path.read_bytes())
    soundfile.write(path, tones(0.001), RATE)
    yield Bad("1-ms.wav", path.read_bytes())
    soundfile.write(path, tones(0.0), RATE)
    yield Bad("no-samples.wav", path.read_bytes(), NO_AUDIO)


def other_kinds(sound: bytes) -> Iterator[Bad]:
    every_byte = bytes(range(256))
    yield Bad("letter.wav", b"Dear Sir or Madam,\n" * 99, TEXT)
    yield Bad("page.mp3", b"<html><h1>404</h1></html>", TEXT)
    yield Bad("pointer.flac", b"version https://git-lfs.github.com/spec/v1\n", r".+ run `git lfs pull`\.")
    yield Bad("picture.mp3", b"\x89PNG\r\n\x1a\n" + every_byte, r"holds no sound \(.+\); remove it\.")
    yield Bad("archive.flac", b"PK\3\4" + every_byte, ANY)
    yield Bad("packed.wav", b"\x1f\x8b\x08" + every_byte, DAMAGED)
    yield Bad("program.ogg", b"\x7fELF" + every_byte, DAMAGED)
    yield Bad("pickle.wav", b"\x80\x04\x95" + every_byte, DAMAGED)
    yield Bad("one-byte.wav", b"\0", DAMAGED)
    yield Bad("sound.txt", sound)
    yield Bad("sound.mp3", sound)


def odd_names(sound: bytes) -> Iterator[Bad]:
    for name in ("two words", "two\nlines", os.fsdecode(b"caf\xe9"), "\x1b[31mred", "-", "a" * 251):
        yield Bad(f"{name}.wav", sound)
    yield Bad("two\nempty lines.wav", b"", EMPTY)
    yield Bad(os.fsdecode(b"empty \xe9.wav"), b"", EMPTY)


def write_all(folder: Path) -> list[Bad]:
    """Each under its name."""
    parts = folder.with_name(f"{folder.name}-parts")
    for needed in (folder, parts):
        needed.mkdir(parents=True)
    found = list(recordings(parts))
    for one in found:
        (folder / one.name).write_bytes(one.content)
    return found


def sentence_of(path: Path, reason: str) -> re.Pattern[str]:
    """The line on stderr that refuses it."""
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(path))
    return re.compile(rf"^asr: {re.escape(escaped)}: (?:{reason})$", re.MULTILINE)


if __name__ == "__main__":
    print(f"{len(write_all(Path(sys.argv[1])))} files written to {sys.argv[1]}")
