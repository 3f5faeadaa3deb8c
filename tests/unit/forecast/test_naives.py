from datetime import timedelta

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tasks.forecast.history import build_train, list_steps
from tasks.forecast.naives import (
    Lag,
    Profile,
    Season,
    repeat_lag,
    repeat_profile,
    repeat_season,
)
from tests.unit.forecast.series import AS_OF, give_hours, give_train

WEEK = Lag(7, retry_days=7)


def test_a_horizon_beyond_the_lag_repeats_the_last_week():
    train = give_train(np.arange(24 * 14), future=24 * 11)
    copied = repeat_lag(train, WEEK)
    assert copied[: 24 * 7].tolist() == list(range(24 * 7, 24 * 14))
    assert copied[24 * 7 :].tolist() == list(range(24 * 7, 24 * 11))


def test_a_gap_is_filled_from_the_week_before():
    values = np.arange(24 * 21.0)
    values[24 * 14 + 5] = np.nan
    assert repeat_lag(give_train(values, future=24), WEEK)[5] == 24 * 7 + 5


def test_eighteen_hundred_follows_eighteen_hundred_when_the_clocks_change():
    until = AS_OF.replace(month=4, day=1)  # clocks went forward on 31 March 2024
    at = give_hours(30, until=until - timedelta(days=3))
    local_hours = at.dt.convert_time_zone("Europe/Paris").dt.hour()
    known = pl.DataFrame({"at": at, "value": local_hours.cast(pl.Float64) + 1})
    hour = timedelta(hours=1)
    future = list_steps(at[-1], step=hour, end=until)
    train = build_train(known, step=hour, future=future, kind="demand")
    hours = train.future.astype("datetime64[h]").astype(int) % 24
    assert (repeat_lag(train, WEEK) == hours + 1).all()
    assert len(hours) == 72


def test_last_years_gap_is_filled_from_the_week_before_and_then_after():
    values = np.arange(400.0)
    values[36] = np.nan
    lag = Lag(364, retry_days=7, tries=9, both_ways=True)
    assert repeat_lag(give_train(values, future=1, step_hours=24), lag)[0] == 36 - 7
    values[36 - 7] = np.nan
    assert repeat_lag(give_train(values, future=1, step_hours=24), lag)[0] == 36 + 7


def test_the_mean_day_ignores_gaps():
    values = np.tile(np.arange(24.0), 4)
    values[:24] = values[30] = np.nan
    train = give_train(values, future=30)
    assert repeat_profile(train, Profile(1, 28)).tolist() == [*range(24), *range(6)]


def test_the_newest_week_counts_most_in_the_mean_week():
    weeks = np.repeat([0.0, 10.0, 20.0], 7)
    said = repeat_profile(give_train(weeks, future=7, step_hours=24), Profile(7, 21, keep=0.5))
    np.testing.assert_allclose(said, (20 + 10 / 2) / (1 + 1 / 2 + 1 / 4))


def test_the_mean_looks_no_further_back_than_it_is_told():
    values = np.concatenate([np.full(24 * 30, 99.0), np.tile(np.arange(24.0), 5)])
    said = repeat_profile(give_train(values, future=24), Profile(1, 5))
    assert said.tolist() == list(range(24))


def test_the_newest_deviation_from_the_mean_dies_away():
    values = np.zeros(24 * 20)
    values[-24:] = 10.0
    train = give_train(values, future=24 * 5)
    line = repeat_profile(train, Profile(1, 20))
    carried = repeat_profile(train, Profile(1, 20, persistence=0.5)) - line
    assert 4 < carried[0] < 10
    assert (np.diff(carried) < 0).all()
    np.testing.assert_allclose(carried[24:] / carried[:-24], 0.5)


def test_a_place_in_the_day_that_was_never_observed_is_interpolated():
    values = np.tile(np.arange(24.0), 5)
    values[np.arange(120) % 24 == 12] = np.nan
    assert repeat_profile(give_train(values, future=24), Profile(1, 5)).tolist() == [*range(24)]


@given(
    st.lists(st.floats(0, 1e6) | st.just(float("nan")), min_size=30, max_size=120),
    st.sampled_from([1, 7]),
    st.floats(0.1, 1.0),
)
def test_a_mean_of_the_past_stays_within_it(values: list[float], cycle: int, keep: float):
    past = np.array(values)
    train = give_train(past, future=40, step_hours=24)
    said = repeat_profile(train, Profile(cycle, 90, keep=keep))
    said, known = said[np.isfinite(said)], past[-90:][np.isfinite(past[-90:])]
    slack = 1e-9 * known.max(initial=0)
    assert not said.size or known.min() - slack <= said.min() <= said.max() <= known.max() + slack


def test_the_season_is_the_mean_of_earlier_years_around_the_day():
    values = np.zeros(365 * 3)
    ahead = len(values) + 4
    for days in (365, 365 - 10, 365 + 10, 730):
        values[ahead - days] = 21.0
    said = repeat_season(give_train(values, future=10, step_hours=24), Season(15))
    # Two whole years before, 31 days each; four of the 62 are not zero.
    np.testing.assert_allclose(said[4], 4 * 21 / 62)
    assert np.isfinite(said).all()


def test_the_season_of_a_year_of_gaps_is_not_known():
    values = np.full(400, np.nan)
    values[-20:] = 3.0
    said = repeat_season(give_train(values, future=5, step_hours=24), Season(5))
    assert np.isnan(said).all()


def test_a_station_that_reports_every_three_hours_has_all_hours_ahead():
    values = np.tile(np.arange(24.0), 3)
    values[np.arange(72) % 3 > 0] = np.nan
    said = repeat_lag(give_train(values, future=22), Lag(1, retry_days=1))
    assert said.tolist() == list(range(22))


def test_a_year_that_is_not_known_is_not_made_up():
    lag = Lag(364, retry_days=7, tries=1)
    said = repeat_lag(give_train(np.arange(24 * 370.0), future=24 * 11), lag)
    assert np.isfinite(said).all()
    assert np.isnan(repeat_lag(give_train(np.arange(24 * 300.0), future=24 * 11), lag)).all()


@given(st.lists(st.floats(0, 1e6) | st.just(float("nan")), min_size=72, max_size=200))
def test_a_naive_stays_within_what_was_once_true(values: list[float]):
    past = np.array(values)
    said = repeat_lag(give_train(past, future=48), Lag(1, retry_days=1))
    said, known = said[np.isfinite(said)], past[np.isfinite(past)]
    assert not said.size or (known.min() <= said.min() and said.max() <= known.max())
