"""What NIST's tools find on made-up systems: run where they are installed (Debian's sctk), else as they did once.

python tests/sctk.py     writes sctk.json again
"""

import json
import random
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

STORED = Path(__file__).with_suffix(".json")
BIN = Path("/usr/lib/sctk/bin")
IS_INSTALLED = shutil.which("sclite", path=str(BIN)) is not None
SCLITE = "{bin}/sclite -s -r ref.trn trn -h {name}.trn trn -i spu_id -o pralign sgml -f 0 -n {name}"
SC_STATS = "cat {one}.sgml {other}.sgml | {bin}/sc_stats -p -t mapsswe -v -n {one}-{other}"
RATES = {"a": 0.3, "b": 0.33, "c": 0.12, "d": 0.95}


def texts() -> dict[str, list[list[str]]]:
    """A reference and four systems over a few words, so that many alignments cost the same; empty lines too."""
    rng = random.Random(3)
    reference = [rng.choices("vwxyz", k=rng.randint(0, 12)) for _ in range(150)]
    return {"ref": reference} | {
        name: [[word for said in line for word in _heard(said, rate, rng)] for line in reference]
        for name, rate in RATES.items()
    }


def _heard(said: str, rate: float, rng: random.Random) -> list[str]:
    chance = rng.random()
    if chance < rate:
        return rng.choice([[], [rng.choice("vwxyz")], [said, rng.choice("vwxyz")]])
    return [said]


def ids() -> list[str]:
    return [f"s{number % 5}-{number:03d}" for number in range(150)]


def write(folder: Path) -> None:
    for name, lines in texts().items():
        rows = zip(lines, ids(), strict=True)
        (folder / f"{name}.trn").write_text("".join(f"{' '.join(words)} ({id})\n" for words, id in rows))


def run(command: str, folder: Path, **names: str) -> None:
    subprocess.run(command.format(bin=BIN, **names), shell=True, cwd=folder, check=True, capture_output=True)


def measure(folder: Path) -> dict[str, Any]:
    """Hits, substitutions, deletions and insertions by system and id; segments, mean, deviation, Z and verdict."""
    write(folder)
    for name in RATES:
        run(SCLITE, folder, name=name)
    pairs = [("a", "b"), ("a", "c"), ("d", "a")]
    for one, other in pairs:
        run(SC_STATS, folder, one=one, other=other)
    return {
        "commands": [SCLITE, SC_STATS],
        "counts": {name: _counts((folder / f"{name}.pra").read_text()) for name in RATES},
        "tests": {
            f"{one}-{other}": _test((folder / f"{one}-{other}.stats.mapsswe").read_text())
            for one, other in pairs
        },
    }


def _counts(text: str) -> dict[str, list[int]]:
    found = re.findall(r"id: \((\S+)\)\nScores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)", text)
    return {id: [int(number) for number in numbers] for id, *numbers in found}


def _test(text: str) -> list[str]:
    pattern = r"# segs: (\d+)\).*\(mean: (\S+)\) \(std dev: (\S+)\) \(Z Stat: (\S+)\) \(Stat Diff: (\w+)\)"
    found = re.search(pattern, text)
    assert found is not None
    return list(found.groups())


def stored() -> dict[str, Any]:
    return json.loads(STORED.read_text())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        STORED.write_text(json.dumps(measure(Path(name)), indent=None, separators=(",", ":")) + "\n")
