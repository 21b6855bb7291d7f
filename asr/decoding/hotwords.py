"""Words and phrases that are given a boost: matched from their first character, taken back when it was another word.

An automaton (Aho and Corasick 1975) whose matches begin where words begin. Each of its states has a potential, the
part of the boost that the characters so far have earned, so that what a text has been given in the end is the
boosts of the hotwords that stand in it whole, whatever it looked like on the way.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.errors import DecoderError

START, ELSEWHERE = 0, 1
"""Where a word may begin; in a word that is none of them."""


class Hotwords(NamedTuple):
    """What the search needs; row ``node``, column ``symbol``."""

    next: NDArray[np.int32]
    gain: NDArray[np.float64]
    """Factor for a symbol."""
    end: NDArray[np.float64]
    """(num_nodes,) log of the factor for the end of the text."""
    reach: float
    """The largest factor."""


def build_hotwords(boosts: Mapping[str, float], symbols: Sequence[str]) -> Hotwords:
    """The automaton of phrases and their boosts, in nats; without any it is one state that changes nothing.

    Raises:
        DecoderError: a phrase is empty or has a character that the symbols lack, or a boost is not finite.
    """
    ids = {symbol: index for index, symbol in enumerate(symbols) if len(symbol) == 1}
    space = ids.get(" ", -1)
    branches: list[dict[int, int]] = [{}, {}]
    potential, earned = [0.0, 0.0], [0.0, 0.0]
    for phrase, boost in boosts.items():
        node = START
        spelled = _spell(phrase, boost, ids)
        for place, symbol in enumerate(spelled, 1):
            if symbol not in branches[node]:
                branches[node][symbol] = len(branches)
                branches.append({})
                potential.append(0.0)
                earned.append(0.0)
            node = branches[node][symbol]
            part = boost * place / len(spelled)
            potential[node] = max(potential[node], part, key=abs)
        earned[node] = boost
    return _complete(branches, np.array(potential), np.array(earned), space, len(symbols))


def _spell(phrase: str, boost: float, ids: Mapping[str, int]) -> list[int]:
    words = " ".join(phrase.split())
    missing = sorted(set(words) - ids.keys())
    if not words or missing:
        reason = f"the model cannot write {missing[0]!r}" if missing else "it is empty"
        raise DecoderError(f"hotword {phrase!r}: {reason}; leave it out or write it otherwise.")
    if not np.isfinite(boost):
        raise DecoderError(f"hotword {phrase!r}: its boost is {boost}; give a number such as 8.")
    return [ids[character] for character in words]


def _complete(
    branches: Sequence[Mapping[int, int]],
    potential: NDArray[np.float64],
    earned: NDArray[np.float64],
    space: int,
    num_symbols: int,
) -> Hotwords:
    """Every symbol leads somewhere: on in the phrase, on in one that began at a later word, or nowhere."""
    following = np.full((len(branches), num_symbols), ELSEWHERE, np.int32)
    # What a space brings: the boosts of the phrases that end there.
    ended = earned.copy()
    if space >= 0:
        following[:, space] = START
    # Breadth first, so that the match that began at a later word is complete before it is needed; -1: there is none.
    later, queue = [-1] * len(branches), [START]
    for node in queue:
        if later[node] >= 0:
            following[node] = following[later[node]]
            ended[node] += ended[later[node]]
        for symbol, child in branches[node].items():
            if symbol == space or later[node] >= 0:
                later[child] = int(following[node, symbol])
            following[node, symbol] = child
            queue.append(child)
    log_gain = potential[following] - potential[:, None]
    if space >= 0:
        log_gain[:, space] += ended
    return Hotwords(following, np.exp(log_gain), ended - potential, float(np.exp(log_gain.max())))
