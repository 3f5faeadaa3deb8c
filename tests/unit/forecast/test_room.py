"""The room as a whole, in one process: what goes in, what comes out, and why."""

import itertools
from datetime import UTC, timedelta

import numpy as np
import polars as pl
import pytest

from tasks.common.accounts import SeriesOutcome
from tasks.common.contracts import MARKET_ZONE, POINTS
from tasks.common.errors import ConfigurationError
from tasks.common.results import Forecasted
from tests.unit.forecast.series import (
    AS_OF,
    DEMAND,
    TEMPERATURE,
    forecast_here,
    give_daily_mean,
    give_demand,
    give_direction,
    give_hours,
    give_rain,
    give_temperature,
    give_transformed,
    keep_quick_members,
    plan_here,
)

PARTS = {DEMAND: give_demand(50), TEMPERATURE: give_temperature(50)}
LONGER = {DEMAND: give_demand(62), TEMPERATURE: give_temperature(62)}


@pytest.fixture(scope="module")
def forecasted() -> Forecasted:
    return forecast_here(give_transformed(PARTS))


def take(forecasted: Forecasted, name: str) -> tuple[SeriesOutcome, pl.DataFrame]:
    (outcome,) = (one for one in forecasted.outcomes if one.series_id == name)
    return outcome, forecasted.points.filter(pl.col("series_id") == name)


def test_every_hour_to_the_end_of_the_next_week_is_published(forecasted: Forecasted):
    assert forecasted.points.schema == POINTS
    for part in forecasted.points.partition_by("series_id"):
        assert part["at"][0] == AS_OF
        assert part["at"][-1] == forecasted.horizon_end - timedelta(hours=1)
        assert part.height == part["at"].n_unique() == 266


def test_the_model_beats_the_better_naive_and_says_so(forecasted: Forecasted):
    demand, _ = take(forecasted, DEMAND)
    assert (demand.status, demand.published, demand.windows) == ("model", "combination", 3)
    assert demand.skill is not None
    assert demand.skill > 0
    assert sum(member.weight for member in demand.members) == pytest.approx(1)
    assert "beat naive_168h" in demand.reason


def test_every_member_of_both_series_was_judged_or_says_why_not(forecasted: Forecasted):
    for outcome in forecasted.outcomes:
        assert not [member for member in outcome.members if member.failure]
        judged = {member.name for member in outcome.members if member.mae is not None}
        assert "prophet" in judged
        others = {"ces", "lags"} if outcome.series_id == TEMPERATURE else {"mstl"}
        assert {"naive_168h", *others} <= judged


def test_what_is_published_is_what_its_members_say_by_their_weights(forecasted: Forecasted):
    for outcome in forecasted.outcomes:
        _, points = take(forecasted, outcome.series_id)
        told = [(one.weight, np.array(one.values)) for one in outcome.members if one.weight]
        combined = np.sum([weight * values for weight, values in told], axis=0)
        np.testing.assert_allclose(combined, points["value"], rtol=1e-12)


def test_intervals_lie_around_the_value(forecasted: Forecasted):
    points = forecasted.points
    for lower, upper in itertools.pairwise(("lower95", "lower80", "value", "upper80", "upper95")):
        assert (points[lower] <= points[upper]).all()
    assert points["probability"].null_count() == points.height


def test_the_same_input_gives_the_same_bits(forecasted: Forecasted):
    again = forecast_here(give_transformed({TEMPERATURE: PARTS[TEMPERATURE]}))
    assert again.points.equals(take(forecasted, TEMPERATURE)[1])


def test_nothing_from_the_issue_time_on_is_looked_at(monkeypatch: pytest.MonkeyPatch):
    keep_quick_members(monkeypatch)
    at = pl.datetime_range(AS_OF, AS_OF + timedelta(days=12), "1h", eager=True)
    poison = pl.DataFrame({"at": at, "value": np.full(len(at), 49.0)})
    poisoned = {name: pl.concat([part, poison]) for name, part in LONGER.items()}
    calm, told = (forecast_here(give_transformed(parts)) for parts in (LONGER, poisoned))
    assert told.points.equals(calm.points)
    outcome, _ = take(told, DEMAND)
    assert "calendar_recent" in {member.name for member in outcome.members}


def test_the_zone_of_the_issue_time_makes_no_difference(monkeypatch: pytest.MonkeyPatch):
    keep_quick_members(monkeypatch)
    paris, utc = (
        forecast_here(give_transformed(PARTS, as_of=AS_OF.astimezone(zone)))
        for zone in (MARKET_ZONE, UTC)
    )
    assert paris.points.equals(utc.points)
    assert paris.config_hash == utc.config_hash


def test_a_late_feed_is_forecast_from_where_it_ends(monkeypatch: pytest.MonkeyPatch):
    keep_quick_members(monkeypatch)
    late = give_temperature(60).filter(pl.col("at") < AS_OF - timedelta(hours=30))
    outcome, points = take(forecast_here(give_transformed({TEMPERATURE: late})), TEMPERATURE)
    assert outcome.status == "model"
    assert points["at"][0] == AS_OF
    assert outcome.trained_to == AS_OF - timedelta(hours=31)


def test_windows_are_chosen_so_that_a_model_is_known_in_all_of_them():
    (plan,) = plan_here(give_transformed({DEMAND: give_demand(55)}))
    assert plan.windows == (1, 2, 3)  # before a fourth, four weeks would be too few
    assert (3, "prophet") in plan.list_members()


def test_humidity_stays_within_its_bounds(monkeypatch: pytest.MonkeyPatch):
    keep_quick_members(monkeypatch)
    wet = give_temperature(60).with_columns(value=(pl.col("value") * 8).clip(0, 100))
    points = forecast_here(give_transformed({"a:b:relative_humidity": wet})).points
    assert points["upper95"].max() == 100
    assert points["lower95"].is_between(0, 100).all()


def test_a_daily_series_is_forecast_by_the_day():
    name = "t:32:air_temperature_daily_mean"
    made = forecast_here(give_transformed({name: give_daily_mean(900)}, step_minutes=1440))
    outcome, points = take(made, name)
    assert outcome.status == "model"
    assert not [member for member in outcome.members if member.failure]
    assert points["at"].dt.date().to_list() == [
        (AS_OF + timedelta(days=day)).date() for day in range(1, 12)
    ]


NORTH = "a:b:wind_from_direction"


@pytest.fixture(scope="module")
def north() -> Forecasted:
    """Forecast a wind that swings by 25 degrees around north."""
    return forecast_here(give_transformed({NORTH: give_direction(50)}))


def test_a_wind_around_north_stays_there(north: Forecasted):
    outcome, points = take(north, NORTH)
    value = points["value"].to_numpy()
    assert outcome.status == "model"
    assert not [member for member in outcome.members if member.failure]
    assert np.abs((value + 180) % 360 - 180).max() < 45
    assert value.min() < 25
    assert 335 < value.max() < 360


def test_bounds_of_a_direction_go_clockwise_through_north(north: Forecasted):
    points = north.points.select(pl.exclude("series_id", "at", "probability"))
    assert points.select(pl.all().is_between(0, 360, closed="left").all()).row(0) == (True,) * 5
    steps = [
        ((points[b] - points[a]) % 360).to_numpy()
        for a, b in itertools.pairwise(("lower95", "lower80", "value", "upper80", "upper95"))
    ]
    assert np.max(steps) < 90
    assert (points["lower95"] > points["upper95"]).any()


RAIN = "a:b:precipitation_amount_daily"


def give_wet_month(*, wet_share: float) -> pl.DataFrame:
    """Give a year of rain whose last month is wetter or drier than the rest."""
    year, drawn = give_rain(370), np.random.default_rng(1)
    month = np.where(drawn.random(30) < wet_share, 1 + drawn.gamma(1.2, 4.0, 30), 0)
    return year.with_columns(value=pl.concat([year["value"][:-30], pl.Series(month)]))


def test_wet_days_are_likelier_after_a_wet_month():
    wet, dry = (
        take(
            forecast_here(
                give_transformed({RAIN: give_wet_month(wet_share=share)}, step_minutes=1440)
            ),
            RAIN,
        )[1]
        for share in (0.8, 0.1)
    )
    assert wet["probability"].is_between(0, 1).all()
    assert wet["probability"].null_count() == 0
    assert (wet["probability"] > dry["probability"] + 0.1).all()
    assert wet["lower95"].min() == 0


def test_only_what_matches_is_forecast(monkeypatch: pytest.MonkeyPatch):
    keep_quick_members(monkeypatch)
    made = forecast_here(give_transformed(PARTS), pattern="*:air_temperature")
    assert [outcome.series_id for outcome in made.outcomes] == [TEMPERATURE]
    assert made.pattern == "*:air_temperature"


def test_a_pattern_that_matches_nothing_names_what_there_is():
    with pytest.raises(ConfigurationError, match=r"matches 'rte:33:\*'.*rte:32:electricity_demand"):
        plan_here(give_transformed(PARTS), pattern="rte:33:*")


def test_what_is_not_forecast_by_declaration_has_no_outcome():
    hours = pl.DataFrame({"at": give_hours(9), "value": 0.5})
    assert forecast_here(give_transformed({"a:b:precipitation_increment": hours})).outcomes == ()
