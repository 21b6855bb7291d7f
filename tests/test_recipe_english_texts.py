"""The texts that language models are compared on have no sentence in common."""

import subprocess
import sys
from pathlib import Path

from asr.manifest import Utterance, write_manifest

SCRIPT = Path(__file__).parents[1] / "recipes" / "english" / "texts.py"
CHAPTERS = {
    1: "A Chapter, to train.",
    5: "To choose by.",
    10: "Held out.",
    15: "Nobody knows.",
    26: "Nobody knows?",
    50: "In two books.",
}


def test_each_chapter_has_its_place_and_what_is_held_out_is_not_trained_on(tmp_path):
    rows = [f"LJ{number:03}-0001|{text}|{text}\n" for number, text in CHAPTERS.items()]
    (tmp_path / "metadata.csv").write_text("".join(rows), encoding="utf-8")
    for corpus, texts in {
        "librispeech": "IN TWO BOOKS\nread aloud\n",
        "speechocean762": "HELD OUT\nsaid\n",
    }.items():
        (tmp_path / corpus).mkdir()
        (tmp_path / corpus / "train.txt").write_text(texts, encoding="utf-8")
    write_manifest(
        tmp_path / "librispeech" / "dev.jsonl",
        [Utterance("a.wav", 1.0, "said"), Utterance("b.wav", 1.0, "Heard!")],
    )
    command = [sys.executable, SCRIPT, "--ljspeech", tmp_path, "--data", tmp_path, "-o", tmp_path / "texts"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = {
        path.stem: path.read_text(encoding="utf-8").splitlines() for path in (tmp_path / "texts").iterdir()
    }
    assert written == {
        "text": ["a chapter to train", "read aloud"],
        "dev": ["to choose by", "nobody knows"],
        "lj": ["held out", "in two books"],
        "librispeech": ["said", "heard"],
    }
    assert f"{tmp_path / 'texts' / 'text.txt'}: 2 sentences, 6 words\n" in done.stdout
