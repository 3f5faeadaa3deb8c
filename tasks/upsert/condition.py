"""What MongoDB itself tells of the pipeline's health; no scheduler is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pymongo import DESCENDING
from pymongo.database import Database

from tasks.common.mongo import Document
from tasks.upsert.pointer import read_pointer
from tasks.upsert.reading import WHOLE


@dataclass(frozen=True)
class Condition:
    """What stands in MongoDB.

    Attributes:
        pointer: `current`; empty before anything was published.
        shown: the run that readers are given.
        newest: the whole run that was issued last, and completed last.
        troubled: series of `shown` that are stale or withheld, by that word.
        loaded: the object that was loaded last, from `migration_files`, by whichever flow.
        migrated: the one that a migration loaded last, with its flow run.
        scored: of the issue time that was scored last: series, and means over their scores.
    """

    pointer: Document
    shown: Document | None
    newest: Document | None
    troubled: Mapping[str, Sequence[str]] = field(default_factory=dict)
    loaded: Document | None = None
    migrated: Document | None = None
    scored: Document | None = None


def read_condition(db: Database[Document]) -> Condition:
    """Read the condition; a few short queries, whatever the size of the database."""
    pointer = read_pointer(db)
    order = [("issue_at", DESCENDING), ("completed_at", DESCENDING)]
    troubled: dict[str, list[str]] = {"stale": [], "withheld": []}
    wanted = {"run_id": pointer.get("run_id"), "status": {"$in": list(troubled)}}
    for one in db["forecasts"].find(wanted, {"series_id": 1, "status": 1}).sort("series_id"):
        troubled[one["status"]].append(one["series_id"])
    return Condition(
        pointer=pointer,
        shown=db["forecast_runs"].find_one({"_id": pointer.get("run_id")}),
        newest=db["forecast_runs"].find_one(WHOLE, sort=order),
        troubled=troubled,
        loaded=_find_newest(db, "loaded_at"),
        migrated=_find_newest(db, "migration"),
        scored=_sum_scores(db),
    )


def _find_newest(db: Database[Document], having: str) -> Document | None:
    newest = [("loaded_at", DESCENDING)]
    return db["migration_files"].find_one({having: {"$ne": None}}, sort=newest)


def _sum_scores(db: Database[Document]) -> Document | None:
    newest = db["scores"].find_one({}, {"issue_at": 1}, sort=[("issue_at", DESCENDING)])
    if newest is None:
        return None
    means = {name: {"$avg": f"${name}"} for name in ("mase", "coverage80", "coverage95")}
    group = {"_id": "$issue_at", "series": {"$addToSet": "$series_id"}, **means}
    query = [{"$match": {"issue_at": newest["issue_at"]}}, {"$group": group}]
    (told,) = db["scores"].aggregate(query)
    return {"issue_at": told.pop("_id"), "series": len(told.pop("series"))} | told
