"""Observations: MongoDB catches up with the files of the processed layer."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from io import BytesIO

import polars as pl
from pymongo.database import Database

from tasks.common.accounts import WriteCounts
from tasks.common.mongo import Document
from tasks.common.results import ProcessedFile
from tasks.upsert.documents import encode_observations, name_observations
from tasks.upsert.ledger import enter_file, read_ledger
from tasks.upsert.write import withdraw_documents, write_batches

Fetch = Callable[[ProcessedFile], bytes]


def load_observations(
    db: Database[Document], files: Sequence[ProcessedFile], fetch: Fetch
) -> WriteCounts:
    """Store every row that counts of every file that the ledger does not know, file by file.

    What is stored of objects that were read anew since is emptied, see `withdraw_documents`.

    The ledger `migration_files` is a shortcut: a file enters it once a majority holds its last
    batch, and without it (or without observations) every file is simply read again.

    Args:
        db: holds `observations` and `migration_files`.
        files: of the processed layer.
        fetch: gives the bytes of one file, checked against its sha256.
    """
    known = read_ledger(db, [file.entry for file in files])
    due = [file for file in files if file.entry not in known]
    total = WriteCounts()
    for file in due:
        total += _write_file(db, file, fetch(file))
        if not file.withdrawn:
            enter_file(db, file)
    return total + _withdraw_rows(db, files, [file for file in due if file.withdrawn], fetch)


def _write_file(db: Database[Document], file: ProcessedFile, body: bytes) -> WriteCounts:
    raw_units = json.loads(pl.read_parquet_metadata(BytesIO(body)).get("raw_units", "{}"))
    counting, _ = _split_rows(file, body)
    return write_batches(db["observations"], encode_observations(counting, raw_units))


def _split_rows(file: ProcessedFile, body: bytes) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give the rows that count, and those of objects that were read anew."""
    rows = pl.read_parquet(BytesIO(body))
    if not file.withdrawn:
        return rows, rows.clear()
    is_withdrawn = rows["source_key"].cast(pl.String).is_in(file.withdrawn)
    return rows.filter(~is_withdrawn), rows.filter(is_withdrawn)


def _withdraw_rows(
    db: Database[Document],
    files: Sequence[ProcessedFile],
    partial: Sequence[ProcessedFile],
    fetch: Fetch,
) -> WriteCounts:
    """Empty what stands of withdrawn rows, and bring back what these had displaced.

    New readings are in by now, so readers miss nothing where both tell of one instant. Only then
    the files enter the ledger: a crash in between is repaired by doing all of it again.
    """
    total = WriteCounts()
    for file in partial:
        _, rows = _split_rows(file, fetch(file))
        total += withdraw_documents(db["observations"], list_versions(rows))
    months = {file.month for file in partial}
    for file in files:
        if file.month in months:
            counts = _write_file(db, file, fetch(file))
            changed = counts.inserted + counts.modified
            total += replace(counts, received=changed, unchanged=0, duplicate=0)
    for file in partial:
        enter_file(db, file)
    return total


def list_versions(rows: pl.DataFrame) -> Iterator[Document]:
    """Give what tells the versions that `withdraw_documents` is to empty."""
    for slice_ in rows.iter_slices():
        columns = (name_observations(slice_), slice_["rev"], slice_["source_key"])
        for name, rev, key in zip(*columns, strict=True):
            yield {"_id": name, "rev": rev, "metadata.source_key": key}
