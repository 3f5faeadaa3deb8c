"""Series by hand: a demand that follows the clock, a temperature that follows the sun."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from tasks.common.accounts import Tally
from tasks.common.contracts import HISTORY, INSTANT
from tasks.common.results import Forecasted, Transformed
from tasks.common.settings import Settings
from tasks.forecast.backtest import run_job
from tasks.forecast.conclude import conclude_forecast
from tasks.forecast.plan import Horizon, order_jobs, plan_series
from tasks.forecast.train import Train

AS_OF = datetime(2024, 5, 15, 20, tzinfo=UTC)  # a Wednesday, 22:00 in Paris
DEMAND = "rte:32:electricity_demand"
TEMPERATURE = "infoclimat:07015:air_temperature"


def give_train(values: np.ndarray, *, future: int, step_hours: int = 1) -> Train:
    first, step = np.datetime64("2024-01-01", "h"), np.timedelta64(step_hours, "h")
    stop = first + step * (len(values) + future)
    clock = np.arange(first, stop, step).astype("datetime64[us]")
    return Train(
        values.astype(float),
        clock[: len(values)],
        clock[len(values) :],
        timedelta(hours=step_hours),
    )


def give_hours(days: float, *, until: datetime = AS_OF) -> pl.Series:
    """List the last hours before `until`."""
    first = until - timedelta(hours=int(days * 24))
    return pl.datetime_range(first, until, "1h", closed="left", eager=True).cast(INSTANT)


def give_demand(days: float, *, until: datetime = AS_OF) -> pl.DataFrame:
    """Simulate at, value: MW by local hour and weekday, a slow level, seeded noise."""
    at = give_hours(days, until=until)
    local = at.dt.convert_time_zone("Europe/Paris")
    hour, weekday = local.dt.hour().to_numpy(), local.dt.weekday().to_numpy()
    noise = np.random.default_rng(7).normal(0, 60, len(at))
    level = np.convolve(noise, np.ones(48) / 8, mode="same")
    shape = 900 * np.sin((hour - 7) / 24 * 2 * np.pi)
    return pl.DataFrame({"at": at, "value": 6000 + shape - 700 * (weekday > 5) + noise + level})


def give_temperature(days: float, *, until: datetime = AS_OF) -> pl.DataFrame:
    """Simulate at, value: degC by UTC hour with wandering weather, seeded."""
    at = give_hours(days, until=until)
    drawn = np.random.default_rng(3).normal(0, 0.25, len(at))
    wander = np.zeros(len(at))
    for place in range(1, len(at)):
        wander[place] = 0.985 * wander[place - 1] + drawn[place]
    hour = at.dt.hour().to_numpy()
    return pl.DataFrame({"at": at, "value": 12 + 4 * np.sin((hour - 9) / 24 * 2 * np.pi) + wander})


def give_transformed(
    parts: dict[str, pl.DataFrame], *, as_of: datetime = AS_OF, step_minutes: int = 60
) -> Transformed:
    """Build what transform would give; the variable is the last part of the series id."""
    empty = pl.DataFrame(schema=HISTORY)
    frames = [
        part.select(pl.lit(name).alias("series_id"), "at", "value") for name, part in parts.items()
    ]
    history = pl.concat([empty, *(frame.cast(HISTORY) for frame in frames)])
    series = pl.DataFrame(
        {
            "series_id": list(parts),
            "variable": [name.split(":")[-1] for name in parts],
            "step_minutes": [step_minutes] * len(parts),
        },
        schema={"series_id": pl.String, "variable": pl.String, "step_minutes": pl.Int64},
    )
    return Transformed(
        as_of=as_of,
        history=history.sort("series_id", "at"),
        series=series,
        gaps=pl.DataFrame(),
        stations=pl.DataFrame(),
        files=(),
        manifest_key=None,
        tally=Tally(),
        observations=0,
        input_hash="",
        output="",
    )


def forecast_here(
    transformed: Transformed, *, horizon_days: int = 11, pattern: str = "*"
) -> Forecasted:
    """Do what the task does, in this process."""
    horizon = Horizon.of(transformed.as_of, horizon_days, Settings())
    plans = plan_series(transformed, horizon=horizon, pattern=pattern)
    results = [run_job(job) for job in order_jobs(plans)]
    return conclude_forecast(plans, results, horizon=horizon, config_hash="hash", seconds=0.0)
