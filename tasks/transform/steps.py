"""Native steps: how often each series really speaks, whatever its source declares.

One network mixes stations of 5, 10 and 60 minutes, and one station variables of 10 and 60.
"""

from datetime import timedelta

import polars as pl

from tasks.common.contracts import Flag, variables_of

_FEWEST: int = 3
"""Distances below which a rhythm cannot be told."""


def resolve_steps(frame: pl.DataFrame, known: pl.DataFrame, declared: timedelta) -> pl.DataFrame:
    """Give the native step of every variable of every station of `frame`, in minutes, never null.

    The median distance between delivered values, if at least half of the distances lie within a
    quarter of it (odd minutes and holes may be there, a rhythm must be); else the step `known`
    of the months before; else the declared one.

    Args:
        frame: observations of one month, sorted by station and instant.
        known: what this function gave for earlier months: station_id, one column per variable.
        declared: step of its source.
    """
    names = variables_of(frame)
    measured = _measure_steps(frame, names)
    minutes = declared / timedelta(minutes=1)
    fallback = measured.select("station_id", *(pl.lit(minutes).alias(name) for name in names))
    mine = known.join(measured, on="station_id", how="semi") if known.width else known
    layers = pl.concat([fallback, mine, measured], how="diagonal")
    return layers.group_by("station_id", maintain_order=True).agg(pl.all().drop_nulls().last())


def _measure_steps(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    missing = frame.select((pl.col(f"{n}__flag") == Flag.MISSING).any().alias(n) for n in names)
    holey = [name for name in names if missing[name].item()]
    delivered = {n: pl.col("at").filter(pl.col(f"{n}__flag") != Flag.MISSING) for n in holey}
    steps = frame.group_by("station_id", maintain_order=True).agg(
        _typical(pl.col("at")).alias("every_row"),
        *(_typical(instants).alias(name) for name, instants in delivered.items()),
    )
    return steps.select(
        "station_id", *(pl.col(n if n in holey else "every_row").alias(n) for n in names)
    )


def _typical(instants: pl.Expr) -> pl.Expr:
    distance = instants.diff().dt.total_microseconds() / 6e7
    median = distance.median()
    steady = ((distance - median).abs() <= median / 4).mean() >= 0.5
    return pl.when(steady & (distance.count() >= _FEWEST)).then(median)
