"""M4's scores, against cases worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.scores import (
    Answer,
    Score,
    find_figure,
    is_seasonal,
    measure_owa,
    measure_scale,
    measure_smape,
    predict_naive2,
    score_answer,
)

PATTERN = np.array([5.0, 10.0, 15.0, 10.0])
UNKNOWN = math.nan


def give_score(smape: float, mase: float) -> Score:
    return Score(smape, 0, mase, 0.8, 0.95, 1, 2, 0.1)


def test_smape_is_two_hundred_times_the_error_over_both_sizes():
    told = measure_smape(np.array([110.0, 90.0]), np.array([100.0, 100.0]))
    assert told == pytest.approx((2000 / 210 + 2000 / 190) / 2)
    assert measure_smape(np.array([-3.0]), np.array([3.0])) == 200


def test_smape_of_nothing_told_of_nothing_is_no_error():
    assert measure_smape(np.array([0.0, 1.0]), np.array([0.0, 1.0])) == 0


def test_the_scale_is_the_mean_change_over_one_season():
    values = np.array([1.0, 2.0, 4.0, 7.0, 11.0])
    assert measure_scale(values, 1) == 2.5
    assert measure_scale(values, 2) == 5


def test_a_gap_costs_the_scale_only_the_changes_that_it_hides():
    assert measure_scale(np.array([1.0, UNKNOWN, 4.0, 7.0, 11.0]), 1) == 3.5


def test_a_series_that_never_changes_has_no_scale():
    assert math.isnan(measure_scale(np.full(9, 3.0), 1))


def test_an_answer_is_scored_where_the_truth_is_known():
    truth = np.array([10.0, UNKNOWN, 20.0, 40.0])
    values = np.array([11.0, 99.0, 18.0, 44.0])
    answer = Answer(values, values - 1, values + 1, values - 3, values + 3, cpu_s=0.5)
    score = score_answer(answer, truth=truth, scale=2.0)
    assert score.mase == pytest.approx((1 + 2 + 4) / 3 / 2)
    assert score.mape == pytest.approx(10)
    assert (score.coverage80, score.coverage95) == pytest.approx((1 / 3, 2 / 3))
    assert (score.width80, score.width95) == (1, 3)


def test_the_figure_is_that_of_the_classical_decomposition():
    # The moving average over 2, ends halved, is 3 everywhere.
    assert find_figure(np.tile([2.0, 4.0], 3), 2) == pytest.approx([2 / 3, 4 / 3])
    assert find_figure(np.tile([1.0, 2.0, 6.0], 3), 3) == pytest.approx([1 / 3, 2 / 3, 2])


@pytest.mark.parametrize("rows", [16, 17, 18, 19])
def test_naive2_continues_a_pure_season_from_where_it_stands(rows: int):
    whole = np.tile(PATTERN, 8)
    ahead = predict_naive2(whole[:rows], season=4, steps=6)
    assert ahead == pytest.approx(whole[rows : rows + 6])


def test_naive2_repeats_the_last_value_where_there_is_no_season():
    values = np.array([1.0, 9.0, 4.0, 2.0, 8.0, 5.0])
    assert predict_naive2(values, season=1, steps=2).tolist() == [5, 5]
    assert predict_naive2(values, season=4, steps=2).tolist() == [5, 5]


def test_naive2_adds_the_season_of_a_series_that_goes_below_zero():
    whole = np.tile(PATTERN - 10, 8)
    assert predict_naive2(whole[:17], season=4, steps=5) == pytest.approx(whole[17:22])


def test_naive2_looks_across_a_gap():
    values = np.tile(PATTERN, 6)
    values[[3, 11]] = UNKNOWN
    assert np.isfinite(predict_naive2(values, season=4, steps=4)).all()


def test_one_white_noise_in_ten_passes_for_seasonal():
    numbers = np.random.default_rng(5)
    passed = [is_seasonal(numbers.normal(size=240), 12) for _ in range(400)]
    assert 0.06 < np.mean(passed) < 0.14


def test_memory_alone_passes_for_a_season_as_seldom():
    # An AR(1) of 0.8: against white noise's limit two in five would pass, as lag 12 remembers.
    numbers = np.random.default_rng(5)
    kernel = 0.8 ** np.arange(60)
    drawn = (np.convolve(numbers.normal(size=300), kernel)[60:300] for _ in range(300))
    assert np.mean([is_seasonal(values, 12) for values in drawn]) < 0.16


def test_a_season_beyond_the_lags_that_r_computes_is_none():
    # R's acf of 96 values ends at lag 19: M4's code found no answer for 24, and took it for no.
    assert not is_seasonal(np.tile(np.arange(24.0), 4), 24)
    assert is_seasonal(np.tile(np.arange(24.0), 11), 24)


def test_owa_is_the_mean_of_two_ratios_of_averages():
    ours, naive2 = [give_score(4, 1), give_score(8, 1)], [give_score(4, 4), give_score(20, 1)]
    assert measure_owa(ours, naive2) == pytest.approx((6 / 12 + 1 / 2.5) / 2)
    assert measure_owa(naive2, naive2) == 1


@given(
    st.lists(st.floats(1, 1000), min_size=30, max_size=60),
    st.sampled_from([0.001, 0.5, 1024.0]),
)
def test_the_unit_of_a_series_changes_no_score(drawn: list[float], unit: float):
    values, truth = np.array(drawn[:24]), np.array(drawn[24:])
    steps = len(truth)
    plain = predict_naive2(values, season=4, steps=steps)
    other = predict_naive2(values * unit, season=4, steps=steps)
    assert other == pytest.approx(plain * unit)
    assert measure_smape(other, truth * unit) == pytest.approx(measure_smape(plain, truth))
