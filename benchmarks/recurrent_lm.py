"""Claim: on held-out text a recurrent language model has a lower perplexity than the 3-gram; decoding with both has
no more errors than with either.

Both models are of the same sentences and know the same words. Words that are not among them are left out of every
perplexity, and each sentence is scored by itself. The share of both together is chosen on the dev text. Error rates
are of a dev set: of each way of decoding, weights chosen on one half of its utterances and errors counted on the
other, and the same with the halves exchanged.

    python recipes/english/texts.py --ljspeech LJSpeech-1.1 --data data/english -o .
    asr lm train text.txt --dev dev.txt -o rnnlm/ -s max_epochs=7
    python benchmarks/recurrent_lm.py text.txt --dev dev.txt --rnnlm rnnlm/ --test lj.txt librispeech.txt
    python benchmarks/recurrent_lm.py text.txt --dev dev.txt --rnnlm rnnlm/ --model english-small --manifest dev.jsonl
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import asr
from asr import scoring
from asr.decoding import BeamSettings, decode_greedy
from asr.dev_set import DevSet
from asr.lm import kneser_ney
from asr.lm.compare import choose_share, compare
from asr.lm.ngram import NGram
from asr.lm.words import WordModel
from asr.manifest import Utterance, read_manifest
from asr.recognizer import Recognizer
from asr.recurrent_lm.load import load_recurrent
from asr.text import normalize
from asr.tuning import Trial, tune

WAYS = ("greedy", "3-gram", "recurrent", "both, rescored", "both, fused")


class Way(NamedTuple):
    """One way of decoding, its weights chosen on one half and its errors counted on the other."""

    errors: int
    words: int

    @property
    def rate(self) -> float:
        return self.errors / self.words


def main() -> None:
    """Print the tables, one line of JSON, and with --check fail where a claim does."""
    args = _parse()
    if not args.text or args.rnnlm is None or args.dev is None:
        print(
            "recurrent_lm: give text, --rnnlm and --dev; docs/recurrent_lm.md has the commands",
            file=sys.stderr,
        )
        return
    ngram, recurrent = _three_gram(_sentences(args.text)), load_recurrent(args.rnnlm)
    perplexities = _perplexities(args, ngram, recurrent)
    rates: dict[str, float] = {}
    if args.manifest:
        recognizer = asr.load(args.model, device="cpu", decoder=decode_greedy)
        rates = _error_rates(recognizer, read_manifest(args.manifest), ngram, recurrent)
    missed = [f"perplexity of {name}" for name, row in perplexities.items() if row[1] >= row[0]]
    both = min((rates[way] for way in WAYS[3:] if way in rates), default=0.0)
    if rates and both > min(rates["3-gram"], rates["recurrent"]):
        missed.append("error rate")
    print(
        json.dumps({"benchmark": "recurrent_lm", "perplexity": perplexities, "wer": rates, "missed": missed})
    )
    sys.exit(1 if args.check and missed else 0)


def _perplexities(
    args: argparse.Namespace, ngram: NGram, recurrent: WordModel
) -> dict[str, tuple[float, ...]]:
    if not args.test:
        return {}
    share = choose_share(ngram, recurrent, _sentences([args.dev]))
    print("| text | words | unknown % | 3-gram | recurrent | both | share |\n|---|---|---|---|---|---|---|")
    rows = {}
    for path in args.test:
        found = compare(ngram, recurrent, _sentences([path]), share)
        rows[path.stem] = tuple(round(one, 2) for one in (found.ours, found.theirs, found.both))
        cells = [path.stem, str(found.num_words), f"{100 * found.unknown / found.num_words:.1f}"]
        print(f"| {' | '.join([*cells, *map(str, rows[path.stem]), f'{share:.2f}'])} |", flush=True)
    return rows


def _error_rates(
    recognizer: Recognizer, utterances: Sequence[Utterance], ngram: NGram, recurrent: WordModel
) -> dict[str, float]:
    halves = [DevSet(recognizer, utterances[start::2]) for start in (0, 1)]
    counted: dict[str, list[Way]] = {way: [] for way in WAYS}
    for chosen_on, counted_on in (halves, halves[::-1]):
        for way, trial in _trials(chosen_on, ngram, recurrent).items():
            model = None if way in ("greedy", "recurrent") else ngram
            counted[way].append(_count(counted_on, trial, model, recurrent))
            print(
                f"{way}: {trial.errors[0]} where chosen, {counted[way][-1].errors} elsewhere", file=sys.stderr
            )
    print("\n| decoder | WER % |\n|---|---|")
    rates = {}
    for way, (one, other) in counted.items():
        rates[way] = round(Way(one.errors + other.errors, one.words + other.words).rate, 5)
        print(f"| {way} | {100 * rates[way]:.2f} |", flush=True)
    return rates


def _trials(dev: DevSet, ngram: NGram, recurrent: WordModel) -> dict[str, Trial]:
    """The best of each way on a dev set."""
    alone = tune(dev, None, BeamSettings(), recurrent)
    both = tune(dev, ngram, BeamSettings(), recurrent)
    best_alone = min(alone.recurrent, key=lambda trial: trial.errors)
    return dict(zip(WAYS, (both.greedy, both.beam, best_alone, *both.recurrent), strict=True))


def _count(dev: DevSet, trial: Trial, ngram: NGram | None, recurrent: WordModel) -> Way:
    from asr.decoding import BeamDecoder
    from asr.decoding.recurrent import RecurrentDecoder

    decoder: BeamDecoder | object = decode_greedy
    if trial.recurrent is not None and trial.settings is not None:
        decoder = RecurrentDecoder(trial.settings, ngram, recurrent, trial.recurrent)
    elif trial.settings is not None:
        decoder = BeamDecoder(trial.settings, ngram)
    words: scoring.Counts = dev.evaluate(decoder).words
    return Way(words.errors, words.num_reference)


def _three_gram(sentences: Sequence[Sequence[str]]) -> NGram:
    return NGram.from_table(kneser_ney.build(sentences, 3, discount_fallback=kneser_ney.FALLBACK))


def _sentences(paths: Sequence[Path]) -> list[list[str]]:
    lines = [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    return [words for line in lines if (words := normalize(line).split())]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", nargs="*", type=Path, help="what both models are of")
    parser.add_argument("--rnnlm", type=Path)
    parser.add_argument("--dev", type=Path, help="text that the share is chosen on")
    parser.add_argument("--test", nargs="*", type=Path, default=[], help="texts to give the perplexity of")
    parser.add_argument("--model", default="english-small")
    parser.add_argument("--manifest", type=Path, help="dev set to decode")
    parser.add_argument("--check", action="store_true", help="fail where a claim is missed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
