"""Yes and no in Hebrew: prepare, train, score, in half a minute. Fails if the README's result is missed.

python recipes/yesno/run.py --corpus-dir waves_yesno
"""

import argparse
import sys
from pathlib import Path

from prepare import prepare

from asr.errors import AsrError
from asr.experiment import conclude, run_trial

STATED = {"test": 1 / 240}
"""The WER that the README states; the README also says why that one error is right."""


def main() -> int:
    """Train once for each seed on the 30 training files, the settings having been chosen on dev, and score the test."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus-dir", type=Path, required=True, help="the folder of the 60 recordings")
    parser.add_argument("--output-dir", type=Path, default=Path("data/yesno"), help="for manifests")
    parser.add_argument("--run-dir", type=Path, default=Path("runs/yesno"), help="for models and logs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="one training each")
    parser.add_argument("overrides", nargs="*", help="settings, as trainer.max_epochs=60")
    options = parser.parse_intermixed_args()
    try:
        sets = prepare(options.corpus_dir, options.output_dir)
        trials = [
            run_trial(
                str(seed),
                [
                    "recipe=yesno",
                    f"data.train={sets['train-all']}",
                    f"data.dev={sets['dev']}",
                    f"data.test={sets['test']}",
                    f"seed={seed}",
                    f"run_dir={options.run_dir}/seed{seed}",
                    *options.overrides,
                ],
                {"test": sets["test"]},
            )
            for seed in options.seeds
        ]
    except AsrError as error:
        print(f"yesno: {error}", file=sys.stderr)
        return 1
    return conclude(trials, STATED)


if __name__ == "__main__":
    sys.exit(main())
