from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.forecast.days import find_holidays, find_horizon_end, tell_kinds_of_day


@pytest.mark.parametrize(
    ("as_of", "end"),
    [
        pytest.param("2019-11-06T21:00+00:00", "2019-11-17T23:00+00:00", id="winter"),
        pytest.param("2024-05-15T20:00+00:00", "2024-05-26T22:00+00:00", id="summer"),
        pytest.param("2024-10-23T20:00+00:00", "2024-11-03T23:00+00:00", id="clocks change within"),
    ],
)
def test_the_horizon_ends_at_the_end_of_a_sunday_in_paris(as_of: str, end: str):
    assert find_horizon_end(datetime.fromisoformat(as_of), 11) == datetime.fromisoformat(end)


def test_the_friday_after_ascension_is_a_bridge_and_no_holiday():
    off, bridges = find_holidays(np.array(["2019-05-01", "2019-06-01"], dtype="datetime64[us]"))
    assert np.datetime64("2019-05-30") in off
    assert np.datetime64("2019-05-31") in bridges
    assert not np.intersect1d(off, bridges).size


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1)))  # noqa: DTZ001
def test_every_instant_lies_on_exactly_one_kind_of_day(instant: datetime):
    kinds = tell_kinds_of_day(np.array([instant], dtype="datetime64[us]"))
    assert sum(int(kind[0]) for kind in kinds.values()) == 1


def test_a_holiday_on_a_tuesday_counts_as_a_sunday():
    christmas = np.array(
        [datetime(2018, 12, 25, 12, tzinfo=UTC).replace(tzinfo=None)], "datetime64[us]"
    )
    assert tell_kinds_of_day(christmas)["sunday"][0]
