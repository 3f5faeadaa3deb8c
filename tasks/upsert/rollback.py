"""Rolling back: readers are given an earlier run again, which still stands as it was written."""

from typing import NamedTuple

from pymongo.database import Database

from tasks.common.errors import ConfigurationError, TerminalError
from tasks.common.mongo import Document
from tasks.upsert.pointer import read_pointer, turn_pointer
from tasks.upsert.publish import verify_forecasts
from tasks.upsert.reading import suggest, tell_unfit


class RolledBack(NamedTuple):
    """What was done: from the pointer as it was, to a run; `withdrawn` are not published again."""

    before: Document
    run: Document
    withdrawn: list[str]


def roll_back(db: Database[Document], to: str | None = None) -> RolledBack:
    """Turn the pointer to a run that readers were given before, or to any whole run by name.

    Without `to`, it is the run that they were given last before, leaving out those that were
    rolled back from, so that a second rollback goes one further. Runs that readers were given
    and that are not older than the target are withdrawn: their own retries do not publish them
    again, a later rollback to them does. To where the pointer is already, nothing is done.

    Raises:
        ConfigurationError: there is no such run, or none before.
        TerminalError: the run is not one to give to readers, or the pointer was turned meanwhile.
    """
    before = read_pointer(db)
    run = _find_target(db, before, to)
    _check_whole(db, run)
    later = [t["run_id"] for t in before.get("turns", []) if t["issue_at"] >= run["issue_at"]]
    withdrawn = sorted({*later} - {run["_id"]})
    done = before["run_id"] == run["_id"] or turn_pointer(db, before, run, withdrawn=withdrawn)
    if not done and read_pointer(db).get("run_id") != run["_id"]:
        msg = (
            f"Somebody else turned the pointer to {read_pointer(db)['run_id']} at the same time, "
            f"so nothing was rolled back: look at it, and repeat if {run['_id']} is still wanted."
        )
        raise TerminalError(msg)
    return RolledBack(before, run, withdrawn)


def _find_target(db: Database[Document], pointer: Document, to: str | None) -> Document:
    if not pointer:
        msg = f"Nothing was published in {db.name} yet, so there is nothing to roll back."
        raise ConfigurationError(msg)
    if to is None:
        left = {pointer["run_id"], *pointer.get("withdrawn", [])}
        given = [turn["run_id"] for turn in reversed(pointer.get("turns", []))]
        to = next((run_id for run_id in given if run_id not in left), None)
        if to is None:
            msg = f"Readers were given no run before {pointer['run_id']}: name one with --to."
            raise ConfigurationError(msg)
    known = sorted(db["forecast_runs"].distinct("_id"), reverse=True)
    if to not in known:
        msg = f"There is no run {to!r} in {db.name}: {suggest(to, known)}."
        raise ConfigurationError(msg)
    return db["forecast_runs"].find_one({"_id": to}) or {}


def _check_whole(db: Database[Document], run: Document) -> None:
    """Refuse what publishing would refuse, and what no longer stands as it was written."""
    doubt = tell_unfit(run)
    if run["state"] != "complete":
        doubt = "it is still being written, or its writer died"
    if doubt:
        msg = f"Readers cannot be given run {run['_id']}: {doubt}; name another with --to."
        raise TerminalError(msg)
    verify_forecasts(db, run["_id"], run)
