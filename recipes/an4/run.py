"""CMU's AN4: prepare, train, build a trigram of the training texts, score greedily and with it.

python recipes/an4/run.py --corpus-dir an4
"""

import argparse
import sys
from pathlib import Path

from prepare import prepare

from asr.decoding import BeamDecoder, BeamSettings
from asr.errors import AsrError
from asr.experiment import conclude, run_trial
from asr.lm import arpa, kneser_ney
from asr.lm.ngram import NGram

STATED: dict[str, float] = {}
"""The WER that the README states."""
BEAM = "beam + trigram"


def main() -> int:
    """Train once for each seed, the best epoch chosen on the dev speakers, and score the test."""
    options = _parse()
    try:
        sets = prepare(options.corpus_dir, options.output_dir)
        language_model = build_trigram(options.output_dir / "train.txt", options.output_dir / "train.arpa.gz")
        settings = BeamSettings(alpha=options.lm_alpha, beta=options.lm_beta)
        trials = [
            run_trial(
                str(seed),
                [
                    "recipe=an4",
                    *(f"data.{name}={sets[name]}" for name in ("train", "dev", "test")),
                    f"seed={seed}",
                    f"run_dir={options.run_dir}/seed{seed}",
                    *options.overrides,
                ],
                {"test": sets["test"]},
                {BEAM: BeamDecoder(settings, language_model)},
            )
            for seed in options.seeds
        ]
    except AsrError as error:
        print(f"an4: {error}", file=sys.stderr)
        return 1
    return conclude(trials, STATED)


def _parse() -> argparse.Namespace:
    usual = BeamSettings()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus-dir", type=Path, required=True, help="the folder of etc/ and feat/")
    parser.add_argument("--output-dir", type=Path, default=Path("data/an4"), help="for manifests and the LM")
    parser.add_argument("--run-dir", type=Path, default=Path("runs/an4"), help="for models and logs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="one training each")
    parser.add_argument("--lm-alpha", type=float, default=usual.alpha, help="default: %(default)s")
    parser.add_argument("--lm-beta", type=float, default=usual.beta, help="default: %(default)s")
    parser.add_argument("overrides", nargs="*", help="settings, as trainer.max_epochs=20")
    return parser.parse_intermixed_args()


def build_trigram(text: Path, output: Path) -> NGram:
    """The trigram of a text, a sentence a line; written as an ARPA file too, for `asr transcribe --lm`."""
    lines = text.read_text(encoding="utf-8").splitlines()
    table = kneser_ney.build((line.split() for line in lines), 3, discount_fallback=kneser_ney.FALLBACK)
    arpa.write(output, table)
    return NGram.from_table(table, str(output))


if __name__ == "__main__":
    sys.exit(main())
