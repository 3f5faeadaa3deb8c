"""Commands that read what was published, and `rollback`: data on stdout, remarks on stderr.

Exit codes: 0; 3 a series is stale or withheld; 1 there is nothing to read; 2 wrong usage.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import orjson
from rich.console import Console, RenderableType

from deployments.local.ground import stored_ground
from flows.terminal import check_file, parse_instant, say
from tasks.common.accounts import EXIT_CODES
from tasks.common.errors import ConfigurationError
from tasks.common.mongo import open_database
from tasks.report.reading import render_explanation, render_forecasts
from tasks.report.text import plain, tell_instant
from tasks.upsert.explanation import explain_forecast
from tasks.upsert.reading import describe_forecasts, find_forecasts, find_run, frame_forecasts
from tasks.upsert.rollback import RolledBack, roll_back

_SHOWN = 10


def latest(
    series: str,
    *,
    as_of: str | None = None,
    format: Literal["table", "csv", "json", "parquet"] = "table",  # noqa: A002 - the option
    output: Path | None = None,
    lake: str | None = None,
) -> int:
    """Print the forecast of a series that readers are given, through the pointer.

    Examples: `python -m flows.forecast latest rte:32:electricity_demand`;
    `python -m flows.forecast latest 'rte:*' --format csv --output demand.csv`

    Args:
        series: A series id, or a pattern such as `rte:*`.
        as_of: What readers were given at this instant, ISO with its offset.
        format: A table to look at; or csv, json, parquet, with instants in UTC.
        output: Write to this file; default standard output.
        lake: The --lake of the run, where the embedded MongoDB keeps one database for each.
    """
    check_file(output, "--output")
    if output is None and format == "parquet" and sys.stdout.isatty():
        raise ConfigurationError("Parquet is not for a terminal: name a file with --output.")
    instant = parse_instant(as_of)
    with stored_ground(lake, say=say) as settings, open_database(settings) as db:
        shown = find_run(db, instant)
        found = find_forecasts(db, shown.run["_id"], series)
    if format == "table":
        _write_text(render_forecasts(shown.run, found), output)
    else:
        _write_bytes(_encode(format, shown.run, found), output)
    if shown.remark:
        say(shown.remark)
    elif instant is None and shown.run["horizon_end"] <= datetime.now(UTC):
        say(f"It ended {tell_instant(shown.run['horizon_end'])}: nothing newer was published.")
    return _remark_trouble(found)


def explain(
    series: str,
    *,
    at: str | None = None,
    as_of: str | None = None,
    format: Literal["table", "json"] = "table",  # noqa: A002 - the option
    lake: str | None = None,
) -> int:
    """Print how the forecast of a series came about, and what one value is made of.

    Args:
        series: A series id, or a pattern that only one matches.
        at: Take the value of this instant apart, ISO with its offset.
        as_of: Of the run that readers were given at this instant.
        format: A table to look at, or json.
        lake: The --lake of the run, where the embedded MongoDB keeps one database for each.
    """
    instant, then = parse_instant(at, option="--at"), parse_instant(as_of)
    with stored_ground(lake, say=say) as settings, open_database(settings) as db:
        shown = find_run(db, then)
        found = find_forecasts(db, shown.run["_id"], series, whole=True)
    if len(found) > 1:
        names = ", ".join(one["series_id"] for one in found[:3])
        msg = f"{series!r} matches {len(found)} series ({names}, ...): name one of them."
        raise ConfigurationError(msg)
    told = explain_forecast(shown.run, found[0], instant)
    if format == "json":
        _write_bytes(_dump(told), None)
    else:
        _write_text(render_explanation(told), None)
    if shown.remark:
        say(shown.remark)
    return _remark_trouble(found)


def rollback(*, to: str | None = None, lake: str | None = None) -> int:
    """Give readers an earlier run again, and say what they see now.

    Args:
        to: The run, as `forecast_runs` names it; default the one before.
        lake: The --lake of the run, where the embedded MongoDB keeps one database for each.
    """
    with stored_ground(lake, say=say) as settings, open_database(settings) as db:
        done = roll_back(db, to)
    sys.stdout.write(plain(_tell_rollback(done)) + "\n")
    return 0


def _tell_rollback(done: RolledBack) -> str:
    run, before = done.run, done.before
    holds = f"{run['series']} series until {tell_instant(run['horizon_end'])}"
    now = f"run {run['_id']}, issued {tell_instant(run['issue_at'])}: {holds}"
    if before["run_id"] == run["_id"]:
        return f"Nothing was done: readers are given {now} already."
    said = [
        f"Rolled back: readers are given {now}.",
        f"Before, it was run {before['run_id']}, issued {tell_instant(before['issue_at'])}.",
    ]
    if done.withdrawn:
        again = f"`rollback --to {done.withdrawn[-1]}`"
        names = ", ".join(done.withdrawn)
        said.append(f"Withdrawn, even if repeated: {names}; {again} gives it to readers again.")
    return "\n".join([*said, "The next run with other numbers is published as ever."])


def _remark_trouble(found: Sequence[dict[str, Any]]) -> int:
    """Say which series are stale or withheld, and give the exit code."""
    troubled = [one for one in found if one["status"] in ("stale", "withheld")]
    for one in troubled[:_SHOWN]:
        say(plain(f"{one['series_id']}: {one['reason']}"))
    if len(troubled) > _SHOWN:
        say(f"... and {len(troubled) - _SHOWN} more are stale or withheld.")
    return EXIT_CODES["DEGRADED"] if troubled else 0


def _encode(form: str, run: dict[str, Any], found: Sequence[dict[str, Any]]) -> bytes:
    if form == "json":
        return _dump(describe_forecasts(run, found))
    frame, buffer = frame_forecasts(found), BytesIO()
    if form == "csv":
        frame.write_csv(buffer, datetime_format="%Y-%m-%dT%H:%M:%SZ")
    else:
        frame.write_parquet(buffer)
    return buffer.getvalue()


def _dump(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z) + b"\n"


def _write_text(told: RenderableType, output: Path | None) -> None:
    """Print for people, 100 columns wide unless a terminal says otherwise."""
    with nullcontext(sys.stdout) if output is None else output.open("w") as file:
        Console(file=file, width=None if file.isatty() else 100).print(told)


def _write_bytes(body: bytes, output: Path | None) -> None:
    """Write for machines: nothing else ever stands there."""
    if output is not None:
        output.write_bytes(body)
        return
    try:
        sys.stdout.buffer.write(body)
        sys.stdout.flush()
    except BrokenPipeError:  # head has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
