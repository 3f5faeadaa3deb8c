"""One series of the history as a member sees it: a regular grid, a clock, outliers told."""

from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from tasks.common.contracts import MARKET_ZONE, Variable
from tasks.forecast.train import Clock, Kind, Train, Values

MICROSECOND: Final = timedelta(microseconds=1)
LOOKBACK_DAYS: Final = 1900
"""Older values are not looked at: no member uses more than five years."""
OUTLIER_RANGES: Final = 20.0
"""A value this many interquartile ranges from the median is no part of the series."""


def clean_history(
    history: pl.DataFrame, *, variable: Variable, step: timedelta, as_of: datetime
) -> pl.DataFrame:
    """Keep what was known at `as_of` and is possible: at, value; sorted, no nulls.

    A step that is not over by then is not known yet: a day's mean tells of its evening. Out go
    values beyond the variable's bounds, and outliers at the end: a feed that ends in rubbish is
    as old as what came before. Other outliers stay, see `hide_outliers`.
    """
    known = history.filter(
        pl.col("at") + step <= as_of,
        pl.col("at") >= as_of - timedelta(days=LOOKBACK_DAYS),
        pl.col("value").is_finite(),
        pl.col("value").is_between(variable.low, variable.high),
    )
    known = known.select("at", "value").sort("at")
    credible = np.isfinite(hide_outliers(known["value"].to_numpy()))
    return known.head(int(np.flatnonzero(credible).max(initial=-1)) + 1)


def hide_outliers(values: Values) -> Values:
    """Make gaps of the values that lie 20 interquartile ranges from the median of all given.

    A backtest hides them by what its window knew, so that the truth tells nothing in advance.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return values
    low, median, high = np.quantile(known, (0.25, 0.5, 0.75))
    reach = OUTLIER_RANGES * (high - low) or np.inf
    return np.where(np.abs(values - median) <= reach, values, np.nan)


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
