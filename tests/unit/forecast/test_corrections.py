"""What the published past makes of the next intervals: within bounds, and always the same."""

from collections.abc import Iterable
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.common.scores import SCORES, Scored
from tasks.forecast.intervals import (
    CORRECTIONS,
    LEAST_ISSUES,
    UNCHANGED,
    correct_width,
    measure_corrections,
)
from tests.unit.forecast.series import (
    AS_OF,
    DEMAND,
    forecast_here,
    give_demand,
    give_transformed,
    keep_quick_members,
)

SHARES = st.floats(0, 1)
ISSUES = st.integers(1, 100)


def give_scores(shares: Iterable[tuple[float, float]], *, series_id: str = DEMAND) -> pl.DataFrame:
    """Give one bucket an issue time, of which the uncorrected intervals covered so much."""
    rows = [
        {
            "series_id": series_id,
            "issue_at": AS_OF - timedelta(weeks=week + 1),
            "bucket": "D+1",
            "points": 1000,
            "uncorrected80": inner,
            "uncorrected95": outer,
        }
        for week, (inner, outer) in enumerate(shares)
    ]
    return pl.DataFrame(rows, schema=SCORES)


@given(SHARES, ISSUES, st.sampled_from([0.8, 0.95]))
def test_a_correction_keeps_its_bounds(covered: float, issues: int, level: float):
    assert CORRECTIONS[0] <= correct_width(covered, level=level, issues=issues) <= CORRECTIONS[1]


@given(SHARES, SHARES, ISSUES, st.sampled_from([0.8, 0.95]))
def test_less_covered_is_never_narrower(one: float, other: float, issues: int, level: float):
    less, more = sorted([one, other])
    wide, narrow = (correct_width(share, level=level, issues=issues) for share in (less, more))
    assert wide >= narrow


@given(SHARES, ISSUES, st.sampled_from([0.8, 0.95]))
def test_a_correction_goes_the_right_way_and_further_the_more_is_known(
    covered: float, issues: int, level: float
):
    one, twice = (correct_width(covered, level=level, issues=n) for n in (issues, 2 * issues))
    if covered < level:
        assert 1 <= one <= twice
    if covered > level:
        assert 1 >= one >= twice


@given(st.lists(st.tuples(SHARES, SHARES), min_size=LEAST_ISSUES, max_size=12))
def test_the_order_of_the_scores_changes_no_bit(shares: list[tuple[float, float]]):
    scores = give_scores(shares)
    assert measure_corrections(scores) == measure_corrections(scores.reverse())


def test_what_covers_what_it_should_is_left_alone():
    assert measure_corrections(give_scores([(0.8, 0.95)] * 8)) == {DEMAND: UNCHANGED}


def test_few_issue_times_correct_nothing():
    assert measure_corrections(give_scores([(0.1, 0.1)] * (LEAST_ISSUES - 1))) == {}


def test_a_calm_week_makes_up_for_a_stormy_one():
    mixed = give_scores([(0.6, 0.9), (1.0, 1.0)] * 3)
    assert measure_corrections(mixed)[DEMAND] == pytest.approx(UNCHANGED, abs=1e-9)


def test_a_correction_widens_the_published_interval_and_moves_no_value(
    monkeypatch: pytest.MonkeyPatch,
):
    keep_quick_members(monkeypatch)
    transformed = give_transformed({DEMAND: give_demand(60)})
    plain = forecast_here(transformed)
    scored = Scored(give_scores([(0.3, 0.95)] * 8))
    made, again = (forecast_here(transformed, scored=scored) for _ in range(2))
    (outcome,) = made.outcomes
    assert (outcome.correction80, outcome.correction95) == (1.25, 1.0)
    assert made.points["value"].equals(plain.points["value"])
    widths = [f.points["upper80"] - f.points["lower80"] for f in (made, plain)]
    outer = [f.points["upper95"] - f.points["lower95"] for f in (made, plain)]
    assert (widths[0] / widths[1]).to_list() == pytest.approx([1.25] * 266)
    assert outer[0].to_list() == pytest.approx(outer[1].to_list())
    assert again.points.equals(made.points)
