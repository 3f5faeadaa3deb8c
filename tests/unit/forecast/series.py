"""Series by hand: a demand that follows the clock, a temperature that follows the sun."""

from collections.abc import Callable, Generator, Iterable
from datetime import UTC, datetime, timedelta
from typing import cast

import numpy as np
import polars as pl
import pytest

from tasks.common.accounts import Tally
from tasks.common.contracts import HISTORY, INSTANT
from tasks.common.objects import open_store
from tasks.common.results import Forecasted, Transformed
from tasks.common.scores import UNSCORED, Scored
from tasks.common.settings import Settings
from tasks.forecast.backtest import Fit, Job
from tasks.forecast.circle import predict_circle
from tasks.forecast.conclude import conclude_forecast
from tasks.forecast.fits import FitStore
from tasks.forecast.members import MEMBERS
from tasks.forecast.naives import repeat_lag, repeat_profile, repeat_season
from tasks.forecast.plan import Horizon, SeriesPlan, plan_series
from tasks.forecast.regression import predict_calendar, predict_climate, predict_lags
from tasks.forecast.train import Method, Train
from tasks.forecast.work import do_work

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


def give_days(days: int, *, until: datetime = AS_OF) -> pl.Series:
    """List the UTC midnights of the last days that were over by `until`."""
    last = until.replace(hour=0)
    first = last - timedelta(days=days)
    return pl.datetime_range(first, last, "1d", closed="left", eager=True).cast(INSTANT)


def give_daily_mean(days: int, *, until: datetime = AS_OF) -> pl.DataFrame:
    """Simulate at, value: degC by day with a season and seeded noise."""
    at = give_days(days, until=until)
    noise = np.random.default_rng(4).normal(0, 2, len(at))
    turn = at.dt.ordinal_day().to_numpy() / 365.25 * 2 * np.pi
    return pl.DataFrame({"at": at, "value": 11 - 8 * np.cos(turn) + noise})


def give_rain(days: int, *, until: datetime = AS_OF) -> pl.DataFrame:
    """Simulate at, value: mm by day, four days of ten are wet, seeded."""
    at, drawn = give_days(days, until=until), np.random.default_rng(9)
    wet = drawn.random(len(at)) < 0.4
    return pl.DataFrame({"at": at, "value": np.where(wet, 1 + drawn.gamma(1.2, 4.0, len(at)), 0)})


def give_direction(days: float, *, until: datetime = AS_OF) -> pl.DataFrame:
    """Simulate at, value: a wind that wanders around north with the hour, seeded."""
    at = give_hours(days, until=until)
    noise = np.random.default_rng(8).normal(0, 8, len(at))
    turn = at.dt.hour().to_numpy() / 24 * 2 * np.pi
    return pl.DataFrame({"at": at, "value": (25 * np.sin(turn) + noise) % 360})


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
        output="memory://forecasts",
    )


def give_horizon(as_of: datetime = AS_OF, horizon_days: int = 11) -> Horizon:
    return Horizon.of(as_of, horizon_days, Settings())


def plan_here(
    transformed: Transformed, *, horizon_days: int = 11, pattern: str = "*"
) -> list[SeriesPlan]:
    horizon = give_horizon(transformed.as_of, horizon_days)
    return plan_series(transformed, horizon=horizon, pattern=pattern)


def forecast_here(
    transformed: Transformed,
    *,
    horizon_days: int = 11,
    pattern: str = "*",
    scored: Scored = UNSCORED,
) -> Forecasted:
    """Do what the task does, in this process."""
    plans = plan_here(transformed, horizon_days=horizon_days, pattern=pattern)
    done = do_work(plans, give_store(), spread=spread_here, time_is_up=lambda: False)
    asked = {"horizon_days": horizon_days, "series": pattern, "deadline": None}
    horizon = give_horizon(transformed.as_of, horizon_days)
    return conclude_forecast(plans, done, horizon=horizon, asked=asked, scored=scored)


def give_store() -> FitStore:
    """Open a store that keeps nothing."""
    return FitStore(open_store("memory://none", Settings()), AS_OF.date(), read_only=True)


def spread_here(
    jobs: Iterable[Job], work: Callable[[Job], Fit], *, rescue: Callable[[Job, str], Fit]
) -> Generator[tuple[Job, Fit]]:
    """Do the jobs one after another, in this process."""
    del rescue
    for job in jobs:
        yield job, work(job)


QUICK = {
    predict_lags,
    predict_calendar,
    predict_climate,
    repeat_lag,
    repeat_profile,
    repeat_season,
}
"""What costs milliseconds."""


def keep_quick_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out Prophet and statsforecast, for laws that hold whatever the members are."""
    for key, members in MEMBERS.items():
        quick = {name: m for name, m in members.items() if _find_core(m) in QUICK}
        monkeypatch.setitem(cast("dict", MEMBERS), key, quick)


def _find_core(method: Method) -> object:
    return _find_core(method.options) if method.predict is predict_circle else method.predict
