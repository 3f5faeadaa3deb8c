"""Whatever a feed delivers: each series ends with a status and a reason, and stops no other."""

import itertools
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.common.accounts import SeriesOutcome
from tasks.common.contracts import VARIABLES
from tasks.common.results import Forecasted
from tests.unit.forecast.series import (
    AS_OF,
    forecast_here,
    give_daily_mean,
    give_temperature,
    give_transformed,
    keep_quick_members,
)

Spoil = Callable[[pl.DataFrame], pl.DataFrame]


def put(when: pl.Expr, value: float) -> Spoil:
    return lambda f: f.with_columns(value=pl.when(when).then(value).otherwise("value"))


def drop_share(share: float, seed: int = 2) -> Spoil:
    return lambda f: f.filter(
        pl.Series(np.random.default_rng(seed).random(f.height) >= share, dtype=pl.Boolean)
    )


def shift(step: float, days: float) -> Spoil:
    later = pl.col("at") > AS_OF - timedelta(days=days)
    return lambda f: f.with_columns(pl.col("value") + step * later)


BEFORE_LAST = timedelta(days=20)

BAD: dict[str, tuple[Spoil, str, str]] = {
    "all null": (put(pl.lit(value=True), np.nan), "withheld", "no credible value"),
    "empty": (lambda f: f.clear(), "withheld", "no credible value"),
    "one value": (lambda f: f.tail(1), "withheld", "1 values over 0.0 days"),
    "constant": (put(pl.lit(value=True), 7.0), "withheld", "stuck sensor"),
    "too short": (lambda f: f.tail(24 * 7), "withheld", "168 values over 7.0 days"),
    "impossible": (put(pl.col("value") > -99, -60.0), "withheld", "no credible value"),
    "old": (
        lambda f: f.filter(pl.col("at") < AS_OF - timedelta(days=15)),
        "withheld",
        "the newest value is 15 days old",
    ),
    "stale": (
        lambda f: f.filter(pl.col("at") < AS_OF - timedelta(days=3)),
        "stale",
        "the newest value is 72 h old",
    ),
    "gaps": (drop_share(0.4), "model|fallback", "past windows"),
    "outlier": (put(pl.col("at") == AS_OF - timedelta(days=9), 1e12), "model|fallback", "windows"),
    "level shift": (shift(15, days=6), "model|fallback", "past windows"),
    "three-hourly": (
        lambda f: f.filter(pl.col("at").dt.hour() % 3 == 0),
        "model|fallback",
        "past windows",
    ),
    "step that changes": (
        lambda f: f.filter(
            (pl.col("at").dt.hour() % 3 == 0) | (pl.col("at") > AS_OF - BEFORE_LAST)
        ),
        "model|fallback",
        "past windows",
    ),
    "half past": (
        lambda f: f.with_columns(
            at=pl.when(pl.col("at") > AS_OF - BEFORE_LAST)
            .then(pl.col("at") - timedelta(minutes=30))
            .otherwise("at")
        ),
        "model|fallback",
        "past windows",
    ),
    "not a number": (put(pl.col("at").dt.hour() == 3, np.nan), "model|fallback", "past windows"),
}


def find(forecasted: Forecasted, name: str) -> tuple[SeriesOutcome, pl.DataFrame]:
    (outcome,) = (one for one in forecasted.outcomes if one.series_id == name)
    return outcome, forecasted.points.filter(pl.col("series_id") == name)


@pytest.fixture(scope="module")
def bad() -> Forecasted:
    parts = {
        f"x:{name}:air_temperature": spoil(give_temperature(36))
        for name, (spoil, *_) in BAD.items()
    }
    return forecast_here(give_transformed(parts))


@pytest.mark.parametrize("name", BAD)
def test_a_bad_series_ends_with_a_status_and_a_reason(bad: Forecasted, name: str):
    _, statuses, reason = BAD[name]
    outcome, points = find(bad, f"x:{name}:air_temperature")
    assert outcome.status in statuses.split("|")
    assert reason in outcome.reason
    assert points.height == (0 if outcome.status == "withheld" else 266)
    check_end(outcome, points)


def test_a_series_of_three_weeks_is_judged_by_its_naives():
    quick = {"x:y:air_temperature": give_temperature(12)}
    (outcome,) = forecast_here(give_transformed(quick)).outcomes
    assert (outcome.status, outcome.windows) == ("fallback", 1)
    assert "12 days of values are too few to judge a model by two windows" in outcome.reason


HEALTHY = "z:healthy:air_temperature"
HOURLY = (
    *("air_temperature", "relative_humidity", "wind_speed", "wind_from_direction"),
    *("air_pressure_at_mean_sea_level", "electricity_demand"),
)
DAILY = ("air_temperature_daily_mean", "precipitation_amount_daily", "electricity_demand")

at_days = st.floats(0, 40)
spoils = st.one_of(
    st.floats(0, 45).map(lambda days: lambda f: f.filter(pl.col("at") >= AS_OF - timedelta(days))),
    st.floats(0, 20).map(lambda days: lambda f: f.filter(pl.col("at") < AS_OF - timedelta(days))),
    st.floats(0, 1).map(drop_share),
    st.tuples(st.sampled_from([-1e12, -50.0, 0.0, 49.0, 1e12]), at_days).map(
        lambda drawn: put(pl.col("at") > AS_OF - timedelta(drawn[1]), drawn[0])
    ),
    st.tuples(st.sampled_from([-1e12, -3.0, np.inf, np.nan, 1e12]), st.integers(1, 30)).map(
        lambda drawn: put(pl.int_range(pl.len()) % drawn[1] == 0, drawn[0])
    ),
    st.tuples(st.floats(-1e3, 1e3), at_days).map(lambda drawn: shift(*drawn)),
    st.floats(1e-9, 1e6).map(lambda by: lambda f: f.with_columns(pl.col("value") * by)),
    st.integers(1, 30).map(lambda nth: lambda f: f.gather_every(nth)),
    st.just(lambda f: f.with_columns(pl.col("at") + timedelta(minutes=30))),
    st.just(lambda f: f.with_columns(value=pl.lit(None, pl.Float64))),
)


@pytest.fixture(scope="module")
def healthy() -> pl.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        keep_quick_members(patch)
        return forecast_here(give_transformed({HEALTHY: give_temperature(30)})).points


def check_end(outcome: SeriesOutcome, points: pl.DataFrame) -> None:
    variable = VARIABLES[outcome.series_id.rpartition(":")[2]]
    assert outcome.status in {"model", "fallback", "stale", "withheld"}
    assert len(outcome.reason) > 20
    assert outcome.reason.endswith(".")
    assert points.is_empty() == (outcome.status == "withheld") == (outcome.published is None)
    numbers = points.select("lower95", "lower80", "value", "upper80", "upper95")
    assert np.isfinite(numbers.to_numpy()).all()
    assert numbers.to_numpy().min(initial=variable.low) >= variable.low
    assert numbers.to_numpy().max(initial=variable.high) <= variable.high
    if variable.statistic != "vector_mean":
        for low, high in itertools.pairwise(numbers.columns):
            assert (numbers[low] <= numbers[high]).all()


@settings(max_examples=60)
@given(st.sampled_from(HOURLY), st.lists(spoils, min_size=1, max_size=3))
def test_no_hourly_series_stops_another(
    healthy: pl.DataFrame, variable: str, spoilers: list[Spoil]
):
    odd = give_temperature(30)
    for spoil in spoilers:
        odd = spoil(odd)
    with pytest.MonkeyPatch.context() as patch:
        keep_quick_members(patch)
        made = forecast_here(
            give_transformed({f"x:y:{variable}": odd, HEALTHY: give_temperature(30)})
        )
    check_end(*find(made, f"x:y:{variable}"))
    assert find(made, HEALTHY)[1].equals(healthy)


@settings(max_examples=60)
@given(st.sampled_from(DAILY), st.lists(spoils, min_size=1, max_size=3))
def test_no_daily_series_ends_without_a_status(variable: str, spoilers: list[Spoil]):
    odd = give_daily_mean(450)
    for spoil in spoilers:
        odd = spoil(odd)
    with pytest.MonkeyPatch.context() as patch:
        keep_quick_members(patch)
        made = forecast_here(give_transformed({f"x:y:{variable}": odd}, step_minutes=1440))
    check_end(*find(made, f"x:y:{variable}"))


@settings(max_examples=6)
@given(st.sampled_from(HOURLY), st.lists(spoils, min_size=1, max_size=2))
def test_no_library_is_stopped_by_what_it_is_given(variable: str, spoilers: list[Spoil]):
    odd = give_temperature(30)
    for spoil in spoilers:
        odd = spoil(odd)
    made = forecast_here(give_transformed({f"x:y:{variable}": odd}))
    check_end(*find(made, f"x:y:{variable}"))
