"""The texts that benchmarks/recurrent_lm.py compares language models on: train, dev, and two that are held out.

Held out are chapters 10, 20, 30, 40 and 50 of LJ Speech, and what LibriSpeech's dev speakers read; chapters 5, 15, 25,
35 and 45 are the dev text; the rest of LJ Speech and the training texts of the English recipe train. A sentence that
stands in one of the others too is taken out of train.

    python recipes/english/texts.py --ljspeech LJSpeech-1.1 --data data/english -o texts
"""

import argparse
import sys
from pathlib import Path

from asr.manifest import read_manifest
from asr.recipe import attempt, read_lines
from asr.text import normalize
from asr.whole_files import write_text


def main() -> int:
    """Write the four files, print what is in them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ljspeech", type=Path, required=True, help="the folder of metadata.csv")
    parser.add_argument("--data", type=Path, required=True, help="what recipes/english/prepare.py wrote")
    parser.add_argument("-o", "--output-dir", type=Path, required=True)
    options = parser.parse_args()
    return attempt("texts", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Divide, take out, write."""
    texts = divided(options.ljspeech / "metadata.csv", options.data)
    elsewhere = {sentence for name, sentences in texts.items() if name != "text" for sentence in sentences}
    texts["text"] = [sentence for sentence in texts["text"] if sentence not in elsewhere]
    options.output_dir.mkdir(parents=True, exist_ok=True)
    for name, sentences in texts.items():
        path = options.output_dir / f"{name}.txt"
        write_text(path, "".join(f"{sentence}\n" for sentence in sentences))
        print(f"{path}: {len(sentences)} sentences, {sum(len(one.split()) for one in sentences)} words")
    return 0


def divided(metadata: Path, data: Path) -> dict[str, list[str]]:
    """By the name of the file."""
    texts: dict[str, list[str]] = {"text": [], "dev": [], "lj": [], "librispeech": []}
    for line in read_lines(metadata):
        name, _, sentence = line.split("|")
        chapter = int(name.removeprefix("LJ").split("-")[0])
        texts["lj" if chapter % 10 == 0 else "dev" if chapter % 5 == 0 else "text"].append(
            normalize(sentence)
        )
    for corpus in ("librispeech", "speechocean762"):
        texts["text"] += [normalize(line) for line in read_lines(data / corpus / "train.txt")]
    dev = read_manifest(data / "librispeech" / "dev.jsonl")
    texts["librispeech"] = [normalize(utterance.text) for utterance in dev]
    return texts


if __name__ == "__main__":
    sys.exit(main())
