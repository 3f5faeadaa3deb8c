import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.forecast.intervals import INFLATIONS, OWN, measure_coverage, measure_radii, measure_scale


def test_the_rank_is_counted_without_interpolation():
    errors = np.tile(np.arange(1.0, 100.0), 2).reshape(1, -1)  # 1 .. 99 in each half
    inner, outer = measure_radii(errors)
    assert inner[0] == pytest.approx(80 * INFLATIONS[0])
    assert outer[0] == pytest.approx(95 * INFLATIONS[1])


def test_a_calmer_later_half_is_not_narrower():
    errors = np.concatenate([np.full((3, 10), 5.0), np.full((3, 10), 1.0)], axis=1)
    assert set(measure_radii(errors)[0]) == {5.0 * INFLATIONS[0]}


def test_the_first_day_is_measured_by_itself():
    errors = np.concatenate([np.ones((3, 24)), np.full((3, 144), 4.0)], axis=1)
    inner, _ = measure_radii(errors, day=24)
    assert set(inner[:24] / INFLATIONS[0]) == {1.0}
    assert set(inner[24:] / INFLATIONS[0]) == {4.0}


@pytest.mark.parametrize("day", [1, 20, 24])
def test_a_horizon_of_one_day_or_of_days_is_measured_in_halves(day: int):
    errors = np.concatenate([np.ones((3, 10)), np.full((3, 10), 4.0)], axis=1)
    np.testing.assert_allclose(measure_radii(errors, day=day)[0], errors[0] * INFLATIONS[0])


def test_one_stormy_window_widens_less_than_all_errors_together():
    errors = np.vstack([np.ones((2, 20)), np.full((1, 20), 7.0)])  # together 95 % are 7
    outer = measure_radii(errors)[1]
    assert outer[0] == pytest.approx(((1 - OWN) * 7 + OWN * (1 + 1 + 7) / 3) * INFLATIONS[1])
    assert measure_radii(errors[::-1])[1][0] == outer[0]


def test_a_part_of_which_nothing_is_known_takes_the_errors_of_all():
    errors = np.concatenate([np.full((3, 24), np.nan), np.full((3, 24), 2.0)], axis=1)
    np.testing.assert_allclose(measure_radii(errors, day=24)[0], 2.0 * INFLATIONS[0])


def test_calm_windows_are_widened_half_way_to_what_the_year_was():
    calm, year = np.ones((3, 50)), np.concatenate([np.ones((3, 50)), np.full((9, 50), 4.0)])
    assert measure_scale(calm, year) == (2.0, 2.0)
    assert measure_radii(calm, (2.0, 2.0))[0][0] == pytest.approx(2.0 * INFLATIONS[0])


def test_a_year_of_few_more_windows_widens_nothing():
    assert measure_scale(np.ones((3, 50)), np.full((11, 50), 4.0)) == (1.0, 1.0)


def test_stormy_windows_are_not_narrowed_by_a_calm_year():
    assert measure_scale(np.full((3, 50), 2.0), np.ones((12, 50))) == (1.0, 1.0)


def test_a_short_history_tells_nothing_of_calm():
    assert measure_scale(np.ones((3, 50)), np.full((5, 50), 9.0)) == (1.0, 1.0)


@given(
    st.integers(0, 2**32),
    st.tuples(st.integers(1, 5), st.integers(2, 60)),
    st.floats(0, 0.9),
    st.tuples(st.floats(1, 3), st.floats(1, 3)),
    st.integers(1, 70),
)
def test_intervals_contain_each_other_and_widen(
    seed: int, shape: tuple[int, int], gaps: float, scale: tuple[float, float], day: int
):
    generator = np.random.default_rng(seed)
    errors = generator.normal(0, 1, shape)
    errors[generator.random(shape) < gaps] = np.nan
    inner, outer = measure_radii(errors, scale, day=day)
    assert (inner <= outer).all()
    assert (np.diff(inner) >= 0).all()
    assert (np.diff(outer) >= 0).all()


def test_coverage_judges_each_window_by_the_others():
    errors = np.array([[1.0] * 10, [1.0] * 10, [9.0] * 10])
    coverage80, coverage95 = measure_coverage(errors)
    assert coverage80 == coverage95 == pytest.approx(2 / 3)


def test_one_window_has_no_coverage():
    assert measure_coverage(np.ones((1, 10))) == (None, None)
