"""Observations: MongoDB catches up with the files of the processed layer."""

import json
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO

import polars as pl
from pymongo.database import Database

from tasks.common.mongo import Document
from tasks.common.results import ProcessedFile, WriteCounts
from tasks.upsert.documents import SCHEMA_VERSION, hash_document, observation_documents
from tasks.upsert.write import write_documents


def load_observations(
    db: Database[Document], files: Sequence[ProcessedFile], fetch: Callable[[ProcessedFile], bytes]
) -> WriteCounts:
    """Store every row of every file that the ledger does not know, one file in memory at a time.

    The ledger `migration_files` is a shortcut: a file enters it once a majority holds its last
    batch, and without it (or without observations) every file is simply read again.

    Args:
        db: holds `observations` and `migration_files`.
        files: of the processed layer.
        fetch: gives the bytes of one file, checked against its sha256.
    """
    total = WriteCounts()
    known = _read_ledger(db, files)
    for file in files:
        if _name_entry(file) in known:
            continue
        counts = write_documents(db["observations"], _parse_file(fetch(file)))
        write_documents(db["migration_files"], [_ledger_entry(file)])
        total += counts
    return total


def _parse_file(body: bytes) -> Iterator[Document]:
    metadata = pl.read_parquet_metadata(BytesIO(body))
    raw_units = json.loads(metadata.get("raw_units", "{}"))
    return observation_documents(pl.read_parquet(BytesIO(body)), raw_units)


def _read_ledger(db: Database[Document], files: Sequence[ProcessedFile]) -> set[str]:
    if db["observations"].find_one({}, {"_id": 1}) is None:
        return set()  # somebody emptied the collection: what the ledger says no longer holds
    names = [_name_entry(file) for file in files]
    return set(db["migration_files"].find({"_id": {"$in": names}}).distinct("_id"))


def _name_entry(file: ProcessedFile) -> str:
    return f"{file.key}|{file.sha256}"


def _ledger_entry(file: ProcessedFile) -> Document:
    entry = {
        "_id": _name_entry(file),
        "key": file.key,
        "sha256": file.sha256,
        "size": file.size,
        "rows": file.rows,
        "source": file.source_id,
        "schema_version": SCHEMA_VERSION,
    }
    return entry | {"rev": "", "hash": hash_document(entry)}
