"""The room as a whole, in one process: what goes in, what comes out, and why."""

import itertools
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from tasks.common.contracts import POINTS
from tasks.common.errors import ConfigurationError
from tasks.common.results import Forecasted
from tasks.common.settings import Settings
from tasks.forecast.backtest import Fit, run_job
from tasks.forecast.conclude import conclude_forecast, conclude_series, hash_configuration
from tasks.forecast.days import MARKET_ZONE
from tasks.forecast.plan import Horizon, order_jobs, plan_series
from tests.unit.forecast.series import (
    AS_OF,
    DEMAND,
    TEMPERATURE,
    forecast_here,
    give_demand,
    give_hours,
    give_temperature,
    give_transformed,
)

PARTS = {DEMAND: give_demand(62), TEMPERATURE: give_temperature(56)}


@pytest.fixture(scope="module")
def forecasted() -> Forecasted:
    return forecast_here(give_transformed(PARTS))


def test_every_hour_to_the_end_of_the_next_week_is_published(forecasted: Forecasted):
    assert forecasted.points.schema == POINTS
    for part in forecasted.points.partition_by("series_id"):
        assert part["at"][0] == AS_OF
        assert part["at"][-1] == forecasted.horizon_end - timedelta(hours=1)
        assert part.height == part["at"].n_unique() == 266


def test_the_model_beats_the_better_naive_and_says_so(forecasted: Forecasted):
    demand = next(outcome for outcome in forecasted.outcomes if outcome.series_id == DEMAND)
    assert (demand.status, demand.published, demand.windows) == ("model", "combination", 3)
    assert demand.skill is not None
    assert demand.skill > 0
    assert sum(member.weight for member in demand.members) == pytest.approx(1)
    assert "beat naive_168h" in demand.reason


def test_intervals_lie_around_the_value(forecasted: Forecasted):
    points = forecasted.points
    order = ("lower95", "lower80", "value", "upper80", "upper95")
    for lower, upper in itertools.pairwise(order):
        assert (points[lower] <= points[upper]).all()


def test_the_same_input_gives_the_same_bits(forecasted: Forecasted):
    assert forecast_here(give_transformed(PARTS)).points.equals(forecasted.points)


def test_nothing_from_the_issue_time_on_is_looked_at(forecasted: Forecasted):
    at = pl.datetime_range(AS_OF, AS_OF + timedelta(days=12), "1h", eager=True)
    poison = pl.DataFrame({"at": at, "value": np.full(len(at), 49.0)})
    poisoned = {name: pl.concat([part, poison]) for name, part in PARTS.items()}
    assert forecast_here(give_transformed(poisoned)).points.equals(forecasted.points)


def test_the_zone_of_the_issue_time_makes_no_difference(forecasted: Forecasted):
    paris = AS_OF.astimezone(MARKET_ZONE)
    made = forecast_here(give_transformed({TEMPERATURE: PARTS[TEMPERATURE]}, as_of=paris))
    assert made.points.equals(forecasted.points.filter(pl.col("series_id") == TEMPERATURE))


def test_a_late_feed_is_forecast_from_where_it_ends():
    late = give_temperature(60).filter(pl.col("at") < AS_OF - timedelta(hours=30))
    (outcome,), points = read(forecast_here(give_transformed({TEMPERATURE: late})))
    assert outcome.status == "model"
    assert points["at"][0] == AS_OF
    assert outcome.trained_to == AS_OF - timedelta(hours=31)


def test_windows_are_chosen_so_that_a_model_is_known_in_all_of_them():
    transformed = give_transformed({DEMAND: give_demand(55)})
    (plan,) = plan_series(transformed, horizon=give_horizon(), pattern="*")
    assert plan.windows == (1, 2)  # before a third, eight weeks would be too few
    assert "prophet_recent" in run_job(plan.jobs[2]).fits


def give_horizon() -> Horizon:
    return Horizon.of(AS_OF, 11, Settings())


def read(forecasted: Forecasted):
    return forecasted.outcomes, forecasted.points


BAD = {
    "all null": (
        lambda f: f.with_columns(value=pl.lit(None, pl.Float64)),
        "withheld",
        "no credible",
    ),
    "one value": (lambda f: f.tail(1), "withheld", "1 values over 0.0 days"),
    "constant": (lambda f: f.with_columns(value=pl.lit(7.0)), "withheld", "stuck sensor"),
    "too short": (lambda f: f.tail(24 * 10), "withheld", "240 values over 10.0 days"),
    "impossible": (
        lambda f: f.with_columns(value=-pl.col("value") - 60),
        "withheld",
        "no credible",
    ),
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
    "two weeks": (lambda f: f.tail(24 * 20), "fallback", "20 days of values are too few"),
    "gaps": (
        lambda f: f.filter(pl.Series(np.random.default_rng(2).random(f.height) > 0.4)),
        "model|fallback",
        "past windows",
    ),
    "outlier": (
        lambda f: f.with_columns(
            value=pl.when(pl.col("at") == AS_OF - timedelta(days=9)).then(1e12).otherwise("value")
        ),
        "model|fallback",
        "past windows",
    ),
    "level shift": (
        lambda f: f.with_columns(
            value=pl.col("value") + 15 * (pl.col("at") > AS_OF - timedelta(days=6))
        ),
        "model|fallback",
        "past windows",
    ),
    "three-hourly": (
        lambda f: f.filter(pl.col("at").dt.hour() % 3 == 0),
        "model|fallback",
        "past windows",
    ),
    "not a number": (
        lambda f: f.with_columns(
            value=pl.when(pl.col("at").dt.hour() == 3).then(float("nan")).otherwise("value")
        ),
        "model|fallback",
        "past windows",
    ),
}


@pytest.fixture(scope="module")
def bad() -> Forecasted:
    parts = {
        f"x:{name}:air_temperature": spoil(give_temperature(60))
        for name, (spoil, *_) in BAD.items()
    }
    return forecast_here(give_transformed(parts))


@pytest.mark.parametrize("name", BAD)
def test_a_bad_series_ends_with_a_status_and_a_reason(bad: Forecasted, name: str):
    _, statuses, reason = BAD[name]
    outcome = next(o for o in bad.outcomes if o.series_id == f"x:{name}:air_temperature")
    points = bad.points.filter(pl.col("series_id") == outcome.series_id)
    assert outcome.status in statuses.split("|")
    assert reason in outcome.reason
    assert points.height == (0 if outcome.status == "withheld" else 266)
    assert points.select(pl.exclude("series_id", "at")).to_numpy().max(initial=0) <= 50


@pytest.mark.parametrize("step_minutes", [0, None])
def test_a_series_that_cannot_be_planned_is_withheld_and_stops_no_other(step_minutes: int | None):
    odd = "a:b:air_temperature"
    transformed = give_transformed({TEMPERATURE: give_temperature(9), odd: give_temperature(9)})
    spoilt = pl.when(series_id=odd).then(step_minutes).otherwise("step_minutes")
    series = transformed.series.with_columns(step_minutes=spoilt)
    first, second = plan_series(
        replace(transformed, series=series), horizon=give_horizon(), pattern="*"
    )
    assert "its history could not be prepared (" in str(first.withheld)
    assert second.series_id == TEMPERATURE
    assert "could not" not in str(second.withheld)


def test_a_series_that_cannot_be_concluded_is_withheld_and_stops_no_other():
    plans = plan_series(give_transformed(PARTS), horizon=give_horizon(), pattern="*")
    results = [run_job(job, "left out") for job in order_jobs(plans)]
    short = {"naive_168h": Fit(np.zeros(3), 0.0)}
    odd = [replace(r, fits=short) if r.series_id == DEMAND else r for r in results]
    made = conclude_forecast(plans, odd, horizon=give_horizon(), config_hash="hash", seconds=0.0)
    assert [outcome.status for outcome in made.outcomes] == ["fallback", "withheld"]
    assert "its forecast could not be concluded (ValueError: " in made.outcomes[1].reason


def test_a_series_whose_workers_died_falls_back_to_its_naive():
    transformed = give_transformed({DEMAND: PARTS[DEMAND]})
    (plan,) = plan_series(transformed, horizon=give_horizon(), pattern="*")
    results = {job.window: run_job(job, "the worker process died") for job in plan.jobs}
    outcome, points = conclude_series(plan, results)
    assert (outcome.status, outcome.published) == ("fallback", "naive_168h")
    assert "prophet_recent: the worker process died" in outcome.reason
    assert points.height == 266


def test_humidity_stays_within_its_bounds():
    wet = give_temperature(60).with_columns(value=(pl.col("value") * 8).clip(0, 100))
    points = forecast_here(give_transformed({"a:b:relative_humidity": wet})).points
    assert points["upper95"].max() == 100
    assert points["lower95"].is_between(0, 100).all()


def test_a_daily_series_is_forecast_by_the_day():
    at = give_hours(900).filter(give_hours(900).dt.hour() == 0)
    season = 10 + 8 * np.sin(np.arange(len(at)) / 365.25 * 2 * np.pi)
    noise = np.random.default_rng(4).normal(0, 2, len(at))
    days = pl.DataFrame({"at": at, "value": season + noise})
    parts = {"t:32:air_temperature_daily_mean": days}
    (outcome,), points = read(forecast_here(give_transformed(parts, step_minutes=1440)))
    assert outcome.status == "model"
    assert points["at"].dt.date().to_list() == [
        (AS_OF + timedelta(days=day)).date() for day in range(1, 12)
    ]


def test_only_what_matches_is_forecast():
    made = forecast_here(give_transformed(PARTS), pattern="*:air_temperature")
    assert [outcome.series_id for outcome in made.outcomes] == [TEMPERATURE]


def test_a_pattern_that_matches_nothing_names_what_there_is():
    with pytest.raises(ConfigurationError, match=r"matches 'rte:33:\*'.*rte:32:electricity_demand"):
        forecast_here(give_transformed(PARTS), pattern="rte:33:*")


def test_what_is_not_forecast_by_declaration_has_no_outcome():
    rain = {"a:b:precipitation_increment": give_temperature(56)}
    assert forecast_here(give_transformed(rain)).outcomes == ()


def test_the_configuration_hash_tells_horizons_apart():
    horizon = Horizon(AS_OF, AS_OF, timedelta(hours=48), timedelta(days=14))
    first, again, other = (
        hash_configuration(horizon_days=days, pattern="*", horizon=horizon) for days in (11, 11, 7)
    )
    assert first == again
    assert first != other
