"""Scores by plain sums over stored points and the files as they were delivered, nothing shared."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

PARIS = ZoneInfo("Europe/Paris")
BUCKETS = {"D+1": (1, 1), "D+2": (2, 2), "D+3-7": (3, 7), "next week": (5, 11)}
"""First and last day after a Wednesday."""
DAY = timedelta(days=1)

Truth = Mapping[datetime, float]


def read_demand(paths: Iterable[Path]) -> Truth:
    """Read hourly means straight from RTE's files: half hours by the clock, MW."""
    halves: dict[datetime, list[float]] = {}
    for path in paths:
        for line in path.read_text("latin-1").splitlines()[1:]:
            cells = line.split("\t")
            if len(cells) < 5 or not cells[4].isdigit():
                continue
            told = datetime.fromisoformat(f"{cells[2]}T{cells[3]}")
            at = told.replace(tzinfo=PARIS).astimezone(UTC)
            if at.astimezone(PARIS).replace(tzinfo=None) == told:  # not in the hour of spring
                halves.setdefault(at.replace(minute=0), []).append(float(cells[4]))
    return {at: float(np.mean(values)) for at, values in halves.items()}


def score_plainly(
    forecast: Mapping[str, Any], bucket: str, truth: Truth, until: datetime
) -> dict[str, float | None]:
    """Compute what a score should be, told by a run of the issue time `until`."""
    issue_at, step = forecast["issue_at"], timedelta(minutes=forecast["step_minutes"])
    issued = issue_at.astimezone(PARIS).date()
    first, last = (issued + timedelta(days=days) for days in BUCKETS[bucket])
    names = ("value", "lower80", "upper80", "lower95", "upper95")
    rows = [
        (truth[at], *(forecast[name][number] for name in names))
        for number, at in enumerate(forecast["valid_at"])
        if first <= at.astimezone(PARIS).date() <= last and at + step <= until
    ]
    y, value, lower80, upper80, lower95, upper95 = np.array(rows).T
    year = issue_at - timedelta(days=365)
    past = [at for at in truth if year <= at <= issue_at - step and at - DAY in truth]
    naive = np.mean([abs(truth[at] - truth[at - DAY]) for at in past])
    by_quantile = {0.5: value, 0.1: lower80, 0.9: upper80, 0.025: lower95, 0.975: upper95}
    losses = [np.maximum(q * (y - x), (q - 1) * (y - x)).mean() for q, x in by_quantile.items()]
    radius80 = (upper80 - value) / forecast["correction80"]
    is_share = forecast["unit"] == "MW"
    return {
        "points": len(rows),
        "mae": np.abs(value - y).mean(),
        "wmape": np.abs(value - y).sum() / y.sum() if is_share else None,
        "mase": np.abs(value - y).mean() / naive,
        "bias": (value - y).mean(),
        "pinball": np.mean(losses),
        "coverage80": ((lower80 <= y) & (y <= upper80)).mean(),
        "coverage95": ((lower95 <= y) & (y <= upper95)).mean(),
        "uncorrected80": (np.abs(y - value) <= radius80).mean(),
        "width80": (upper80 - lower80).mean(),
        "width95": (upper95 - lower95).mean(),
    }
