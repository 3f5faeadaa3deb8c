from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from tasks.forecast.history import build_train, list_steps
from tasks.forecast.members import choose_members
from tasks.forecast.models import Recipe, predict_prophet
from tests.unit.forecast.series import AS_OF, give_demand, give_train

HOUR = timedelta(hours=1)


def test_prophet_repeats_itself_to_the_last_bit():
    train = give_train(np.sin(np.arange(24 * 30) / 24 * 2 * np.pi) + 5, future=48)
    first, second = (predict_prophet(train, Recipe(56)) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert np.isfinite(first).all()


def test_demand_is_forecast_by_the_local_clock_across_its_change():
    until = AS_OF.replace(month=3, day=27)  # four days before the clocks go forward
    known = give_demand(60, until=until)
    future = list_steps(until - HOUR, step=HOUR, end=until + timedelta(days=8))
    train = build_train(known, step=HOUR, future=future, kind="demand")
    method = choose_members("demand", HOUR)["prophet_recent"]
    said = method.predict(train, method.options)
    hours = train.future.astype("datetime64[h]").astype(int) % 24
    peak = [
        hours[day * 24 : day * 24 + 24][np.argmax(said[day * 24 : day * 24 + 24])] for day in (1, 6)
    ]
    assert abs(int(peak[0]) - int(peak[1])) <= 1
    assert 4000 < said.min() < said.max() < 8000


def test_the_repeated_hour_of_autumn_can_be_trained_on():
    until = AS_OF.replace(month=11, day=6)  # clocks went back on 27 October 2024
    future = list_steps(until - HOUR, step=HOUR, end=until + HOUR)
    train = build_train(give_demand(40, until=until), step=HOUR, future=future, kind="demand")
    assert len(np.unique(train.clock)) == len(train.clock) - 1
    method = choose_members("demand", HOUR)["prophet_recent"]
    assert np.isfinite(method.predict(train, method.options)).all()


def test_wind_is_never_forecast_below_calm():
    gusts = np.random.default_rng(5).gamma(0.6, 3.0, 24 * 40)
    method = choose_members("wind", HOUR)["prophet"]
    assert method.predict(give_train(gusts, future=266), method.options).min() > -1.0


def test_a_fit_leaves_no_file_behind():
    import cmdstanpy  # noqa: PLC0415 (its import makes a folder: only this test needs it)

    def list_files() -> set[Path]:
        return {path for path in Path(cmdstanpy._TMPDIR).rglob("*") if path.is_file()}

    before = list_files()
    predict_prophet(give_train(np.arange(24 * 30.0) % 24, future=2), Recipe(56))
    assert list_files() <= before


def test_too_few_values_are_told_in_a_sentence():
    with pytest.raises(ValueError, match="20 values in the training window, at least 21"):
        predict_prophet(give_train(np.arange(20.0), future=2), Recipe(56))
