"""The floor is made of the very fits that are timed."""

from pathlib import Path

import numpy as np

from tests.bench.engine import predict_fast
from tests.bench.floor import record_stan, run_bare
from tests.bench.rivals import run_prophet
from tests.bench.speed import capture_fits, make_series, measure_speed


def test_the_bare_optimiser_finds_what_prophet_found(tmp_path: Path):
    (case,) = make_series(1)
    with record_stan(tmp_path) as runs:
        model, _ = run_prophet(case)
    run_bare(runs.commands)
    (written,) = tmp_path.glob("*.csv")
    rows = [line for line in written.read_text().splitlines() if not line.startswith("#")]
    found = dict(zip(rows[0].split(","), rows[-1].split(","), strict=True))
    assert float(found["k"]) == model.params["k"].item()
    assert float(found["sigma_obs"]) == model.params["sigma_obs"].item()


def test_every_fit_of_the_fast_mode_is_seen_once(tmp_path: Path):
    cases = make_series(2)
    commands = capture_fits(cases, predict_fast, tmp_path / "fits")
    predict_fast(cases[0])  # no longer heard
    assert len(commands) == len(cases)


def test_the_series_are_the_same_each_time():
    first, second = make_series(3)[2], make_series(3)[2]
    assert np.array_equal(first.values, second.values)
    assert (len(first.values), len(first.truth)) == (8 * 168, 168)


def test_the_speed_is_told_over_the_floor():
    told = measure_speed(2, rounds=1, workers=1)
    assert told["fits"] == told["series"] == 2
    assert told["cpu_over_bare"] > 1
    assert told["plain_cpu_over_bare"] > 1
    assert told["whole_wall_s"] > told["wall_s"] > 0
