"""The command line of the forecast: arguments in, a summary and an exit code out.

Exit codes: 0 COMPLETED, 3 DEGRADED, 1 FAILED, 2 wrong usage or configuration.
"""

from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from deployments.local.ground import prepared_ground
from flows.backfill import describe_week
from flows.forecast import WEEKLY, forecast_pipeline
from flows.reading import explain, latest, rollback
from flows.terminal import (
    Quiet,
    check_file,
    mute,
    parse_instant,
    run_here,
    say,
    show_outcome,
)
from tasks.common.objects import open_store
from tasks.common.schedule import list_issue_times
from tasks.common.settings import load_settings
from tasks.extract.catalogue import load_sources
from tasks.report.document import RunReport
from tasks.report.render import render_terminal, render_verdict

app = App(
    name="python -m flows.forecast",
    help="Forecast every series eleven days ahead and publish the run to MongoDB. "
    "With nothing configured: an embedded MongoDB and a demo lake under ./.local.",
)
for command in (latest, explain, rollback):
    app.command(command)


@app.default
def run(  # noqa: PLR0913 - one option a word
    *,
    lake: str | None = None,
    as_of: str | None = None,
    horizon_days: Annotated[int, Parameter(validator=Number(gte=1, lte=31))] = 11,
    series: str = "*",
    deadline: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    json: Path | None = None,
    quiet: Quiet = False,
) -> int:
    """Run the pipeline once, here, and print its summary.

    Examples: `python -m flows.forecast`;
    `python -m flows.forecast --lake s3://landing --as-of 2019-11-06T22:00+01:00 --series 'rte:*'`

    Args:
        lake: Folder or s3://bucket/prefix of raw objects; default LAKE_URI, .local/lake.
        as_of: Issue time, ISO with its offset; nothing at or after it trains a model.
        horizon_days: Days ahead, to the end of the last local day.
        series: Pattern of series ids, for example `rte:*` or `*:air_temperature`.
        deadline: Minutes of fitting after which no further model is begun.
        dry_run: Write nothing, neither to the lake nor to MongoDB.
        json: Also write the report as JSON to this file; - is standard output.
        quiet: Print the verdict alone, in one line, and errors.
    """
    instant = _check_words(lake, as_of, json)
    ground = prepared_ground(lake, dry_run=dry_run, say=mute if quiet else say)
    with ground as demo_ends:
        wanted = {
            "lake": lake,
            "as_of": instant or demo_ends,
            "horizon_days": horizon_days,
            "series": series,
            "deadline_minutes": deadline,
            "dry_run": dry_run,
        }
        outcome = run_here(forecast_pipeline, wanted, quiet=quiet)
    render = render_verdict if quiet else render_terminal
    return show_outcome(outcome, RunReport, render=render, json=json)


@app.command
def backfill(
    *,
    first_on: Annotated[date, Parameter(name="--from")],
    weeks: Annotated[int, Parameter(validator=Number(gte=1, lte=520))],
    lake: str | None = None,
    horizon_days: Annotated[int, Parameter(validator=Number(gte=1, lte=31))] = 11,
    series: str = "*",
) -> int:
    """Run past Wednesdays, 22:00 in Paris, one after another, with a line for each.

    Again it changes nothing and takes little time; after an interruption it goes on. The exit
    code is the worst of all weeks.

    Args:
        first_on: The first Wednesday, or a day before it, such as 2019-01-09.
        weeks: How many Wednesdays.
        lake: Folder or s3://bucket/prefix of raw objects; default LAKE_URI, .local/lake.
        horizon_days: Days ahead, to the end of the last local day.
        series: Pattern of series ids; runs of some series are not published, and never scored.
    """
    _check_words(lake)
    issue_times, codes = list_issue_times(first_on, weeks), []
    wanted = {"lake": lake, "horizon_days": horizon_days, "series": series}
    with prepared_ground(lake, dry_run=False, say=say):
        for issue_at in issue_times:
            outcome = run_here(forecast_pipeline, wanted | {"as_of": issue_at})
            tell = partial(describe_week, issue_at)
            codes.append(show_outcome(outcome, RunReport, render=tell, json=None))
    return max(codes, key=(0, 3, 1, 2).index)


@app.command
def serve(*, name: str = "forecast-local") -> None:
    """Serve the flow to the Prefect UI, on its weekly schedule, until interrupted.

    Start a server first: `prefect server start`, and set PREFECT_API_URL to its address. On the
    demo lake there is no schedule: its data end at the issue time that the form is filled with.

    Args:
        name: Name of the deployment in the UI.
    """
    _check_words()
    with prepared_ground(None, dry_run=False, say=say) as demo_ends:
        if demo_ends is None:
            forecast_pipeline.serve(name=name, schedule=WEEKLY)
        else:  # the demo's data end at its issue time, so the form is filled with it
            forecast_pipeline.serve(name=name, parameters={"as_of": demo_ends.isoformat()})


def _check_words(
    lake: str | None = None, as_of: str | None = None, json: Path | None = None
) -> datetime | None:
    """Refuse what cannot be carried out before anything is started or written."""
    settings = load_settings()
    load_sources(settings.sources_dir)
    if lake is not None:
        open_store(lake, settings)
    check_file(json, "--json")
    return parse_instant(as_of)
