"""The command line of the flows: arguments in, a summary and an exit code out.

Exit codes: 0 COMPLETED, 3 DEGRADED, 1 FAILED, 2 wrong usage or configuration.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, NoReturn, cast

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number
from prefect.flow_engine import run_flow_sync
from prefect.settings import (
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)
from prefect.states import State
from rich.console import Console

from deployments.local.ground import prepared_ground
from flows.forecast import WEEKLY, forecast_pipeline
from tasks.common.accounts import EXIT_CODES
from tasks.common.errors import ConfigurationError, PipelineError
from tasks.common.objects import open_store
from tasks.common.settings import Settings, load_settings
from tasks.extract.catalogue import load_sources
from tasks.report.document import RunReport
from tasks.report.render import render_terminal
from tasks.report.task import FailedRunError

USAGE_EXIT: Final = 2
# Without a terminal (a log, a pipe) lines still get the width the tables are made for.
_WIDTH: Final = None if sys.stderr.isatty() else 100
_stderr = Console(stderr=True, width=_WIDTH)

app = App(
    name="python -m flows.forecast",
    help="Forecast every series eleven days ahead and publish the run to MongoDB. "
    "With nothing configured: an embedded MongoDB and a demo lake under ./.local.",
)


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
) -> int:
    """Run the pipeline once, here, and print its summary.

    Examples: `python -m flows.forecast`;
    `python -m flows.forecast --lake s3://landing --as-of 2019-11-06T22:00+01:00 --series 'rte:*'`

    Args:
        lake: Folder or s3://bucket/prefix of raw objects; default LAKE_URI, .local/lake.
        as_of: Issue time, ISO with its offset; nothing at or after it trains a model.
        horizon_days: Days ahead, to the end of the last local day.
        series: Pattern of series ids, for example 'rte:*' or '*:air_temperature'.
        deadline: Minutes of fitting after which no further model is begun.
        dry_run: Write nothing, neither to the lake nor to MongoDB.
        json: Also write the report as JSON to this file; - is standard output.
    """
    settings, instant = _check_words(lake, as_of, json)
    ground = prepared_ground(settings, lake, dry_run=dry_run, say=_say)
    with ground as demo_ends, _quiet_prefect():
        wanted = {
            "lake": lake,
            "as_of": instant or demo_ends,
            "horizon_days": horizon_days,
            "series": series,
            "deadline_minutes": deadline,
            "dry_run": dry_run,
        }
        state = cast(
            "State", run_flow_sync(forecast_pipeline, parameters=wanted, return_type="state")
        )
    outcome = state.result(raise_on_failure=False)
    told = outcome.report if isinstance(outcome, FailedRunError) else outcome
    return _show(told, json) if isinstance(told, RunReport) else _explain(outcome)


@app.command
def serve(*, name: str = "forecast-local") -> None:
    """Serve the flow to the Prefect UI, on its weekly schedule, until interrupted.

    Start a server first: `prefect server start`, and set PREFECT_API_URL to its address. On the
    demo lake there is no schedule: its data end at the issue time that the form is filled with.

    Args:
        name: Name of the deployment in the UI.
    """
    settings, _ = _check_words()
    with prepared_ground(settings, None, dry_run=False, say=_say) as demo_ends:
        if demo_ends is None:
            forecast_pipeline.serve(name=name, schedule=WEEKLY)
        else:  # the demo's data end at its issue time, so the form is filled with it
            forecast_pipeline.serve(name=name, parameters={"as_of": demo_ends.isoformat()})


def forecast_command() -> NoReturn:
    """Run the command line and leave with its exit code."""
    try:
        code = app(exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        code = USAGE_EXIT
    except PipelineError as error:
        code = _explain(error)
    sys.exit(code or 0)


def _check_words(
    lake: str | None = None, as_of: str | None = None, json: Path | None = None
) -> tuple[Settings, datetime | None]:
    """Refuse what cannot be carried out before anything is started or written."""
    settings = load_settings()
    load_sources(settings.sources_dir)
    if lake is not None:
        open_store(lake, settings)
    if json is not None and not json.parent.is_dir():
        msg = f"--json is {str(json)!r}: there is no folder {str(json.parent)!r}, make it first."
        raise ConfigurationError(msg)
    return settings, None if as_of is None else _parse_instant(as_of)


@contextmanager
def _quiet_prefect() -> Generator[None]:
    """Give Prefect's temporary server time to start on a busy machine, and no telemetry."""
    with temporary_settings(
        {
            PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120,
            PREFECT_SERVER_ANALYTICS_ENABLED: False,
        }
    ):
        yield


def _parse_instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        msg = f"--as-of is {text!r}: give an ISO instant such as 2019-11-06T22:00+01:00."
        raise ConfigurationError(msg) from None
    if not 1970 <= instant.year <= 2200:
        msg = f"--as-of is {text!r}: give an instant between 1970 and 2200."
        raise ConfigurationError(msg)
    if instant.tzinfo is None:
        msg = f"--as-of is {text!r}, without its offset: add one, such as {text}+01:00."
        raise ConfigurationError(msg)
    return instant


def _show(report: RunReport, json: Path | None) -> int:
    to_stdout = json == Path("-")
    Console(stderr=to_stdout, width=_WIDTH).print(render_terminal(report))
    if to_stdout:
        sys.stdout.write(report.model_dump_json(indent=1) + "\n")
    elif json is not None:
        json.write_text(report.model_dump_json(indent=1) + "\n")
    return EXIT_CODES[report.state]


def _explain(error: object) -> int:
    _say(f"{type(error).__name__}: {error}")
    return USAGE_EXIT if isinstance(error, ConfigurationError) else EXIT_CODES["FAILED"]


def _say(text: str) -> None:
    """Tell the operator something beside the summary; brackets in it are only brackets."""
    _stderr.print(text, markup=False, highlight=False, soft_wrap=True)
