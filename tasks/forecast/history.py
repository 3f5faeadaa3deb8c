"""One series of the history as a member sees it: a regular grid, a clock, outliers told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from tasks.common.contracts import MARKET_ZONE, VARIABLES
from tasks.forecast.train import Clock, Kind, Train, Values

MICROSECOND: Final = timedelta(microseconds=1)
LOOKBACK_DAYS: Final = 1900
"""Older values are not looked at: no member uses more than five years."""
OUTLIER_RANGES: Final = 20.0
"""A value this many interquartile ranges from the median is no part of the series."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Values that are physically possible, and their unit."""

    low: float
    high: float
    unit: str

    @staticmethod
    def of(variable: str) -> "Bounds":
        """Give those of a variable of the vocabulary."""
        known = VARIABLES[variable]
        return Bounds(known.low, known.high, known.unit)


def clean_history(
    history: pl.DataFrame, *, bounds: Bounds, step: timedelta, as_of: datetime
) -> pl.DataFrame:
    """Keep what was known at `as_of` and is possible: at, value; sorted, no nulls.

    A step that is not over by then is not known yet: a day's mean tells of its evening. Out go
    values beyond the bounds, and outliers at the end: a feed that ends in rubbish is
    as old as what came before. Other outliers stay, see `hide_outliers`.
    """
    known = history.filter(
        pl.col("at") + step <= as_of,
        pl.col("at") >= as_of - timedelta(days=LOOKBACK_DAYS),
        pl.col("value").is_finite(),
        pl.col("value").is_between(bounds.low, bounds.high),
    )
    known = known.select("at", "value").sort("at")
    credible = np.isfinite(hide_outliers(known["value"].to_numpy()))
    return known.head(int(np.flatnonzero(credible).max(initial=-1)) + 1)


def hide_outliers(values: Values) -> Values:
    """Make gaps of the values that lie 20 interquartile ranges from the median of all given.

    A backtest hides them by what its window knew, so that the truth tells nothing in advance.
    Rain has none: the quartiles of mostly dry days tell nothing of the wet ones.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return values
    low, median, high = np.quantile(known, (0.25, 0.5, 0.75))
    reach = OUTLIER_RANGES * (high - low) if low < median else np.inf
    return np.where(np.abs(values - median) <= reach, values, np.nan)


def build_train(known: pl.DataFrame, *, step: timedelta, future: pl.Series, kind: Kind) -> Train:
    """Lay known values on their regular grid; `future` are the instants that follow them."""
    at, value = known["at"], known["value"].to_numpy()
    grid = pl.datetime_range(at[0], at[-1], step, eager=True)
    values = np.full(len(grid), np.nan)
    places = (at - at[0]).dt.total_microseconds().to_numpy() // (step // MICROSECOND)
    values[places] = value
    clock, ahead = (_tell_clock(instants, kind=kind, step=step) for instants in (grid, future))
    return Train(values, clock, ahead, step)


def list_steps(after: datetime, *, step: timedelta, end: datetime) -> pl.Series:
    """List the steps that begin after one and before `end`, as a column named `at`."""
    first = after + step
    return pl.datetime_range(first, max(first, end), step, closed="left", eager=True).alias("at")


def _tell_clock(instants: pl.Series, *, kind: Kind, step: timedelta) -> Clock:
    """Give naive local times for demand, naive UTC for weather; the noon of a day of demand.

    A daily step is stamped with the UTC midnight of its local date: the local hour of that is 1 or
    2, a day is not always 24 hours after another, and its temperature is half the day before's.
    """
    if kind == "demand" and step >= timedelta(days=1):
        instants, zone = instants + timedelta(hours=12), "UTC"
    else:
        zone = str(MARKET_ZONE) if kind == "demand" else "UTC"
    return instants.dt.convert_time_zone(zone).dt.replace_time_zone(None).to_numpy()
