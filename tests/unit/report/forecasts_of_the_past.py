"""Forecasts by hand, and a history that tells how they turned out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from tasks.common.contracts import HISTORY, INSTANT, MARKET_ZONE
from tasks.common.results import Transformed
from tasks.common.scores import EARLIER, Earlier, EarlierRun
from tests.unit.report.results_of_a_run import give_transformed

AS_OF = datetime(2019, 11, 6, 21, tzinfo=UTC)  # a Wednesday, 22:00 in Paris
WEEK = timedelta(weeks=1)
DEMAND = "rte:32:electricity_demand"
TEMPERATURE = "infoclimat:07015:air_temperature"
RAIN = "infoclimat:07015:precipitation_amount_daily"
WIND = "infoclimat:07015:wind_from_direction"


def give_hours(first: datetime, until: datetime) -> pl.Series:
    return pl.datetime_range(first, until, "1h", closed="left", eager=True).cast(INSTANT)


def give_history(
    names: Sequence[str] = (DEMAND,), *, days: int = 400, as_of: datetime = AS_OF
) -> Transformed:
    """Give series that wander, seeded, up to the issue time."""
    at = give_hours(as_of - timedelta(days=days), as_of)
    drawn = np.random.default_rng(5).normal(0, 1, (len(names), len(at)))
    frames = [
        pl.DataFrame({"at": at}).select(
            series_id=pl.lit(name),
            at="at",
            value=pl.Series(_shape(name, at.dt.hour().to_numpy(), noise)),
        )
        for name, noise in zip(names, drawn, strict=True)
    ]
    series = pl.DataFrame(
        {
            "series_id": list(names),
            "variable": [name.split(":")[-1] for name in names],
            "step_minutes": [60] * len(names),
        }
    )
    history = pl.concat(frames).cast(dict(HISTORY))
    return replace(give_transformed(), as_of=as_of, history=history, series=series)


def _shape(name: str, hour: np.ndarray, noise: np.ndarray) -> np.ndarray:
    if name == WIND:
        return (20 * np.sin(hour / 24 * 2 * np.pi) + 10 * noise) % 360
    return (6000 if name == DEMAND else 0) + 10 * np.sin(hour / 24 * 2 * np.pi) + noise


def forecast_all(
    transformed: Transformed,
    *,
    issued: Sequence[datetime],
    days: int = 11,
    off: float = 2.0,
    radius: float = 1.0,
    correction: float = 1.0,
) -> Earlier:
    """Forecast what happened and `off` more, to the end of the last local day.

    Half widths are `radius` and twice that; beyond the issue time of the history, 7 is forecast.
    """
    frames = []
    for number, issue_at in enumerate(issued):
        last = issue_at.astimezone(MARKET_ZONE) + timedelta(days=days + 1)
        until = last.replace(hour=0, minute=0).astimezone(UTC)
        at = pl.DataFrame({"at": give_hours(issue_at, until)})
        for name in transformed.series["series_id"]:
            own = transformed.history.filter(series_id=name)
            value = pl.col("value").fill_null(7.0) + off
            told = {"value": value, "lower80": value - radius, "upper80": value + radius}
            told |= {"lower95": value - 2 * radius, "upper95": value + 2 * radius}
            if name == WIND:
                told = {column: expression % 360 for column, expression in told.items()}
            rows = at.join(own, on="at", how="left").select(
                pl.lit(f"run-{number}").alias("run_id"),
                pl.lit(issue_at).alias("issue_at"),
                pl.lit(name).alias("series_id"),
                "at",
                *(expression.alias(column) for column, expression in told.items()),
                pl.lit(None).alias("probability"),
                pl.lit(correction).alias("correction80"),
                pl.lit(correction).alias("correction95"),
            )
            frames.append(rows.cast(dict(EARLIER)))
    runs = [EarlierRun(f"run-{n}", at) for n, at in enumerate(issued)]
    return Earlier(pl.concat(frames), tuple(runs))
