"""Files of OBSERVATIONS into MongoDB; what counts no more in them is emptied there."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl
from pymongo import UpdateOne
from pymongo.database import Database

from tasks.common.accounts import WriteCounts
from tasks.common.mongo import Document, retried
from tasks.common.results import ProcessedFile
from tasks.upsert.documents import encode_observations, name_observations
from tasks.upsert.encoding import BATCH_DOCUMENTS, Encoded
from tasks.upsert.ledger import enter, read_ledger
from tasks.upsert.write import write_batches

Fetch = Callable[[ProcessedFile], bytes]
Source = Path | bytes
"""A Parquet file of OBSERVATIONS, its metadata tell the units of raw values; or its content."""

_GROUP_ROWS: Final = 512**2  # as polars writes them: a part that is read begins with a group
_NOTHING: Final[Document] = {"measurements": {}, "superseded": True, "rev": "", "hash": ""}


def load_observations(
    db: Database[Document], files: Sequence[ProcessedFile], fetch: Fetch
) -> WriteCounts:
    """Store every row that counts of every file that the ledger does not know, file by file.

    The ledger `migration_files` is a shortcut: a file enters it once a majority holds its last
    batch, and without it (or without observations) every file is simply read again.

    What is stored of objects that were read anew since is emptied when the new readings are in:
    readers miss nothing where both tell of one instant. Then what these rows had displaced is
    brought back, and only then their files enter the ledger: a crash in between is repaired by
    doing all of it again.

    Args:
        db: holds `observations` and `migration_files`.
        files: of the processed layer.
        fetch: gives the bytes of one file, checked against its sha256.
    """

    def write(file: ProcessedFile) -> WriteCounts:
        return write_batches(db["observations"], encode_file(fetch(file), file.withdrawn))

    known = read_ledger(db, [file.entry for file in files])
    due = [file for file in files if file.entry not in known]
    partial = [file for file in due if file.withdrawn]
    months = {file.month for file in partial}
    total = WriteCounts()
    for file in due:
        total += write(file)
        if not file.withdrawn:
            enter_file(db, file)
    for file in partial:
        total += withdraw_rows(db, fetch(file), file.withdrawn)
    for file in (file for file in files if file.month in months):
        counts = write(file)
        changed = counts.inserted + counts.modified
        total += replace(counts, received=changed, unchanged=0, duplicate=0)
    for file in partial:
        enter_file(db, file)
    return total


def enter_file(db: Database[Document], file: ProcessedFile) -> None:
    """Enter a file of the processed layer into the ledger, as `enter` does."""
    enter(db, file.entry, key=file.key, size=file.size, sha256=file.sha256, rows=file.rows)


def encode_file(source: Source, withdrawn: Sequence[str]) -> Iterator[list[Encoded]]:
    """Give the documents of the rows that count, in batches; memory holds some of them.

    Args:
        source: OBSERVATIONS.
        withdrawn: objects that were read anew: rows with such a `source_key` count no more.
    """
    raw_units = json.loads(pl.read_parquet_metadata(source).get("raw_units", "{}"))
    for rows in _read_rows(source, ~_is_of(withdrawn)):
        yield encode_observations(rows, raw_units)


def find_span(source: Source, withdrawn: Sequence[str]) -> list[datetime]:
    """Give the first and the last instant of the rows that count, if any does."""
    at = pl.scan_parquet(source).filter(~_is_of(withdrawn)).select("at").collect()["at"]
    return [*at.bottom_k(1), *at.top_k(1)]


def withdraw_rows(db: Database[Document], source: Source, withdrawn: Sequence[str]) -> WriteCounts:
    """Empty the observations that still stand in the versions of withdrawn rows; count them.

    They stay (removing takes a right the pipeline does not have), without measurements, marked
    `superseded`, and older than any other version, so that whatever is known of their instant
    replaces them.
    """
    count = 0
    for rows in _read_rows(source, _is_of(withdrawn)) if withdrawn else ():
        columns = (name_observations(rows), rows["rev"], rows["source_key"])
        keys = ("_id", "rev", "metadata.source_key")
        versions = (dict(zip(keys, told, strict=True)) for told in zip(*columns, strict=True))
        count += _update(db, [UpdateOne(version, {"$set": _NOTHING}) for version in versions])
    return WriteCounts(received=count, modified=count)


@retried
def _update(db: Database[Document], operations: Sequence[UpdateOne]) -> int:
    return db["observations"].bulk_write(operations, ordered=False).modified_count


def _is_of(objects: Sequence[str]) -> pl.Expr:
    return pl.col("source_key").cast(pl.String).is_in(objects) if objects else pl.lit(value=False)


def _read_rows(source: Source, wanted: pl.Expr) -> Iterator[pl.DataFrame]:
    file = pl.scan_parquet(source)
    # Of the whole file polars would read ahead as much as there is, however slowly it is taken.
    for start in range(0, file.select(pl.len()).collect().item(), _GROUP_ROWS):
        rows = file.slice(start, _GROUP_ROWS).filter(wanted).collect()
        yield from rows.iter_slices(BATCH_DOCUMENTS)
