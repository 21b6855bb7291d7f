"""Corpora in miniature, laid out as their publishers do; sounds instead of speech, half a second each."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import soundfile
from conftest import tones


def record(path: Path, rate: int = 16000, seconds: float = 0.5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"format": "NIST", "subtype": "PCM_16"} if path.suffix == ".sph" else {}
    soundfile.write(path, tones(seconds, rate), rate, **options)


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def commonvoice(root: Path, suffix: str = ".mp3") -> None:
    columns = ("client_id", "path", "sentence_id", "sentence", "sentence_domain", "up_votes", "down_votes")
    for number, name in enumerate(("train", "dev", "test")):
        rows = []
        for clip, sentence in enumerate(('Mae hi\'n "braf".', "Bore da, bawb!")):
            file = f"common_voice_cy_{number}{clip}"
            record(root / "cy" / "clips" / f"{file}{suffix}", 32000)
            rows.append("\t".join((f"speaker{number}", f"{file}.mp3", f"id{clip}", sentence, "", "2", "0")))
        write(root / "cy" / f"{name}.tsv", "\t".join((*columns, "age", "gender", "accents")), *rows)


def ljspeech(root: Path, suffix: str = ".wav") -> None:
    names = [f"LJ{chapter:03d}-{sentence:04d}" for chapter in (1, 2, 9, 10) for sentence in (1, 2)]
    for name in names:
        record(root / "wavs" / f"{name}{suffix}", 22050)
    write(root / "metadata.csv", *(f'{name}|"About 7 men|"About seven men' for name in names))
    write(root / "README", "LJ Speech")


def speechcommands(root: Path, suffix: str = ".wav") -> None:
    for word in ("go", "yes"):
        for speaker in ("0a7c2a8d", "1b4c9b89", "c50f55b8"):
            record(root / word / f"{speaker}_nohash_0{suffix}")
    record(root / "_background_noise_" / f"pink_noise{suffix}")
    for name, speaker in (("validation", "1b4c9b89"), ("testing", "c50f55b8")):
        write(root / f"{name}_list.txt", *(f"{word}/{speaker}_nohash_0.wav" for word in ("go", "yes")))


def tedlium(root: Path, suffix: str = ".sph") -> None:
    ignored = "inter_segment_gap 0.0 0.1 <o,,unknown> ignore_time_segment_in_scoring"
    lines = ("{} 0.1 0.3 <NA> it 's a plan (2)", "{} 0.30 0.5 <NA> it is <unk> plain")
    for folder, talk in (("data", "Ann_2001"), ("legacy/dev", "Bob_2002"), ("legacy/test", "Cy_2003X")):
        record(root / folder / "sph" / f"{talk}{suffix}")
        segments = [f"{talk} 1 {line.format(talk)}" for line in (ignored, *lines)]
        write(root / folder / "stm" / f"{talk}.stm", ";; CATEGORY", *segments)
    write(root / "LM" / "README", "texts")


def vctk(root: Path, suffix: str = ".flac") -> None:
    for speaker in ("p225", "p226", "p232", "p257", "p287", "p315"):
        for microphone in ("mic1", "mic2"):
            for number in (1, 2):
                name = f"{speaker}_00{number}"
                record(root / "wav48_silence_trimmed" / speaker / f"{name}_{microphone}{suffix}", 48000)
                if speaker != "p315":
                    write(root / "txt" / speaker / f"{name}.txt", "Please call Stella.")
    write(root / "speaker-info.txt", "ID  AGE  GENDER  ACCENTS  REGION COMMENTS")


class Published(NamedTuple):
    """A corpus, and what its recipe must make of it."""

    build: Callable[..., None]
    folder: str
    """What its archive unpacks to; empty where it has no folder of its own."""
    sets: dict[str, list[tuple]]
    """Recording without its extension, text, speaker; of a segment also offset and duration."""


PUBLISHED = {
    "commonvoice": Published(
        commonvoice,
        "cv-corpus-24.0-2025-12-05",
        {
            name: [
                (f"cy/clips/common_voice_cy_{number}0", 'Mae hi\'n "braf".', f"speaker{number}"),
                (f"cy/clips/common_voice_cy_{number}1", "Bore da, bawb!", f"speaker{number}"),
            ]
            for number, name in enumerate(("train", "dev", "test"))
        },
    ),
    "ljspeech": Published(
        ljspeech,
        "LJSpeech-1.1",
        {
            name: [
                (f"wavs/LJ{chapter}-000{sentence}", '"About seven men', "LJ")
                for chapter in chapters
                for sentence in (1, 2)
            ]
            for name, chapters in {"train": ("001", "002"), "dev": ("009",), "test": ("010",)}.items()
        },
    ),
    "speechcommands": Published(
        speechcommands,
        "",
        {
            name: [(f"{word}/{speaker}_nohash_0", word, speaker) for word in ("go", "yes")]
            for name, speaker in {"train": "0a7c2a8d", "dev": "1b4c9b89", "test": "c50f55b8"}.items()
        },
    ),
    "tedlium": Published(
        tedlium,
        "TEDLIUM_release-3",
        {
            "train": [("data/sph/Ann_2001", "it's a plan", "Ann_2001", 0.1, 0.2)],
            "dev": [
                ("legacy/dev/sph/Bob_2002", "it's a plan", "Bob_2002", 0.1, 0.2),
                ("legacy/dev/sph/Bob_2002", "it is plain", "Bob_2002", 0.3, 0.2),
            ],
            "test": [
                ("legacy/test/sph/Cy_2003X", "it's a plan", "Cy_2003X", 0.1, 0.2),
                ("legacy/test/sph/Cy_2003X", "it is plain", "Cy_2003X", 0.3, 0.2),
            ],
        },
    ),
    "vctk": Published(
        vctk,
        "",
        {
            name: [
                (
                    f"wav48_silence_trimmed/{speaker}/{speaker}_00{number}_mic1",
                    "Please call Stella.",
                    speaker,
                )
                for speaker in speakers
                for number in (1, 2)
            ]
            for name, speakers in {
                "train": ["p225"],
                "dev": ["p226", "p287"],
                "test": ["p232", "p257"],
            }.items()
        },
    ),
}
