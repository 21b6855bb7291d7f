"""What stands twice: the same audio anywhere, a speaker or a sentence on two sides of a split."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from asr.corpus.listen import TOLERANCE
from asr.manifest import Utterance
from asr.text import normalize
from asr.wording import counted

Manifests = Mapping[str, Sequence[Utterance]]


@dataclass(frozen=True)
class Leak:
    """Where the later of two stands, and what to say of it."""

    manifest: str
    index: int
    kind: str
    message: str
    severity: str = "error"


def find_duplicates(
    manifests: Manifests, fingerprints: Mapping[str, Sequence[bytes | None]]
) -> Iterator[Leak]:
    """Each utterance whose audio is that of an earlier one."""
    first: dict[bytes, tuple[str, Utterance]] = {}
    for name, utterances in manifests.items():
        for index, (utterance, fingerprint) in enumerate(zip(utterances, fingerprints[name], strict=True)):
            if fingerprint is None:
                continue
            if fingerprint not in first:
                first[fingerprint] = name, utterance
                continue
            yield Leak(name, index, "duplicate", _duplicate(name, utterance, *first[fingerprint]))


def _duplicate(name: str, utterance: Utterance, first_name: str, first: Utterance) -> str:
    where = first.name if name == first_name else f"{first.name} in {first_name}"
    text = "" if normalize(first.text) == normalize(utterance.text) else ", with another text"
    return f"the same audio as {where}{text}; remove one of them"


def find_overlaps(manifests: Manifests) -> Iterator[Leak]:
    """Each segment that begins before one of the same recording has ended; a warning, for people talk at once too."""
    for name, utterances in manifests.items():
        segments = [n for n, one in enumerate(utterances) if one.offset is not None and one.audio_filepath]
        segments.sort(key=lambda n: (_recording(utterances[n]), utterances[n].start))
        for before, index in pairwise(segments):
            first, one = utterances[before], utterances[index]
            shared = min(first.start + first.duration, one.start + one.duration) - one.start
            is_same = (first.start, first.duration) == (one.start, one.duration)  # that is a duplicate
            if _recording(first) == _recording(one) and shared > TOLERANCE and not is_same:
                message = f"{shared:.2f} s of it are in {first.name} too; correct the times of one of them"
                yield Leak(name, index, "overlap", message, "warning")


def _recording(utterance: Utterance) -> tuple[str, str]:
    return utterance.audio_filepath or "", utterance.member.name if utterance.member else ""


def find_shared(manifests: Manifests) -> Iterator[Leak]:
    """Speakers and sentences that a manifest shares with an earlier one.

    Sentences are one warning for each pair: digits and prompts repeat by design.
    """
    for position, name in enumerate(manifests):
        for earlier in list(manifests)[:position]:
            for speaker, indices in _shared(manifests, name, earlier, lambda one: one.speaker).items():
                yield Leak(name, indices[0], "speaker", _speaker(speaker, len(indices), earlier))
            sentences = _shared(manifests, name, earlier, lambda one: normalize(one.text) or None)
            if sentences:
                yield _sentences(sentences, manifests[name], name, earlier)


def _shared(
    manifests: Manifests, name: str, earlier: str, key: Callable[[Utterance], str | None]
) -> dict[str, list[int]]:
    """Each key that both manifests have, with the positions in the later one."""
    before = {key(utterance) for utterance in manifests[earlier]} - {None}
    shared: dict[str, list[int]] = {}
    for index, utterance in enumerate(manifests[name]):
        found = key(utterance)
        if found is not None and found in before:
            shared.setdefault(found, []).append(index)
    return shared


def _speaker(speaker: str, count: int, earlier: str) -> str:
    return (
        f"speaker {speaker} ({counted(count, 'utterance')} here) is in {earlier} too, "
        "so the score says nothing of new speakers; use `asr data split --by speaker`"
    )


def _sentences(
    shared: Mapping[str, Sequence[int]], utterances: Sequence[Utterance], name: str, earlier: str
) -> Leak:
    total, example = sum(map(len, shared.values())), next(iter(shared))
    message = (
        f"sentences of {earlier} stand in {total} of {counted(len(utterances), 'utterance')} here "
        f"({counted(len(shared), 'sentence')}, {example!r} for one); "
        "unless the corpus means it, use `asr data split --by sentence`"
    )
    return Leak(name, min(map(min, shared.values())), "sentence", message, "warning")
