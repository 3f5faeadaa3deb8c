"""Trees on calendar and temperature: what bends, and what the regression leaves."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from tasks.forecast.regression import Calendar, predict_calendar
from tasks.forecast.train import Train
from tasks.forecast.trees import Trees, describe_reasons, predict_trees
from tests.unit.forecast.series import give_train
from tests.unit.forecast.test_regression import give_year, tell_demand

BOTH = [pytest.param(Trees(75, Calendar()), id="added"), pytest.param(Trees(150), id="alone")]


def tell_cold_evenings(train: Train) -> np.ndarray:
    """Give a demand that jumps by a fifth in the evening of a day below 5 degC, and not before."""
    clock = np.concatenate([train.clock, train.future])
    assert train.weather is not None
    of_day = np.searchsorted(train.weather.days, clock.astype("datetime64[D]"))
    is_evening = (clock - clock.astype("datetime64[D]")) / np.timedelta64(1, "h") >= 18
    return tell_demand(train) * np.where(is_evening & (train.weather.values[of_day] < 5), 1.2, 1.0)


@pytest.fixture(scope="module")
def cold() -> Train:
    """Give 800 days of it, of which sixteen days of December are asked."""
    train = give_year(until=datetime(2024, 12, 4, 21, tzinfo=UTC), ahead_days=16)
    return replace(train, values=tell_cold_evenings(train)[: len(train.values)])


def measure_error(said: np.ndarray, train: Train) -> float:
    truth = tell_cold_evenings(train)[len(train.values) :]
    return float(np.abs(said / truth - 1).mean())


@pytest.mark.parametrize("trees", BOTH)
def test_trees_bend_where_a_straight_line_cannot(cold: Train, trees: Trees):
    straight = measure_error(predict_calendar(cold, Calendar()), cold)
    assert measure_error(predict_trees(cold, trees), cold) < 0.8 * straight


@pytest.mark.parametrize("trees", BOTH)
def test_the_same_past_gives_the_same_bits(cold: Train, trees: Trees):
    assert predict_trees(cold, trees).tobytes() == predict_trees(cold, trees).tobytes()


@pytest.mark.parametrize("trees", BOTH)
def test_gaps_are_no_demand(cold: Train, trees: Trees):
    values = cold.values.copy()
    values[np.random.default_rng(2).random(len(values)) < 0.4] = np.nan
    said = predict_trees(replace(cold, values=values), trees)
    np.testing.assert_allclose(said, predict_trees(cold, trees), rtol=0.2)


@pytest.mark.parametrize("trees", BOTH)
def test_what_is_not_positive_has_no_logarithm(trees: Trees):
    with pytest.raises(ValueError, match="a demand that is not positive has no logarithm"):
        predict_trees(give_train(np.zeros(24 * 60), future=24), trees)


def test_every_reason_is_told_for_past_and_future_alike(cold: Train):
    warmed, without = (describe_reasons(one) for one in (cold, replace(cold, weather=None)))
    assert len(warmed) == len(cold.values) + len(cold.future)
    assert np.isfinite(warmed).all()
    assert warmed.shape[1] == without.shape[1] + 4
