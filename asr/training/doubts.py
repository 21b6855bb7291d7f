"""What looks wrong with a training, said in a sentence while there is time: at the start, and after each epoch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from asr.corpus.check import Defect, Requirements, check
from asr.corpus.listen import Fault, believe
from asr.manifest import Utterance
from asr.text import normalize
from asr.training.module import CTCTraining

STALLED_EPOCHS = 5
BLANK_STEPS = 1000
"""Steps after which a model has learned to write something, unless something is wrong: hundreds are usual."""

History = Sequence[Mapping[str, float]]

_SAID_ELSEWHERE = {
    "train": ("audio", "text", "frames"),  # left out, each by its name
    "dev": ("characters", "duplicate", "speaker", "sentence"),
}


def corpus_doubts(manifests: Mapping[str, Sequence[Utterance]], requirements: Requirements) -> Iterator[str]:
    """A sentence for each kind of defect of each set that shows without decoding; what dev repeats says ``repeats``."""
    defects = [
        defect
        for defect in check(manifests, requirements, hear=believe)
        if defect.kind not in _SAID_ELSEWHERE.get(defect.manifest, ())
    ]
    by_kind = sorted(defects, key=_kind)  # stable: the first of each kind stays the first
    for (manifest, _), group in groupby(by_kind, key=_kind):
        first, *others = group
        more = f" (and {len(others)} more such; `asr data check` names all)" if others else ""
        yield f"{manifest}: {first.utterance}: {first.message}{more}"


def repeats(dev: Sequence[Utterance], train: Sequence[Utterance]) -> str:
    """What the dev set has in common with the training set; empty for nothing."""
    keys: dict[str, Callable[[Utterance], object]] = {
        "sentences": lambda one: normalize(one.text) or None,
        "speakers": lambda one: one.speaker,
        "recordings": _fingerprint,
    }
    shares = {what: _share(dev, train, key) for what, key in keys.items()}
    common = [f"{100 * share:.0f} % of its {what}" for what, share in shares.items() if share]
    if not common:
        return ""
    remedies = [f"`asr data split --by {what[:-1]}`" for what in ("speakers", "sentences") if shares[what]]
    remedy = f" ({' or '.join(remedies)} separates them)" if len(remedies) == 1 else ""
    return f"dev: {', '.join(common)} are in train too; its WER says little of new ones{remedy}"


def _kind(defect: Defect) -> tuple[str, str]:
    return defect.manifest, defect.kind


def _share(dev: Sequence[Utterance], train: Sequence[Utterance], key: Callable[[Utterance], object]) -> float:
    """The share of dev utterances whose key the training set has; None is no key."""
    known = {key(utterance) for utterance in train} - {None}
    return sum(key(utterance) in known for utterance in dev) / len(dev)


def _fingerprint(utterance: Utterance) -> bytes | None:
    try:
        return believe(utterance, None).fingerprint
    except Fault:
        return None


def new_doubts(history: History, num_dev: int, module: CTCTraining) -> Iterator[str]:
    """What looks wrong since the last epoch, and did not in any before: so each is said once, resumed or not."""
    trainer, steps = module.settings.trainer, module.steps_per_epoch
    if _is_new(_stalls, history):
        yield (
            f"Neither the loss nor dev WER has got better for {STALLED_EPOCHS} epochs. If it is good enough, "
            f"trainer.patience={STALLED_EPOCHS} stops here; if not, try trainer.learning_rate="
            f"{trainer.learning_rate / 3:.1g}, and `asr data check`."
        )

    def writes_nothing(epochs: History) -> bool:
        late = len(epochs) * steps >= BLANK_STEPS or 2 * len(epochs) >= trainer.max_epochs > 4
        return late and all(epoch["dev_empty"] == num_dev for epoch in epochs)

    if _is_new(writes_nothing, history):
        yield (
            f"After {len(history) * steps} steps the model still writes nothing but blanks. CTC begins so, but "
            f"seldom for so long: try trainer.learning_rate={trainer.learning_rate * 3:.1g} or a third of the "
            "present one, a smaller model.subsampling, shorter utterances, and `asr data check`."
        )


def _is_new(doubt: Callable[[History], bool], history: History) -> bool:
    return doubt(history) and not any(doubt(history[:end]) for end in range(1, len(history)))


def _stalls(history: History) -> bool:
    """Neither figure has been as low before the last epochs as in them; a loss that is no number is not low."""
    before, lately = history[:-STALLED_EPOCHS], history[-STALLED_EPOCHS:]
    if not before or min(_numbers(history, "dev_wer")) == 0:  # what could get better?
        return False
    return all(
        min(_numbers(lately, key)) >= 0.999 * min(_numbers(before, key)) for key in ("loss", "dev_wer")
    )


def _numbers(rows: History, key: str) -> list[float]:
    return [row[key] if row[key] == row[key] else float("inf") for row in rows]
