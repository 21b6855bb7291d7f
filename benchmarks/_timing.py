"""What every benchmark shares: interleaved medians, one table, one line of JSON, one exit code.

seconds = interleave({"ours": ours, "theirs": theirs}, rounds=15)
rows = [Row(name, 10 / time, ...) for name, time in seconds.items()]
report("Features", rows, [Claim("ours", "theirs", 1.5)], check=args.check)
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table; the first row is what the others are compared with."""

    system: str
    rate: float | None
    """More is better; None where the system is missing."""
    note: str = ""


class Claim(NamedTuple):
    """``system`` is at least ``ratio`` times as fast as ``peer``."""

    system: str
    peer: str
    ratio: float


def arguments(
    description: str, rounds: int, add: Callable[[argparse.ArgumentParser], None] = lambda parser: None
) -> argparse.Namespace:
    """``--rounds`` and ``--check``, the options of every benchmark, and those that it adds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="measurements of each system (%(default)s)"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 when a stated ratio is missed")
    add(parser)
    return parser.parse_args()


def interleave(
    systems: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of each; round by round, so that a busy moment of the machine strikes all alike.

    Each takes its turn with ``warm_up`` calls that do not count: the system before it has emptied the caches,
    which nobody's own run of many calls would meet.
    """
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(rounds):
        for name, system in systems.items():
            for _ in range(warm_up):
                system()
            start = clock()
            system()
            seconds[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def report(
    title: str, rows: Sequence[Row], claims: Sequence[Claim], check: bool, unit: str = "per second"
) -> None:
    """Print the table and a line of JSON; with ``check`` exit with 1 if a claim or its peer fails."""
    reference = rows[0].rate or float("nan")
    width = max(len(row.system) for row in rows)
    print(f"{title}\n{'':{width}}  {unit:>24}  {rows[0].system} is")
    for row in rows:
        figures = f"{row.rate:24.4g}  {reference / row.rate:.2f}x" if row.rate else f"{'-':>24}  -"
        print(f"{row.system:{width}}  {figures}  {row.note}".rstrip())
    rates = {row.system: row.rate for row in rows}
    ratios = {f"{claim.system} / {claim.peer}": _ratio(rates, claim) for claim in claims}
    missed = [
        f"{claim.system} / {claim.peer}: {ratio}, stated {claim.ratio}"
        for claim, ratio in zip(claims, ratios.values(), strict=True)
        if ratio is None or ratio < claim.ratio
    ]
    print(json.dumps({"benchmark": title, "unit": unit, "rates": rates, "ratios": ratios, "missed": missed}))
    if check and missed:
        sys.exit(1)


def _ratio(rates: Mapping[str, float | None], claim: Claim) -> float | None:
    ours, theirs = rates.get(claim.system), rates.get(claim.peer)
    return round(ours / theirs, 3) if ours and theirs else None
