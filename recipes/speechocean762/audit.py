"""Does `asr audit` find transcripts that were made wrong? 2 % of the training set's are, and two folds judge them.

    python recipes/speechocean762/audit.py
    python recipes/speechocean762/audit.py --manifest data/speechocean762/train.jsonl --seeds 1 2 3 --check

The models are trained on the texts of the first seed, each on the half of the speakers that it does not judge. Texts
made wrong with further seeds are judged by the same models, and so are the texts as they are.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from corruption import KINDS, SHARE, corrupt

from asr.audit import Audit, audit, files
from asr.corpus.split import folds
from asr.loading import load
from asr.manifest import Utterance, read_manifest, write_manifest
from asr.recipe import parse_options

TOP = 0.04
"""Of the utterances: what somebody is thought to listen to."""
LEAST_EXCHANGED = 0.8
"""Share of exchanged texts that must be among them."""
TRAINING = (
    *("recipe=speechocean762", "features=mfcc_8k", "features.cmvn=stored", "model=small", "augment=spec"),
    *("trainer.init_from=digits-en", "trainer.max_epochs=16", "trainer.ema=0.995", "trainer.precision=bf16"),
    "data.batch_seconds=30",
)
"""A model of a quarter of an hour: wrong in nine words of ten."""


def main() -> int:
    """Print a table and a line of JSON; with --check, 1 if too few exchanged texts are found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--manifest", type=Path, default=Path("data/speechocean762/train.jsonl"))
    parser.add_argument("--output-dir", type=Path, default=Path("runs/speechocean762-audit"))
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[1, 2, 3], help="the models train on the first's texts"
    )
    parser.add_argument("--models", type=Path, nargs=2, help="of the two folds, trained already")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("overrides", nargs="*", help="further settings of the trainings")
    options = parse_options(parser)
    utterances = read_manifest(options.manifest)
    options.output_dir.mkdir(parents=True, exist_ok=True)
    models = options.models or _train(utterances, options.seeds[0], options.output_dir, options.overrides)
    found = {seed: _count(utterances, seed, models) for seed in options.seeds}
    _write_real(utterances, models, options.output_dir / "as-they-are.tsv")
    result = _report(found, round(TOP * len(utterances)))
    return int(options.check and result["recall"]["exchanged"] < LEAST_EXCHANGED)


def _train(utterances: Sequence[Utterance], seed: int, folder: Path, overrides: Sequence[str]) -> list[Path]:
    """As a user would: the audit of the first seed's texts trains the folds."""
    manifest = folder / "corrupted.jsonl"
    write_manifest(manifest, corrupt(utterances, seed)[0])
    command = [sys.executable, "-m", "asr", "audit", manifest, "--folds", "2", "-o", folder / "audit.html"]
    subprocess.run([*command, *TRAINING, *overrides], check=True, stdout=subprocess.DEVNULL)
    return [folder / "audit-folds" / f"fold-{number}" for number in (1, 2)]


def _rank(utterances: Sequence[Utterance], models: Sequence[Path]) -> Audit:
    places = {id(utterance): index for index, utterance in enumerate(utterances)}
    parts = [[places[id(one)] for one in part] for part in folds(utterances, len(models))]
    return audit(
        utterances, [(partial(load, model), part) for model, part in zip(models, parts, strict=True)]
    )


def _count(utterances: Sequence[Utterance], seed: int, models: Sequence[Path]) -> dict[str, tuple[int, int]]:
    """Of each kind, how many are among the first, and how many there are."""
    wrong, kinds = corrupt(utterances, seed)
    first = {verdict.index for verdict in _rank(wrong, models).verdicts[: round(TOP * len(wrong))]}
    there, found = Counter(kinds.values()), Counter(kind for index, kind in kinds.items() if index in first)
    print(
        f"seed {seed}: " + ", ".join(f"{found[kind]} of {there[kind]} {kind}" for kind in KINDS), flush=True
    )
    return {kind: (found[kind], there[kind]) for kind in KINDS}


def _report(found: Mapping[int, Mapping[str, tuple[int, int]]], first: int) -> dict[str, dict[str, float]]:
    print(f"\n{100 * SHARE:g} % made wrong, the first {100 * TOP:g} % looked at: {len(found)} times")
    recall = dict(_recalls(found))
    precision = sum(hits for kinds in found.values() for hits, _ in kinds.values()) / (first * len(found))
    for kind, share in recall.items():
        print(f"recall, {kind:10} {share:.2f}")
    print(f"precision          {precision:.2f}, {SHARE / TOP:.2f} at most")
    result = {"recall": recall, "precision": {"all": round(precision, 3)}}
    print(json.dumps({"seeds": list(found), **result}))
    return result


def _recalls(found: Mapping[int, Mapping[str, tuple[int, int]]]) -> Iterator[tuple[str, float]]:
    for kinds in (*((kind,) for kind in KINDS), KINDS):
        pairs = [kind_pairs[kind] for kind_pairs in found.values() for kind in kinds]
        name = kinds[0] if len(kinds) == 1 else "all"
        yield name, round(sum(hits for hits, _ in pairs) / sum(there for _, there in pairs), 3)


def _write_real(utterances: Sequence[Utterance], models: Sequence[Path], path: Path) -> None:
    path.write_text(files.table(_rank(utterances, models), range(1, len(utterances) + 1)), encoding="utf-8")
    print(f"\n{path}: the texts as they are, ranked")


if __name__ == "__main__":
    sys.exit(main())
