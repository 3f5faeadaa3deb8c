"""How series end when something went wrong, and what names a configuration."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from tasks.forecast.backtest import Fit, fail_job, run_job
from tasks.forecast.conclude import (
    conclude_forecast,
    conclude_series,
    describe_configuration,
    hash_configuration,
)
from tasks.forecast.plan import SeriesPlan
from tasks.forecast.work import Done, do_work
from tests.unit.forecast.series import (
    AS_OF,
    DEMAND,
    TEMPERATURE,
    forecast_here,
    give_daily_mean,
    give_demand,
    give_horizon,
    give_store,
    give_temperature,
    give_transformed,
    keep_quick_members,
    plan_here,
    spread_here,
)

PARTS = {DEMAND: give_demand(62), TEMPERATURE: give_temperature(50)}
DAILY = "t:32:air_temperature_daily_mean"
LATE = "it was not fitted before the deadline"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_quick_members(monkeypatch)


def do_all(plans: list[SeriesPlan], *, late: bool = False) -> list[Done]:
    return list(do_work(plans, give_store(), spread=spread_here, time_is_up=lambda: late))


@pytest.mark.parametrize("step_minutes", [0, None])
def test_a_series_that_cannot_be_planned_is_withheld_and_stops_no_other(step_minutes: int | None):
    odd = "a:b:air_temperature"
    transformed = give_transformed({TEMPERATURE: give_temperature(9), odd: give_temperature(9)})
    spoilt = pl.when(series_id=odd).then(step_minutes).otherwise("step_minutes")
    series = transformed.series.with_columns(step_minutes=spoilt)
    first, second = plan_here(replace(transformed, series=series))
    assert "its history could not be prepared (" in str(first.withheld)
    assert second.series_id == TEMPERATURE
    assert "could not" not in str(second.withheld)


def test_a_young_series_that_has_been_silent_for_longer_than_a_week_is_stale_not_withheld():
    silent = give_temperature(37, until=AS_OF - timedelta(days=9))
    made = forecast_here(give_transformed({TEMPERATURE: silent}))
    assert [outcome.status for outcome in made.outcomes] == ["stale"]
    assert made.points.height == 266


def test_a_series_that_cannot_be_concluded_is_withheld_and_stops_no_other():
    plans = plan_here(give_transformed(PARTS))
    short = Fit(np.zeros(3), 0.0)
    odd = [replace(d, fit=short) if d.series_id == DEMAND else d for d in do_all(plans)]
    made = conclude_forecast(plans, odd, horizon=give_horizon(), asked={})
    assert [outcome.status for outcome in made.outcomes] == ["model", "withheld"]
    assert "its forecast could not be concluded (ValueError: " in made.outcomes[1].reason
    assert set(made.points["series_id"]) == {TEMPERATURE}


def test_a_series_whose_workers_died_falls_back_to_its_naive():
    (plan,) = plan_here(give_transformed({DEMAND: PARTS[DEMAND]}))
    windows: dict[int, dict[str, Fit]] = {}
    for window, name in plan.list_members():
        job = plan.make_job(window, name)
        fit = run_job(job) if name == "naive_168h" else fail_job(job, "the worker process died")
        windows.setdefault(window, {})[name] = fit
    outcome, points = conclude_series(plan, windows)
    assert (outcome.status, outcome.published) == ("fallback", "naive_168h")
    assert "calendar_recent: the worker process died" in outcome.reason
    assert points.height == 266


def test_a_naive_published_for_the_deadline_says_so():
    (plan,) = plan_here(give_transformed({DAILY: give_daily_mean(400)}, step_minutes=1440))
    done = do_all([plan], late=True)
    ((outcome,), points) = read([plan], done)
    assert outcome.status == "fallback"
    assert LATE in outcome.reason
    assert outcome.published in {"naive_1d", "naive_7d", "naive_364d"}
    assert points.height == 11


def read(plans: list[SeriesPlan], done: list[Done]):
    made = conclude_forecast(plans, done, horizon=give_horizon(), asked={})
    return made.outcomes, made.points


def test_every_series_is_complete_past_the_deadline_and_tells_what_was_left():
    plans = plan_here(give_transformed(PARTS))
    outcomes, points = read(plans, do_all(plans, late=True))
    assert {outcome.status for outcome in outcomes} <= {"model", "fallback"}
    assert points["series_id"].value_counts().get_column("count").to_list() == [266, 266]
    left = [m for outcome in outcomes for m in outcome.members if m.failure == LATE]
    assert left
    assert {member.weight for member in left} == {0.0}


def test_a_member_that_was_left_in_one_window_has_no_weight():
    (plan,) = plan_here(give_transformed({TEMPERATURE: PARTS[TEMPERATURE]}))
    done = [d for d in do_all([plan]) if (d.window, d.member) != (2, "lags")]
    ((outcome,), _) = read([plan], done)
    weights = {member.name: member.weight for member in outcome.members}
    assert weights["lags"] == 0
    assert weights["profile_day"] > 0


ASKED = {"horizon_days": 11, "series": "*", "deadline": None}


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({**ASKED, "deadline": 30.0}, id="deadline"),
        pytest.param({**ASKED, "horizon_days": 7}, id="horizon"),
        pytest.param({**ASKED, "series": "rte:*"}, id="series"),
    ],
)
def test_the_configuration_hash_tells_what_was_asked_apart(asked: dict[str, object]):
    horizon = give_horizon()
    told, same, other = (describe_configuration(horizon, a) for a in (ASKED, dict(ASKED), asked))
    assert hash_configuration(told) == hash_configuration(same)
    assert hash_configuration(told) != hash_configuration(other)


def test_the_configuration_hash_knows_limits_but_no_issue_time():
    horizon = give_horizon()
    first = describe_configuration(horizon, ASKED)
    later = replace(horizon, as_of=horizon.as_of + timedelta(weeks=1))
    assert describe_configuration(later, ASKED) == first
    stricter = replace(horizon, stale_after=timedelta(hours=1))
    assert describe_configuration(stricter, ASKED) != first


def test_what_was_asked_stands_in_the_result():
    made = forecast_here(give_transformed({TEMPERATURE: PARTS[TEMPERATURE]}), pattern="*:air_*")
    assert made.pattern == "*:air_*"
    assert made.fits["fitted"] > 0
