import numpy as np
import pytest

from tasks.forecast.combine import combine, judge_backtest, weigh_members

NAIVES = frozenset({"naive_168h", "naive_364d"})
NAN = float("nan")


def give_errors(*sizes: float) -> np.ndarray:
    """One window per size, alternating errors of that size."""
    return np.array([[size, -size] * 10 for size in sizes])


def test_half_the_error_weighs_four_times():
    weights = weigh_members({"a": give_errors(1.0), "b": give_errors(2.0)})
    assert weights == pytest.approx({"a": 0.8, "b": 0.2})


def test_a_member_without_errors_known_weighs_nothing():
    weights = weigh_members({"a": give_errors(1.0), "b": np.full((1, 20), NAN)})
    assert weights == {"a": 1.0, "b": 0.0}


def test_a_member_that_never_erred_does_not_divide_by_zero():
    weights = weigh_members({"a": give_errors(0.0), "b": give_errors(2.0)})
    assert weights["a"] == pytest.approx(1.0)


def test_where_one_member_cannot_tell_the_others_do():
    mixed = combine({"a": np.array([1.0, NAN]), "b": np.array([3.0, 3.0])}, {"a": 0.5, "b": 0.5})
    assert mixed.tolist() == [2.0, 3.0]


def test_opposite_errors_make_a_combination_that_is_published():
    truth = np.zeros((3, 20))
    past = {"prophet": give_errors(1, 1, 1), "naive_168h": -give_errors(1, 1, 1)}
    judged = judge_backtest(past, truth, NAIVES)
    assert judged is not None
    assert judged.published == "combination"
    assert judged.mae == pytest.approx(0.0)


def test_a_combination_that_does_not_beat_the_better_naive_is_not_published():
    truth = np.zeros((3, 20))
    past = {
        "prophet": give_errors(9, 9, 9),
        "naive_168h": give_errors(2, 2, 2),
        "naive_364d": give_errors(1, 1, 1),
    }
    judged = judge_backtest(past, truth, NAIVES)
    assert judged is not None
    assert (judged.published, judged.naive, judged.mae) == ("naive_364d", "naive_364d", 1.0)
    assert judged.weights == {"naive_364d": 1.0}


def test_a_combination_that_loses_narrowly_leans_on_the_naive():
    truth = np.zeros((3, 20))
    past = {"prophet": -give_errors(6, 6, 6), "naive_168h": give_errors(1, 1, 1)}
    past["climate"] = -give_errors(2, 2, 2)
    judged = judge_backtest(past, truth, NAIVES)
    assert judged is not None
    assert judged.published == "combination"
    assert judged.mae < judged.naive_mae


def test_a_window_is_judged_by_weights_of_the_others():
    truth = np.zeros((2, 20))
    past = {"prophet": give_errors(0, 10), "naive_168h": give_errors(10, 10)}
    judged = judge_backtest(past, truth, NAIVES)
    assert judged is not None
    # Window 0 was perfect, but window 1 weighs both alike: half of the naive's 10 remains.
    np.testing.assert_allclose(np.abs(judged.errors[0]), 5)
    np.testing.assert_allclose(np.abs(judged.errors[1]), 10)


def test_one_window_cannot_judge_a_combination():
    judged = judge_backtest(
        {"prophet": give_errors(0), "naive_168h": give_errors(1)}, np.zeros((1, 20)), NAIVES
    )
    assert judged is not None
    assert judged.published == "naive_168h"


def test_without_a_naive_nothing_is_judged():
    assert judge_backtest({"prophet": give_errors(1, 1)}, np.zeros((2, 20)), NAIVES) is None
