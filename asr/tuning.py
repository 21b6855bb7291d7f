"""A model's decoder chosen on a dev set: heard once, decoded in many ways, stored with the model.

Weights first, at the widest beam allowed: a coarse grid, then finer steps around the best, then the penalty of unknown
words; then the narrowest beam that is as good. Word confidences are calibrated last (``asr.decoding.confidence``).
"""

import datetime
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from asr import checkpoint, scoring, stored_decoder
from asr.decoding import BeamDecoder, BeamSettings, decode_greedy
from asr.decoding.confidence import Calibration, expected_calibration_error, fit, log_loss
from asr.decoding.recurrent import RecurrentDecoder, RecurrentUse
from asr.dev_set import DevSet, Judged
from asr.evaluation import Evaluation
from asr.recurrent_tuning import choose_use
from asr.stored_decoder import WITHOUT_LANGUAGE_MODEL, Confidence, StoredDecoder, Tuned

if TYPE_CHECKING:
    from asr.lm.words import WordModel
    from asr.stored_decoder import LanguageModel

ALPHAS = (0.25, 0.5, 0.75, 1.0, 1.5)
BETAS = (-1.0, 0.0, 1.0, 2.0, 3.0)
STEPS = ((0.125, 0.5), (0.0625, 0.25))
"""Of alpha and beta, around the best of the grid and around the best of those."""
MOST_MOVES = 4
"""Steps of one size at most, for a best that lies outside the grid."""
UNKNOWNS, UNKNOWN_LETTERS = (0.0, -2.0, -5.0, -10.0), (0.0, -0.5, -1.0, -2.0)
WIDTHS = (8, 16, 32, 64, 128)
"""The beams of the table."""
TYPICAL, TYPICAL_WITH_LM = 15, 65
"""Trials that a search takes, more or less."""


@dataclass(frozen=True)
class Trial:
    """One way of decoding the dev set, scored."""

    settings: BeamSettings | None
    """None is greedy."""
    evaluation: Evaluation
    """Its ``seconds`` are processor time, of decoding alone."""
    recurrent: RecurrentUse | None = None
    """What a recurrent language model does besides."""

    @property
    def errors(self) -> tuple[int, int]:
        """Wrong words, then wrong characters: what settings are chosen by."""
        return self.evaluation.words.errors, self.evaluation.characters.errors

    def rank(self, usual: BeamSettings) -> tuple[float, ...]:
        """Errors, then width, then the distance from ``usual`` weights: a tie says nothing against them."""
        assert self.settings is not None
        names = ("alpha", "beta", "unknown", "unknown_letter")
        strange = (abs(getattr(self.settings, name) - getattr(usual, name)) for name in names)
        return (*self.errors, self.settings.beam_width, *strange)

    @property
    def real_time_factor(self) -> float:
        """Seconds of one core a second of audio."""
        return self.evaluation.seconds / max(self.evaluation.audio_seconds, 1e-9)


@dataclass(frozen=True)
class Calibrated:
    """Word confidences of one decoder, before and after."""

    calibration: Calibration | None
    """None where it would not have helped."""
    before: float
    """Expected calibration error of the raw confidences."""
    after: float
    """The same of each half of the dev set, calibrated on the other half."""


@dataclass(frozen=True)
class Tuning:
    """What came out: the rows of the table, and what is to be stored."""

    greedy: Trial
    without_lm: Trial | None
    """The widest beam allowed without the language model, where there is one."""
    widths: tuple[Trial, ...]
    beam: Trial
    """The best of them that is not too wide."""
    greedy_confidence: Calibrated
    beam_confidence: Calibrated
    num_trials: int
    recurrent: tuple[Trial, ...] = ()
    """The best of them with a recurrent language model: rescored, then asked inside the beam."""

    @property
    def chosen(self) -> Trial:
        """Of all that write words the one with the fewest errors; of equals greedy, then the beam without a network."""
        greedy = (self.greedy,) if self.comparable else ()
        trials: tuple[Trial, ...] = (*greedy, self.beam, *self.recurrent)
        return min(trials, key=lambda trial: trial.errors)

    @property
    def comparable(self) -> bool:
        """Whether greedy's errors are counted in words, as the others' are."""
        return self.greedy.evaluation.setup.rate == self.beam.evaluation.setup.rate

    @property
    def gain(self) -> scoring.Interval:
        """The 95 % interval of the beam's WER minus the greedy one."""
        ours, theirs = (
            [scored.words for scored in trial.evaluation.utterances] for trial in (self.beam, self.greedy)
        )
        return scoring.difference(ours, theirs)


class Search:
    """Trials of a dev set with one language model, none of them twice; weights begin at ``start``."""

    def __init__(
        self,
        dev: DevSet,
        language_model: "LanguageModel | None",
        start: BeamSettings,
        on_trial: Callable[[int, int], None],
    ):
        self.dev = dev
        self.language_model = language_model
        self.start = start if language_model is not None else replace(start, beta=0.0)
        self.trials: dict[BeamSettings, Trial] = {}
        self._on_trial = on_trial

    def weights(self) -> BeamSettings:
        """The best alpha, beta and penalties of unknown words at the width of the start."""
        start, with_lm = self.start, self.language_model is not None
        alphas = ALPHAS if with_lm else (start.alpha,)
        best = self.best(replace(start, alpha=a, beta=b) for a in alphas for b in BETAS)
        for alpha_step, beta_step in STEPS:
            best = self._climb(best, alpha_step if with_lm else 0.0, beta_step)
        if with_lm and start.lexicon == "open":
            pairs = {*product(UNKNOWNS, UNKNOWN_LETTERS), (best.unknown, best.unknown_letter)}
            best = self.best(
                replace(best, unknown=word, unknown_letter=letter) for word, letter in sorted(pairs)
            )
        return best

    def best(self, candidates: Iterable[BeamSettings]) -> BeamSettings:
        """The one of fewest errors."""
        return min(candidates, key=lambda one: self.trial(one).rank(self.start))

    def trial(self, settings: BeamSettings) -> Trial:
        """These settings, tried if they have not been."""
        if settings not in self.trials:
            decoder = BeamDecoder(replace(settings, times=False), self.language_model)
            self.trials[settings] = Trial(settings, self.dev.evaluate(decoder))
            typical = TYPICAL if self.language_model is None else TYPICAL_WITH_LM
            self._on_trial(len(self.trials), max(typical, len(self.trials)))
        return self.trials[settings]

    def _climb(self, best: BeamSettings, alpha_step: float, beta_step: float) -> BeamSettings:
        """Steps to the best neighbour, as long as it is better."""
        for _ in range(MOST_MOVES):
            neighbours = _neighbours(best, alpha_step, beta_step)
            previous, best = best, self.best(neighbours)
            if best == previous:
                break
        return best


def _neighbours(centre: BeamSettings, alpha_step: float, beta_step: float) -> Iterator[BeamSettings]:
    for alpha in sorted({centre.alpha - alpha_step, centre.alpha, centre.alpha + alpha_step}):
        for beta in (centre.beta - beta_step, centre.beta, centre.beta + beta_step):
            if alpha >= 0:
                yield replace(centre, alpha=alpha, beta=beta)


def tune(
    dev: DevSet,
    language_model: "LanguageModel | None" = None,
    asked: BeamSettings = BeamSettings(),
    recurrent: "WordModel | None" = None,
    *,
    on_trial: Callable[[int, int], None] = lambda done, expected: None,
) -> Tuning:
    """Choose the decoder by WER, then CER, then simplicity.

    The weights of a ``recurrent`` language model are chosen by rescoring what the tuned beam finds.

    Of ``asked`` the width is the widest to choose, wider ones are only shown; weights begin as there, and the rest
    stays. ``on_trial`` hears how many settings have been tried, and how many are foreseen.
    """
    search = Search(dev, language_model, asked, on_trial)
    weights = search.weights()
    widths = [replace(weights, beam_width=width) for width in sorted({*WIDTHS, asked.beam_width})]
    beam = search.trial(search.best(one for one in widths if one.beam_width <= asked.beam_width))
    assert beam.settings is not None
    return Tuning(
        greedy=Trial(None, dev.evaluate(decode_greedy)),
        without_lm=_without_lm(dev, asked.beam_width) if language_model is not None else None,
        widths=tuple(search.trial(settings) for settings in widths),
        beam=beam,
        greedy_confidence=calibrate(dev.judge(decode_greedy)),
        beam_confidence=calibrate(dev.judge(BeamDecoder(beam.settings, language_model))),
        num_trials=len(search.trials),
        recurrent=() if recurrent is None else _with_recurrent(dev, language_model, beam.settings, recurrent),
    )


def _with_recurrent(
    dev: DevSet, ngram: "LanguageModel | None", settings: BeamSettings, model: "WordModel"
) -> tuple[Trial, ...]:
    """Rescored and, unless the models are of characters, asked inside the beam, with the same weights."""
    use = choose_use(dev, RecurrentDecoder(settings, ngram, model, RecurrentUse()))
    only_after = model.is_characters or (ngram is not None and ngram.is_characters)
    trials = []
    for one in (use,) if only_after else (use, replace(use, rescore=False)):
        decoder = RecurrentDecoder(replace(settings, times=False), ngram, model, one)
        trials.append(Trial(settings, dev.evaluate(decoder), one))
    return tuple(trials)


def calibrate(judged: Sequence[Judged]) -> Calibrated:
    """A calibration fitted on the words of all utterances, if fitted on every other one it helps on the rest.

    Whether it helps is judged by the log loss: with few words the calibration error is mostly noise.
    """
    halves = judged[::2], judged[1::2]
    held_out = []
    for ours, theirs in (halves, halves[::-1]):
        calibration = fit(*_columns(theirs))
        held_out.append([[(calibration(raw), right) for raw, right in words] for words in ours])
    raw, corrected = _columns(judged), _columns([*held_out[0], *held_out[1]])
    return Calibrated(
        fit(*raw) if log_loss(*corrected) < log_loss(*raw) else None,
        expected_calibration_error(*raw),
        expected_calibration_error(*corrected),
    )


def store(
    tuning: Tuning,
    model: str | os.PathLike[str],
    manifest: Path,
    lm: Path | None = None,
    recurrent: Path | None = None,
    *,
    include_lm: bool = True,
    output_dir: str | os.PathLike[str] | None = None,
) -> StoredDecoder:
    """Write what was chosen on a manifest into a model's directory, or into a copy of it at ``output_dir``.

    ``lm`` is the file of the language model, which goes beside it, packed, with ``include_lm``; ``recurrent`` the
    directory of another, which goes beside it if it is chosen.

    Raises:
        CheckpointError: it cannot be written there; what was there before is still there.
    """
    assert tuning.beam.settings is not None
    words = tuning.greedy.evaluation.words
    tuned = Tuned(
        manifest=manifest.name,
        utterances=len(tuning.greedy.evaluation.utterances),
        words=tuning.beam.evaluation.words.num_reference,
        dev_wer=tuning.chosen.evaluation.words.rate,
        greedy_dev_wer=words.rate if tuning.comparable else None,
        date=datetime.date.today().isoformat(),
        language_model=None if lm is None else lm.name,
    )
    stored = StoredDecoder(
        decoder="greedy" if tuning.chosen is tuning.greedy else "beam",
        settings=tuning.beam.settings,
        confidence=Confidence(tuning.greedy_confidence.calibration, tuning.beam_confidence.calibration),
        recurrent=tuning.chosen.recurrent,
        tuned=tuned,
    )
    with checkpoint.revise(model, output_dir) as folder:
        return stored_decoder.save(
            folder, stored, lm if include_lm else None, recurrent if stored.recurrent else None
        )


def _without_lm(dev: DevSet, beam_width: int) -> Trial:
    settings = replace(WITHOUT_LANGUAGE_MODEL, beam_width=beam_width)
    return Trial(settings, dev.evaluate(BeamDecoder(replace(settings, times=False))))


def _columns(judged: Sequence[Judged]) -> tuple[list[float], list[bool]]:
    words = [word for utterance in judged for word in utterance]
    return [confidence for confidence, _ in words], [right for _, right in words]
