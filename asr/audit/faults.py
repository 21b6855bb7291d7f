"""Texts made wrong on purpose, as people and tools make them wrong: what doubt is learned from."""

import random
from collections.abc import Callable, Mapping, Sequence

from asr.audit.evidence import Rivals

Tokens = Sequence[str]


def another(tokens: Tokens, rivals: Rivals, draw: random.Random) -> list[str]:
    """The text of another recording."""
    return rivals.tokens(rivals.text(draw))


def replaced(tokens: Tokens, rivals: Rivals, draw: random.Random) -> list[str]:
    """A word or more, a third at most, are others."""
    places = _places(tokens, draw)
    others = rivals.words(draw)
    return [draw.choice(others) if place in places else token for place, token in enumerate(tokens)]


def missing(tokens: Tokens, rivals: Rivals, draw: random.Random) -> list[str]:
    """A word or more, a third at most, are left out."""
    places = _places(tokens, draw)
    return [token for place, token in enumerate(tokens) if place not in places]


def added(tokens: Tokens, rivals: Rivals, draw: random.Random) -> list[str]:
    """A word or more, a third at most, have another before them."""
    places = _places(tokens, draw)
    others = rivals.words(draw)
    pairs = [[draw.choice(others), token] if n in places else [token] for n, token in enumerate(tokens)]
    return [token for pair in pairs for token in pair]


def _places(tokens: Tokens, draw: random.Random) -> set[int]:
    return set(draw.sample(range(len(tokens)), draw.randint(1, max(1, len(tokens) // 3))))


FAULTS: Mapping[str, Callable[[Tokens, Rivals, random.Random], list[str]]] = {
    "another text": another,
    "other words": replaced,
    "words missing": missing,
    "words added": added,
}
"""What each is called where it is suspected."""
