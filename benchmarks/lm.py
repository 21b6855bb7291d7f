"""Claim: n-gram models built at a third of lmplz's speed or better, and a packed one of 100 MB opened in 0.3 s.

Both read the same 10 MB of made-up text and write a 3-gram ARPA file, as processes of their own; lmplz is built
from the sources of the kenlm package, for which cmake, a C++ compiler and Boost must be there. Opening is of the
packed model (over 100 MB), again in a process of its own and without the time to start it; with numba already
compiled, as it is after the first use.
"""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _timing import Claim, Row, arguments, interleave, report

from asr.lm import arpa

NUM_WORDS, VOCABULARY, SUCCESSORS = 2_600_000, 40_000, 50
MAX_DIFFERENCE = 1e-4
"""Between our log10 probabilities and lmplz's."""
OPENING = 0.3
"""Seconds; the claim."""


def made_up_text(seed: int = 0) -> str:
    """Sentences in which each word has its favourite successors, both by Zipf's law."""
    rng = np.random.default_rng(seed)
    common = np.cumsum(1 / np.arange(1, VOCABULARY + 1) ** 1.05)
    liked = np.cumsum(1 / np.arange(1, SUCCESSORS + 1))

    def draw(cumulated: np.ndarray, *shape: int) -> np.ndarray:
        return np.searchsorted(cumulated, rng.random(shape) * cumulated[-1])

    successors = draw(common, VOCABULARY, SUCCESSORS)
    lengths = rng.integers(5, 36, NUM_WORDS // 20)
    columns = [draw(common, len(lengths))]
    for _ in range(lengths.max() - 1):
        usual = successors[columns[-1], draw(liked, len(lengths))]
        columns.append(np.where(rng.random(len(lengths)) < 0.6, usual, draw(common, len(lengths))))
    names = [np.base_repr(number, 36).lower() + "s" * (number % 3) for number in range(VOCABULARY)]
    rows = zip(np.stack(columns, axis=1).tolist(), lengths.tolist(), strict=True)
    return "".join(" ".join([names[word] for word in row[:length]]) + "\n" for row, length in rows)


def build_lmplz(folder: Path) -> tuple[Path | None, str]:
    """The program, or why there is none; some 90 s."""
    if missing := [program for program in ("cmake", "c++", "make") if shutil.which(program) is None]:
        return None, f"not built: {', '.join(missing)} missing"
    pip = [sys.executable, "-m", "pip", "--quiet"]
    steps = [
        [*pip, "install", "--target", "tools", "setuptools", "wheel"],
        [*pip, "download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "kenlm==0.3.0"],
        ["tar", "xzf", "kenlm-0.3.0.tar.gz"],
        ["cmake", "-S", "kenlm-0.3.0", "-B", "build", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF"],
        ["make", "-C", "build", "lmplz"],
    ]
    for step in steps:
        environment = os.environ | {"PYTHONPATH": str(folder / "tools")}
        done = subprocess.run(step, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "rror" in line or "Could NOT" in line]
            return None, f"not built: {(lines or ['?'])[0].strip()[:80]}"
    return Path(glob.glob(f"{folder}/build/**/bin/lmplz", recursive=True)[0]), "kenlm 0.3.0"


def opening_seconds(packed: Path) -> float:
    """Of a fresh process that loads the model and scores a sentence."""
    script = (
        "import sys, time; from asr.lm.ngram import NGram\n"
        "start = time.perf_counter(); model = NGram.load(sys.argv[1])\n"
        "print(time.perf_counter() - start); model.score(['1', '2'])"
    )
    return float(
        subprocess.run([sys.executable, "-c", script, packed], capture_output=True, text=True).stdout
    )


def same_numbers(one: Path, other: Path) -> bool:
    return all(
        np.array_equal(ours.words, theirs.words)
        and np.abs(ours.log_prob - theirs.log_prob).max() < MAX_DIFFERENCE
        and np.abs(ours.backoff - theirs.backoff).max() < MAX_DIFFERENCE
        for ours, theirs in zip(arpa.read(one).levels, arpa.read(other).levels, strict=True)
    )


def main() -> None:
    args = arguments(__doc__.splitlines()[0], rounds=3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text, ours_arpa, theirs_arpa, packed = (folder / f for f in ("text.txt", "a.arpa", "b.arpa", "a.bin"))
        made_up = made_up_text()
        text.write_text(made_up)
        num_words = len(made_up.split())
        command = [sys.executable, "-m", "asr", "lm", "build", text, "--raw", "-o"]
        lmplz, note = build_lmplz(folder)
        systems = {"ours": lambda: subprocess.run([*command, ours_arpa], check=True, capture_output=True)}
        if lmplz:
            peer = [lmplz, "-o", "3", "-S", "1G", "--text", text, "--arpa", theirs_arpa]
            systems["lmplz"] = lambda: subprocess.run(peer, check=True, capture_output=True)
        seconds = interleave(systems, args.rounds, warm_up=0)
        if lmplz and not same_numbers(ours_arpa, theirs_arpa):
            sys.exit("the two models differ: nothing to compare")
        start = time.perf_counter()
        subprocess.run([*command, packed], check=True, capture_output=True)
        packing = time.perf_counter() - start
        opening = min(opening_seconds(packed) for _ in range(3))
        size = packed.stat().st_size / 1e6

    openings = [
        Row(
            "packed file",
            1 / opening,
            f"{1000 * opening:.0f} ms for {size:.0f} MB, packed in {packing:.1f} s",
        ),
        Row("claim", 1 / OPENING, f"{1000 * OPENING:.0f} ms"),
    ]
    report("Opening", openings, [Claim("packed file", "claim", 1.0)], args.check)
    rows = [
        Row("ours", num_words / seconds["ours"], f"{seconds['ours']:.1f} s"),
        Row("lmplz", num_words / seconds["lmplz"] if lmplz else None, note),
    ]
    report("Building 3-grams", rows, [Claim("ours", "lmplz", 1 / 3)], args.check, unit="words per second")


if __name__ == "__main__":
    main()
