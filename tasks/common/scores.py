"""What was published before, and how good it turned out: the frames that cross from step to step.

They stand apart from `contracts`: what is there decides the numbers of every fit, these do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import polars as pl

from tasks.common.accounts import Timed
from tasks.common.contracts import INSTANT, POINTS

QUANTILES: Final = ("value", "lower80", "upper80", "lower95", "upper95")
"""The five numbers of a forecast: POINTS has them as columns, a stored forecast as arrays."""

BUCKETS: Final = pl.Enum(["D+1", "D+2", "D+3-7", "next week"])
"""How far ahead, in local days (Europe/Paris) after the day of the issue time; next week: Monday to
Sunday of the ISO week after it. A day of next week may stand in another bucket, too."""

EARLIER: Final = pl.Schema(
    {
        "run_id": pl.String,
        "issue_at": INSTANT,
        **POINTS,
        "correction80": pl.Float64,  # what the half widths of this interval were multiplied by
        "correction95": pl.Float64,  # 1: nothing was corrected
    }
)
"""EARLIER: POINTS that readers were given at earlier issue times, one run an issue time; sorted by
issue_at, series_id, at. The points reach beyond `as_of` as far as they were forecast."""

SCORES: Final = pl.Schema(
    {
        "series_id": pl.String,
        "issue_at": INSTANT,
        "run_id": pl.String,
        "bucket": BUCKETS,
        "points": pl.UInt32,  # steps of the bucket that were measured
        "mae": pl.Float64,  # unit of the series; of a direction by the shorter way round
        "wmape": pl.Float64,  # sum |error| / sum |truth|, 0.05 is 5 %; null: no origin, or rain
        "mase": pl.Float64,  # mae / that of a naive in the year before the issue; null: it is 0
        "bias": pl.Float64,  # mean of forecast - truth, unit of the series: above 0 is too high
        "pinball": pl.Float64,  # mean quantile loss of the five quantiles, unit of the series
        "coverage80": pl.Float64,  # share of the truth within the published interval, 0 to 1
        "coverage95": pl.Float64,
        "uncorrected80": pl.Float64,  # the same for the interval without its correction
        "uncorrected95": pl.Float64,
        "width80": pl.Float64,  # mean of upper - lower, unit of the series
        "width95": pl.Float64,
        "brier": pl.Float64,  # mean of (chance - whether it was wet)^2, 0 to 1; null: no chance
    }
)
"""SCORES: one row per series, issue time and bucket, sorted by these; only buckets of which enough
has happened and was measured (tasks.report.scorecard says how much)."""


@dataclass(frozen=True)
class EarlierRun:
    """What an earlier run was made of.

    Attributes:
        configuration: what its `config_hash` is the hash of (`Forecasted.configuration`).
        sequence: that of the newest manifest its history was made of; None: it is not on record.
    """

    run_id: str
    issue_at: datetime
    configuration: Mapping[str, str] = field(default_factory=dict)
    sequence: int | None = None


@dataclass(frozen=True)
class Earlier(Timed):
    """What readers were given before.

    Attributes:
        points: EARLIER.
        runs: those of `points`, by issue time, the newest last.
    """

    points: pl.DataFrame = field(default_factory=EARLIER.to_frame)
    runs: tuple[EarlierRun, ...] = ()


@dataclass(frozen=True)
class Scored(Timed):
    """How good what was published before turned out, by the history as this run knows it.

    Attributes:
        scores: SCORES.
    """

    scores: pl.DataFrame = field(default_factory=SCORES.to_frame)
    earlier: Earlier = field(default_factory=Earlier)


UNSCORED: Final = Scored()
"""Nothing was published before."""
