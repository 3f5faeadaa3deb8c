"""What MongoDB holds already, and who is loading what: shortcuts, both of them.

Correctness depends on neither: without them every file is read again and no document changes.
"""

from collections.abc import Collection as Names
from typing import Final

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from tasks.common.mongo import Document, retried
from tasks.common.results import ProcessedFile
from tasks.upsert.documents import SCHEMA_VERSION

LEASE_S: Final = 15.0
"""A lease that is not renewed for so long is anybody's; each batch of documents renews it."""


def read_ledger(db: Database[Document], names: Names[str]) -> set[str]:
    """Give those of these entries that the ledger has; none if there are no observations."""
    if db["observations"].find_one({}, {"_id": 1}) is None:
        return set()  # somebody emptied the collection: what the ledger says no longer holds
    return set(db["migration_files"].find({"_id": {"$in": list(names)}}).distinct("_id"))


def enter_file(db: Database[Document], file: ProcessedFile) -> None:
    """Enter a file of the processed layer, whose last batch a majority holds."""
    enter(
        db,
        file.entry,
        {
            "key": file.key,
            "sha256": file.sha256,
            "size": file.size,
            "rows": file.rows,
            "source": file.source_id,
        },
    )


@retried
def enter(db: Database[Document], name: str, facts: Document) -> None:
    """Enter an object whose last batch a majority holds, and when, by the server's clock."""
    entry = {"$literal": {**facts, "schema_version": SCHEMA_VERSION}}
    whole = {"$mergeObjects": ["$$ROOT", entry, {"loaded_at": "$$NOW"}]}
    db["migration_files"].update_one({"_id": name}, [{"$replaceWith": whole}], upsert=True)


@retried
def take_lease(db: Database[Document], name: str, run: str, seconds: float) -> bool:
    """Take or renew the lease of an entry, by the server's clock; False: another run has it.

    With no seconds it is given back.
    """
    is_free = {
        "$or": [
            {"$eq": ["$holder", run]},
            {"$lte": [{"$ifNull": ["$expires_at", "$$NOW"]}, "$$NOW"]},
        ]
    }
    until = {"$add": ["$$NOW", int(seconds * 1000)]}
    change = {
        "expires_at": {"$cond": [is_free, until, "$expires_at"]},
        "holder": {"$cond": [is_free, run, "$holder"]},
    }
    try:
        lease = db["migration_leases"].find_one_and_update(
            {"_id": name}, [{"$set": change}], upsert=True, return_document=ReturnDocument.AFTER
        )
    except DuplicateKeyError:  # both came first
        return False
    return lease is not None and lease["holder"] == run
