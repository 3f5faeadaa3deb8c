"""Temperature as a driver of demand: what was measured, and what may be expected."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.common.results import Transformed
from tasks.forecast.history import choose_temperature, list_temperatures
from tasks.forecast.temperature import HEATED_BELOW, expect_temperature, measure_degrees
from tasks.forecast.train import DAY, Temperature
from tests.unit.forecast.series import (
    AS_OF,
    DEMAND,
    TEMPERATURE,
    give_daily_mean,
    give_temperature,
    give_transformed,
)

TODAY = np.datetime64(AS_OF.date())


def give_known(days: int, *, level: float = 10.0, last: np.datetime64 = TODAY) -> Temperature:
    """Give a constant temperature until the day before `last`."""
    return Temperature(np.arange(last - days * DAY, last), np.full(days, level))


def give_clock(days: int) -> np.ndarray:
    """List the hours of the days from today on."""
    start = TODAY.astype("datetime64[us]")
    return np.arange(start, start + days * DAY, np.timedelta64(1, "h"))


def test_before_a_day_nothing_of_it_is_known():
    cut = give_known(10).before(TODAY - 3 * DAY)
    assert cut is not None
    assert cut.days[-1] == TODAY - 4 * DAY
    assert len(cut.days) == len(cut.values) == 7
    assert give_known(10).before(TODAY - 10 * DAY) is None


def test_days_ahead_are_the_season_and_what_is_left_of_the_anomaly():
    known = give_known(800)
    known.values[:] = 11 - 8 * np.cos((known.days - known.days[0]) / DAY / 365.2425 * 2 * np.pi)
    normal = dict(zip(*expect_temperature(known, give_clock(20)), strict=True))
    known.values[-3:] += 5  # three days of five degrees too many
    days, expected = expect_temperature(known, give_clock(20))
    gone = np.array([e - normal[day] for day, e in zip(days, expected, strict=True)])[days >= TODAY]
    np.testing.assert_allclose(gone[:8], 5 * 0.75 ** np.arange(1, 9), atol=0.15)
    assert abs(gone[-1]) < 0.15


def test_with_less_than_a_year_the_normal_is_the_mean():
    known = give_known(100, level=4.0)
    known.values[:50] = 8.0
    _, expected = expect_temperature(known, give_clock(40))
    assert expected[-1] == pytest.approx(6.0, abs=0.01)
    assert 4 < expected[4] < expected[8] < 6


def test_a_day_in_the_past_that_was_not_measured_is_normal():
    known = give_known(30)
    holey = Temperature(np.delete(known.days, 20), np.delete(known.values, 20) + 1)
    days, expected = expect_temperature(holey, known.days.astype("datetime64[us]"))
    assert expected[days == known.days[20]] == pytest.approx(11.0)
    assert np.isfinite(expected).all()


def test_measured_days_are_as_measured():
    known = give_known(30)
    known.values[:] = np.arange(30)
    days, expected = expect_temperature(known, give_clock(3))
    assert dict(zip(days, expected, strict=True))[TODAY - DAY] == 29
    assert days[-1] > TODAY + 2 * DAY


def test_cold_is_felt_for_days():
    known = give_known(30, level=HEATED_BELOW + 1)
    known.values[-4] = HEATED_BELOW - 9
    clock = np.array([TODAY - 4 * DAY, TODAY - 3 * DAY, TODAY - 2 * DAY], "datetime64[us]")
    degrees = measure_degrees(known, clock + np.timedelta64(12, "h"))
    assert degrees["heating"].tolist() == [9, 0, 0]
    assert degrees["felt"] == pytest.approx([0.6 * 10 - 1, 0.6 * 0.4 * 10 - 1, 0], abs=1e-6)
    assert degrees["cooling"].tolist() == [0, 0, 0]


@given(st.lists(st.floats(-40, 50), min_size=1, max_size=60), st.integers(1, 20))
def test_degrees_are_never_negative_nor_null(values: list[float], ahead: int):
    known = Temperature(np.arange(TODAY - len(values) * DAY, TODAY), np.array(values))
    told = np.array([*measure_degrees(known, give_clock(ahead)).values()])
    assert told.shape == (3, 24 * ahead)
    assert (told >= 0).all()
    assert told.max() <= max(HEATED_BELOW - min(values), max(values) - 20, 0) + 60


def test_the_series_own_area_is_preferred():
    near, far = give_known(100, level=1), give_known(100, level=2)
    clock = give_known(100).days.astype("datetime64[us]")
    found = [("11", far), ("32", near), ("", far)]
    assert choose_temperature(found, DEMAND, clock) is near
    assert choose_temperature(found, "rte:11:electricity_demand", clock) is far


def test_another_area_that_knows_many_more_days_is_better():
    own, other = give_known(70), give_known(100)
    clock = give_known(100).days.astype("datetime64[us]")
    assert choose_temperature([("11", other), ("32", own)], DEMAND, clock) is other
    almost = give_known(95)
    assert choose_temperature([("11", other), ("32", almost)], DEMAND, clock) is almost


def test_a_temperature_of_less_than_half_of_the_days_is_none():
    clock = give_known(100).days.astype("datetime64[us]")
    assert choose_temperature([("32", give_known(49))], DEMAND, clock) is None
    assert choose_temperature([], DEMAND, clock) is None


def test_declared_areas_come_before_the_mean_of_stations():
    clock = give_known(100).days.astype("datetime64[us]")
    area, stations = give_known(100), give_known(100)
    assert choose_temperature([("", stations), ("11", area)], DEMAND, clock) is area


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
    found = dict(list_temperatures(measured, as_of=AS_OF))
    assert [*found] == ["32", ""]
    assert {t.days[-1].item() for t in found.values()} == {AS_OF.date() - timedelta(days=1)}
    late = dict(list_temperatures(measured, as_of=AS_OF + timedelta(hours=3)))  # past midnight
    assert late["32"].days[-1].item() == AS_OF.date()


def test_stations_are_averaged_by_the_markets_day(measured: Transformed):
    (_, stations) = list_temperatures(measured, as_of=AS_OF)[-1]
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
        list_temperatures(one, as_of=AS_OF)[-1]
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
    told = [list_temperatures(transformed, as_of=AS_OF)[-1][1].values for _ in range(10)]
    assert len({values.tobytes() for values in told}) == 1
    assert len(told[0]) == 119
