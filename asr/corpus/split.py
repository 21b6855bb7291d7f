"""Utterances into train, dev and test, so that no speaker (or sentence) stands on two sides."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

from asr.errors import ManifestError
from asr.manifest import Utterance
from asr.text import normalize
from asr.wording import counted

Group = list[Utterance]

KEYS: Mapping[str, Callable[[Utterance], str | None]] = {
    "speaker": lambda utterance: utterance.speaker,
    "utterance": lambda utterance: utterance.name,
    "sentence": lambda utterance: normalize(utterance.text),
}
"""What is never divided between two splits."""

FEWEST_SPEAKERS, FEWEST_UTTERANCES, MOST_SECONDS = 5, 10, 1200.0
"""Below so many speakers a split by speaker leaves too few to learn from; of dev and test, the usual bounds."""
ROUNDING = 1e-6
"""Seconds by which sums of the same durations differ."""
PARTS = ("train", "dev", "test")


def split(
    utterances: Sequence[Utterance],
    *,
    by: str = "speaker",
    dev: float = 0.1,
    test: float = 0.1,
    seed: int = 1,
) -> dict[str, list[Utterance]]:
    """``train``, ``dev`` and ``test`` by fractions of duration, each in the order given; none is ever empty.

    A fraction of 0 leaves its split out. The seed alone decides, not the order of the utterances.

    Raises:
        ManifestError: nothing is left to train on, there are too few groups, or a speaker is not known.
    """
    if not (dev >= 0 and test >= 0 and dev + test < 1):
        raise ManifestError(f"dev {dev:g} and test {test:g} must be fractions that leave some to train on.")
    groups = _groups(utterances, by)
    fractions = {name: fraction for name, fraction in {"test": test, "dev": dev}.items() if fraction}
    if len(groups) <= len(fractions):
        raise ManifestError(
            f"{counted(len(groups), by)} cannot fill {len(fractions) + 1} splits; "
            "use another --by, or a fraction of 0."
        )
    random.Random(seed).shuffle(groups)
    total = math.fsum(map(_seconds, groups))
    chosen: dict[str, list[Group]] = {}
    for name, fraction in fractions.items():
        chosen[name], groups = _take(groups, fraction * total, keep=len(fractions) - len(chosen))
    chosen["train"] = groups
    return {name: _in_order(utterances, chosen[name]) for name in PARTS if name in chosen}


def split_fittingly(
    utterances: Sequence[Utterance], *, seed: int = 1, by: str | None = None
) -> tuple[str, dict[str, list[Utterance]]]:
    """What was never divided, and the parts, each large enough to mean something.

    Speakers are kept together where enough are known; else sentences; else, where the same sentences come again and
    again, nothing. ``by`` decides it instead. Dev and test have a tenth each: 20 minutes at most, 10 utterances
    at least, but never more than a fifth.

    Raises:
        ManifestError: there are too few utterances for three parts, or ``by`` asks for what is not known.
    """
    _check_enough(utterances, by or "utterance")
    share = _fitting_share(utterances)
    for key in (by,) if by else ("speaker", "sentence"):
        groups = {KEYS[key](utterance) for utterance in utterances}
        enough = FEWEST_SPEAKERS if key == "speaker" else len(utterances) / 2
        if by or (None not in groups and len(groups) >= max(enough, len(PARTS))):
            parts = split(utterances, by=key, dev=share, test=share, seed=seed)
            if by or _are_enough(parts):
                return key, parts
    return "utterance", split(utterances, by="utterance", dev=share, test=share, seed=seed)


def portion(utterances: Sequence[Utterance], share: float, seed: int = 1) -> list[Utterance]:
    """About ``share`` of the duration, drawn at random; of one seed, a smaller one lies inside a larger one."""
    order = sorted(utterances, key=lambda utterance: (utterance.name, utterance.text))
    random.Random(seed).shuffle(order)
    ends = accumulate(utterance.duration for utterance in order)
    total = math.fsum(utterance.duration for utterance in order)
    count = sum(end <= share * total + ROUNDING for end in ends)
    return _in_order(utterances, [order[: max(count, 1)]])


def folds(utterances: Sequence[Utterance], count: int, seed: int = 1) -> list[list[Utterance]]:
    """``count`` parts of about equal duration, each in the order given; a speaker is in one of them.

    Where fewer speakers than folds are known, each utterance stands for itself.

    Raises:
        ManifestError: there are fewer utterances than folds.
    """
    speakers = {utterance.speaker for utterance in utterances}
    groups = _groups(utterances, "utterance" if None in speakers or len(speakers) < count else "speaker")
    if len(groups) < count:
        raise ManifestError(f"{counted(len(groups), 'utterance')} cannot fill {count} folds; ask for fewer.")
    random.Random(seed).shuffle(groups)
    parts: list[list[Group]] = [[] for _ in range(count)]
    seconds = [0.0] * count
    for group in sorted(groups, key=_seconds, reverse=True):
        shortest = seconds.index(min(seconds))
        parts[shortest].append(group)
        seconds[shortest] += _seconds(group)
    return [_in_order(utterances, part) for part in parts]


def _check_enough(utterances: Sequence[Utterance], by: str) -> None:
    """In words that name no option: it is not the caller who chose three parts."""
    groups = _groups(utterances, by)
    if len(groups) < len(PARTS):
        raise ManifestError(
            f"{counted(len(groups), by)} cannot fill train, dev and test, which take {len(PARTS)} at least; "
            "add recordings."
        )


def _fitting_share(utterances: Sequence[Utterance]) -> float:
    tenth = min(0.1, MOST_SECONDS / max(_seconds(list(utterances)), 1.0))
    return min(0.2, max(tenth, FEWEST_UTTERANCES / max(len(utterances), 1)))


def _are_enough(parts: Mapping[str, Group]) -> bool:
    """Whether dev and test have a say, and most is left to train on."""
    all_of_them = [utterance for part in parts.values() for utterance in part]
    fewest = min(FEWEST_UTTERANCES, len(all_of_them) // 10)
    return min(len(parts["dev"]), len(parts["test"])) >= fewest and _seconds(
        parts["train"]
    ) >= 0.5 * _seconds(all_of_them)


def _groups(utterances: Sequence[Utterance], by: str) -> list[Group]:
    groups: dict[str, Group] = {}
    for utterance in utterances:
        key = KEYS[by](utterance)
        if key is None:
            raise ManifestError(
                f"{utterance.name}: no speaker is known; build with --speaker-from, or split by utterance."
            )
        groups.setdefault(key, []).append(utterance)
    return [groups[key] for key in sorted(groups)]


def _take(groups: Sequence[Group], target: float, keep: int) -> tuple[list[Group], list[Group]]:
    """Groups of about ``target`` seconds (each that brings the sum nearer, at least one), and the rest.

    The rest is never fewer than ``keep``: later splits need one each.
    """
    taken: list[int] = []
    missing = target
    for index, seconds in enumerate(map(_seconds, groups)):
        if abs(missing - seconds) < abs(missing) and len(taken) < len(groups) - keep:
            taken.append(index)
            missing -= seconds
    members = set(taken or [min(range(len(groups)), key=lambda index: _seconds(groups[index]))])
    rest = [group for index, group in enumerate(groups) if index not in members]
    return [groups[index] for index in sorted(members)], rest


def _seconds(group: Group) -> float:
    # fsum: the same sum in whatever order the manifest has them.
    return math.fsum(utterance.duration for utterance in group)


def _in_order(utterances: Sequence[Utterance], groups: Sequence[Group]) -> list[Utterance]:
    members = {id(utterance) for group in groups for utterance in group}
    return [utterance for utterance in utterances if id(utterance) in members]
