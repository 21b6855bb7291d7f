"""Every defect of a corpus that would spoil a training or flatter a test, each with its remedy."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from asr.corpus.leaks import find_duplicates, find_overlaps, find_shared
from asr.corpus.listen import TOLERANCE, Fault, Heard, listen
from asr.feature_settings import FeatureSettings
from asr.manifest import Utterance
from asr.text import TextSettings, Vocabulary, frames_needed, normalize

Hear = Callable[[Utterance, FeatureSettings | None], Heard]

MAX_CHARACTERS_PER_SECOND = 35.0
"""Far above read English: LibriSpeech has 15 in the mean and 22 at most."""
MIN_CHARACTERS_PER_SECOND = 1.0
"""Below it most of the recording is not its text; the slowest child of speechocean762 has 1.5."""
MIN_SECONDS_FAST = 0.5
MIN_SECONDS_SLOW = 2.0
"""One word and its silences have no rate to speak of, nor have times rounded to a tenth of a second."""
ROUNDING = 0.01
"""Seconds; manifests of other tools state durations to the hundredth."""


@dataclass(frozen=True)
class Requirements:
    """What the model to be trained, or one that is trained, asks of its data."""

    features: FeatureSettings
    stride: int
    """Frames of features for one frame of the model's output."""
    text: TextSettings
    vocabulary: Vocabulary | None = None
    """None: the first manifest's text makes it."""


@dataclass(frozen=True)
class Defect:
    """One thing that is wrong, and where."""

    manifest: str
    index: int
    """Position of the utterance in its manifest, from 0."""
    utterance: str
    kind: str
    """audio, segment, duration, text, frames, rate, characters, duplicate, overlap, speaker or sentence."""
    message: str
    """What is wrong and the remedy: half a sentence, to stand behind the utterance's name."""
    severity: str = "error"
    """error, or warning for what a corpus may do by design."""


@dataclass(frozen=True)
class _Case:
    """One utterance with all that its checks look at."""

    utterance: Utterance
    heard: Heard | Fault
    text: str
    """Normalised."""
    requirements: Requirements | None
    known: Set[str] | None
    """Characters there are symbols for."""


class _Finding(NamedTuple):
    kind: str
    message: str
    severity: str = "error"


_Found = Iterator[_Finding]


def check(
    manifests: Mapping[str, Sequence[Utterance]],
    requirements: Requirements | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    hear: Hear = listen,
) -> list[Defect]:
    """Every defect of the manifests (by name; the first is the training set), in their order.

    Without requirements, what depends on a model's frames or vocabulary is left out; with ``hear=believe`` what
    only decoding the audio would find is too.
    """
    heard = _listen_all(manifests, requirements, progress, hear)
    defects = list(_find_in_utterances(manifests, heard, requirements))
    prints = {name: [getattr(one, "fingerprint", None) for one in heard[name]] for name in manifests}
    for leak in [*find_duplicates(manifests, prints), *find_overlaps(manifests), *find_shared(manifests)]:
        name = manifests[leak.manifest][leak.index].name
        defects.append(Defect(leak.manifest, leak.index, name, leak.kind, leak.message, leak.severity))
    order = {name: position for position, name in enumerate(manifests)}
    return sorted(defects, key=lambda defect: (order[defect.manifest], defect.index))


def _listen_all(
    manifests: Mapping[str, Sequence[Utterance]],
    requirements: Requirements | None,
    progress: Callable[[int, int], None],
    hear: Hear,
) -> dict[str, list[Heard | Fault]]:
    features = requirements.features if requirements else None
    total = sum(map(len, manifests.values()))
    heard: dict[str, list[Heard | Fault]] = {name: [] for name in manifests}
    done = 0
    with ThreadPoolExecutor() as pool:
        for name, utterances in manifests.items():
            for one in pool.map(partial(_listen, settings=features, hear=hear), utterances):
                heard[name].append(one)
                done += 1
                progress(done, total)
    return heard


def _listen(utterance: Utterance, settings: FeatureSettings | None, hear: Hear) -> Heard | Fault:
    try:
        return hear(utterance, settings)
    except Fault as fault:
        return fault


def _find_in_utterances(
    manifests: Mapping[str, Sequence[Utterance]],
    heard: Mapping[str, Sequence[Heard | Fault]],
    requirements: Requirements | None,
) -> Iterator[Defect]:
    settings = requirements.text if requirements else TextSettings()
    texts = {name: [normalize(one.text, settings) for one in manifests[name]] for name in manifests}
    for name, utterances in manifests.items():
        known = _known_characters(name, texts)
        for index, utterance in enumerate(utterances):
            case = _Case(utterance, heard[name][index], texts[name][index], requirements, known)
            for find in _CHECKS:
                for finding in find(case):
                    yield Defect(name, index, utterance.name, *finding)


def _known_characters(name: str, texts: Mapping[str, Sequence[str]]) -> Set[str] | None:
    """What the first manifest would make of the vocabulary; None for the first manifest itself."""
    first = next(iter(texts))
    return None if name == first else set("".join(texts[first])) | {" "}


def _find_fault(case: _Case) -> _Found:
    if isinstance(case.heard, Fault):
        yield _Finding(case.heard.kind, str(case.heard))


def _find_wrong_duration(case: _Case) -> _Found:
    if isinstance(case.heard, Fault) or case.utterance.offset is not None:
        return
    stated, real = case.utterance.duration, case.heard.seconds
    difference = abs(stated - real)
    if difference > TOLERANCE or difference > max(ROUNDING, 0.02 * real):
        yield _Finding(
            "duration",
            f"the manifest states {stated:.2f} s, the file has {real:.2f} s; correct the duration, "
            'or add "offset": 0 if the utterance is only a part of the file',
        )


def _find_empty_text(case: _Case) -> _Found:
    if not case.text:
        what = (
            f"nothing is left of the text {case.utterance.text!r}"
            if case.utterance.text
            else "the text is empty"
        )
        yield _Finding("text", f"{what}; write it or remove the utterance")


def _find_too_few_frames(case: _Case) -> _Found:
    """CTC needs a frame a label and one between two that are equal; with fewer its loss is infinite."""
    if case.requirements is None or isinstance(case.heard, Fault) or case.heard.num_frames is None:
        return
    labels = _labels(case.text, case.requirements)
    needed = frames_needed(labels)
    available = -(-case.heard.num_frames // case.requirements.stride)
    if available < needed:
        yield _Finding(
            "frames",
            f"its text needs {needed} frames of output and its {case.heard.seconds:.2f} s give {available} "
            f"at a stride of {case.requirements.stride}; correct text or times, or lower model.subsampling",
        )


def _labels(text: str, requirements: Requirements) -> Sequence[object]:
    vocabulary, settings = requirements.vocabulary, requirements.text
    if vocabulary is None or (settings.unknown == "error" and vocabulary.unknown_characters(text)):
        return text
    return vocabulary.encode(text, settings)


def _find_extreme_rate(case: _Case) -> _Found:
    if isinstance(case.heard, Fault) or not case.text:
        return
    characters, seconds = len(case.text), case.heard.seconds
    too_fast = characters > MAX_CHARACTERS_PER_SECOND * max(seconds, MIN_SECONDS_FAST)
    too_slow = seconds > MIN_SECONDS_SLOW and characters < MIN_CHARACTERS_PER_SECOND * seconds
    if too_fast or too_slow:
        yield _Finding(
            "rate",
            f"{characters} characters in {seconds:.2f} s is no speaking rate; "
            "its text belongs to another recording, or the recording needs cutting",
        )


def _find_unknown_characters(case: _Case) -> _Found:
    unknown = _unknown(case)
    if unknown:
        names = ", ".join(
            f"{one!r} (U+{ord(one):04X})" if len(one) == 1 else repr(one) for one in unknown[:5]
        )
        refused = case.requirements is None or case.requirements.text.unknown == "error"
        yield _Finding(
            "characters",
            f"no symbol is known for {names}; correct the text, or set text.unknown to skip or replace",
            "error" if refused else "warning",
        )


def _unknown(case: _Case) -> list[str]:
    """Characters, or of a model that writes none words."""
    if case.requirements is not None and case.requirements.vocabulary is not None:
        return case.requirements.vocabulary.unknown_characters(case.text)
    known = case.known
    return [] if known is None else [one for one in dict.fromkeys(case.text) if one not in known]


_CHECKS: Sequence[Callable[[_Case], _Found]] = (
    _find_fault,
    _find_wrong_duration,
    _find_empty_text,
    _find_too_few_frames,
    _find_extreme_rate,
    _find_unknown_characters,
)
