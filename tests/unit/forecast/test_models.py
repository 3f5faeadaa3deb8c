from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from tasks.forecast.history import build_train, list_steps
from tasks.forecast.members import choose_members
from tasks.forecast.models import Recipe, predict_prophet
from tasks.forecast.train import Temperature, Train
from tests.bench.floor import record_stan
from tests.unit.forecast.plain import predict_plainly
from tests.unit.forecast.series import AS_OF, give_demand, give_train

HOUR = timedelta(hours=1)
RECENT = choose_members("demand", HOUR)["prophet"]
DEMAND = Recipe(
    growth="linear",
    mode="multiplicative",
    weekly=True,
    kinds_of_day=True,
    holidays=True,
    degrees=True,
    order=8,
)
SHAPES = {
    "level": (Recipe(), 24 * 30, 1),
    "logarithm": (Recipe(log=True), 24 * 30, 1),
    "additive": (Recipe(growth="linear", weekly=True), 24 * 30, 1),
    "demand": (DEMAND, 24 * 42, 1),
    "demand by days": (replace(DEMAND, mode="additive", yearly=6), 900, 24),
    "scaled by days": (replace(DEMAND, yearly=3), 900, 24),
    "weeks, few rows, no term": (Recipe(growth="linear", yearly=10), 80, 168),
}


def give_shape(rows: int, step_hours: int) -> Train:
    """Simulate a year, a week and a day with gaps, and a random temperature."""
    chance = np.random.default_rng(11)
    day = np.arange(rows) * step_hours / 24
    shape = 90 * np.sin(2 * np.pi * day) - 80 * (day % 7 > 5) + 70 * np.cos(day / 58)
    values = 600 + shape + np.cumsum(chance.normal(0, 2, rows)) + chance.normal(0, 9, rows)
    values[chance.random(rows) < 0.05] = np.nan
    train = give_train(values, future=100, step_hours=step_hours)
    days = np.unique(train.clock.astype("datetime64[D]"))
    return replace(train, weather=Temperature(days, chance.normal(12, 6, len(days))))


def leave_out_residuals(train: Train, recipe: Recipe) -> dict[str, np.ndarray]:
    terms = dict(predict_prophet(train, recipe).components)
    del terms["residuals"]
    return terms


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_fitted_is_what_prophet_itself_fits(shape: str):
    recipe, rows, step_hours = SHAPES[shape]
    train = give_shape(rows, step_hours)
    ours, theirs = leave_out_residuals(train, recipe), predict_plainly(train, recipe)
    np.testing.assert_allclose(np.sum([*ours.values()], axis=0), theirs.pop("yhat"), rtol=1e-9)
    assert list(ours) == list(theirs)
    for name, term in theirs.items():
        np.testing.assert_allclose(ours[name], term, rtol=1e-9, atol=1e-9, err_msg=name)


def test_half_hours_that_come_twice_in_autumn_are_fitted_by_the_clock():
    train = give_shape(48 * 30, 1)
    clock = np.concatenate([train.clock, train.future])
    halves = clock[0] + (clock - clock[0]) / 2
    halves[700:] -= np.timedelta64(1, "h")  # 2:00 2:30 2:00 2:30
    cut = len(train.values)
    train = replace(
        train, clock=halves[:cut], future=halves[cut:], step=timedelta(minutes=30), weather=None
    )
    recipe = Recipe(growth="linear", weekly=True)
    ours, theirs = leave_out_residuals(train, recipe), predict_plainly(train, recipe)
    assert len(np.unique(train.clock)) == cut - 2
    np.testing.assert_allclose(np.sum([*ours.values()], axis=0), theirs["yhat"], rtol=1e-9)


def test_newton_finds_what_the_faster_algorithm_cannot(tmp_path: Path):
    values = 1 + 1e-12 * np.random.default_rng(0).normal(0, 1, 24 * 21)
    with record_stan(tmp_path) as runs:
        said = predict_prophet(give_train(values, future=24), Recipe())
    assert [word for run in runs.commands for word in run if "algorithm" in word] == [
        "algorithm=lbfgs",
        "algorithm=newton",
    ]
    np.testing.assert_allclose(said.values, 1, rtol=1e-9)


def test_the_terms_sum_to_the_forecast_and_a_held_trend_stays():
    train = give_shape(24 * 42, 1)
    said = predict_prophet(train, replace(DEMAND, hold_trend=True))
    free = predict_prophet(train, DEMAND)
    np.testing.assert_allclose(np.sum([*said.components.values()], axis=0), said.values)
    assert set(said.components["trend"]) == {free.components["trend"][0]}
    assert np.ptp(free.components["trend"]) > 0


def test_the_terms_of_a_logarithm_sum_in_its_own_scale():
    said = predict_prophet(give_shape(24 * 30, 1), Recipe(log=True))
    summed = np.sum([*said.components.values()], axis=0)
    np.testing.assert_allclose(np.expm1(summed), said.values)


def test_the_same_input_gives_the_same_bits():
    train = give_shape(24 * 30, 1)
    first, second = (predict_prophet(train, DEMAND).values for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert np.isfinite(first).all()


def test_demand_is_forecast_by_the_local_clock_across_its_change():
    until = AS_OF.replace(month=3, day=27)  # four days before the clocks go forward
    future = list_steps(until - HOUR, step=HOUR, end=until + timedelta(days=8))
    train = build_train(give_demand(60, until=until), step=HOUR, future=future, kind="demand")
    said = RECENT.tell(train)
    hours = train.future.astype("datetime64[h]").astype(int) % 24
    days = [slice(day * 24, day * 24 + 24) for day in (1, 6)]
    before, after = (hours[day][np.argmax(said[day])] for day in days)
    assert abs(int(before) - int(after)) <= 1
    assert 4000 < said.min() < said.max() < 8000


def test_the_repeated_hour_of_autumn_can_be_trained_on():
    until = AS_OF.replace(month=11, day=6)  # clocks went back on 27 October 2024
    future = list_steps(until - HOUR, step=HOUR, end=until + HOUR)
    train = build_train(give_demand(40, until=until), step=HOUR, future=future, kind="demand")
    assert len(np.unique(train.clock)) == len(train.clock) - 1
    assert np.isfinite(RECENT.tell(train)).all()


def test_wind_is_never_forecast_below_calm():
    gusts = np.random.default_rng(5).gamma(0.6, 3.0, 24 * 40)
    method = choose_members("wind", HOUR)["prophet"]
    assert method.tell(give_train(gusts, future=266)).min() > -1.0


def test_too_few_values_are_told_in_a_sentence():
    with pytest.raises(ValueError, match="20 values in the training window, at least 21"):
        predict_prophet(give_train(np.arange(20.0), future=2), Recipe())


def test_a_constant_is_told_in_a_sentence():
    with pytest.raises(ValueError, match="all 48 values of the training window are 7"):
        predict_prophet(give_train(np.full(48, 7.0), future=2), Recipe())
