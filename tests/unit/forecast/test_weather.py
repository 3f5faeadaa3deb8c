"""Which temperature drives a demand: whose, of which days, and who tells the days to come."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from tasks.common.contracts import TEMPERATURES_AHEAD
from tasks.common.results import Transformed
from tasks.forecast.fits import name_fit
from tasks.forecast.plan import SeriesPlan
from tasks.forecast.train import Temperature
from tasks.forecast.weather import Weather, find_weather
from tests.unit.forecast.series import (
    AS_OF,
    DEMAND,
    TEMPERATURE,
    forecast_here,
    give_daily_mean,
    give_days,
    give_demand,
    give_temperature,
    give_transformed,
    keep_quick_members,
    plan_here,
)
from tests.unit.forecast.test_temperature import give_known


def choose(
    measured: list[tuple[str, Temperature]], clock: np.ndarray, series_id: str = DEMAND
) -> Temperature | None:
    return Weather(measured, {}).choose(series_id, clock)


def test_the_series_own_area_is_preferred():
    near, far = give_known(100, level=1), give_known(100, level=2)
    clock = give_known(100).days.astype("datetime64[us]")
    found = [("11", far), ("32", near), ("", far)]
    assert choose(found, clock) is near
    assert choose(found, clock, "rte:11:electricity_demand") is far


def test_another_area_that_knows_many_more_days_is_better():
    own, other = give_known(70), give_known(100)
    clock = give_known(100).days.astype("datetime64[us]")
    assert choose([("11", other), ("32", own)], clock) is other
    almost = give_known(95)
    assert choose([("11", other), ("32", almost)], clock) is almost


def test_a_temperature_of_less_than_half_of_the_days_is_none():
    clock = give_known(100).days.astype("datetime64[us]")
    assert choose([("32", give_known(49))], clock) is None
    assert choose([], clock) is None


def test_declared_areas_come_before_the_mean_of_stations():
    clock = give_known(100).days.astype("datetime64[us]")
    area, stations = give_known(100), give_known(100)
    assert choose([("", stations), ("11", area)], clock) is area


@pytest.fixture(scope="module")
def measured() -> Transformed:
    other = give_temperature(10).with_columns(pl.col("value") + 4)
    after = give_temperature(3, until=AS_OF + timedelta(days=3)).with_columns(value=pl.lit(49.0))
    hourly = {
        TEMPERATURE: pl.concat([give_temperature(10), after]),
        "infoclimat:00052:air_temperature": other,
        "odre:32:air_temperature_daily_mean": give_daily_mean(20, until=AS_OF + timedelta(days=3)),
    }
    return give_transformed(hourly)


def test_only_days_that_were_over_at_the_issue_time_are_listed(measured: Transformed):
    found = dict(find_weather(measured, as_of=AS_OF).measured)
    assert [*found] == ["32", ""]
    assert {t.days[-1].item() for t in found.values()} == {AS_OF.date() - timedelta(days=1)}
    late = dict(find_weather(measured, as_of=AS_OF + timedelta(hours=3)).measured)  # past midnight
    assert late["32"].days[-1].item() == AS_OF.date()


def test_stations_are_averaged_by_the_markets_day(measured: Transformed):
    (_, stations) = find_weather(measured, as_of=AS_OF).measured[-1]
    hours = give_temperature(10).with_columns(
        day=pl.col("at").dt.convert_time_zone("Europe/Paris").dt.date()
    )
    of_day = hours.filter(pl.col("day") == date(2024, 5, 10))["value"].mean()
    assert isinstance(of_day, float)
    told = stations.values[stations.days == np.datetime64("2024-05-10")]
    assert told == pytest.approx(of_day + 2)


def test_a_day_of_which_a_station_missed_much_is_told_by_the_others(measured: Transformed):
    hole = pl.col("at").dt.date() == date(2024, 5, 10)
    history = measured.history.filter(~((pl.col("series_id") == TEMPERATURE) & hole))
    (_, whole), (_, holey) = (
        find_weather(one, as_of=AS_OF).measured[-1]
        for one in (measured, replace(measured, history=history))
    )
    day = whole.days == np.datetime64("2024-05-10")
    assert holey.values[day] == pytest.approx(whole.values[day] + 2)
    assert (holey.days == whole.days).all()


def test_the_mean_of_many_stations_is_the_same_to_the_last_bit_in_every_run():
    parts = {
        f"x:{place}:air_temperature": give_temperature(120).with_columns(
            pl.col("value") + 0.1 * place
        )
        for place in range(12)
    }
    transformed = give_transformed(parts)
    told = [find_weather(transformed, as_of=AS_OF).measured[-1][1].values for _ in range(10)]
    assert len({values.tobytes() for values in told}) == 1
    assert len(told[0]) == 119


def give_issues(days: int, *, level: float = 5.0) -> dict[str, pl.DataFrame]:
    """Tell every day of the last ones the same of the days to come."""
    frame = pl.DataFrame({"at": give_days(days)}).with_columns(value=pl.lit(level))
    return {f"openmeteo:32:{name}": frame for name in TEMPERATURES_AHEAD.values()}


PARTS = {DEMAND: give_demand(150), "odre:32:air_temperature_daily_mean": give_daily_mean(150)}


def plan_demand(parts: dict[str, pl.DataFrame]) -> SeriesPlan:
    (plan,) = plan_here(give_transformed(PARTS | parts), pattern=DEMAND)
    assert plan.windows == (1, 2, 3, 4, 5)
    return plan


def test_forecasts_are_found_by_area_and_by_day():
    longer, shorter = give_issues(20), give_issues(9, level=1.0)
    shorter = {name.replace("openmeteo", "other"): part for name, part in shorter.items()}
    del longer[f"openmeteo:32:{TEMPERATURES_AHEAD[16]}"]
    found = find_weather(give_transformed(PARTS | longer | shorter), as_of=AS_OF)
    supply = found.supplied["32"]
    assert (supply.station, supply.days[-1].item()) == ("openmeteo:32", date(2024, 5, 14))
    assert supply.values.shape == (20, 16)
    assert (supply.values[:, :15] == 5).all()
    assert np.isnan(supply.values[:, 15]).all()


def test_an_issue_of_a_day_that_is_not_over_is_not_looked_at():
    parts = {
        name: part.with_columns(pl.col("at") + timedelta(days=1))
        for name, part in give_issues(9).items()
    }
    found = find_weather(give_transformed(PARTS | parts), as_of=AS_OF)
    assert found.supplied["32"].days[-1].item() == date(2024, 5, 14)
    assert len(found.supplied["32"].days) == 8


def test_another_areas_forecasts_are_not_taken():
    parts = {n.replace(":32:", ":11:"): part for n, part in give_issues(90).items()}
    plan = plan_demand(parts)
    assert plan.train.weather is not None
    assert plan.train.weather.supply is None
    assert plan.temperature == "measured until 2024-05-14, then the normal of the season"


@pytest.mark.parametrize(("days", "taken"), [(30, False), (36, True)])
def test_forecasts_are_taken_once_every_past_window_had_one(days: int, taken: bool):
    plan = plan_demand(give_issues(days))
    assert plan.train.weather is not None
    assert (plan.train.weather.supply is not None) is taken
    told = "as openmeteo:32 forecast after 2024-05-14"
    young = "openmeteo:32 has forecast it since 2024-04-15, too few weeks to be judged"
    season = f"the normal of the season ({young})"
    assert plan.temperature == f"measured until 2024-05-14, then {told if taken else season}"


def test_a_service_that_fell_silent_is_told():
    until = AS_OF - timedelta(days=12)
    issues = {n: part.filter(pl.col("at") < until) for n, part in give_issues(90).items()}
    told = "as openmeteo:32 forecast after 2024-05-03, 11 days ago"
    assert plan_demand(issues).temperature == f"measured until 2024-05-14, then {told}"


@pytest.mark.parametrize("days_ago", [7, 14, 28])
def test_what_was_forecast_after_a_windows_origin_is_no_part_of_its_fits(days_ago: int):
    origin = (AS_OF - timedelta(days=days_ago)).date()
    poison = pl.when(pl.col("at").dt.date() >= origin).then(-39.0).otherwise("value")
    issues = give_issues(60)
    poisoned = {name: part.with_columns(value=poison) for name, part in issues.items()}
    told, blind = plan_demand(issues), plan_demand(poisoned)

    def name(plan: SeriesPlan, window: int) -> str:
        return name_fit(plan.make_job(window, "calendar_recent"))

    unchanged = {w for w in (0, *told.windows) if name(told, w) == name(blind, w)}
    assert unchanged == {w for w in told.windows if 7 * w >= days_ago}


def test_a_past_windows_fits_are_those_of_its_own_week():
    parts, then_at = PARTS | give_issues(90), AS_OF - timedelta(weeks=2)
    day = pl.col("at") + timedelta(days=1) <= then_at
    over = {name: pl.col("at") < then_at if name == DEMAND else day for name in parts}
    known = {name: part.filter(over[name]) for name, part in parts.items()}
    now = plan_demand(give_issues(90))
    (then,) = plan_here(give_transformed(known, as_of=then_at), pattern=DEMAND)
    members = [member for window, member in then.list_members() if window == 0]
    assert "calendar_recent" in members
    assert (
        then.temperature
        == "measured until 2024-04-30, then as openmeteo:32 forecast after 2024-04-30"
    )
    for member in members:
        assert name_fit(now.make_job(2, member)) == name_fit(then.make_job(0, member))


def test_a_cold_spell_that_was_forecast_raises_demand(monkeypatch: pytest.MonkeyPatch):
    """Of a demand that is all heating, 100 MW a degree below 16, by weather that nobody guesses."""
    keep_quick_members(monkeypatch)
    end = AS_OF + timedelta(days=20)
    days = give_days(500, until=end)
    wander = np.convolve(np.random.default_rng(2).normal(0, 4, 500), np.ones(5) / 2, mode="same")
    degrees = dict(zip(days, 8 + wander, strict=True))
    known = days.filter(days < AS_OF - timedelta(days=1))
    hours = give_demand(480, until=end).with_columns(
        day=pl.col("at").dt.convert_time_zone("Europe/Paris").dt.date().cast(pl.Datetime("us"))
    )
    cold = 16 - hours["day"].dt.replace_time_zone("UTC").replace_strict(degrees, default=8.0)
    hours = hours.select("at", value=pl.col("value") + 100 * cold.clip(0))
    parts = {
        DEMAND: hours.filter(pl.col("at") < AS_OF),
        "odre:32:air_temperature_daily_mean": pl.DataFrame(
            {"at": known, "value": [degrees[day] for day in known]}
        ),
    }
    issues = {
        f"openmeteo:32:{name}": pl.DataFrame(
            {"at": known, "value": [degrees[day + timedelta(days=lead)] for day in known]}
        )
        for lead, name in TEMPERATURES_AHEAD.items()
    }
    blind, told = (
        forecast_here(give_transformed(given), pattern=DEMAND).points.join(
            hours, on="at", suffix="_true"
        )
        for given in (parts, parts | issues)
    )
    error = (pl.col("value") - pl.col("value_true")).abs().mean()
    assert told.select(error).item() < 0.5 * blind.select(error).item()
