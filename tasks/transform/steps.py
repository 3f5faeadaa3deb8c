"""Native steps: how often each series really speaks, whatever its source declares.

One network mixes stations of 5, 10 and 60 minutes, and one station variables of 10 and 60.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from tasks.common.contracts import Flag, variables_of

_FEWEST: Final = 2
"""Distances below which a rhythm cannot be told."""

_DENSE: Final = 0.75
"""Share of a station's rows from which a variable has the rhythm of the rows: then two thirds of
its distances are theirs."""


def measure_steps(frame: pl.DataFrame, declared: timedelta) -> pl.DataFrame:
    """Give the native step of every variable of every station, in minutes, never null.

    The median distance between delivered values, if at least half of the distances lie within a
    quarter of it (odd minutes and holes may be there, a rhythm must be); else what is declared.

    Args:
        frame: observations of one month, sorted by station and instant.
        declared: step of their source.
    """
    names = variables_of(frame)
    delivered = {name: pl.col(f"{name}__flag") != Flag.MISSING for name in names}
    holey = [name for name in names if frame[f"{name}__flag"].max() == Flag.MISSING]
    stations = frame.group_by("station_id", maintain_order=True)
    shares = stations.agg(delivered[name].mean().alias(name) for name in holey)
    thin = shares.select(pl.col(name).is_between(0, _DENSE, "none").any() for name in holey)
    sparse = [name for name in holey if thin[name].item()]
    steps = stations.agg(
        _typical(pl.col("at")).alias("every_row"),
        *(_typical(pl.col("at").filter(delivered[name])).alias(name) for name in sparse),
    )
    minutes = declared / timedelta(minutes=1)
    source = {name: name if name in sparse else "every_row" for name in names}
    measured = (pl.col(source[name]).fill_null(minutes).alias(name) for name in names)
    return steps.select("station_id", *measured)


def _typical(instants: pl.Expr) -> pl.Expr:
    distance = instants.diff().dt.total_microseconds() / 6e7
    median = distance.median()
    steady = ((distance - median).abs() <= median / 4).mean() >= 0.5
    return pl.when(steady & (distance.count() >= _FEWEST)).then(median)
