"""One series of the history as a member sees it: a regular grid, a clock, no outliers."""

from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from tasks.common.contracts import Variable
from tasks.forecast.days import MARKET_ZONE
from tasks.forecast.train import Clock, Kind, Train

MICROSECOND: Final = timedelta(microseconds=1)
LOOKBACK_DAYS: Final = 1900
"""Older values are not looked at: no member uses more than five years."""
OUTLIER_RANGES: Final = 20.0
"""A value this many interquartile ranges from the median is no part of the series."""


def clean_history(
    history: pl.DataFrame, *, variable: Variable, step: timedelta, as_of: datetime
) -> pl.DataFrame:
    """Keep what was known at `as_of` and is credible: at, value; sorted, no nulls.

    A step that is not over by then is not known yet: a day's mean tells of its evening. Out
    go values beyond the variable's bounds or 20 interquartile ranges from the median.
    """
    known = history.filter(
        pl.col("at") + step <= as_of,
        pl.col("at") >= as_of - timedelta(days=LOOKBACK_DAYS),
        pl.col("value").is_finite(),
        pl.col("value").is_between(variable.low, variable.high),
    ).select("at", "value")
    value = pl.col("value")
    spread = value.quantile(0.75) - value.quantile(0.25)
    credible = (value - value.median()).abs() <= OUTLIER_RANGES * spread
    return known.filter((spread == 0) | credible).sort("at")


def build_train(known: pl.DataFrame, *, step: timedelta, future: pl.Series, kind: Kind) -> Train:
    """Lay known values on their regular grid; `future` are the instants that follow them."""
    at, value = known["at"], known["value"].to_numpy()
    grid = pl.datetime_range(at[0], at[-1], step, eager=True)
    values = np.full(len(grid), np.nan)
    places = (at - at[0]).dt.total_microseconds().to_numpy() // (step // MICROSECOND)
    values[places] = value
    return Train(values, _tell_clock(grid, kind), _tell_clock(future, kind), step)


def list_steps(after: datetime, *, step: timedelta, end: datetime) -> pl.Series:
    """List the steps that begin after one and before `end`, as a column named `at`."""
    first = after + step
    return pl.datetime_range(first, max(first, end), step, closed="left", eager=True).alias("at")


def _tell_clock(instants: pl.Series, kind: Kind) -> Clock:
    """Give naive local times for demand, naive UTC for weather."""
    zone = str(MARKET_ZONE) if kind == "demand" else "UTC"
    return instants.dt.convert_time_zone(zone).dt.replace_time_zone(None).to_numpy()
