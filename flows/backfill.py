"""forecast_backfill: weeks of the past, one after another, as they would have been issued."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any, cast

from prefect import flow
from prefect.flow_engine import run_flow_sync
from prefect.states import Completed, Failed, State
from pydantic import Field
from rich.text import Text

from flows.forecast import forecast_pipeline
from flows.hooks import HOOKS
from tasks.common.schedule import list_issue_times
from tasks.report.document import RunReport
from tasks.report.text import inert_text


@flow(name="forecast_backfill", validate_parameters=True, **HOOKS)
def forecast_backfill(
    first_on: date,
    weeks: Annotated[int, Field(ge=1, le=520)] = 1,
    lake: str | None = None,
    horizon_days: Annotated[int, Field(ge=1, le=31)] = 11,
    series: str = "*",
) -> State[Any]:
    """Run forecast_pipeline for consecutive Wednesdays of the past, the oldest first.

    Each scores what the ones before it published. A week that was run before changes nothing and
    fits nothing anew; one that fails stops none of the others.

    Args:
        first_on: The first Wednesday, or a day before it.
        weeks: How many Wednesdays.
        lake: Where raw objects are read: a folder or s3://bucket/prefix. Empty: the setting
            LAKE_URI.
        horizon_days: Days ahead, to the end of the last local day.
        series: Which series to forecast, as a pattern. Runs of some series are not published, so
            they are never scored.
    """
    wanted = {"lake": lake, "horizon_days": horizon_days, "series": series}
    issue_times = list_issue_times(first_on, weeks)
    return conclude_weeks([_run_week(wanted | {"as_of": issue_at}) for issue_at in issue_times])


def _run_week(parameters: dict[str, Any]) -> State[RunReport]:
    """Run a week to its end, whatever that is, as a run below this one."""
    ended = run_flow_sync(forecast_pipeline, parameters=parameters, return_type="state")
    return cast("State[RunReport]", ended)


def conclude_weeks(states: Iterable[State[RunReport]]) -> State[Any]:
    """Give the worst state of some weeks, with how many ended in which."""
    names = [state.name or state.type.value for state in states]
    ranks = {"COMPLETED": 0, "DEGRADED": 1}
    worst = max(names, key=lambda name: ranks.get(name, 2))
    counts = ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
    conclude = Completed if worst in ranks else Failed
    return conclude(name=worst, message=f"{len(names)} weeks: {counts}")


def describe_week(issue_at: datetime, told: RunReport) -> Text:
    """Tell one week in one line: its run, and how the latest forecast of demand turned out."""
    line = f"{issue_at:%Y-%m-%d} {told.state:9} {told.run_id} {len(told.series)} series"
    line += "" if told.scorecard else "; nothing published before it can be judged"
    scores = [s for s in told.scorecard if (s.bucket, s.unit) == ("next week", "MW")]
    for score in scores[:1]:
        figures = score.latest
        covered = f"{100 * figures.coverage80:.0f}/{100 * figures.coverage95:.0f}"
        line += f"; that of {score.issue_at:%m-%d}: {figures.wmape:.1%} off, 80/95: {covered}"
    return inert_text(line)
