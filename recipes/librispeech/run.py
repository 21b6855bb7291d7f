"""LibriSpeech, or a part of it: prepare, train, build a trigram of the texts there are, score greedily and with it.

python recipes/librispeech/run.py --corpus-dir LibriSpeech --ljspeech LJSpeech-1.1/metadata.csv
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from prepare import prepare

from asr.decoding import BeamDecoder, BeamSettings
from asr.errors import AsrError, ManifestError
from asr.experiment import conclude, run_trial
from asr.lm import arpa, kneser_ney
from asr.lm.ngram import NGram
from asr.text import normalize

STATED: dict[str, float] = {}
"""The WER that the README states."""
BEAM = "beam + trigram"


def main() -> int:
    """Train once for each seed, the best epoch chosen on dev, and score the test."""
    options = _parse()
    try:
        sets = prepare(options.corpus_dir, options.output_dir)
        texts = [options.output_dir / "train.txt", *options.lm_text]
        lines = [line for path in texts for line in _lines(path)]
        if options.ljspeech:
            lines += ljspeech_texts(options.ljspeech)
        language_model = build_trigram(lines, options.output_dir / "lm.arpa.gz")
        settings = BeamSettings(alpha=options.lm_alpha, beta=options.lm_beta)
        trials = [
            run_trial(
                str(seed),
                [
                    "recipe=librispeech",
                    *(f"data.{name}={sets[name]}" for name in ("train", "dev", "test")),
                    f"seed={seed}",
                    f"run_dir={options.run_dir}/seed{seed}",
                    *options.overrides,
                ],
                {name: path for name, path in sets.items() if name.startswith("test")},
                {BEAM: BeamDecoder(settings, language_model)},
            )
            for seed in options.seeds
        ]
    except AsrError as error:
        print(f"librispeech: {error}", file=sys.stderr)
        return 1
    return conclude(trials, STATED)


def _parse() -> argparse.Namespace:
    usual = BeamSettings()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus-dir", type=Path, required=True, help="the folder of dev-clean and the like")
    parser.add_argument("--output-dir", type=Path, default=Path("data/librispeech"), help="for manifests, LM")
    parser.add_argument("--run-dir", type=Path, default=Path("runs/librispeech"), help="for models and logs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="one training each")
    parser.add_argument(
        "--ljspeech", type=Path, metavar="METADATA", help="metadata.csv, whose texts the LM gets"
    )
    parser.add_argument("--lm-text", type=Path, nargs="+", default=[], help="more texts, a sentence a line")
    parser.add_argument("--lm-alpha", type=float, default=usual.alpha, help="default: %(default)s")
    parser.add_argument("--lm-beta", type=float, default=usual.beta, help="default: %(default)s")
    parser.add_argument("overrides", nargs="*", help="settings, as trainer.max_epochs=20")
    return parser.parse_intermixed_args()


def ljspeech_texts(metadata: Path) -> Iterator[str]:
    """The last column of each line: the sentence with its numbers written out."""
    return (line.rsplit("|", 1)[-1] for line in _lines(metadata))


def build_trigram(lines: Iterable[str], output: Path) -> NGram:
    """The trigram of sentences, written as transcripts are; kept as an ARPA file too, for `asr transcribe --lm`."""
    sentences = (words for line in lines if (words := normalize(line).split()))
    table = kneser_ney.build(sentences, 3, discount_fallback=kneser_ney.FALLBACK)
    arpa.write(output, table)
    return NGram.from_table(table, str(output))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: the text cannot be read ({error}); check the path.") from None


if __name__ == "__main__":
    sys.exit(main())
