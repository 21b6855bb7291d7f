"""What a beam and a language model buy: WER of real test sets, greedy, with the beam, and with a word 3-gram.

Weights are chosen on each set's dev part (asr.tuning) and the other part is decoded once; the 3-gram is built from the
training texts, and from --text where more is given. Sets whose recipe has not been run are rows that say so:

    python recipes/yesno/run.py --corpus-dir ...      (likewise fsdd, an4, librispeech)
    python benchmarks/language_models.py --text librispeech=lj.txt
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import asr
from asr import scoring
from asr.decoding import BeamDecoder, BeamSettings, decode_greedy
from asr.dev_set import DevSet
from asr.errors import AsrError
from asr.evaluation import Evaluation
from asr.lm import kneser_ney
from asr.lm.ngram import NGram
from asr.manifest import Utterance, read_manifest
from asr.recognizer import Recognizer
from asr.text import normalize
from asr.tuning import tune


class TestSet(NamedTuple):
    name: str
    model: str
    train: str
    """Manifest whose texts the language model is built from."""
    dev: str
    test: str


SETS = (
    TestSet("yesno", "runs/yesno/seed1", "yesno/train", "yesno/dev", "yesno/test"),
    TestSet("fsdd strings", "digits-en", "fsdd/strings-train", "fsdd/strings-dev", "fsdd/strings-test"),
    TestSet("an4", "runs/an4/seed1", "an4/train", "an4/dev", "an4/test"),
    # Two dev speakers: weights from one, words of the other. Its test speakers are for the final models.
    TestSet(
        "librispeech dev", "runs/librispeech/seed1", "librispeech/train", "librispeech/dev", "librispeech/dev"
    ),
)


class Row(NamedTuple):
    name: str
    results: tuple[Evaluation, Evaluation, Evaluation]
    """Greedy, beam, beam with the language model."""
    settings: BeamSettings
    unknown: float
    """Share of the test words that the language model does not know."""


def main() -> None:
    """Print a row a set, then one line of JSON."""
    args = _parse()
    texts = dict(pair.split("=", 1) for pair in args.text)
    models = dict(pair.split("=", 1) for pair in args.model)
    rows = []
    print(
        f"| set | words | greedy | beam | beam, 3-gram | gain of the 3-gram | unknown % | weights |\n{'|---' * 8}|"
    )
    for one in SETS:
        try:
            row = measure(one, models.get(one.name, one.model), args.data, texts.get(one.name))
        except AsrError as error:
            print(f"| {one.name} | {error} |" + " |" * 6)
            continue
        rows.append(row)
        print(_markdown(row), flush=True)
    print(json.dumps({"benchmark": "language models", "wer": {row.name: _rates(row) for row in rows}}))


def measure(one: TestSet, model: str, data: Path, text: str | None) -> Row:
    """Choose on dev, decode the test once in each way."""
    recognizer = asr.load(model, device="cpu", decoder=decode_greedy)
    train, dev, test = (read_manifest(data / f"{name}.jsonl") for name in (one.train, one.dev, one.test))
    if one.dev == one.test:
        first = dev[0].speaker
        dev, test = ([u for u in dev if (u.speaker == first) == chosen] for chosen in (True, False))
    sentences = [utterance.text for utterance in train]
    sentences += Path(text).read_text(encoding="utf-8").splitlines() if text else []
    language_model = _three_gram([normalize(sentence, recognizer.text) for sentence in sentences])
    tuning_set, test_set = DevSet(recognizer, dev), DevSet(recognizer, test)
    plain, weighted = tune(tuning_set), tune(tuning_set, language_model)
    decoders = (
        decode_greedy,
        BeamDecoder(_chosen(plain.beam.settings)),
        BeamDecoder(_chosen(weighted.beam.settings), language_model),
    )
    greedy, beam, with_lm = (test_set.evaluate(decoder) for decoder in decoders)
    unknown = _unknown_share(test, recognizer, language_model)
    return Row(one.name, (greedy, beam, with_lm), _chosen(weighted.beam.settings), unknown)


def _chosen(settings: BeamSettings | None) -> BeamSettings:
    assert settings is not None
    return settings


def _three_gram(sentences: Sequence[str]) -> NGram:
    words = (sentence.split() for sentence in sentences if sentence)
    return NGram.from_table(kneser_ney.build(words, 3, discount_fallback=kneser_ney.FALLBACK))


def _unknown_share(test: Sequence[Utterance], recognizer: Recognizer, model: NGram) -> float:
    words = [word for utterance in test for word in normalize(utterance.text, recognizer.text).split()]
    return sum(model.word_id(word) == 0 for word in words) / len(words)


def _markdown(row: Row) -> str:
    greedy, _, with_lm = row.results
    gain = scoring.difference(*([u.words for u in one.utterances] for one in (with_lm, greedy)))
    cells = [row.name, str(greedy.words.num_reference)]
    cells += [_percent(one.words.rate, one.interval) for one in row.results]
    cells += [_percent(with_lm.words.rate - greedy.words.rate, gain), f"{100 * row.unknown:.1f}"]
    chosen = row.settings
    weights = f"alpha {chosen.alpha:g}, beta {chosen.beta:g}, width {chosen.beam_width}, "
    weights += f"unknown {chosen.unknown:g} and {chosen.unknown_letter:g} a letter"
    return f"| {' | '.join(cells)} | {weights} |"


def _percent(rate: float, interval: scoring.Interval) -> str:
    return f"{100 * rate:.2f} [{100 * interval.low:.2f}, {100 * interval.high:.2f}]"


def _rates(row: Row) -> dict[str, float]:
    return dict(
        zip(("greedy", "beam", "3-gram"), (round(one.words.rate, 5) for one in row.results), strict=True)
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="where the recipes wrote their manifests"
    )
    parser.add_argument("--model", nargs="*", default=[], metavar="SET=DIR", help="models elsewhere")
    parser.add_argument(
        "--text", nargs="*", default=[], metavar="SET=FILE", help="further text, a sentence a line"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
