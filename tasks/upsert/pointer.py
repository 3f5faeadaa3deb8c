"""The pointer `current`: which run readers are given, since when, and which ones before.

Every turn is one compare-and-set of one document, so pointer and history (`turns`, oldest first,
by the server's clock) never disagree, and no two writers turn it at once.
"""

from datetime import datetime
from typing import Final, Literal, NamedTuple

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from tasks.common.contracts import MARKET_ZONE
from tasks.common.mongo import Document, retried

POINTER: Final = "weekly"
"""The one pointer; a reader starts here."""

Effect = Literal["inserted", "modified", "unchanged", "duplicate"]


class Turn(NamedTuple):
    """What became of the pointer; duplicate: it stays where it is, `note` says why."""

    effect: Effect
    previous_run_id: str | None
    note: str | None = None


def read_pointer(db: Database[Document]) -> Document:
    """Give the pointer; an empty document before anything was published."""
    return db["current"].find_one({"_id": POINTER}) or {}


@retried
def turn_forward(db: Database[Document], run_id: str, issue_at: datetime) -> Turn:
    """Turn the pointer to a run that was just completed, unless that would surprise readers.

    It stays where it shows a later issue time (a late retry, or the backfill of an old week, must
    not republish an older run), and where somebody rolled back from exactly this run.
    """
    while True:
        before = read_pointer(db)
        if before.get("run_id") == run_id:
            _mark_published(db, before)
            return Turn("unchanged", before["previous_run_id"])
        if before and before["issue_at"] > issue_at:
            return Turn("duplicate", before["run_id"], _tell_older(run_id, issue_at, before))
        withdrawn = before.get("withdrawn", [])
        if run_id in withdrawn:
            return Turn("duplicate", before["run_id"], _tell_withdrawn(run_id, before))
        if turn_pointer(db, before, {"_id": run_id, "issue_at": issue_at}, withdrawn=withdrawn):
            return Turn("modified" if before else "inserted", before.get("run_id"))


def turn_pointer(
    db: Database[Document], before: Document, run: Document, *, withdrawn: list[str]
) -> bool:
    """Turn the pointer to a run if it still is as it was read; tell whether it was turned.

    The turn is added to `turns`, and its time is the run's `published_at`.

    Args:
        db: holds `current` and `forecast_runs`.
        before: from `read_pointer`.
        run: `_id` and `issue_at` of a complete run.
        withdrawn: runs that no writer may publish again by itself.
    """
    unchanged = {name: before.get(name) for name in ("run_id", "turned_at")}
    turn = {"run_id": {"$literal": run["_id"]}, "issue_at": run["issue_at"], "at": "$$NOW"}
    turned = {
        "run_id": turn["run_id"],
        "issue_at": turn["issue_at"],
        "previous_run_id": {"$literal": before.get("run_id")},
        "turned_at": "$$NOW",
        "turns": {"$concatArrays": [{"$ifNull": ["$turns", []]}, [turn]]},
        "withdrawn": {"$literal": withdrawn},
    }
    try:
        after = db["current"].find_one_and_update(
            {"_id": POINTER, **unchanged},
            [{"$set": turned}],
            upsert=not before,
            return_document=ReturnDocument.AFTER,
        )
    except DuplicateKeyError:  # another run was the first
        return False
    if after is None:
        return False
    _mark_published(db, after)
    return True


def _mark_published(db: Database[Document], pointer: Document) -> None:
    if "turned_at" in pointer:
        at = {"$set": {"published_at": pointer["turned_at"]}}
        db["forecast_runs"].update_one({"_id": pointer["run_id"]}, at)


def _tell_older(run_id: str, issue_at: datetime, pointer: Document) -> str:
    issued = issue_at.astimezone(MARKET_ZONE)
    return (
        f"Run {run_id}, issued {issued:%Y-%m-%d %H:%M}, is stored but not "
        f"published: readers stay on {pointer['run_id']}, which was issued later."
    )


def _tell_withdrawn(run_id: str, pointer: Document) -> str:
    return (
        f"Run {run_id} is complete but not published, since somebody rolled back from it: readers "
        f"stay on {pointer['run_id']}; `rollback --to {run_id}` gives it to them again."
    )
