"""The contest of the decoders on one set of emissions: tuning, the table, the claims, what the options cost."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import _peers
from _comparison import CHUNK, Measured, decoders, measure, speed_ratio, tune, wer_difference
from _decoders import NBEST, PLAIN, RUST, SYSTEMS, LanguageModel, System, build_model
from _emissions import EmissionSet, Utterance

SPEED = {"pyctcdecode": 30.0, "ctc-beam-decoder": 10.0, "flashlight": 5.0, "flashlight default": 40.0}
"""How many times as fast ours is claimed to be, with the 3-gram."""
SPEED_WIDTHS, WER_WIDTHS = (64, 128), (16, 64, 128)
PLAIN_SPEED = {16: 2.0, 64: 3.0, 128: 3.0, 512: 3.0}
"""Over fast-ctc-decoder, without a language model, at each width."""
WIDEST, USUAL = 512, 64
WRAPPER = "torchaudio"
"""The same library as flashlight: a look at what the door costs is enough."""


class Sizes(NamedTuple):
    """How many utterances each step takes."""

    half: int
    """Synthetic utterances to tune on, and as many to measure."""
    weighing: int
    pruning: int
    few: int
    """Of the measured ones, at width 512 and to see what the options cost."""
    widths: tuple[int, ...]


FULL = Sizes(520, 260, 160, 40, (16, 64, 128, WIDEST))
QUICK = Sizes(40, 8, 8, 8, (16, 64))


class Verdict(NamedTuple):
    """A claim and what was measured."""

    claim: str
    figure: str
    met: bool


Tuned = Mapping[str, tuple[System, Mapping[str, Any]]]
"""Systems and their settings by name."""


@dataclass
class Contest:
    """What is measured is printed at once, and kept for the end."""

    sizes: Sizes
    parts: set[str]
    folder: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def run(self, emissions: EmissionSet) -> None:
        """All that was asked for of one set."""
        if emissions.name in self.parts:
            models = [build_model(sentences, self.folder) for sentences in emissions.sentences]
            tuned = self._tune(emissions, models)
            for width in self.sizes.widths:
                self._compare(emissions, models, tuned, width)
            if "options" in self.parts:
                self._options(emissions, models, tuned)
        if "plain" in self.parts:
            self._plain(emissions)

    def _tune(self, emissions: EmissionSet, models: Sequence[LanguageModel]) -> Tuned:
        by_name = {system.name: system for system in SYSTEMS}
        found: dict[str, Mapping[str, Any]] = {}
        tuned: dict[str, tuple[System, Mapping[str, Any]]] = {}
        for system in SYSTEMS:
            if not system.is_installed:
                self._say(emissions, 0, system.name, _peers.missing(system.peer))
                continue
            source = by_name[system.tuned_as or system.name]
            if source.name not in found:
                # Where the clone is missing, the original is tuned itself.
                able = dataclasses.replace(source, build=system.build)
                found[source.name] = tune(able, models, emissions, self.sizes.weighing, self.sizes.pruning)
            default = source.prunings[0] if system.default_pruning else {}
            tuned[system.name] = system, {**found[source.name], **default}
            settings = ", ".join(f"{name} {value:g}" for name, value in tuned[system.name][1].items())
            self._say(emissions, 0, system.name, settings)
        return tuned

    def _compare(
        self, emissions: EmissionSet, models: Sequence[LanguageModel], tuned: Tuned, width: int
    ) -> None:
        """The table of one width, and its claims."""
        many = self.sizes.few if width == WIDEST else len(emissions.measuring)
        names = [name for name in tuned if name != WRAPPER]
        results = self._measure(emissions, models, {name: tuned[name] for name in names}, width, many)
        if width == USUAL and WRAPPER in tuned:
            pair = {name: tuned[name] for name in ("ours", WRAPPER)}
            self._measure(emissions, models, pair, width, self.sizes.few)
        for name, claimed in SPEED.items():
            if width in SPEED_WIDTHS:
                ratio = speed_ratio(results["ours"], results[name]) if name in results else 0.0
                self._judge(emissions, width, f"{claimed:g}x {name}", f"{ratio:.1f}x", ratio >= claimed)
        if width in WER_WIDTHS and len(results) > 1:
            self._judge_wer(emissions, width, results)

    def _measure(
        self, emissions: EmissionSet, models: Sequence[LanguageModel], tuned: Tuned, width: int, many: int
    ) -> dict[str, Measured]:
        rows = {
            name: decoders(system, models, emissions.symbols, width, settings)
            for name, (system, settings) in tuned.items()
        }
        results = measure(rows, emissions.measuring[:many], min(CHUNK, max(1, many // 5)))
        self._tabulate(emissions, width, results)
        return results

    def _judge_wer(self, emissions: EmissionSet, width: int, results: Mapping[str, Measured]) -> None:
        best = min((name for name in results if name != "ours"), key=lambda name: results[name].wer)
        difference, low, high = wer_difference(results["ours"], results[best])
        figure = f"{100 * difference:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}] points"
        self._judge(emissions, width, f"WER no worse than the best peer's, {best}", figure, low <= 0)

    def _plain(self, emissions: EmissionSet) -> None:
        """Without a language model, the best string."""
        if not RUST.is_installed:
            self._say(emissions, 0, RUST.name, _peers.missing(RUST.peer))
            return
        count = self.sizes.pruning
        settings = {one.name: tune(one, [None], emissions, 0, count) for one in (PLAIN, RUST)}
        for width in self.sizes.widths:
            rows = {
                one.name: decoders(one, [None], emissions.symbols, width, settings[one.name])
                for one in (PLAIN, RUST)
            }
            alone = [one._replace(model=0) for one in emissions.measuring]
            results = measure(rows, alone[: self.sizes.few if width == WIDEST else None])
            self._tabulate(emissions, width, results, ", no LM")
            ratio, claimed = speed_ratio(results["ours"], results[RUST.name]), PLAIN_SPEED[width]
            self._judge(emissions, width, f"{claimed:g}x {RUST.name}", f"{ratio:.1f}x", ratio >= claimed)

    def _options(self, emissions: EmissionSet, models: Sequence[LanguageModel], tuned: Tuned) -> None:
        """What n-best, times and hotwords cost, and where our time goes."""
        utterances = emissions.measuring[: self.sizes.few]
        hotwords = _unknown_words(utterances, models)
        variants = {"": {}, f"{NBEST}-best": {"nbest": NBEST}, "hotwords": {"hotwords": hotwords}}
        own = {"times": {"times": True}, "all three": {"times": True, "nbest": NBEST, "hotwords": hotwords}}
        rows = {}
        for name, (system, settings) in tuned.items():
            if name in (WRAPPER, "flashlight default"):
                continue
            for what, extra in {**variants, **(own if name == "ours" else {})}.items():
                if name == "flashlight" and "hotwords" in extra:
                    continue  # it has none
                label = f"{name} +{what}" if what else name
                options = {**settings, **extra}
                rows[label] = decoders(system, models, emissions.symbols, USUAL, options)
        settings = {name: value for name, value in tuned["ours"][1].items() if name != "beta"}
        for width in (1, USUAL):
            rows[f"ours, no LM, width {width}"] = [
                PLAIN.build(None, emissions.symbols, width, **settings) for _ in models
            ]
        results = measure(rows, utterances)
        self._tabulate(emissions, USUAL, results)
        self._say(emissions, USUAL, "ours, milliseconds", _where_time_goes(results))

    def _tabulate(
        self, emissions: EmissionSet, width: int, results: Mapping[str, Measured], note: str = ""
    ) -> None:
        for name, result in results.items():
            ratio = speed_ratio(results["ours"], result)
            row = {
                "set": emissions.name,
                "width": width,
                "system": name + note,
                "per_second": round(result.rate, 2),
            }
            row |= {"ours_is": round(ratio, 2), "wer": round(result.wer, 5), "n": len(result.errors)}
            self.rows.append(row)
            figures = f"{result.rate:9.1f}/s  {ratio:7.2f}x  WER {100 * result.wer:6.2f} %  n={row['n']}"
            self._say(emissions, width, name + note, figures)

    def _judge(self, emissions: EmissionSet, width: int, what: str, figure: str, met: bool) -> None:
        self.verdicts.append(Verdict(f"{emissions.name}, width {width}: {what}", figure, met))

    def _say(self, emissions: EmissionSet, width: int, system: str, text: str) -> None:
        print(f"{emissions.name:6} {width or '':>4} {system:30} {text}", flush=True)


def _unknown_words(utterances: Sequence[Utterance], models: Sequence[LanguageModel]) -> tuple[str, ...]:
    """Ten that were said and that the language model lacks: what hotwords are for."""
    said = {(word, one.model) for one in utterances for word in one.text.split()}
    return tuple(sorted({word for word, model in said if not models[model].ngram.word_id(word)})[:10])


def _where_time_goes(results: Mapping[str, Measured]) -> str:
    """Milliseconds an utterance, by switching parts on."""
    spent = {name: 1000 / result.rate for name, result in results.items()}
    start, plain = spent["ours, no LM, width 1"], spent[f"ours, no LM, width {USUAL}"]
    steps = {
        "normalising and set-up": start,
        "search": plain - start,
        "language model": spent["ours"] - plain,
    }
    for extra in ("times", f"{NBEST}-best", "hotwords"):
        steps[extra] = spent[f"ours +{extra}"] - spent["ours"]
    return ", ".join(f"{name} {value:+.3f}" for name, value in steps.items())
