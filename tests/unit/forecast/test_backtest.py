from datetime import timedelta
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.forecast.backtest import (
    Frame,
    Job,
    cut_truth,
    cut_window,
    fail_job,
    find_windows,
    measure_naive_errors,
    run_job,
)
from tasks.forecast.members import MEMBERS, choose_members
from tasks.forecast.train import Method, Train, Values
from tests.unit.forecast.series import DEMAND, give_train

HOUR = timedelta(hours=1)


@given(st.integers(1, 60), st.integers(0, 30), st.integers(1, 90), st.integers(1, 400))
def test_a_window_is_an_issue_time_of_the_past_that_never_sees_its_truth(
    targets: int, lead: int, spacing: int, rows: int
):
    train, frame = give_train(np.arange(rows), future=targets + lead), Frame(targets, lead, spacing)
    present = cut_window(train, frame, 0)
    assert (len(present.values), len(present.future)) == (rows, targets + lead)
    for number in find_windows(train.values, frame, least=5):
        cut = cut_window(train, frame, number)
        assert present.clock[-1] - cut.clock[-1] == number * spacing * np.timedelta64(1, "h")
        assert cut.clock[-1] + np.timedelta64(1, "h") == cut.future[0]
        assert len(cut.values) == rows - number * spacing >= 5
        assert len(cut.future) == targets + lead


@given(st.integers(1, 2000), st.integers(0, 100), st.sampled_from([1, 24, 48]))
def test_windows_are_weeks_apart_and_overlap_by_half_at_most(targets: int, lead: int, day: int):
    frame = Frame.weekly(targets, lead, day)
    assert frame.spacing % (7 * day) == 0
    assert targets <= 2 * frame.spacing
    assert 3 * targets <= frame.windows * frame.spacing < 3 * targets + frame.spacing


def test_the_newest_window_may_not_be_over():
    train, frame = give_train(np.arange(1000), future=266), Frame.weekly(266, 0, 24)
    assert find_windows(train.values, frame, least=24) == (1, 2, 3, 4, 5)
    newest, older = cut_truth(train, frame, (1, 2))
    assert newest[:168].tolist() == list(range(832, 1000))
    assert np.isnan(newest[168:]).all()
    assert np.isfinite(older).all()


@pytest.mark.parametrize(("known", "windows"), [(24, ()), (25, (1,))])
def test_a_quarter_of_a_windows_truth_is_known(known: int, windows: tuple[int, ...]):
    values = np.arange(200.0)
    values[100 + known :] = np.nan
    assert find_windows(values, Frame(100, 0, 100), least=90) == windows


def test_a_window_whose_truth_is_a_gap_is_skipped_for_an_older_one():
    values = np.ones(1000)
    values[-200:-100] = np.nan
    assert find_windows(values, Frame(100, 0, 100), least=100) == (1, 3, 4)


def test_the_truth_of_a_window_does_not_tell_its_training_what_an_outlier_is():
    values = np.tile(np.arange(24.0), 40)
    values[300] = 1000  # out of what came before, yet in place once the level has risen
    frame = Frame(480, 0, 480)
    calm = cut_window(give_train(values, future=480), frame, 1)
    values[480:] *= 100
    risen = cut_window(give_train(values, future=480), frame, 1)
    assert np.isnan(calm.values[300])
    np.testing.assert_array_equal(calm.values, risen.values)


def test_an_outlier_is_no_truth():
    values = np.tile(np.arange(24.0), 4)
    values[-3] = 1e12
    (truth,) = cut_truth(give_train(values, future=24), Frame(24, 0, 24), [1])
    assert np.flatnonzero(np.isnan(truth)).tolist() == [21]


@pytest.mark.parametrize(("lead", "differences"), [(0, {-24.0}), (5, {-24.0, -48.0})])
def test_the_shortest_naive_is_measured_after_the_lead(lead: int, differences: set[float]):
    train, frame = give_train(np.arange(24 * 6), future=24 + lead), Frame(24, lead, 24)
    errors = measure_naive_errors(train, "weather", frame, windows=range(1, 9))
    # Values rise by one an hour: a copy of a day or two ago is as many hours too low.
    assert set(errors[np.isfinite(errors)].tolist()) == differences
    assert errors.shape == (4, 24)
    assert np.isnan(errors).sum() == lead  # the newest window is not over


def test_a_naive_that_says_350_where_it_was_10_erred_by_twenty():
    values = np.tile([350.0, 10.0], 100)
    train, frame = give_train(values, future=11, step_hours=24), Frame(11, 0, 7)
    errors = measure_naive_errors(train, "direction", frame, windows=range(1, 5))
    assert set(np.abs(errors[np.isfinite(errors)]).tolist()) == {0.0, 20.0}


def give_constant_job(member: str = "prophet") -> Job:
    train = give_train(np.full(24 * 40, 5.0), future=24)
    return Job(DEMAND, 0, member, "demand", train, 0)


def test_a_member_that_cannot_be_fitted_says_why():
    fit = run_job(give_constant_job())
    assert fit.failure == "ValueError: all 960 values of the training window are 5"
    assert fit.values is None


@pytest.mark.parametrize("kind", [AssertionError, AttributeError, TypeError, ValueError])
def test_what_libraries_raise_for_odd_data_costs_only_the_member(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
):
    def refuse(_train: Train, _options: object) -> Values:
        msg = "odd data"
        raise kind(msg)

    rows = {**choose_members("demand", HOUR), "prophet": Method(refuse, None, needs_days=1)}
    monkeypatch.setitem(cast("dict", MEMBERS), ("demand", "hourly"), rows)
    assert run_job(give_constant_job()).failure == f"{kind.__name__}: odd data"
    said = run_job(give_constant_job("naive_168h"))
    assert said.values is not None
    assert said.values.tolist() == [5.0] * 24


def test_a_job_that_could_not_be_run_is_a_fit_without_values():
    fit = fail_job(give_constant_job(), "the worker process died")
    assert (fit.values, fit.failure) == (None, "the worker process died")


@pytest.mark.parametrize("lead", [0, 5])
def test_a_member_answers_for_the_targets_only_and_so_do_its_components(lead: int):
    train = give_train(np.sin(np.arange(24 * 30.0)), future=24)
    fit = run_job(Job("a:b:air_temperature", 0, "prophet", "weather", train, lead))
    assert fit.values is not None
    assert {len(fit.values), *map(len, fit.components.values())} == {24 - lead}
    np.testing.assert_allclose(np.sum([*fit.components.values()], axis=0), fit.values)


def test_naives_and_nobody_else_say_so_by_their_names():
    """The budget of lost models counts all but them, by name."""
    told = {name: method.naive for members in MEMBERS.values() for name, method in members.items()}
    assert all(name.startswith("naive") == is_naive for name, is_naive in told.items())
    assert len(told) > 15
