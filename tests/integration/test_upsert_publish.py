"""Publishing on a real server: readers see one run whole, whatever happens to the writer."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from threading import Event

import pytest
from pydantic import SecretStr
from pymongo.database import Database
from pymongo.errors import OperationFailure

from tasks.common.accounts import Tally
from tasks.common.errors import TerminalError
from tasks.common.mongo import Document
from tasks.common.results import Forecasted, Transformed, Written
from tasks.common.settings import Settings
from tasks.upsert.run import write_run
from tests.unit.upsert.frames import (
    AS_OF,
    DEMAND,
    STATION,
    Processed,
    forecasted,
    moved,
    observations,
    processed,
    transformed,
)  # fmt: skip

WEEK = timedelta(days=7)
SETTINGS = Settings(mongodb_uri=SecretStr("mongodb://user:s3cret@mongo-1/"), git_sha="abc")
LAYER = processed(observations([8.0, 8.5]), observations([9.0], rev="02"))
COMMANDS = ["insert", "update", "findAndModify", "find", "aggregate", "createIndexes", "distinct"]


def run(
    db: Database[Document],
    forecast: Forecasted,
    history: Transformed | None = None,
    *,
    layer: Processed = LAYER,
) -> Written:
    history = history or transformed(layer.files, as_of=forecast.as_of)
    return write_run(db, history, forecast, fetch=layer.fetch, settings=SETTINGS)


def read_current(db: Database[Document]) -> list[float]:
    """Read as a reader does: pointer, run, its forecasts; hold it whole, give the demand."""
    pointer = db["current"].find_one({"_id": "weekly"}) or {}
    stored = db["forecast_runs"].find_one({"_id": pointer.get("run_id")})
    if stored is None:
        return []
    assert stored["state"] == "complete"
    forecasts = list(db["forecasts"].find({"run_id": stored["_id"]}))
    assert len(forecasts) == stored["series"]
    return next(f["value"] for f in forecasts if f["series_id"] == DEMAND)


@contextmanager
def interrupted_after(db: Database[Document], commands: int) -> Generator[None]:
    """Let so many commands pass and fail the next one for good (11601: interrupted)."""
    data = {"failCommands": COMMANDS, "errorCode": 11601}
    point = {"configureFailPoint": "failCommand", "data": data}
    db.client.admin.command(point | {"mode": {"skip": commands}})
    try:
        yield
    finally:
        db.client.admin.command(point | {"mode": "off"})


def test_a_run_is_published_whole(mongo_database: Database[Document]):
    written = run(mongo_database, forecasted())
    assert (written.run_id, written.previous_run_id) == ("2019-W45-fedcba09-ca9f1de0", None)
    assert (written.published, written.database) == (True, "mongodb://mongo-1:27017/forecast_2_0")
    assert {name: counts.inserted for name, counts in written.counts.items()} == {
        "stations": 1, "observations": 2, "scores": 0, "forecasts": 2, "forecast_runs": 1,
        "current": 1,
    }  # fmt: skip
    assert read_current(mongo_database) == [6000.0] * 24


def test_the_same_run_again_changes_nothing(mongo_database: Database[Document]):
    run(mongo_database, forecasted(seconds=1.0))
    before = [list(mongo_database[name].find()) for name in mongo_database.list_collection_names()]
    again = run(mongo_database, forecasted(seconds=2.0))
    after = [list(mongo_database[name].find()) for name in mongo_database.list_collection_names()]
    assert before == after
    assert again.published
    for counts in again.counts.values():
        assert (counts.inserted, counts.modified) == (0, 0)


def test_observations_do_not_depend_on_the_ledger(mongo_database: Database[Document]):
    run(mongo_database, forecasted())
    expected = list(mongo_database["observations"].find())
    mongo_database["observations"].drop()
    assert run(mongo_database, forecasted()).counts["observations"].inserted == 2
    mongo_database["migration_files"].drop()
    again = run(mongo_database, forecasted()).counts["observations"]
    assert list(mongo_database["observations"].find()) == expected
    # Of two files one is stale by now: its first instant has a later version.
    assert (again.received, again.unchanged, again.duplicate) == (3, 2, 1)


def test_a_writer_killed_at_any_step_leaves_the_old_run_to_readers(
    mongo_database: Database[Document],
):
    run(mongo_database, forecasted())
    layer = processed(observations([7.0]), observations([6.0], rev="02"))
    later = forecasted(demand=7000.0, as_of=AS_OF + WEEK)
    for step in range(100):
        with interrupted_after(mongo_database, step), suppress(OperationFailure):
            run(mongo_database, later, layer=layer)
            break
        assert read_current(mongo_database) in ([6000.0] * 24, [7000.0] * 24)
    assert step > 10
    assert read_current(mongo_database) == [7000.0] * 24


def test_readers_at_the_same_time_never_see_a_torn_run(mongo_database: Database[Document]):
    stop = Event()

    def read_all() -> list[list[float]]:
        seen = []
        while not stop.is_set():
            seen.append(read_current(mongo_database))
        return seen

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_all)
        for week in range(8):
            run(mongo_database, forecasted(demand=6000.0 + week, as_of=AS_OF + week * WEEK))
        stop.set()
        seen = [values for values in reading.result() if values]
    assert all(len(set(values)) == 1 for values in seen)
    assert len({values[0] for values in seen}) > 2


def test_an_older_week_run_again_is_stored_but_not_published(mongo_database: Database[Document]):
    current = run(mongo_database, forecasted(demand=7000.0, as_of=AS_OF + WEEK))
    older = run(mongo_database, forecasted())
    assert not older.published
    assert older.previous_run_id == current.run_id
    assert "which was issued later" in older.notes[-1]
    assert read_current(mongo_database) == [7000.0] * 24


def test_the_next_week_remembers_the_run_before(mongo_database: Database[Document]):
    first = run(mongo_database, forecasted())
    second = run(mongo_database, forecasted(as_of=AS_OF + WEEK))
    again = run(mongo_database, forecasted(as_of=AS_OF + WEEK))
    assert second.previous_run_id == again.previous_run_id == first.run_id
    assert (second.counts["current"].modified, again.counts["current"].unchanged) == (1, 1)


def test_other_numbers_under_one_name_become_a_run_of_their_own(
    mongo_database: Database[Document],
):
    first = run(mongo_database, forecasted())
    other = run(mongo_database, forecasted(demand=6001.0))
    assert other.run_id == f"{first.run_id}-2"
    assert first.run_id in other.notes[0]
    assert read_current(mongo_database) == [6001.0] * 24
    assert mongo_database["forecasts"].count_documents({"run_id": first.run_id}) == 2


def test_the_same_forecast_issued_at_another_instant_is_another_run(
    mongo_database: Database[Document],
):
    first = run(mongo_database, forecasted())
    other = run(mongo_database, forecasted(as_of=AS_OF + timedelta(minutes=5)))
    assert first.run_id != other.run_id
    assert other.notes == ()


def test_a_run_that_readers_are_not_given_is_complete_and_never_said_to_be_published(
    mongo_database: Database[Document],
):
    run_id = run(mongo_database, replace(forecasted(), pattern="rte:*")).run_id
    stored = mongo_database["forecast_runs"].find_one({"_id": run_id}) or {}
    assert (stored["state"], "completed_at" in stored) == ("complete", True)
    assert "published_at" not in stored


def test_a_run_without_any_forecast_leaves_readers_where_they_are(
    mongo_database: Database[Document],
):
    run(mongo_database, forecasted())
    empty = forecasted(as_of=AS_OF + WEEK)
    withheld = replace(empty, points=empty.points.clear(), outcomes=empty.outcomes[1:])
    written = run(mongo_database, withheld)
    assert not written.published
    assert "not published, since it has no forecast" in written.notes[0]
    assert read_current(mongo_database) == [6000.0] * 24


def test_a_run_of_some_series_leaves_readers_their_whole_run(mongo_database: Database[Document]):
    run(mongo_database, forecasted())
    some = replace(forecasted(demand=5000.0, as_of=AS_OF + WEEK), pattern="rte:*")
    written = run(mongo_database, some)
    assert not written.published
    assert "only the series that match 'rte:*'" in written.notes[0]
    assert read_current(mongo_database) == [6000.0] * 24


def test_the_run_carries_the_word_of_the_verdict(mongo_database: Database[Document]):
    written = run(mongo_database, forecasted())
    stored = mongo_database["forecast_runs"].find_one({"_id": written.run_id}) or {}
    assert stored["verdict"] == "DEGRADED"
    assert "1 of 2 series are stale, withheld" in stored["reasons"][0]


def test_the_verdict_counts_what_earlier_runs_of_the_week_rejected(
    mongo_database: Database[Document],
):
    week = Tally(100, 83, 0, 0, {"bad_json": 17})
    written = run(mongo_database, forecasted(), replace(transformed(), week=week))
    stored = mongo_database["forecast_runs"].find_one({"_id": written.run_id}) or {}
    assert "17.00 % of 100 records were rejected" in stored["reasons"][0]


def test_a_run_that_is_not_what_was_written_is_not_published(mongo_database: Database[Document]):
    run(mongo_database, forecasted())
    changed = {"$set": {"value.0": 1.0}}
    mongo_database["forecasts"].update_one({"series_id": DEMAND}, changed)
    with pytest.raises(TerminalError, match="2 documents with checksum"):
        run(mongo_database, forecasted())


def test_a_station_that_moved_is_found_at_both_places(mongo_database: Database[Document]):
    run(mongo_database, forecasted())
    later = forecasted(as_of=AS_OF + WEEK)
    history = moved(transformed(LAYER.files, as_of=later.as_of), 50.70, 3.20)
    written = run(mongo_database, later, history)
    station = mongo_database["stations"].find_one({"_id": STATION}) or {}
    assert "moved" in written.notes[0]
    assert written.counts["stations"].modified == 1
    assert station["previous_locations"][0]["location_geo"]["coordinates"] == [3.10, 50.57]
    again = run(mongo_database, later, history)
    assert (again.counts["stations"].unchanged, again.notes) == (1, ())


def test_a_run_says_since_when_readers_are_given_it(mongo_database: Database[Document]):
    first = run(mongo_database, forecasted())
    run(mongo_database, forecasted(as_of=AS_OF + WEEK))
    pointer = mongo_database["current"].find_one({"_id": "weekly"}) or {}
    runs = {one["_id"]: one["published_at"] for one in mongo_database["forecast_runs"].find()}
    assert {turn["run_id"]: turn["at"] for turn in pointer["turns"]} == runs
    assert runs[first.run_id] < runs[pointer["run_id"]] == pointer["turned_at"]
