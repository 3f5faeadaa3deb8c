"""The report says what the results say, and its sums are right."""

from datetime import date

import pytest

from tasks.common.accounts import Tally
from tasks.common.errors import UnbalancedCountsError
from tasks.common.settings import Settings
from tasks.report.document import RunReport
from tasks.report.summary import summarise_run
from tests.unit.report.results_of_a_run import (
    DEMAND,
    HOSTILE,
    give_extracted,
    give_forecasted,
    give_transformed,
    give_written,
)


def tell(tally: Tally | None = None) -> RunReport:
    return summarise_run(
        give_extracted(tally),
        give_transformed(tally),
        give_forecasted(),
        give_written(),
        Settings(),
    )


def test_the_next_iso_week_has_seven_local_days_and_the_long_one_25_hours():
    days = tell().demand_next_week
    assert [day.on for day in days] == [date(2019, 10, 28 + n) for n in range(4)] + [
        date(2019, 11, 1 + n) for n in range(3)
    ]
    assert {day.hours for day in days} == {24.0}


def test_energy_is_the_sum_of_the_hours():
    first = tell().demand_next_week[0]
    hours = range(int(first.minimum_mw), int(first.maximum_mw) + 1)
    assert first.energy_mwh == sum(hours)
    assert len(hours) == 24


def test_troubled_series_come_first():
    assert [one.series_id for one in tell().series] == [HOSTILE, DEMAND]


def test_the_verdict_follows_the_budget():
    report = tell()
    assert report.state == "DEGRADED"
    assert "3.00 % of 100 records were rejected" in report.verdict
    assert "1 of 2 series are stale, withheld" in report.verdict


def test_the_verdict_remembers_what_an_earlier_run_of_the_week_rejected():
    transformed = give_transformed(Tally(), week=Tally(100, 83, 0, 0, {"bad_json": 17}))
    run = (give_extracted(Tally()), transformed, give_forecasted(), give_written(), Settings())
    report = summarise_run(*run)
    assert "17.00 % of 100 records were rejected" in report.verdict
    assert report.input.records.read == 0


def test_counts_that_do_not_close_are_not_reported():
    with pytest.raises(UnbalancedCountsError):
        tell(Tally(read=100, kept=99))


def test_a_lost_object_is_the_first_problem():
    problems = tell().input.problems
    assert [problem.key for problem in problems] == ["raw/[b].gz", "raw/a.jsonl"]
    assert problems[1].rules == {"bad_json": 3}


def test_a_report_comes_back_from_its_json():
    report = tell()
    assert RunReport.model_validate_json(report.model_dump_json()) == report
