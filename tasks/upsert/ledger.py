"""What MongoDB holds already, and who is loading what: shortcuts, both of them.

Correctness depends on neither: without them every file is read again and no document changes.
"""

from collections.abc import Collection as Names
from typing import Final

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError
from pymongo.write_concern import WriteConcern
from tenacity import retry, retry_if_result, stop_after_delay, wait_exponential

from tasks.common.mongo import Document, retried
from tasks.upsert.documents import SCHEMA_VERSION

LEASE_S: Final = 15.0
"""A lease that is not renewed for so long is anybody's; loading renews it with every batch."""


def read_ledger(db: Database[Document], names: Names[str]) -> set[str]:
    """Give those of these entries that the ledger has; none if there are no observations."""
    if db["observations"].find_one({}, {"_id": 1}) is None:
        return set()  # somebody emptied the collection: what the ledger says no longer holds
    return set(db["migration_files"].find({"_id": {"$in": list(names)}}).distinct("_id"))


@retried
def enter(db: Database[Document], name: str, **facts: object) -> None:
    """Enter an object whose last batch a majority holds, and when, by the server's clock."""
    entry = {"$literal": {**facts, "schema_version": SCHEMA_VERSION}}
    whole = {"$mergeObjects": ["$$ROOT", entry, {"loaded_at": "$$NOW"}]}
    db["migration_files"].update_one({"_id": name}, [{"$replaceWith": whole}], upsert=True)


def await_lease(db: Database[Document], name: str, run: str, seconds: float) -> None:
    """Wait for a lease, not longer than a dead holder's lasts: two loads harm nobody."""
    retry(
        retry=retry_if_result(lambda is_taken: not is_taken),
        wait=wait_exponential(multiplier=0.05, max=1),
        stop=stop_after_delay(seconds),
        retry_error_callback=lambda _: False,
    )(take_lease)(db, name, run, seconds)


@retried
def take_lease(db: Database[Document], name: str, run: str, seconds: float) -> bool:
    """Take or renew the lease of an entry, by the server's clock; False: another run has it.

    With no seconds it is given back.
    """
    ends_at = {"$ifNull": ["$expires_at", "$$NOW"]}
    is_free = {"$or": [{"$eq": ["$holder", run]}, {"$lte": [ends_at, "$$NOW"]}]}
    ours = {"expires_at": {"$add": ["$$NOW", int(seconds * 1000)]}, "holder": run}
    change = {name: {"$cond": [is_free, told, f"${name}"]} for name, told in ours.items()}
    # One member's word is enough for what correctness does not depend on, and comes sooner.
    leases = db["migration_leases"].with_options(write_concern=WriteConcern(w=1))
    try:
        lease = leases.find_one_and_update(
            {"_id": name}, [{"$set": change}], upsert=True, return_document=ReturnDocument.AFTER
        )
    except DuplicateKeyError:  # both came first
        return False
    return lease is not None and lease["holder"] == run
