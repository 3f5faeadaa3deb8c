"""Quality: what each series should hold, what it holds, and every hole in between.

A value is present when it may be trusted (PASS, NOT_EVALUATED); one that never came and one that
failed a check leave the same hole. Holes are counted in native steps: `gaps` of a series is the
number of missing steps, the table of gaps has one row per stretch of them.
"""

import math
from datetime import datetime
from typing import Final

import polars as pl

from tasks.common.contracts import INSTANT, VARIABLES, Flag, variables_of

GAPS: Final = pl.Schema({"series_id": pl.String, "start_at": INSTANT, "steps": pl.Int64})
"""GAPS: one row per stretch of missing native steps, sorted; `start_at` is the first of them."""

SERIES: Final = pl.Schema(
    {
        "series_id": pl.String,
        "station_id": pl.String,
        "variable": pl.String,
        "unit": pl.String,
        "step_minutes": pl.Int32,  # of the history: 60 or 1440
        "native_step_minutes": pl.Float64,
        "expected": pl.Int64,  # native steps from the first to the newest trusted value
        "present": pl.Int64,
        "gaps": pl.Int64,  # expected - present
        "longest_gap_h": pl.Float64,
        "first_at": INSTANT,  # null, like newest_at and freshness_h: no value can be trusted
        "newest_at": INSTANT,
        "freshness_h": pl.Float64,
        "suspect": pl.Int64,
        "failed": pl.Int64,
        "licence": pl.String,
    }
)
"""SERIES: one row per series of which any value was delivered before `as_of`, sorted by id."""

_SERIES: Final = ["station_id", "variable"]

_LATE: Final = 1.5
"""Steps after which a value is missing, not late: at 5 minutes, a stamp at 18:20 is no gap."""


def measure_month(frame: pl.DataFrame, steps: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give what a month holds of each series, and the holes between its values.

    The first: station_id, variable, step (minutes), first_at and newest_at (null without a
    trusted value), present, suspect, failed. The second: station_id, variable, step, start_at,
    steps.

    Args:
        frame: observations, sorted by station and instant.
        steps: native step in minutes per station and variable.
    """
    names = variables_of(frame)
    span = (
        frame.group_by("station_id")
        .agg(_tell_values(name) for name in names)
        .unpivot(on=names, index="station_id")
        .unnest("value")
        .filter(pl.any_horizontal(pl.col("present", "suspect", "failed") > 0))
        .join(steps.unpivot(index="station_id", value_name="step"), on=["station_id", "variable"])
    )
    least = _LATE * (span.select(pl.col("step").min()).item() or math.inf)
    before = frame.select("station_id", "at", *(_find_before(name) for name in names))
    neighbours = (
        before.filter(pl.any_horizontal(_minutes(name) > least for name in names))
        .unpivot(on=names, index=["station_id", "at"], value_name="before")
        .filter(_minutes("before") > least)
        .join(span.select(*_SERIES, "step", "first_at"), on=_SERIES)
        # What stands before a series' first value is of another station.
        .filter(pl.col("at") > pl.col("first_at"))
        .drop("first_at")
    )
    return span, find_holes(neighbours)


def _tell_values(name: str) -> pl.Expr:
    flag = pl.col(f"{name}__flag")
    trusted = pl.col("at").filter(flag <= Flag.NOT_EVALUATED)
    return pl.struct(
        first_at=trusted.first(),
        newest_at=trusted.last(),
        present=(flag <= Flag.NOT_EVALUATED).sum(),
        suspect=(flag == Flag.SUSPECT).sum(),
        failed=(flag == Flag.FAIL).sum(),
    ).alias(name)


def _find_before(name: str) -> pl.Expr:
    """Give, for every trusted value, the instant of the trusted one before it."""
    trusted = pl.col(f"{name}__flag") <= Flag.NOT_EVALUATED
    at = pl.when(trusted).then(pl.col("at"))
    return pl.when(trusted).then(at.forward_fill().shift(1)).alias(name)


def _minutes(before: str) -> pl.Expr:
    return (pl.col("at") - pl.col(before)).dt.total_microseconds() / 6e7


def find_holes(neighbours: pl.DataFrame) -> pl.DataFrame:
    """Replace `before`, `at` by `start_at`, `steps` where steps of `step` minutes are missing."""
    start = pl.col("before") + pl.duration(microseconds=pl.col("step") * 6e7)
    count = (_minutes("before") / pl.col("step")).round().cast(pl.Int64) - 1
    missing = neighbours.filter(_minutes("before") > _LATE * pl.col("step"))
    return missing.with_columns(start_at=start, steps=count).drop("before", "at")


def summarise_series(
    spans: pl.DataFrame, holes: pl.DataFrame, as_of: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give one row per series, and GAPS.

    Args:
        spans: of all months, from `measure_month`; each series and month once.
        holes: of all months.
        as_of: what `freshness_h` is measured against.
    """
    identity = pl.concat_str("station_id", "variable", separator=":")
    spans = spans.with_columns(series_id=identity).sort("series_id", "first_at", nulls_last=False)
    inside = holes.select("start_at", "steps", "step", series_id=identity)
    holes = pl.concat([inside, _find_between(spans)], how="diagonal")
    missing = holes.group_by("series_id").agg(
        gaps=pl.col("steps").sum(),
        longest_gap_h=(pl.col("steps") * pl.col("step")).max() / 60,
    )
    series = (
        spans.group_by("series_id", "station_id", "variable", maintain_order=True)
        .agg(
            pl.col("first_at").min(),
            pl.col("newest_at").max(),
            pl.col("present", "suspect", "failed").sum().cast(pl.Int64),
            native_step_minutes=pl.col("step").last(),
        )
        .join(missing, on="series_id", how="left", maintain_order="left")
        .with_columns(pl.col("gaps").fill_null(0), pl.col("longest_gap_h").fill_null(0.0))
    )
    return _describe(series, as_of), holes.select(GAPS.names()).cast(GAPS).sort(GAPS.names())


def _find_between(spans: pl.DataFrame) -> pl.DataFrame:
    """Find the holes between the last value of one month and the first of the next with any."""
    neighbours = spans.drop_nulls("first_at").select(
        "series_id",
        step=pl.max_horizontal("step", pl.col("step").shift(1).over("series_id")),
        before=pl.col("newest_at").shift(1).over("series_id"),
        at="first_at",
    )
    return find_holes(neighbours.drop_nulls("before"))


def _describe(series: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    units = {name: variable.unit for name, variable in VARIABLES.items()}
    age = pl.lit(as_of, INSTANT) - pl.col("newest_at")
    return series.with_columns(
        unit=pl.col("variable").replace_strict(units, return_dtype=pl.String),
        expected=pl.col("present") + pl.col("gaps"),
        freshness_h=age.dt.total_microseconds() / 3.6e9,
    )
