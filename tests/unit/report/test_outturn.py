"""How earlier forecasts turned out, in the report and before eyes."""

from dataclasses import replace
from datetime import timedelta
from io import StringIO

import polars as pl
from rich.console import Console

from tasks.common.scores import SCORES, Scored
from tasks.common.settings import Settings
from tasks.report.document import RunReport
from tasks.report.outturn import list_outturns
from tasks.report.render import render_markdown, render_terminal
from tasks.report.summary import summarise_run
from tests.unit.report.results_of_a_run import (
    AS_OF,
    DEMAND,
    HOSTILE,
    give_extracted,
    give_forecasted,
    give_transformed,
    give_written,
)

ABSENT = "somewhere:else:air_temperature"


def give_score(series_id: str, bucket: str, weeks_ago: int, mae: float) -> dict[str, object]:
    return dict.fromkeys(SCORES.names(), 0.5) | {
        "series_id": series_id,
        "issue_at": AS_OF - timedelta(weeks=weeks_ago),
        "run_id": f"run-{weeks_ago}",
        "bucket": bucket,
        "points": 24,
        "mae": mae,
        "wmape": mae / 1000 if series_id == DEMAND else None,
        "coverage80": 0.75,
    }


def tell() -> RunReport:
    rows = [
        give_score(DEMAND, "D+1", 1, 30.0),
        give_score(DEMAND, "D+1", 2, 50.0),
        give_score(DEMAND, "next week", 2, 60.0),
        give_score(HOSTILE, "D+1", 1, 2.0),
        give_score(ABSENT, "D+1", 1, 9.0),
    ]
    scored = Scored(pl.DataFrame(rows, schema=SCORES))
    forecasted = replace(give_forecasted(), scored=scored)
    given = give_extracted(), give_transformed(), forecasted, give_written()
    return summarise_run(*given, Settings())


def show(report: RunReport) -> str:
    out = StringIO()
    Console(file=out, width=100).print(render_terminal(report))
    return out.getvalue()


def test_the_report_tells_the_latest_score_and_the_mean_of_all():
    first, second, third = tell().scorecard
    assert (first.series_id, first.bucket, first.issues) == (HOSTILE, "D+1", 1)
    assert (second.latest.mae, second.mean.mae, second.issues) == (30.0, 40.0, 2)
    assert second.trend == [0.5, 0.5]
    assert (second.run_id, second.issue_at) == ("run-1", AS_OF - timedelta(weeks=1))
    assert (third.bucket, third.unit, third.latest.wmape) == ("next week", "MW", 0.06)


def test_demand_comes_first_and_what_is_not_known_yet_is_a_dash():
    demand, other = list_outturns(tell().scorecard)
    assert demand == (DEMAND, "3.0%", "-", "-", "6.0%", "6.0%", "75%/50%")
    assert other == (HOSTILE, "2 degC", "-", "-", "-", "2 degC", "75%/50%")


def test_a_first_run_shows_no_empty_table():
    report = tell().model_copy(update={"scorecard": []})
    assert "against what happened" not in show(report) + render_markdown(report)


def test_the_terminal_fits_100_columns_with_the_table_in_it():
    shown = show(tell())
    assert "The last weeks' forecasts against what happened" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_a_hostile_name_stays_text_in_markdown():
    section = render_markdown(tell()).split("## The last weeks'")[1].split("##")[0]
    (row,) = [line for line in section.splitlines() if "evil" in line]
    assert row.startswith("| `evil:<script>")
    assert "|`" not in row
