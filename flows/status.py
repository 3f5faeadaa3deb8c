"""Is the forecast that readers see the one they should see? Asked of MongoDB, not of a scheduler.

python -m flows.status --help. Prefect is neither asked nor imported. Exit codes: 0 fine, 1 late
or degraded, 2 MongoDB cannot be reached, nothing is configured, or wrong usage.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Annotated, Any, Final

import orjson
from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number

from deployments.local.ground import stored_ground
from tasks.common.errors import PipelineError
from tasks.common.mongo import locate_database, open_database
from tasks.common.objects import open_store, resolve_output
from tasks.common.schedule import find_due
from tasks.common.settings import Settings
from tasks.extract.catalogue import load_sources
from tasks.extract.landing import read_known, survey
from tasks.report.text import plain, tell_instant
from tasks.upsert.condition import Condition, read_condition

UNREACHABLE_EXIT: Final = 2
_EXIT_CODES: Final = {"fine": 0, "late": 1, "degraded": 1, "unreachable": UNREACHABLE_EXIT}
_RUN: Final = ("verdict", "issue_at", "horizon_end", "completed_at", "published_at", "series")

app = App(
    name="python -m flows.status",
    help="Tell whether readers see the forecast they should see. Asks MongoDB only; Prefect may "
    "be down. Exit codes: 0 fine, 1 late or degraded, 2 unreachable.",
)


@app.default
def status(
    *,
    json: Annotated[bool, Parameter(negative=())] = False,
    grace_hours: Annotated[float, Parameter(validator=Number(gte=0, lte=8760))] = 6,
    timeout: Annotated[float, Parameter(validator=Number(gt=0, lte=3600))] = 10,
    lake: str | None = None,
) -> int:
    """Print the state, and what it is made of.

    Args:
        json: One line of JSON instead.
        grace_hours: Hours after Wednesday 22:00 (Europe/Paris) before a missing run is late.
        timeout: Seconds MongoDB, and then the lake, have to answer.
        lake: The --lake of the run; default LAKE_URI.
    """
    now = datetime.now(UTC)
    told = _look(lake, now, grace=timedelta(hours=grace_hours), patience_s=timeout)
    code = _EXIT_CODES[told["state"]]
    told = {"exit_code": code} | told | {"checked_at": now}
    line = orjson.dumps(told, option=orjson.OPT_UTC_Z).decode() if json else _render(told)
    sys.stdout.write(line + "\n")
    return code


def _look(
    lake: str | None, now: datetime, *, grace: timedelta, patience_s: float
) -> dict[str, Any]:
    try:
        with (
            stored_ground(lake, say=_warn) as settings,
            open_database(settings, patience_s=patience_s) as db,
        ):
            told = judge(read_condition(db), now, grace=grace)
    except PipelineError as error:
        return {"state": "unreachable", "findings": [str(error)]}
    unread = _count_unread(lake or settings.lake_uri, settings, patience_s=patience_s)
    return told | {"database": locate_database(settings)} | unread


def judge(condition: Condition, now: datetime, *, grace: timedelta) -> dict[str, Any]:
    """Give state and findings, and the facts they are made of, as one document for JSON."""
    due, shown, newest = find_due(now - grace), condition.shown, condition.newest
    late, degraded = list(_find_lateness(condition, due)), list(_find_faults(condition))
    return {
        "state": "late" if late else "degraded" if degraded else "fine",
        "findings": late + degraded,
        "due_at": due.astimezone(UTC),
        "run": _describe_run(shown, now),
        "newest_run": _describe_run(newest, now),
        "turned_at": condition.pointer.get("turned_at"),
        **condition.troubled,
        "last_load": _take(condition.loaded, ("loaded_at", "key", "rows")),
        "last_migration": _take(condition.migrated, ("loaded_at", "key", "rows", "migration")),
        "last_score": condition.scored,
    }


def _find_lateness(condition: Condition, due: datetime) -> Iterator[str]:
    shown = condition.shown
    if shown is None:
        yield "No run is published."
    elif shown["issue_at"] < due:
        yield (
            f"Readers are on run {shown['_id']}, issued {tell_instant(shown['issue_at'])}; one of "
            f"{tell_instant(due)} is due."
        )


def _find_faults(condition: Condition) -> Iterator[str]:
    shown, newest = condition.shown, condition.newest
    if shown is None or newest is None:
        return
    if newest["_id"] in condition.pointer.get("withdrawn", []):
        yield f"Run {newest['_id']} is newer, but somebody rolled back from it."
    elif newest["issue_at"] > shown["issue_at"]:
        yield f"Run {newest['_id']} is newer and complete, but not published: run it again."
    if shown["verdict"] != "COMPLETED":
        yield f"The run is {shown['verdict']}: {'; '.join(shown['reasons'])}."


def _describe_run(run: dict[str, Any] | None, now: datetime) -> dict[str, Any] | None:
    if run is None:
        return None
    told = {"run_id": run["_id"]} | {name: run.get(name) for name in _RUN}
    return told | {"age_hours": round((now - run["issue_at"]).total_seconds() / 3600, 1)}


def _take(document: dict[str, Any] | None, names: tuple[str, ...]) -> dict[str, Any] | None:
    return None if document is None else {name: document.get(name) for name in names}


def _count_unread(lake: str, settings: Settings, *, patience_s: float) -> dict[str, Any]:
    """Count what landed and was not read; a lake that does not answer is no fault of MongoDB."""
    answers: SimpleQueue[dict[str, Any]] = SimpleQueue()

    def look() -> None:
        try:
            store, output = open_store(lake, settings), resolve_output(lake, settings)
            known = read_known(open_store(output, settings))
            unread = survey(store.list_objects(), load_sources(settings.sources_dir), known).unread
            answers.put({"unread": len(unread), "lake": "read"})
        except PipelineError as error:
            answers.put({"unread": None, "lake": str(error)})

    if settings.aws_credentials_block:
        return {"unread": None, "lake": "not looked at: its credentials are a block of Prefect"}
    Thread(target=look, daemon=True).start()
    try:
        return answers.get(timeout=patience_s)
    except Empty:
        return {"unread": None, "lake": f"gave no answer within {patience_s:g} s"}


def _render(told: dict[str, Any]) -> str:
    said = " ".join(told["findings"]) or "readers see the forecast they should see."
    lines = [f"{told['state'].upper()}: {said}"]
    for name, value in told.items():
        if name in ("exit_code", "state", "findings"):
            continue
        fields = value if isinstance(value, dict) else {"": value}
        lines += [f"{f'{name} {key}'.strip():<24}  {_tell(one)}" for key, one in fields.items()]
    return plain("\n".join(lines))


def _tell(value: object) -> str:
    if isinstance(value, datetime):
        return tell_instant(value)
    if isinstance(value, list):
        return f"{len(value)}  {', '.join(value[:3])}{', ...' if len(value) > 3 else ''}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)


def _warn(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> int:
    """Run the command line and give its exit code."""
    try:
        return app(exit_on_error=False, print_error=True, result_action="return_value") or 0
    except CycloptsError:
        return UNREACHABLE_EXIT


if __name__ == "__main__":
    sys.exit(main())
