"""Temperature as a driver of demand: what was measured, and what may be expected."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.forecast.temperature import HEATED_BELOW, expect_temperature, measure_degrees
from tasks.forecast.train import DAY, Supply, Temperature
from tests.unit.forecast.series import AS_OF

TODAY = np.datetime64(AS_OF.date())


def give_known(days: int, *, level: float = 10.0, last: np.datetime64 = TODAY) -> Temperature:
    """Give a constant temperature until the day before `last`."""
    return Temperature(np.arange(last - days * DAY, last), np.full(days, level))


def give_clock(days: int) -> np.ndarray:
    """List the hours of the days from today on."""
    start = TODAY.astype("datetime64[us]")
    return np.arange(start, start + days * DAY, np.timedelta64(1, "h"))


def test_days_ago_less_was_known():
    cut = give_known(10).back(3 * DAY)
    assert cut is not None
    assert cut.days[-1] == TODAY - 4 * DAY
    assert len(cut.days) == len(cut.values) == 7
    assert give_known(10).back(10 * DAY) is None


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


SEASONS = give_known(800)
SEASONS.values[:] = 11 - 8 * np.cos((SEASONS.days - SEASONS.days[0]) / DAY / 365.2425 * 2 * np.pi)
SEASONS.values[:] += np.random.default_rng(5).normal(0, 3, 800)


def give_supply(known: Temperature, *, days: int = 60, bias: float = 0.0) -> Supply:
    """Tell 16 days ahead as they came, and of those to come five degrees."""
    issued = np.arange(TODAY - days * DAY, TODAY)
    due = issued[:, None] + np.arange(1, 17) * DAY
    told = np.full(due.shape, 5.0)
    past = due < TODAY
    told[past] = known.values[np.searchsorted(known.days, due[past])]
    return Supply("openmeteo:32", issued, told + bias)


def expect(known: Temperature, ahead: int = 11) -> np.ndarray:
    """Give what is expected of today and the days after."""
    days, expected = expect_temperature(known, give_clock(ahead))
    return expected[days >= TODAY][:ahead]


@pytest.mark.parametrize("bias", [0.0, -2.5, 4.0])
def test_a_forecast_that_was_right_is_believed_and_its_bias_taken_off(bias: float):
    supplied = replace(SEASONS, supply=give_supply(SEASONS, days=400, bias=bias))
    np.testing.assert_allclose(expect(supplied), 5.0, atol=0.5)
    assert abs(expect(SEASONS) - 5.0).max() > 2


def test_a_forecast_that_was_noise_is_not_believed():
    supply = give_supply(SEASONS, days=400)
    supply.values[:-1] = SEASONS.values.mean() + np.random.default_rng(6).normal(0, 6, (399, 16))
    supply.values[-1] = -30.0
    assert expect(replace(SEASONS, supply=supply)).min() > 0


def test_without_any_that_was_judged_it_is_believed_the_less_the_farther():
    supply = give_supply(SEASONS, days=1)
    normal = expect(replace(SEASONS, supply=replace(supply, values=np.full((1, 16), np.nan))))
    believed = (expect(replace(SEASONS, supply=supply), 11) - 5.0) / (normal - 5.0)
    assert believed[0] == pytest.approx(0.05, abs=0.3)
    assert (expect(SEASONS) == normal).all()
    short = give_known(100, level=12.0)
    np.testing.assert_allclose(expect(replace(short, supply=give_supply(short, days=1))), 5.0)


def test_where_forecasts_are_silent_the_season_is_told():
    supply = give_supply(SEASONS)
    supply.values[-1, 5:] = np.nan
    told, season = expect(replace(SEASONS, supply=supply)), expect(SEASONS)
    assert (told[5:] == season[5:]).all()
    assert (told[:5] != season[:5]).all()
    old = replace(supply, days=supply.days - 17 * DAY)
    assert (expect(replace(SEASONS, supply=old)) == season).all()


def test_a_day_that_was_not_measured_yet_is_told_by_the_issue_before_it():
    late = Temperature(SEASONS.days[:-3], SEASONS.values[:-3])
    supply = give_supply(SEASONS, days=400)
    days, told = expect_temperature(replace(late, supply=supply), give_clock(1))
    gone = np.isin(days, SEASONS.days[-3:])
    np.testing.assert_allclose(told[gone], SEASONS.values[-3:], atol=0.3)


@given(
    st.lists(st.lists(st.floats(-40, 50) | st.just(np.nan), min_size=16, max_size=16), min_size=1),
    st.integers(0, 20),
    st.sampled_from([5, 90, 800]),
)
def test_whatever_is_forecast_something_possible_is_expected(
    told: list[list[float]], age: int, measured: int
):
    last = TODAY - age * DAY
    supply = Supply("x:32", np.arange(last - len(told) * DAY, last), np.array(told))
    known = Temperature(SEASONS.days[-measured:], SEASONS.values[-measured:], supply)
    assert np.abs(expect(known)).max() < 150
    assert (np.array([*measure_degrees(known, give_clock(11)).values()]) >= 0).all()


def test_days_ago_a_forecast_was_as_old_as_the_newest_is_now():
    supply = give_supply(SEASONS)
    old = replace(supply, days=supply.days - 2 * DAY)
    late = replace(SEASONS, supply=old)
    then = late.back(7 * DAY)
    assert then is not None
    assert then.supply is not None
    assert then.supply.days[-1] == TODAY - 10 * DAY
    assert then.days[-1] - then.supply.days[-1] == late.days[-1] - old.days[-1]
    forgotten = late.back(100 * DAY)
    assert forgotten is not None
    assert forgotten.supply is None
