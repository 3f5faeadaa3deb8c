import numpy as np
import pytest

from tasks.forecast.combine import judge_backtest, weigh_members

NAIVES = frozenset({"naive_168h", "naive_364d"})
NAN = float("nan")


def give_errors(*sizes: float) -> np.ndarray:
    """One window per size, alternating errors of that size."""
    return np.array([[size, -size] * 10 for size in sizes], dtype=float)


def test_half_the_error_weighs_four_times():
    weights = weigh_members({"a": give_errors(1.0), "b": give_errors(2.0)})
    assert weights == pytest.approx({"a": 0.8, "b": 0.2})


def test_a_member_that_never_erred_does_not_divide_by_zero():
    weights = weigh_members({"a": give_errors(0.0), "b": give_errors(2.0)})
    assert weights["a"] == pytest.approx(1.0)


def test_members_are_compared_where_all_of_them_are_known():
    past = {"prophet": give_errors(1, 1, 9), "naive_168h": give_errors(2, 2, 10)}
    past["naive_364d"] = give_errors(1.5, 1.5, NAN)  # the stormy window is before its reach
    judged = judge_backtest(past, np.zeros((3, 20)), NAIVES)
    assert judged is not None
    assert (judged.published, judged.naive) == ("combination", "naive_168h")
    assert set(judged.weights) == set(judged.maes) == {"prophet", "naive_168h"}


def test_a_model_that_missed_a_stormy_window_is_not_weighed_by_calm_ones():
    past = {"prophet": give_errors(5, 5, 5), "climate": give_errors(1, 1, NAN)}
    past["naive_168h"] = give_errors(6, 6, 6)
    judged = judge_backtest(past, np.zeros((3, 20)), NAIVES)
    assert judged is not None
    assert set(judged.weights) == {"prophet", "naive_168h"}
    assert judged.naive_mae == 6


def test_where_every_naive_has_gaps_all_are_compared_outside_of_them():
    naive, model = give_errors(2, 2, 2), give_errors(3, 3, 3)
    naive[0, :5], model[0, :5] = NAN, 1000
    judged = judge_backtest({"prophet": model, "naive_168h": naive}, np.zeros((3, 20)), NAIVES)
    assert judged is not None
    assert judged.maes == {"prophet": 3, "naive_168h": 2}
    assert np.isfinite(judged.errors).sum() == 55


def test_unknown_truth_asks_nothing_of_a_member():
    truth, naive = np.zeros((2, 20)), give_errors(2, 2)
    truth[1, 10:] = naive[1, 10:] = NAN
    judged = judge_backtest({"prophet": give_errors(1, 1), "naive_168h": naive}, truth, NAIVES)
    assert judged is not None
    assert judged.published == "combination"
    assert judged.mae == pytest.approx(1.0, rel=0.3)


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
