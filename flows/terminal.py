"""What every command line of the flows shares: words to the operator, and exit codes.

0 COMPLETED, 3 DEGRADED, 1 FAILED, 2 wrong usage or configuration.
"""

import logging
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TypeVar, cast

from cyclopts import App, CycloptsError, Parameter
from prefect import Flow
from prefect.flow_engine import run_flow_sync
from prefect.logging import get_logger
from prefect.settings import (
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)
from prefect.states import State
from pydantic_core import to_json
from rich.console import Console, RenderableType
from rich.text import Text

from flows.progress import logs_json, stderr, watched
from tasks.common.accounts import EXIT_CODES
from tasks.common.errors import ConfigurationError, PipelineError
from tasks.report.document import RunReport
from tasks.report.migration import MigrationReport, encode_migration
from tasks.report.task import find_report

D = TypeVar("D", RunReport, MigrationReport)

Quiet = Annotated[bool, Parameter(negative=())]
"""`--quiet`: the verdict in one line, and what went wrong; the exit code is the same."""

USAGE_EXIT: Final = 2
_stdout: Final = Console(width=stderr.width)
_HERE: Final[dict[Any, Any]] = {
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120,  # on a busy machine
    PREFECT_SERVER_ANALYTICS_ENABLED: False,
}
"""What Prefect's temporary server is told."""


def run_command(app: App) -> NoReturn:
    """Run a command line and leave with its exit code.

    On SIGTERM too it leaves by all its exits, so that neither an embedded MongoDB nor Prefect's
    temporary server outlives it.
    """
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        code = app(exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        code = USAGE_EXIT
    except (PipelineError, OSError) as error:  # of the system: a file that cannot be written
        code = explain(error)
    sys.exit(code or 0)


def run_here(flow: Flow[..., Any], parameters: dict[str, Any], *, quiet: bool = False) -> object:
    """Run a flow in this process and give what it returned, or the exception it ended with."""
    with temporary_settings(_HERE), watched(quiet=quiet):
        state = cast("State", run_flow_sync(flow, parameters=parameters, return_type="state"))
    return state.result(raise_on_failure=False)


def check_file(file: Path | None, option: str) -> None:
    """Refuse a file to write that has no folder.

    Raises:
        ConfigurationError: its folder is not there.
    """
    if file is not None and not file.parent.is_dir():
        msg = f"{option} is {str(file)!r}: there is no folder {str(file.parent)!r}, make it first."
        raise ConfigurationError(msg)


def parse_instant(text: str | None, *, option: str = "--as-of") -> datetime | None:
    """Read an instant as people type it, if they do.

    Raises:
        ConfigurationError: it is none, is far off, or has no offset.
    """
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{option} is {text!r}: give an ISO instant such as 2019-11-06T22:00+01:00."
        raise ConfigurationError(msg) from None
    if not 1970 <= instant.year <= 2200:
        msg = f"{option} is {text!r}: give an instant between 1970 and 2200."
        raise ConfigurationError(msg)
    if instant.tzinfo is None:
        msg = f"{option} is {text!r}, without its offset: add one, such as {text}+01:00."
        raise ConfigurationError(msg)
    return instant


def show_outcome(
    outcome: object, document: type[D], *, render: Callable[[D], RenderableType], json: Path | None
) -> int:
    """Print what a flow ended with, its report to a file too, and give the exit code.

    A failed run has a report as well; what ended before it could be written is explained.
    """
    told = find_report(outcome)
    if not isinstance(told, document):
        return explain(outcome)
    to_stdout = json == Path("-")
    shown = render(told)
    # A verdict alone is one line however long it is: what reads it may be a program.
    (stderr if to_stdout else _stdout).print(shown, soft_wrap=isinstance(shown, Text))
    is_long = isinstance(told, MigrationReport)
    pieces = encode_migration(told) if is_long else (to_json(told, indent=1),)
    if json is not None:
        with nullcontext(sys.stdout.buffer) if to_stdout else json.open("wb") as file:
            file.writelines(chain(pieces, [b"\n"]))
    return EXIT_CODES[told.state]


def explain(error: object) -> int:
    """Tell an error and give its exit code."""
    say(f"{type(error).__name__}: {error}", level=logging.ERROR)
    return USAGE_EXIT if isinstance(error, ConfigurationError) else EXIT_CODES["FAILED"]


def say(text: str, *, level: int = logging.INFO) -> None:
    """Tell the operator something beside the summary, as a record where the log is JSON."""
    if logs_json():
        get_logger("command").log(level, text)
    else:
        stderr.print(text, soft_wrap=True)


def mute(_text: str) -> None:
    """Tell the operator nothing."""
