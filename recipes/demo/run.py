"""The sample recordings through the bundled model: what was said, what was heard, how fast.

    python recipes/demo/run.py
    python recipes/demo/run.py --model runs/fsdd/seed1

The voices are synthetic and none of them was heard in training; `recipes/fsdd/samples.py` makes them.
"""

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from asr import load, read_manifest
from asr.errors import AsrError
from asr.evaluation import Evaluation, Scored, score, summary
from asr.manifest import Utterance
from asr.recognizer import Recognizer

SAMPLES = Path(__file__).parent / "samples" / "samples.jsonl"


def main() -> int:
    """Print the table and the word error rate; the exit code is 1 when a recording could not be read."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="digits-en", help="default: %(default)s")
    parser.add_argument("--manifest", type=Path, default=SAMPLES, help="default: the bundled samples")
    options = parser.parse_args()
    try:
        recognizer, utterances = load(options.model), read_manifest(options.manifest)
        # The first call loads what later ones share; a speed is only honest after it.
        recognizer.transcribe(utterances[0])
        started = time.perf_counter()
        rows = [_transcribe(recognizer, utterance) for utterance in utterances]
    except AsrError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    evaluation = Evaluation(tuple(scored for scored, _ in rows), time.perf_counter() - started)
    _print(rows, options.model)
    print(summary(evaluation))
    return 0


def _transcribe(recognizer: Recognizer, utterance: Utterance) -> tuple[Scored, float]:
    started = time.perf_counter()
    heard = recognizer.transcribe(utterance)
    return score(utterance, utterance.text, heard.text), time.perf_counter() - started


def _print(rows: list[tuple[Scored, float]], model: str) -> None:
    table = Table(title=f"{len(rows)} recordings through {model}")
    for column in ("file", "reference", "transcript"):
        table.add_column(column, overflow="fold")
    table.add_column("seconds", justify="right")
    table.add_column("× real time", justify="right")
    for scored, seconds in rows:
        path, duration = Path(scored.utterance.name), scored.utterance.duration
        color = "green" if scored.words.errors == 0 else "red"
        heard = f"[{color}]{scored.hypothesis}[/{color}]"
        table.add_row(path.name, scored.reference, heard, f"{duration:.1f}", f"{duration / seconds:.0f}")
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    sys.exit(main())
