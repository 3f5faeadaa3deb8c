import itertools
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.forecast.backtest import (
    Job,
    cut_truth,
    cut_window,
    find_windows,
    run_job,
)
from tasks.forecast.members import MEMBERS, choose_members
from tasks.forecast.train import Method, Train, Values
from tests.unit.forecast.series import give_train


@given(st.integers(1, 60), st.integers(0, 30), st.integers(1, 50), st.integers(1, 400))
def test_windows_never_overlap_and_never_see_their_truth(
    targets: int, lead: int, least: int, rows: int
):
    train = give_train(np.arange(float(rows)), future=targets + lead)
    windows = find_windows(train.values, targets=targets, lead=lead, least=least)
    assert len(windows) <= 3
    assert all(later < earlier for later, earlier in itertools.pairwise(windows))
    for number in windows:
        cut = cut_window(train, number=number, targets=targets, lead=lead)
        assert len(cut.values) >= least
        assert len(cut.future) == targets + lead
        assert cut.clock[-1] < cut.future[0]
        assert cut.future[-1] <= train.clock[-1]


def test_a_window_whose_truth_is_a_gap_is_skipped_for_an_older_one():
    values = np.ones(1000)
    values[-200:-100] = np.nan
    assert find_windows(values, targets=100, lead=0, least=100) == (1, 3, 4)


def give_constant_job() -> Job:
    train = give_train(np.full(24 * 40, 5.0), future=24)
    return Job("rte:32:electricity_demand", 0, "demand", train, 0)


def test_a_member_that_cannot_be_fitted_costs_only_itself():
    fits = run_job(give_constant_job()).fits
    assert fits["prophet_recent"].failure == (
        "ValueError: all 960 values of the training window are 5"
    )
    assert fits["naive_168h"].values is not None
    assert fits["naive_168h"].values.tolist() == [5.0] * 24


@pytest.mark.parametrize("kind", [AssertionError, AttributeError, TypeError, ValueError])
def test_what_libraries_raise_for_odd_data_costs_only_the_member(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
):
    def refuse(_train: Train, _options: object) -> Values:
        msg = "odd data"
        raise kind(msg)

    members = choose_members("demand", timedelta(hours=1))
    rows = {**members, "prophet_recent": Method(refuse, None, needs_days=1)}
    monkeypatch.setitem(MEMBERS, ("demand", "hourly"), rows)
    fits = run_job(give_constant_job()).fits
    assert fits["prophet_recent"].failure == f"{kind.__name__}: odd data"
    assert fits["naive_168h"].values is not None


def test_the_truth_of_a_window_does_not_tell_its_training_what_an_outlier_is():
    values = np.tile(np.arange(24.0), 40)
    values[300] = 1000  # out of what came before, yet in place once the level has risen
    calm = cut_window(give_train(values, future=24), number=1, targets=480, lead=0)
    values[480:] *= 100
    risen = cut_window(give_train(values, future=24), number=1, targets=480, lead=0)
    assert np.isnan(calm.values[300])
    np.testing.assert_array_equal(calm.values, risen.values)


def test_an_outlier_is_no_truth():
    values = np.tile(np.arange(24.0), 4)
    values[-3] = 1e12
    (truth,) = cut_truth(give_train(values, future=24), numbers=[1], targets=24)
    assert np.flatnonzero(np.isnan(truth)).tolist() == [21]


def test_a_member_that_needs_more_history_is_no_failure():
    assert "naive_364d" not in run_job(give_constant_job()).fits


def test_the_rescue_runs_the_naives_and_names_the_reason_for_the_rest():
    fits = run_job(give_constant_job(), "the worker process died").fits
    assert fits["prophet_recent"].failure == "the worker process died"
    assert fits["naive_168h"].failure is None


@pytest.mark.parametrize("lead", [0, 5])
def test_members_answer_for_the_targets_only(lead: int):
    train = give_train(np.arange(24 * 40.0) % 24, future=24)
    fits = run_job(Job("a:b:air_temperature", 0, "weather", train, lead)).fits
    assert {len(fit.values) for fit in fits.values() if fit.values is not None} == {24 - lead}
