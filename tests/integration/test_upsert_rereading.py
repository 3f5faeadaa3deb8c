"""Observations of objects that were read anew: MongoDB shows what the newest reading says."""

from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl
import pytest
from pymongo.database import Database
from pymongo.errors import OperationFailure

from tasks.common.accounts import WriteCounts
from tasks.common.mongo import Document
from tasks.upsert.observations import load_observations
from tests.unit.upsert.frames import MONDAY, Processed, observations, processed

HOUR = timedelta(hours=1)


def reading(
    temperatures: list[float], *, rev: str, key: str = "raw/a.jsonl", later: timedelta | None = None
) -> pl.DataFrame:
    """Give one row per temperature, ten minutes apart, of one object."""
    frame = observations(temperatures, rev=rev).with_columns(source_key=pl.lit(key))
    return frame.with_columns(pl.col("at") + (later or timedelta()))


def withdraw(layer: Processed, *keys: str, place: int = 0) -> Processed:
    """Tell that of one file the rows of these objects count no more."""
    files = list(layer.files)
    files[place] = replace(files[place], withdrawn=keys)
    return Processed(tuple(files), layer.bodies)


def load(db: Database[Document], layer: Processed) -> WriteCounts:
    return load_observations(db, layer.files, layer.fetch).check("observations")


def shown(db: Database[Document]) -> dict[datetime, float]:
    """Read as a reader does who knows nothing of versions."""
    found = db["observations"].find({"measurements.air_temperature": {"$exists": True}})
    values = ((d["timestamp"], d["measurements"]["air_temperature"]["value"]) for d in found)
    return {at.replace(tzinfo=MONDAY.tzinfo): value for at, value in values}


def held(*temperatures: float, later: timedelta | None = None) -> dict[datetime, float]:
    start = MONDAY + (later or timedelta())
    return {start + timedelta(minutes=10 * n): value for n, value in enumerate(temperatures)}


OLD, MOVED = reading([8.0, 8.5], rev="1|01"), reading([8.0, 8.5], rev="1|02", later=HOUR)


def test_a_reading_at_other_instants_leaves_no_value_at_the_old_ones(
    mongo_database: Database[Document],
):
    load(mongo_database, processed(OLD))
    repaired = withdraw(processed(OLD, MOVED), "raw/a.jsonl")
    assert load(mongo_database, repaired) == WriteCounts(received=4, inserted=2, modified=2)
    assert shown(mongo_database) == held(8.0, 8.5, later=HOUR)
    marked = mongo_database["observations"].find({"superseded": True}).to_list()
    assert [document["measurements"] for document in marked] == [{}, {}]


def test_the_same_again_changes_nothing_with_and_without_the_ledger(
    mongo_database: Database[Document],
):
    load(mongo_database, processed(OLD))
    repaired = withdraw(processed(OLD, MOVED), "raw/a.jsonl")
    load(mongo_database, repaired)
    assert load(mongo_database, repaired) == WriteCounts()
    mongo_database["migration_files"].drop()
    again = load(mongo_database, repaired)
    assert (again.inserted, again.modified) == (0, 0)
    assert shown(mongo_database) == held(8.0, 8.5, later=HOUR)


def test_a_database_that_never_saw_the_old_reading_shows_the_same(
    mongo_database: Database[Document],
):
    load(mongo_database, withdraw(processed(OLD, MOVED), "raw/a.jsonl"))
    assert shown(mongo_database) == held(8.0, 8.5, later=HOUR)
    assert mongo_database["observations"].count_documents({}) == 2


@pytest.mark.parametrize("rev", ["1|02", "0|02"], ids=["newer", "declared less mature"])
def test_a_new_reading_of_the_same_instants_replaces_the_old(
    mongo_database: Database[Document], rev: str
):
    load(mongo_database, processed(OLD))
    layer = processed(OLD, reading([18.0, 18.5], rev=rev))
    load(mongo_database, withdraw(layer, "raw/a.jsonl"))
    assert shown(mongo_database) == held(18.0, 18.5)
    assert mongo_database["observations"].count_documents({"superseded": True}) == 0


def test_a_newer_reading_of_the_same_instants_is_written_once_and_never_emptied(
    mongo_database: Database[Document],
):
    load(mongo_database, processed(OLD))
    repaired = withdraw(processed(OLD, reading([18.0, 18.5], rev="1|02")), "raw/a.jsonl")
    assert load(mongo_database, repaired) == WriteCounts(received=2, modified=2)


def test_another_object_that_the_old_reading_had_displaced_comes_back(
    mongo_database: Database[Document],
):
    other = reading([7.0, 7.5], rev="0|01", key="raw/b.jsonl")
    load(mongo_database, processed(OLD, other))
    assert shown(mongo_database) == held(8.0, 8.5)
    load(mongo_database, withdraw(processed(OLD, other, MOVED), "raw/a.jsonl"))
    assert shown(mongo_database) == held(7.0, 7.5) | held(8.0, 8.5, later=HOUR)


def test_rows_of_other_objects_in_the_same_file_stay(mongo_database: Database[Document]):
    shared = pl.concat([OLD, reading([7.0], rev="1|01", key="raw/b.jsonl", later=2 * HOUR)])
    load(mongo_database, processed(shared))
    load(mongo_database, withdraw(processed(shared, MOVED), "raw/a.jsonl"))
    assert shown(mongo_database) == held(8.0, 8.5, later=HOUR) | held(7.0, later=2 * HOUR)


def test_a_writer_killed_at_any_step_is_repaired_by_the_next(mongo_database: Database[Document]):
    layer = withdraw(processed(OLD, reading([18.0], rev="0|02")), "raw/a.jsonl")
    data = {"failCommands": ["insert", "update", "find", "distinct"], "errorCode": 11601}
    point = {"configureFailPoint": "failCommand", "data": data}
    interrupted = 0
    for step in range(30):
        for name in ("observations", "migration_files"):
            mongo_database[name].drop()
        load(mongo_database, processed(OLD))
        mongo_database.client.admin.command(point | {"mode": {"skip": step}})
        try:
            load(mongo_database, layer)
        except OperationFailure:
            interrupted += 1
        finally:
            mongo_database.client.admin.command(point | {"mode": "off"})
        load(mongo_database, layer)
        assert shown(mongo_database) == held(18.0)
    assert interrupted >= 8
