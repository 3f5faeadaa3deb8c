"""What a member is given."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.forecast.members import MEMBERS, applicable_members, choose_members
from tasks.forecast.train import Method
from tests.unit.forecast.series import give_train

NAN = float("nan")


def test_a_gap_takes_the_value_of_a_season_ago_and_that_of_its_own_gap():
    values = np.arange(21.0)
    values[[9, 16]] = NAN
    filled = give_train(values, future=1, step_hours=24).fill_gaps(7)
    assert (filled[9], filled[16]) == (2.0, 2.0)
    assert np.delete(filled, [9, 16]).tolist() == np.delete(values, [9, 16]).tolist()


def test_a_gap_in_the_first_season_is_interpolated():
    filled = give_train(np.array([NAN, 4, NAN, 8, 9]), future=1, step_hours=24).fill_gaps(7)
    assert filled.tolist() == [4, 4, 6, 8, 9]


@given(st.lists(st.floats(-1e6, 1e6) | st.just(NAN), min_size=1, max_size=60), st.integers(1, 9))
def test_filled_values_are_all_known_and_within_the_known_ones(values: list[float], days: int):
    train = give_train(np.array(values), future=1, step_hours=24)
    known = train.values[np.isfinite(train.values)]
    if 2 * len(known) < len(values):
        with pytest.raises(ValueError, match=rf"{len(known)} of {len(values)} values are known"):
            train.fill_gaps(days)
    else:
        filled = train.fill_gaps(days)
        assert known.min() <= filled.min() <= filled.max() <= known.max()
        assert np.array_equal(filled[np.isfinite(train.values)], known)


def test_the_last_days_keep_their_clock_and_future():
    whole = give_train(np.arange(24 * 10.0), future=5)
    last = whole.take_last(2)
    assert last.values.tolist() == list(range(24 * 8, 24 * 10))
    assert (last.clock == whole.clock[24 * 8 :]).all()
    assert (last.future == whole.future).all()


@pytest.mark.parametrize(("lowest", "applies"), [(0.0, False), (-1.0, False), (0.1, True)])
def test_a_member_for_what_is_positive_is_asked_of_nothing_else(lowest: float, applies: bool):
    values = np.arange(1.0, 100)
    values[7], values[50] = lowest, NAN
    method = Method(lambda train, _: train.values, None, needs_days=1, positive=True)
    assert method.applies(give_train(values, future=1, step_hours=24)) is applies


def test_a_member_that_needs_more_history_is_not_asked():
    train = give_train(np.arange(24 * 40.0), future=24)
    assert "naive_364d" in choose_members("demand", train.step)
    assert "naive_364d" not in applicable_members("demand", train)
    assert "naive_168h" in applicable_members("demand", train)


def test_every_kind_has_a_naive_that_needs_a_fortnight_at_most_and_others():
    for members in MEMBERS.values():
        assert min(method.needs_days for method in members.values() if method.naive) <= 14
        assert not all(method.naive for method in members.values())


def test_members_are_named_alike_in_every_process():
    told = [method.describe() for members in MEMBERS.values() for method in members.values()]
    assert not [one for one in told if " at 0x" in one]
    circles = [method.describe() for method in MEMBERS["direction", "hourly"].values()]
    assert len(set(circles)) == len(circles)
