"""Resampling: native steps are measured, and become hours (or days) on a regular UTC grid.

A native step is how often a series really speaks, whatever its source declares: one network mixes
stations of 5, 10 and 60 minutes, and one station variables of 10 and 60.

Everything is UTC, so a change of the clocks is an hour like any other. Daily values are stamped
with local midnight, in Paris 23:00Z or 22:00Z of the day before: they lie 23, 24 or 25 hours
apart. Rounded to the nearest UTC midnight they carry their local date and lie one day apart,
for every zone from UTC-11 to UTC+11.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from tasks.common.contracts import VARIABLES, Flag, variables_of

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)

_DIGITS: Final = 6
"""Decimals of a history value: finer than any sensor, coarser than the noise of a sum's order."""

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


def resample(frame: pl.DataFrame, steps: pl.DataFrame, grid: timedelta) -> pl.DataFrame:
    """Give station_id, at (start of the grid's step) and one value per variable, sorted.

    Only trusted values (PASS, NOT_EVALUATED) count. A step is null unless at least half of its
    native values are there; a sum needs all of them. The mean of directions is that of their
    unit vectors, and null where these cancel out.

    Args:
        frame: observations, sorted by station and instant.
        steps: native step in minutes per station and variable.
        grid: `HOUR` or `DAY`.
    """
    names = variables_of(frame)
    values = (trust(frame, name) for name in names)
    rows = frame.select("station_id", _to_grid(pl.col("at"), grid), *values)
    # Sorted rows: numbering the runs is half the cost of hashing station and hour.
    new = pl.any_horizontal(pl.col(key) != pl.col(key).shift(1) for key in ("station_id", "at"))
    steps_of_grid = (
        rows.with_columns(run=new.fill_null(value=True).cum_sum())
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("station_id", "at").first(),
            *(_aggregate(name) for name in names),
            *(pl.col(name).count().alias(f"{name}__count") for name in names),
        )
        .join(steps, on="station_id", how="left", suffix="__step", maintain_order="left")
    )
    return steps_of_grid.select("station_id", "at", *(_keep_complete(n, grid) for n in names))


def trust(frame: pl.DataFrame, name: str) -> pl.Expr:
    """Give a variable's trusted values, null for the rest."""
    flag = f"{name}__flag"
    if frame[flag].max() in (Flag.PASS, Flag.NOT_EVALUATED):
        return pl.col(name)
    return pl.when(pl.col(flag) <= Flag.NOT_EVALUATED).then(pl.col(name)).alias(name)


def _aggregate(name: str) -> pl.Expr:
    x = pl.col(name)
    match VARIABLES[name].statistic:
        case "mean":
            return x.mean()
        case "sum":
            return x.sum()
        case "max":
            return x.max()
        case "last":
            return x.drop_nulls().last()
        case "vector_mean":
            east, north = x.radians().sin().mean(), x.radians().cos().mean()
            direction = pl.arctan2(east, north).degrees() % 360
            return pl.when((east**2 + north**2) > 1e-12).then(direction).alias(name)


def _keep_complete(name: str, grid: timedelta) -> pl.Expr:
    share = 1.0 if VARIABLES[name].statistic == "sum" else 0.5
    native = pl.col(f"{name}__step") / (grid / timedelta(minutes=1))
    # A step longer than the grid's counts once; a quarter of a value allows for odd minutes.
    enough = (pl.col(f"{name}__count") + 0.25) * native >= share
    return pl.when(enough & (pl.col(f"{name}__count") > 0)).then(pl.col(name).round(_DIGITS))


def lay_grid(
    parts: Iterable[pl.DataFrame], series: pl.DataFrame, grid: timedelta, as_of: datetime
) -> dict[str, pl.DataFrame]:
    """Give HISTORY per series: no step missing between its first and newest trusted value.

    Only steps that were over at `as_of` are in it.

    Args:
        parts: what `resample` gave; each station and step at most once.
        series: series_id, station_id, variable, first_at, newest_at; of these parts.
        grid: `HOUR` or `DAY`.
        as_of: issue time.
    """
    keys = ["station_id", "at"]
    known = pl.concat(parts, how="diagonal").filter(pl.col("at") + grid <= as_of)
    if known.is_empty():
        return {}
    regular = (
        known.sort(keys, maintain_order=True)
        .unique(keys, keep="last", maintain_order=True)
        .upsample("at", every=grid, group_by="station_id", maintain_order=True)
    )
    blocks = regular.partition_by("station_id", as_dict=True, include_key=False)
    begin, end = (_to_grid(pl.col(name), grid) for name in ("first_at", "newest_at"))
    spans = series.drop_nulls("first_at").select(
        "series_id", "station_id", "variable", begin=begin, end=end
    )
    cut = {}
    for name, station, variable, first, last in spans.iter_rows():
        if (block := blocks.get((station,))) is not None:
            mine = block.slice((first - block["at"][0]) // grid, (last - first) // grid + 1)
            cut[name] = mine.select(series_id=pl.lit(name), at="at", value=variable)
    return cut


def _to_grid(at: pl.Expr, grid: timedelta) -> pl.Expr:
    return at.dt.truncate("1h") if grid == HOUR else at.dt.round("1d")
