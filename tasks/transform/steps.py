"""Native steps: how often each series really speaks, whatever its source declares.

One network mixes stations of 5, 10 and 60 minutes, and one station variables of 10 and 60.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from tasks.common.contracts import Flag, variables_of

_FEWEST: Final = 2
"""Distances below which a rhythm cannot be told."""


def measure_steps(frame: pl.DataFrame, declared: timedelta) -> pl.DataFrame:
    """Give the native step of every variable of every station, in minutes, never null.

    The median distance between delivered values, if at least half of the distances lie within a
    quarter of it (odd minutes and holes may be there, a rhythm must be); else what is declared.

    Args:
        frame: observations of one month, sorted by station and instant.
        declared: step of their source.
    """
    names = variables_of(frame)
    missing = frame.select((pl.col(f"{n}__flag") == Flag.MISSING).any().alias(n) for n in names)
    holey = {
        n: pl.col("at").filter(pl.col(f"{n}__flag") != Flag.MISSING)
        for n in names
        if missing[n].item()
    }
    steps = frame.group_by("station_id", maintain_order=True).agg(
        _typical(pl.col("at")).alias("every_row"),
        *(_typical(instants).alias(name) for name, instants in holey.items()),
    )
    minutes = declared / timedelta(minutes=1)
    measured = (pl.col(n if n in holey else "every_row").fill_null(minutes).alias(n) for n in names)
    return steps.select("station_id", *measured)


def _typical(instants: pl.Expr) -> pl.Expr:
    distance = instants.diff().dt.total_microseconds() / 6e7
    median = distance.median()
    steady = ((distance - median).abs() <= median / 4).mean() >= 0.5
    return pl.when(steady & (distance.count() >= _FEWEST)).then(median)
