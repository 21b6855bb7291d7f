"""What one model heard, judged: what is usual is learned from all of it, and each text held against that."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from asr.audit.doubt import Doubt, Scale, together
from asr.audit.evidence import Evidence
from asr.audit.hearing import Unheard, Weighed
from asr.audit.verdicts import CERTAIN, SHARE, Audit, Verdict
from asr.errors import ManifestError
from asr.wording import counted

FEWEST = 20
"""Utterances that a model must have heard to know what is usual."""
UNFIT = 0.05
"""Of all words, and of all gaps: those that fit worst are marked."""
FAR = 4.0
"""Robust standard deviations, from where on a rate or a fit is remarked upon."""

Notes = Mapping[int, Sequence[str]]
Usual = Sequence[tuple[Weighed, Evidence]]


def judge(
    heard: Sequence[Weighed | Unheard],
    defects: Notes = MappingProxyType({}),
    notes: Notes = MappingProxyType({}),
) -> Audit:
    """Verdicts on all that one model heard, in their order.

    ``defects`` are known without it, by position, and decide; ``notes`` are only added to the remarks.

    Raises:
        ManifestError: there is too little without defects to learn from.
    """
    usual = [
        (one, one.evidence)
        for one in heard
        if isinstance(one, Weighed) and one.evidence is not None and one.index not in defects
    ]
    if len(usual) < FEWEST:
        raise ManifestError(
            f"An audit learns what is usual from {counted(FEWEST, 'utterance')} at least for each model, "
            f"and there are {len(usual)} that can be used; give it more."
        )
    known = {one.index for one, _ in usual}
    certain = [_certain(one, defects.get(one.index, ())) for one in heard if one.index not in known]
    judged, power = _weigh_up(usual)
    verdicts = [
        replace(one, remarks=(*one.remarks, *notes.get(one.index, ()))) for one in (*certain, *judged)
    ]
    return Audit(tuple(verdicts), power)


def merge(audits: Sequence[Audit]) -> Audit:
    """Of models each of which judged its own part: the most doubtful first."""
    verdicts = [verdict for one in audits for verdict in one.verdicts]
    faults = [fault for fault in audits[0].power if all(fault in one.power for one in audits)]
    return Audit(
        tuple(sorted(verdicts, key=lambda one: (-one.doubt, one.index))),
        {fault: float(np.mean([one.power[fault] for one in audits])) for fault in faults},
    )


def _certain(one: Weighed | Unheard, defects: Sequence[str]) -> Verdict:
    if isinstance(one, Unheard):
        return Verdict(
            one.index,
            one.utterance,
            np.inf,
            CERTAIN,
            remarks=tuple(defects) or (one.reason,),
            is_unheard=True,
        )
    tokens = tuple(one.utterance.text.split())
    remarks = tuple(defects) or ("no text, or too long a one for the recording",)
    return Verdict(one.index, one.utterance, np.inf, CERTAIN, tokens, one.heard, remarks=remarks)


def _weigh_up(usual: Usual) -> tuple[list[Verdict], dict[str, float]]:
    rows = np.array([one.measures(evidence) for one, evidence in usual])
    speakers = [one.utterance.speaker for one, _ in usual]
    scale = Scale.of(rows, speakers)
    right, wrong = scale(rows, speakers), _made_wrong(usual, scale)
    doubt = Doubt.learn(right, wrong)
    ratios = doubt(right)
    doubts = together(ratios)
    limit = np.quantile(doubts, 1 - SHARE)
    faults = list(ratios)
    likeliest = [faults[place] for place in np.argmax(list(ratios.values()), axis=0)]
    verdicts = [
        _verdict(one, evidence, float(value), fault, marks, remarks)
        for (one, evidence), value, fault, marks, remarks in zip(
            usual, doubts, likeliest, _marks(usual), _remarks(usual, scale, right), strict=True
        )
    ]
    return verdicts, {fault: float(np.mean(together(doubt(found)) > limit)) for fault, found in wrong.items()}


def _made_wrong(usual: Usual, scale: Scale) -> dict[str, NDArray[np.float64]]:
    found = defaultdict(list)
    for one, _ in usual:
        for fault, evidence in one.wrong.items():
            found[fault].append((one.measures(evidence), one.utterance.speaker))
    return {
        fault: scale(np.array([row for row, _ in pairs]), [speaker for _, speaker in pairs])
        for fault, pairs in found.items()
    }


def _verdict(
    one: Weighed,
    evidence: Evidence,
    doubt: float,
    fault: str,
    marks: tuple[tuple[int, ...], tuple[int, ...]],
    remarks: tuple[str, ...],
) -> Verdict:
    return Verdict(one.index, one.utterance, doubt, fault, evidence.tokens, one.heard, *marks, remarks)


def _marks(usual: Usual) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The words and the gaps that fit worst of all."""
    word = np.quantile([min(pair) for _, one in usual for pair in _fits(one)], UNFIT)
    gap = np.quantile([fit for _, one in usual for fit in one.gaps], UNFIT)
    for _, one in usual:
        words = [place for place, pair in enumerate(_fits(one)) if min(pair) < word]
        yield tuple(words), tuple(place for place, fit in enumerate(one.gaps) if fit < gap)


def _fits(evidence: Evidence) -> Iterator[tuple[float, float]]:
    return zip(evidence.words, evidence.needless, strict=True)


def _remarks(usual: Usual, scale: Scale, scaled: NDArray[np.float64]) -> Iterator[tuple[str, ...]]:
    """What else is out of the ordinary, the reasons that need no comparison of texts among it."""
    for (one, evidence), row in zip(usual, scaled, strict=True):
        remarks = [*(one.sound.remarks() if one.sound else ())]
        if not one.heard:
            remarks.append("nothing is heard: no speech?")
        if abs(scale.rate(row)) > FAR:
            rate = len(" ".join(evidence.tokens)) / max(one.utterance.duration, 0.1)
            remarks.append(
                f"{rate:.1f} characters a second is {'fast' if scale.rate(row) > 0 else 'slow'} here"
            )
        if scale.fit(row) < -FAR:
            remarks.append("fits far worse than the speaker's others: another language?")
        yield tuple(remarks)
