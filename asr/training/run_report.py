"""A run on one page that opens offline, and the same for programs: ``report.html`` and ``metrics.json``."""

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import lightning
import yaml
from lightning.pytorch.callbacks import Callback

from asr.settings import to_dict
from asr.training.dry import peak_bytes
from asr.training.files import written_beside
from asr.training.parts import Parts
from asr.training.provenance import commit, describe_set, processor, versions
from asr.training.scorer import DevScorer

PAGE, METRICS_JSON = "report.html", "metrics.json"

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
pre {{ background: #f4f4f4; padding: 1rem; overflow-x: auto; }}
table {{ border-collapse: collapse; }} td, th {{ padding: .2rem .8rem; text-align: left; }}
figure {{ display: inline-block; width: 19rem; margin: 0 .5rem 1rem 0; vertical-align: top; }}
svg {{ width: 100%; background: #f4f4f4; }} small {{ color: #666; }} .hash {{ font: 12px monospace; }}
</style>
<h1>{title}</h1>
<p>{best}</p>
{curves}
<h2>Data</h2>
<table><tr><th>set<th>utterances<th>hours<th>manifest, SHA-256{sets}</table>
<h2>Made with</h2>
<table>{made_with}</table>
<h2>Settings</h2>
<pre>{settings}</pre>
</html>
"""
_COLOURS = ("#246", "#b33", "#383", "#a70", "#639", "#088", "#666")


class RunReport(Callback):
    """Writes both after each epoch."""

    def __init__(self, parts: Parts, run_dir: Path, scorer: DevScorer):
        self.run_dir = run_dir
        self.scorer = scorer
        settings = parts.settings
        self.made_of = {
            "versions": versions(),
            "commit": commit(),
            "machine": processor(),
            "settings": to_dict(settings),
            "data": {
                name: describe_set(str(getattr(settings.data, name)), utterances)
                for name, utterances in parts.sets.items()
            },
            "trained_on": len(parts.train),
            "parameters": sum(weight.numel() for weight in parts.module.acoustic.parameters()),
        }

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """An epoch that was cut short has no row."""
        if trainer.is_last_batch:
            measured = self.made_of | {"best": _best(self.scorer), "epochs": self.scorer.history}
            measured["peak_bytes"] = peak_bytes(pl_module.device)
            with written_beside(self.run_dir / METRICS_JSON) as path:
                path.write_text(
                    json.dumps(_without_nan(measured), indent=1, ensure_ascii=False), encoding="utf-8"
                )
            with written_beside(self.run_dir / PAGE) as path:
                path.write_text(page(measured, title=f"Training {self.run_dir.name}"), encoding="utf-8")


def _best(scorer: DevScorer) -> dict[str, Any]:
    return {
        "epoch": scorer.best_epoch,
        "dev_wer": scorer.best[0],
        "dev_wer_interval": list(scorer.best_interval),
        "dev_cer": scorer.best[1],
    }


def _without_nan(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(value, Mapping):
        return {key: _without_nan(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(member) for member in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def page(measured: Mapping[str, Any], title: str) -> str:
    """The HTML of what ``metrics.json`` holds."""
    best = measured["best"]
    low, high = best["dev_wer_interval"]
    made_with = measured["versions"] | {key: measured[key] for key in ("commit", "machine", "parameters")}
    settings = yaml.safe_dump(measured["settings"], sort_keys=False, allow_unicode=True)
    return _PAGE.format(
        title=escape(title),
        best=f"Best dev WER {100 * best['dev_wer']:.2f} % [{100 * low:.2f}, {100 * high:.2f}] (95 % interval), "
        f"CER {100 * best['dev_cer']:.2f} %, in epoch {best['epoch']} of {len(measured['epochs'])} so far; "
        f"trained on {measured['trained_on']} utterances.",
        curves="\n".join(_curves(measured["epochs"])),
        sets="".join(_set(name, one) for name, one in measured["data"].items()),
        made_with="".join(f"<tr><td>{escape(key)}<td>{escape(str(made_with[key]))}" for key in made_with),
        settings=escape(settings),
    )


def _set(name: str, one: Mapping[str, Any]) -> str:
    return (
        f"<tr><td>{name}<td>{one['utterances']}<td>{one['hours']}"
        f'<td>{escape(one["manifest"])}<br><span class="hash">{one["sha256"]}</span>'
    )


def _curves(epochs: Sequence[Mapping[str, float]]) -> list[str]:
    def column(key: str, scale: float = 1.0) -> list[float]:
        return [scale * row[key] for row in epochs]

    def columns(prefix: str) -> dict[str, list[float]]:
        keys = [key for key in epochs[0] if key.startswith(prefix)]
        return {key.removeprefix(prefix).replace("_", " "): column(key) for key in keys}

    parts = {name: norms for name, norms in columns("gradient_").items() if name != "norm"}
    graphs = {
        "Loss, nats an utterance": {"loss": column("loss")},
        "Dev, %": {"WER": column("dev_wer", 100), "CER": column("dev_cer", 100)},
        "Learning rate": {"rate": column("learning_rate")},
        "Gradient norm of the steps": {
            "largest": column("largest_gradient_norm"),
            "mean": column("gradient_norm"),
        },
        "Seconds an epoch": {"seconds": column("seconds")},
        "Gradient norm of each part": parts,
        "Frames back that a gradient reaches": columns("reach_"),
    }
    return [curve(title, lines) for title, lines in graphs.items() if lines]


def curve(title: str, lines: Mapping[str, Sequence[float]], width: int = 300, height: int = 150) -> str:
    """A graph over the epochs as SVG, from zero up; what is no number is left out."""
    top = (
        max((value for line in lines.values() for value in line if math.isfinite(value)), default=0.0) or 1.0
    )
    last = max(len(line) for line in lines.values())
    coloured = list(zip(_COLOURS * len(lines), lines.items(), strict=False))
    drawn = []
    for colour, (_, line) in coloured:
        points = [
            (width * (place + 0.5) / last, height * (1 - 0.95 * value / top))
            for place, value in enumerate(line)
            if math.isfinite(value)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{colour}"/>' for x, y in points]
    legend = "; ".join(
        f'<span style="color:{colour}">{escape(name)}</span> {line[-1]:.4g}'
        for colour, (name, line) in coloured
    )
    return (
        f'<figure><b>{escape(title)}</b> <small>up to {top:.4g}</small><svg viewBox="0 0 {width} {height}">'
        f"{''.join(drawn)}</svg><small>{legend}; epochs 1 to {last}</small></figure>"
    )
