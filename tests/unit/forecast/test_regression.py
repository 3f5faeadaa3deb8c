"""Two regressions: on the series' own past, and on the calendar."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.forecast.days import find_holidays, tell_weekday
from tasks.forecast.history import build_train, list_steps
from tasks.forecast.regression import (
    Calendar,
    Lags,
    describe_calendar,
    predict_calendar,
    predict_climate,
    predict_lags,
)
from tasks.forecast.train import DAY, Temperature, Train
from tests.unit.forecast.series import give_hours, give_train

HOUR = timedelta(hours=1)


def test_two_seasons_are_continued():
    hours = np.arange(24 * 63)
    week = hours // 24 % 7 > 4
    signal = 100 + 10 * np.sin(hours / 24 * 2 * np.pi) + 30 * week * np.cos(hours / 12 * np.pi)
    said = predict_lags(give_train(signal[: 24 * 56], future=24 * 7), Lags((1, 7)))
    np.testing.assert_allclose(said, signal[24 * 56 :], atol=0.5)


def test_a_season_that_does_not_fit_three_times_is_left_out():
    values = 50 + np.sin(np.arange(24 * 20.0) / 24 * 2 * np.pi)
    short, whole = (
        predict_lags(give_train(values, future=24), Lags(seasons)) for seasons in ((1,), (1, 7))
    )
    assert short.tolist() == whole.tolist()


def test_what_explodes_stays_within_one_range_of_what_it_was():
    values = 1.1 ** np.arange(200.0)
    said = predict_lags(give_train(values, future=500, step_hours=24), Lags((7,)))
    assert said.max() == pytest.approx(2 * values.max() - values.min())
    assert np.isfinite(said).all()


@given(st.integers(0, 2**32), st.floats(1e-3, 1e9), st.floats(0, 0.45))
def test_lags_never_leave_one_range(seed: int, scale: float, gaps: float):
    drawn = np.random.default_rng(seed)
    known = np.cumsum(drawn.normal(0, scale, 200))
    values = np.where(drawn.random(200) < gaps, np.nan, known)
    said = predict_lags(give_train(values, future=300, step_hours=24), Lags((7,)))
    low, high = np.nanmin(values), np.nanmax(values)
    slack = 1e-9 * max(abs(low), abs(high))
    assert said.min() >= low - (high - low) - slack
    assert said.max() <= high + (high - low) + slack


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param(np.arange(8.0), "8 values in the training window are too few", id="short"),
        pytest.param(
            np.where(np.arange(99) % 3, np.nan, 1.0), "33 of 99 values are known", id="gaps"
        ),
    ],
)
def test_what_lags_cannot_tell_is_said(values: np.ndarray, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        predict_lags(give_train(values, future=2, step_hours=24), Lags((7,)))


def give_year(*, until: datetime, ahead_days: int) -> Train:
    """Give 800 days of demand: by kind of day and hour, and 2 % more for each degree below 16.

    The temperatures are known to the end, of which a forecast is told by the caller.
    """
    known = pl.DataFrame({"at": give_hours(800, until=until), "value": 1.0})
    future = list_steps(until - HOUR, step=HOUR, end=until + timedelta(days=ahead_days))
    train = build_train(known, step=HOUR, future=future, kind="demand")
    days = np.arange(train.clock[0], train.future[-1] + 2 * DAY, DAY).astype("datetime64[D]")
    cold = 11 - 8 * np.cos((days - days[0]) / DAY / 365.25 * 2 * np.pi)
    cold += np.random.default_rng(1).normal(0, 3, len(days))
    return replace(train, weather=Temperature(days, cold))


def tell_demand(train: Train) -> np.ndarray:
    clock = np.concatenate([train.clock, train.future])
    day = clock.astype("datetime64[D]")
    off = np.isin(day, find_holidays(clock)[0]) | (tell_weekday(day) > 5)
    hour = (clock - day) / np.timedelta64(1, "h")
    assert train.weather is not None
    degrees = np.interp((clock - train.weather.days[0]) / DAY - 0.5, *rank(train.weather.values))
    heating = 0.02 * np.maximum(0, 16 - degrees)
    return 6000 * np.exp(0.1 * np.sin((hour - 7) / 24 * 2 * np.pi) - 0.15 * off + heating)


def rank(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(len(values), dtype=float), values


@pytest.fixture(scope="module")
def year() -> Train:
    """Give a demand of which the fortnight over Christmas and New Year is asked."""
    train = give_year(until=datetime(2024, 12, 18, 21, tzinfo=UTC), ahead_days=16)
    return replace(train, values=tell_demand(train)[: len(train.values)])


def test_demand_is_told_by_holidays_and_heating(year: Train):
    truth = tell_demand(year)[len(year.values) :]
    said = predict_calendar(year, Calendar())
    assert np.abs(said / truth - 1).mean() < 0.02
    christmas = year.future.astype("datetime64[D]") == np.datetime64("2024-12-25")
    assert np.abs(said / truth - 1)[christmas].mean() < 0.04


def test_without_a_temperature_the_season_still_tells(year: Train):
    truth = tell_demand(year)[len(year.values) :]
    said = predict_calendar(replace(year, weather=None), Calendar())
    blind = np.abs(said / truth - 1).mean()
    assert np.abs(predict_calendar(year, Calendar()) / truth - 1).mean() < blind < 0.1


def test_gaps_cost_little(year: Train):
    values = year.values.copy()
    values[np.random.default_rng(2).random(len(values)) < 0.4] = np.nan
    whole, holey = (
        predict_calendar(replace(year, values=known), Calendar()) for known in (year.values, values)
    )
    assert np.isfinite(holey).all()
    np.testing.assert_allclose(holey, whole, rtol=0.02)


@pytest.mark.parametrize("spoilt", [0.0, -3.0])
def test_what_is_not_positive_has_no_logarithm(spoilt: float):
    values = np.full(24 * 60, 5.0)
    values[7] = spoilt
    with pytest.raises(ValueError, match="a demand that is not positive has no logarithm"):
        predict_calendar(give_train(values, future=24), Calendar())


def test_nothing_known_is_said_in_the_same_sentence():
    with pytest.raises(ValueError, match="not positive"):
        predict_calendar(give_train(np.full(24 * 60, np.nan), future=24), Calendar())


def test_every_reason_is_told_for_past_and_future_alike(year: Train):
    columns = describe_calendar(year, Calendar())
    assert len(columns) == len(year.values) + len(year.future)
    assert np.isfinite(columns).all()


def tell_climate(days: np.ndarray) -> np.ndarray:
    """Give a temperature whose days are longer and warmer in summer."""
    season = np.cos((days - 20) / 365.25 * 2 * np.pi)
    return 11 - 8 * season + (4 - 2 * season) * np.sin((days % 1 - 0.4) * 2 * np.pi)


@pytest.mark.parametrize("step_hours", [1, 24])
@pytest.mark.parametrize("gaps", [0.0, 0.4])
def test_the_time_of_the_year_is_known_from_the_year_before(step_hours: int, gaps: float):
    steps = 24 // step_hours
    whole = tell_climate(np.arange((470 + 11) * steps) / steps)
    drawn = np.random.default_rng(6)
    past = whole[: 470 * steps] + drawn.normal(0, 0.5, 470 * steps)
    past[drawn.random(len(past)) < gaps] = np.nan
    said = predict_climate(give_train(past, future=11 * steps, step_hours=step_hours), None)
    np.testing.assert_allclose(said, whole[470 * steps :], atol=1)


def test_what_is_unusual_dies_away_towards_the_normal():
    days = np.arange(470 * 24) / 24
    weather = np.convolve(np.random.default_rng(6).normal(0, 1, len(days)), 0.98 ** np.arange(400))
    past = tell_climate(days) + weather[: len(days)]
    past[-48:] = tell_climate(days[-48:]) + 6
    ahead = tell_climate(470 + np.arange(11 * 24) / 24)
    above = predict_climate(give_train(past, future=11 * 24), None) - ahead
    assert above[0] > 4
    assert above[:24].mean() > above[48:72].mean() > above[-24:].mean() - 0.1
    assert abs(above[-24:].mean()) < 2


@pytest.mark.parametrize("value", [7.0, np.nan])
def test_what_never_differs_has_no_climate(value: float):
    with pytest.raises(ValueError, match="values that never differ have no climate"):
        predict_climate(give_train(np.full(24 * 400, value), future=24), None)
