"""Directions: north is no border."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.forecast.circle import (
    average_directions,
    predict_circle,
    turn_towards,
    wrap_turn,
)
from tasks.forecast.combine import judge_backtest
from tasks.forecast.naives import Profile, repeat_profile
from tasks.forecast.regression import Lags, predict_lags
from tasks.forecast.train import Method
from tests.unit.forecast.series import give_train

MEAN_DAY = Method(repeat_profile, Profile(1, 28), needs_days=1)
LAGS = Method(predict_lags, Lags((1,)), needs_days=3)


def tell_distance(one: np.ndarray, other: np.ndarray | float) -> np.ndarray:
    """Measure the shorter way around, in degrees."""
    return np.abs((one - other + 180) % 360 - 180)


def test_the_mean_of_350_and_10_is_north():
    said = predict_circle(give_train(np.array([350.0, 10.0]), future=1, step_hours=24), MEAN_DAY)
    np.testing.assert_allclose(tell_distance(said, 0), 0, atol=1e-9)


def test_a_gap_stays_a_gap_for_the_member_inside():
    values = np.array([350.0, np.nan, 10.0, np.nan])
    said = predict_circle(give_train(values, future=1, step_hours=24), MEAN_DAY)
    np.testing.assert_allclose(tell_distance(said, 0), 0, atol=1e-9)


def test_a_wind_that_swings_through_north_goes_on_swinging():
    hours = np.arange(24 * 32)
    swing = (30 * np.sin(hours / 24 * 2 * np.pi)) % 360
    said = predict_circle(give_train(swing[: 24 * 30], future=48), LAGS)
    assert tell_distance(said, swing[24 * 30 :]).max() < 2
    assert (said.min() < 20, said.max() > 340) == (True, True)


@given(st.floats(0, 360), st.integers(0, 2**32))
def test_turning_the_compass_turns_the_forecast(turn: float, seed: int):
    drawn = 40 * np.random.default_rng(seed).normal(0, 1, 60) % 360
    said, turned = (
        predict_circle(give_train(values, future=3, step_hours=24), MEAN_DAY)
        for values in (drawn, (drawn + turn) % 360)
    )
    np.testing.assert_allclose(tell_distance(turned, said + turn), 0, atol=1e-6)


@given(
    st.lists(st.tuples(st.floats(0, 360), st.floats(-1000, 1000)), min_size=1, max_size=20),
)
def test_whole_turns_bring_it_within_half_a_turn(pairs: list[tuple[float, float]]):
    directions, reference = map(np.array, zip(*pairs, strict=True))
    turned = turn_towards(directions, reference)
    assert (np.abs(turned - reference) <= 180 + 1e-9).all()
    np.testing.assert_allclose(tell_distance(turned, directions), 0, atol=1e-9)


def test_what_is_not_known_stays_so():
    assert np.isnan(turn_towards(np.array([np.nan, 5.0]), np.array([5.0, np.nan]))).all()


def test_a_hair_below_north_is_north():
    assert wrap_turn(np.array([-1e-15, 360.0, -90.0, 725.0])).tolist() == [0, 0, 270, 5]


def test_directions_are_averaged_as_arrows():
    said = {"a": np.array([350.0, 90.0]), "b": np.array([10.0, np.nan])}
    np.testing.assert_allclose(
        average_directions(said, {"a": 0.5, "b": 0.5}), [0, np.nan], atol=1e-9
    )
    np.testing.assert_allclose(average_directions(said, {"a": 1.0}), [-10, 90])


def test_members_that_know_nothing_of_the_wind_are_not_judged_as_if_their_mean_did():
    """Turned towards the truth one by one, they would meet there: at 60 degrees instead of 90."""
    drawn = np.random.default_rng(5).uniform(-180, 180, (4, 4, 500))
    errors = dict(zip(("naive_24h", "a", "b", "c"), drawn, strict=True))
    told = judge_backtest(
        errors,
        np.zeros((4, 500)),
        frozenset({"naive_24h"}),
        average=average_directions,
    )
    assert told is not None
    assert told.mae > 85
