"""Counts close, and the budget decides the words."""

import pytest

from tasks.common.accounts import (
    Member,
    SeriesOutcome,
    SeriesStatus,
    Tally,
    Timed,
    WriteCounts,
    judge_run,
    timed,
)
from tasks.common.errors import UnbalancedCountsError
from tasks.common.settings import Settings

CLEAN = Tally(read=1000, kept=1000)


def outcome(
    status: SeriesStatus,
    *,
    published: str | None = "combination",
    failure: str | None = None,
    others: int = 0,
):
    well = (Member("naive_24h", 1.0, 0.0, 0.0), *(Member("profile_day", 1.0, 1.0, 0.1),) * others)
    members = (Member("prophet", 1.0, 1.0, 0.1, failure), *well)
    return SeriesOutcome("n:s:air_temperature", status, "because.", members, published)


def test_tallies_add_rule_by_rule():
    both = Tally(3, 1, 1, 0, {"a": 1}) + Tally(4, 2, 0, 1, {"b": 1})
    assert both == Tally(7, 3, 1, 1, {"a": 1, "b": 1})


def test_a_tally_that_does_not_close_is_refused():
    with pytest.raises(UnbalancedCountsError, match="file x do not close: 3 came in, 2 are"):
        Tally(read=3, kept=2).check("file x")


def test_write_counts_that_do_not_close_are_refused():
    closed = WriteCounts(6, 1, 1, 1, 1, 2)
    assert closed.check("forecasts") is closed
    with pytest.raises(UnbalancedCountsError):
        (closed + WriteCounts(received=1)).check("forecasts")


def test_counts_are_told_without_what_did_not_happen():
    assert str(WriteCounts(received=1200, inserted=1200)) == "received 1,200, inserted 1,200"
    assert str(WriteCounts()) == "nothing"


def test_a_clean_run_is_completed():
    assert judge_run(CLEAN, (outcome("model"),), Settings()).state == "COMPLETED"


def test_a_run_without_any_published_series_has_failed():
    verdict = judge_run(CLEAN, (outcome("withheld", published=None),), Settings())
    assert verdict.state == "FAILED"
    assert "none of 1 series could be published" in verdict.sentence


def test_a_run_without_any_series_has_failed():
    assert judge_run(CLEAN, (), Settings()).state == "FAILED"


@pytest.mark.parametrize(("rejected", "state"), [(10, "COMPLETED"), (11, "DEGRADED")])
def test_rejected_records_beyond_the_budget_degrade_a_run(rejected: int, state: str):
    tally = Tally(1000, 1000 - rejected, rejected={"bad_json": rejected})
    assert judge_run(tally, (outcome("model"),), Settings()).state == state


@pytest.mark.parametrize(
    ("second", "state"),
    [
        pytest.param(outcome("fallback"), "COMPLETED", id="the naive was better"),
        pytest.param(outcome("fallback", failure="died"), "DEGRADED", id="a member failed"),
        pytest.param(outcome("model", failure="late"), "DEGRADED", id="most models failed"),
        pytest.param(outcome("model", failure="late", others=1), "COMPLETED", id="half did"),
        pytest.param(outcome("stale"), "DEGRADED", id="old data"),
        pytest.param(outcome("withheld", published=None), "DEGRADED", id="nothing published"),
    ],
)
def test_troubled_series_beyond_the_budget_degrade_a_run(second: SeriesOutcome, state: str):
    assert judge_run(CLEAN, (outcome("model"), second), Settings()).state == state


def test_what_a_step_took_is_added_to_what_its_result_took_before():
    assert 5 < timed(lambda: Timed(seconds=5.0))().seconds < 6
    assert timed(lambda: None)() is None
