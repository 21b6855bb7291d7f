"""Evaluations made of texts alone, for what comes after recognition."""

from collections.abc import Sequence

from asr.evaluation import Evaluation, Setup, score
from asr.manifest import Utterance
from asr.types import Word


def evaluation(
    rows: Sequence[tuple[str, str]],
    speakers: Sequence[str | None] = (),
    extras: Sequence[dict] = (),
    setup: Setup = Setup(),
    **more,
) -> Evaluation:
    """Of references and what was heard for them; each word takes half a second and has confidence 0.9."""
    speakers = speakers or [None] * len(rows)
    extras = extras or [{}] * len(rows)
    scored = []
    for number, (said, heard) in enumerate(rows):
        seconds = max(0.5, len(said.split()) / 2)
        utterance = Utterance(
            f"/corpus/{number}.wav", seconds, said, speaker=speakers[number], extra=extras[number]
        )
        words = tuple(Word(word, place / 2, place / 2 + 0.4, 0.9) for place, word in enumerate(heard.split()))
        scored.append(score(utterance, said, heard, weights=setup.weights, heard=words, **more))
    return Evaluation(tuple(scored), 1.5, setup)
