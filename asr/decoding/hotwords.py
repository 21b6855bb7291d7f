"""Words and phrases that are given a boost: matched from their first character, taken back when it was another word.

An automaton (Aho and Corasick 1975) whose matches begin where words begin. Each of its states has a potential, the
part of the boost that the characters so far have earned, so that what a text has been given in the end is the
boosts of the hotwords that stand in it whole, whatever it looked like on the way.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.decoding.spelling import Units
from asr.errors import DecoderError

START, ELSEWHERE = 0, 1
"""Where a word may begin; in a word that is none of them."""
MOST_BOOST = 100.0
"""Nats: a factor of 10^43, which outweighs whatever the sounds say."""


class Hotwords(NamedTuple):
    """What the search needs; row ``node``, column ``label``."""

    next: NDArray[np.int32]
    gain: NDArray[np.float64]
    """Factor for a label."""
    end: NDArray[np.float64]
    """(num_nodes,) log of the factor for the end of the text."""
    reach: float
    """The largest factor."""


def build_hotwords(boosts: Mapping[str, float], units: Units) -> Hotwords:
    """The automaton of phrases and their boosts, in nats; without any it is one state that changes nothing.

    Raises:
        DecoderError: a phrase is empty or has what the model cannot write, or a boost is not finite or too large.
    """
    branches: list[dict[int, int]] = [{}, {}]
    potential, earned = [0.0, 0.0], [0.0, 0.0]
    for phrase, boost in boosts.items():
        for spelled in _ways(phrase, boost, units):
            node = START
            for place, letter in enumerate(spelled, 1):
                if letter not in branches[node]:
                    branches[node][letter] = len(branches)
                    branches.append({})
                    potential.append(0.0)
                    earned.append(0.0)
                node = branches[node][letter]
                part = boost * place / len(spelled)
                potential[node] = max(potential[node], part, key=abs)
            earned[node] = boost
    return _complete(branches, np.array(potential), np.array(earned), units)


def _ways(phrase: str, boost: float, units: Units) -> list[list[int]]:
    words = phrase.split()
    missing = [part for word in words if (part := units.missing(word)) is not None]
    missing += [" "] if len(words) > 1 and units.space < 0 else []
    if not words or missing:
        reason = f"the model cannot write {missing[0]!r}" if missing else "it is empty"
        raise DecoderError(f"hotword {phrase!r}: {reason}; leave it out or write it otherwise.")
    if not -np.inf < boost <= MOST_BOOST:
        raise DecoderError(
            f"hotword {phrase!r}: its boost is {boost}; give a number such as 8, at most {MOST_BOOST:g}."
        )
    return units.ways(words)


def _complete(
    branches: Sequence[Mapping[int, int]],
    potential: NDArray[np.float64],
    earned: NDArray[np.float64],
    units: Units,
) -> Hotwords:
    """Every letter leads somewhere: on in the phrase, on in one that began at a later word, or nowhere."""
    space = units.space
    following = np.full((len(branches), len(units.alphabet)), ELSEWHERE, np.int32)
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
        for letter, child in branches[node].items():
            if letter == space or later[node] >= 0:
                later[child] = int(following[node, letter])
            following[node, letter] = child
            queue.append(child)
    log_gain = potential[following] - potential[:, None]
    if space >= 0:
        log_gain[:, space] += ended
    following, log_gain = _of_labels(following, log_gain, units)
    return Hotwords(following, np.exp(log_gain), ended - potential, float(np.exp(log_gain.max())))


def _of_labels(
    following: NDArray[np.int32], log_gain: NDArray[np.float64], units: Units
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The same with labels for letters: a label is its letters, one after the other."""
    shape = (len(following), len(units.symbols))
    nodes, gains = np.full(shape, ELSEWHERE, np.int32), np.zeros(shape)
    for label in range(1, len(units.symbols)):
        at = np.arange(len(following))
        for letter in units.letters(label):
            gains[:, label] += log_gain[at, letter]
            at = following[at, letter]
        nodes[:, label] = at
    return nodes, gains
