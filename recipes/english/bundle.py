"""Make the bundled model of a trained one: the same model, its weights in half the bits, with a card of its own.

python recipes/english/bundle.py --model runs/english/seed1 --card card.md --output-dir english-small
"""

import argparse
import shutil
import sys
from pathlib import Path

from asr import checkpoint, stored_decoder
from asr.recipe import attempt


def bundle(model: str, card: str, output_dir: Path) -> None:
    """Write the model with its decoder; float16 weights, which are read as float32.

    Raises:
        CheckpointError: there is no such model, or it cannot be written there.
    """
    source = checkpoint.resolve(model)
    checkpoint.save(output_dir, checkpoint.load(source), card, half=True)
    for name in (stored_decoder.FILE, stored_decoder.LANGUAGE_MODEL):
        if (source / name).exists():
            shutil.copyfile(source / name, output_dir / name)


def main() -> int:
    """Print its size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="runs/english/seed1", help="default: %(default)s")
    parser.add_argument(
        "--card", type=Path, required=True, help="Markdown that becomes the model's README.md"
    )
    parser.add_argument("--output-dir", type=Path, default=Path("english-small"), help="default: %(default)s")
    options = parser.parse_args()
    return attempt("bundle", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Bundle and print."""
    bundle(options.model, options.card.read_text(encoding="utf-8"), options.output_dir)
    size = sum(path.stat().st_size for path in options.output_dir.iterdir())
    print(f"{options.output_dir}: {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
