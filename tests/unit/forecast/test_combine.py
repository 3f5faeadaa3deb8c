import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.forecast.combine import Judgement, judge_backtest, weigh_members

NAIVES = frozenset({"naive_168h", "naive_364d"})
NAN = float("nan")


def give_errors(*sizes: float) -> np.ndarray:
    """One window per size, alternating errors of that size."""
    return np.array([[size, -size] * 10 for size in sizes], dtype=float)


def judge(past: dict[str, np.ndarray]) -> Judgement:
    """Judge by errors: the truth is zero."""
    judged = judge_backtest(past, np.zeros_like(past["naive_168h"]), NAIVES)
    assert judged is not None
    return judged


def test_windows_that_agree_give_nearly_all_to_the_better():
    weights = weigh_members({"a": give_errors(1, 2, 3), "b": give_errors(3, 6, 9)})
    assert weights["a"] > 0.99
    assert sum(weights.values()) == pytest.approx(1)


def test_windows_that_contradict_each_other_weigh_alike():
    weights = weigh_members({"a": give_errors(1, 2, 1, 2), "b": give_errors(2, 1, 2, 1)})
    assert weights == pytest.approx({"a": 0.5, "b": 0.5})


def test_the_more_windows_disagree_the_nearer_are_the_weights():
    steady, wavering = (
        weigh_members({"a": give_errors(*sizes), "b": give_errors(2, 2, 2)})["a"]
        for sizes in ((1.4, 1.4, 1.4), (0.7, 1.4, 2.8))
    )
    assert 0.5 < wavering < steady - 0.1


def test_a_member_that_never_erred_does_not_divide_by_zero():
    weights = weigh_members({"a": give_errors(0, 0), "b": give_errors(2, 2)})
    assert weights["a"] == pytest.approx(1.0)


SIZES = st.lists(st.floats(0, 1e9), min_size=3, max_size=3)


@given(st.lists(SIZES, min_size=1, max_size=6), st.floats(1e-3, 1e3))
def test_weights_are_shares_and_care_for_no_unit(sizes: list[list[float]], unit: float):
    errors = {str(place): give_errors(*row) for place, row in enumerate(sizes)}
    weights = weigh_members(errors)
    assert all(weight >= 0 for weight in weights.values())
    assert sum(weights.values()) == pytest.approx(1)
    if max(map(max, sizes)) > 1e-3:
        scaled = weigh_members({name: unit * row for name, row in errors.items()})
        assert scaled == pytest.approx(weights, abs=1e-3)


@given(SIZES, SIZES)
def test_who_was_better_in_every_window_weighs_no_less(one: list[float], more: list[float]):
    worse = [a + b for a, b in zip(one, more, strict=True)]
    weights = weigh_members({"a": give_errors(*one), "b": give_errors(*worse)})
    assert weights["a"] >= weights["b"] - 1e-9


def test_members_are_compared_where_all_of_them_are_known():
    past = {"prophet": give_errors(1, 1, 9), "naive_168h": give_errors(2, 2, 10)}
    past["naive_364d"] = give_errors(1.5, 1.5, NAN)  # the stormy window is before its reach
    judged = judge(past)
    assert (judged.published, judged.naive) == ("combination", "naive_168h")
    assert set(judged.maes) == {"prophet", "naive_168h"}
    assert judged.weights == {"prophet": 1.0}


def test_a_model_that_missed_a_stormy_window_is_not_weighed_by_calm_ones():
    past = {"prophet": give_errors(5, 5, 5), "climate": give_errors(1, 1, NAN)}
    judged = judge(past | {"naive_168h": give_errors(6, 6, 6)})
    assert judged.weights == {"prophet": 1.0}
    assert judged.naive_mae == 6


def test_where_every_naive_has_gaps_all_are_compared_outside_of_them():
    naive, model = give_errors(2, 2, 2), give_errors(3, 3, 3)
    naive[0, :5], model[0, :5] = NAN, 1000
    judged = judge({"prophet": model, "naive_168h": naive})
    assert judged.maes == {"prophet": 3, "naive_168h": 2}
    assert np.isfinite(judged.errors).sum() == 55


def test_a_copy_weighs_nothing_beside_what_beats_it_and_is_judged():
    past = {"prophet": give_errors(2, 3, 2), "naive_168h": give_errors(2.9, 3.9, 2.9)}
    judged = judge(past | {"naive_364d": give_errors(3, 2, 3)})
    assert judged.published == "combination"
    assert judged.weights == {"prophet": 1}
    assert set(judged.maes) == {"prophet", "naive_168h", "naive_364d"}


def test_a_window_that_is_not_over_asks_nothing_of_a_member():
    model, naive = give_errors(1, 1), give_errors(2, 2)
    model[1, 10:] = naive[1, 10:] = NAN  # as the truth is
    judged = judge({"prophet": model, "naive_168h": naive})
    assert judged.published == "combination"
    assert judged.mae == pytest.approx(1.0, rel=0.3)


def test_opposite_errors_make_a_combination_that_is_published():
    past = {"prophet": give_errors(1, 1, 1), "mstl": -give_errors(1, 1, 1)}
    judged = judge(past | {"naive_168h": give_errors(1, 1, 1)})
    assert judged.published == "combination"
    assert judged.mae == pytest.approx(0.0)


def test_a_combination_that_does_not_beat_the_better_naive_is_not_published():
    past = {"prophet": give_errors(9, 9, 9), "naive_168h": give_errors(2, 2, 2)}
    judged = judge(past | {"naive_364d": give_errors(1, 1, 1)})
    assert (judged.published, judged.naive, judged.mae) == ("naive_364d", "naive_364d", 1.0)
    assert judged.weights == {"naive_364d": 1.0}
    assert judged.combined_mae is not None
    assert judged.combined_mae > 1


def test_a_combination_that_loses_gives_way_to_the_naive_by_eighths_until_it_wins():
    judged = judge({"prophet": give_errors(2, -8.5), "naive_168h": give_errors(6, 4)})
    # Alone it errs by 5.25; an eighth nearer to the naive by (2.5 + 6.9375) / 2.
    assert (judged.published, judged.naive_mae) == ("combination", 5)
    assert judged.mae == pytest.approx(4.71875)
    assert judged.weights == {"prophet": 7 / 8, "naive_168h": 1 / 8}


def test_a_window_is_judged_by_weights_of_the_others():
    past = {"prophet": give_errors(0, 10), "mstl": give_errors(10, 10)}
    judged = judge(past | {"naive_168h": give_errors(20, 20)})
    # Window 0 was perfect, but window 1 weighs both alike: half of the other's 10 remains.
    np.testing.assert_allclose(np.abs(judged.errors[0]), 5)
    np.testing.assert_allclose(np.abs(judged.errors[1]), 10)


@given(st.lists(SIZES, min_size=2, max_size=4))
def test_what_is_published_was_never_worse_than_the_better_naive(sizes: list[list[float]]):
    names = ("naive_168h", "naive_364d", "prophet", "mstl")
    past = {name: give_errors(*row) for name, row in zip(names, sizes, strict=False)}
    judged = judge(past)
    assert judged.mae <= judged.naive_mae
    assert judged.naive_mae == min(judged.maes[name] for name in names[:2])


def test_one_window_cannot_judge_a_combination():
    judged = judge({"prophet": give_errors(0), "naive_168h": give_errors(1)})
    assert judged.published == "naive_168h"
    assert judged.combined_mae is None


def test_without_a_naive_nothing_is_judged():
    past = {"prophet": give_errors(1, 1)}
    assert judge_backtest(past, np.zeros((2, 20)), NAIVES) is None
