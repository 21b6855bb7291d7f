"""Transcripts made wrong on purpose, and noted: what `asr audit` is measured on.

A third each: words replaced by words of other utterances, words deleted (a third of the utterance's, at least one),
and texts of two utterances exchanged.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from asr.manifest import Utterance

SHARE = 0.02
"""Of the utterances."""
KINDS = ("replaced", "deleted", "exchanged")
FEWEST_WORDS = 2
"""Of what loses a word: something must be left."""


def corrupt(utterances: Sequence[Utterance], seed: int) -> tuple[list[Utterance], dict[int, str]]:
    """The utterances with ``SHARE`` of their texts made wrong, and the kind of each that is, by position."""
    draw = random.Random(seed)
    each = round(SHARE * len(utterances) / len(KINDS))
    places = [index for index, one in enumerate(utterances) if len(one.text.split()) >= FEWEST_WORDS]
    chosen = draw.sample(places, len(KINDS) * each // 2 * 2)
    pairs = len(chosen) - 2 * each
    texts = [one.text for one in utterances]
    words = [word for text in texts for word in text.split()]
    wrong = {index: _replaced(texts[index].split(), words, draw) for index in chosen[:each]}
    wrong |= {index: _deleted(texts[index].split(), draw) for index in chosen[each : 2 * each]}
    for one, other in zip(chosen[2 * each :: 2], chosen[2 * each + 1 :: 2], strict=True):
        wrong |= {one: texts[other], other: texts[one]}
    kinds = dict(zip(chosen, ["replaced"] * each + ["deleted"] * each + ["exchanged"] * pairs, strict=True))
    return [replace(one, text=wrong.get(i, one.text)) for i, one in enumerate(utterances)], kinds


def _places(words: Sequence[str], draw: random.Random) -> set[int]:
    return set(draw.sample(range(len(words)), max(1, round(len(words) / 3))))


def _replaced(words: Sequence[str], others: Sequence[str], draw: random.Random) -> str:
    places = _places(words, draw)
    return " ".join(
        draw.choice([other for other in others if other != word]) if place in places else word
        for place, word in enumerate(words)
    )


def _deleted(words: Sequence[str], draw: random.Random) -> str:
    places = _places(words, draw)
    return " ".join(word for place, word in enumerate(words) if place not in places)
