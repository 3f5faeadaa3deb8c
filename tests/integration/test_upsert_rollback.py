"""Rolling back on a real server: readers get an earlier run again, and it stays that way."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from pydantic import SecretStr
from pymongo.database import Database

from tasks.common.errors import ConfigurationError, TerminalError
from tasks.common.mongo import Document
from tasks.common.results import Forecasted, Written
from tasks.common.settings import Settings
from tasks.upsert.pointer import read_pointer, turn_forward, turn_pointer
from tasks.upsert.reading import find_run
from tasks.upsert.rollback import roll_back
from tasks.upsert.run import write_run
from tests.unit.upsert.frames import AS_OF, DEMAND, forecasted, processed, transformed

WEEK = timedelta(days=7)
SETTINGS = Settings(mongodb_uri=SecretStr("mongodb://mongo-1/"), git_sha="abc")


def run(db: Database[Document], forecast: Forecasted) -> Written:
    history = transformed(as_of=forecast.as_of)
    return write_run(db, history, forecast, fetch=processed().fetch, settings=SETTINGS)


def weekly(week: int, demand: float = 6000.0) -> Forecasted:
    return forecasted(demand=demand + week, as_of=AS_OF + week * WEEK)


@pytest.fixture
def three(mongo_database: Database[Document]) -> list[str]:
    """Publish three weeks and give their runs."""
    return [run(mongo_database, weekly(week)).run_id for week in range(3)]


def shown(db: Database[Document]) -> str:
    return read_pointer(db)["run_id"]


def test_it_goes_back_to_the_run_before(mongo_database: Database[Document], three: list[str]):
    done = roll_back(mongo_database)
    assert (done.before["run_id"], done.run["_id"]) == (three[2], three[1])
    assert shown(mongo_database) == three[1]


def test_a_second_rollback_goes_one_further(mongo_database: Database[Document], three: list[str]):
    roll_back(mongo_database)
    done = roll_back(mongo_database)
    assert (shown(mongo_database), done.withdrawn) == (three[0], three[1:])
    with pytest.raises(ConfigurationError, match=f"no run before {three[0]}"):
        roll_back(mongo_database)


def test_a_run_that_was_rolled_back_from_is_not_published_by_its_own_retry(
    mongo_database: Database[Document], three: list[str]
):
    roll_back(mongo_database)
    again = run(mongo_database, weekly(2))
    assert (again.published, shown(mongo_database)) == (False, three[1])
    assert f"`rollback --to {three[2]}` gives it to them again" in again.notes[-1]


def test_it_goes_forward_again_by_name(mongo_database: Database[Document], three: list[str]):
    roll_back(mongo_database, three[0])
    assert roll_back(mongo_database, three[2]).withdrawn == []
    assert run(mongo_database, weekly(2)).published


def test_a_repaired_run_of_the_week_is_published(
    mongo_database: Database[Document], three: list[str]
):
    roll_back(mongo_database)
    repaired = run(mongo_database, weekly(2, demand=5000.0))
    assert (repaired.published, shown(mongo_database)) == (True, f"{three[2]}-2")


def test_of_two_runs_of_one_issue_time_the_later_stays_withdrawn(
    mongo_database: Database[Document], three: list[str]
):
    repaired = weekly(2, demand=5000.0)
    run(mongo_database, repaired)
    assert roll_back(mongo_database).run["_id"] == three[2]
    assert not run(mongo_database, repaired).published


def test_the_next_week_is_published_as_ever(mongo_database: Database[Document], three: list[str]):
    roll_back(mongo_database)
    later = run(mongo_database, weekly(3))
    assert (later.published, later.previous_run_id) == (True, three[1])
    assert roll_back(mongo_database).run["_id"] == three[1]


def test_to_where_readers_are_nothing_is_done(mongo_database: Database[Document], three: list[str]):
    before = read_pointer(mongo_database)
    roll_back(mongo_database, three[2])
    assert read_pointer(mongo_database) == before


def test_a_pointer_that_somebody_else_turned_is_left_alone(
    mongo_database: Database[Document], three: list[str]
):
    before = read_pointer(mongo_database)
    roll_back(mongo_database)
    earliest = {"_id": three[0], "issue_at": AS_OF}
    assert not turn_pointer(mongo_database, before, earliest, withdrawn=[])
    assert shown(mongo_database) == three[1]


def test_every_turn_is_remembered(mongo_database: Database[Document], three: list[str]):
    roll_back(mongo_database)
    turns = read_pointer(mongo_database)["turns"]
    assert [turn["run_id"] for turn in turns] == [*three, three[1]]
    given = [find_run(mongo_database, turn["at"]).run["_id"] for turn in turns]
    assert given == [*three, three[1]]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": "writing"}, "still being written"),
        ({"pattern": "rte:*"}, "only the series that match 'rte:\\*'"),
        ({"points": 0}, "has no forecast"),
        ({"series": 3}, "not 3 with"),
    ],
    ids=str,
)
def test_a_run_that_is_not_whole_is_refused(
    mongo_database: Database[Document], three: list[str], change: Document, why: str
):
    mongo_database["forecast_runs"].update_one({"_id": three[1]}, {"$set": change})
    with pytest.raises(TerminalError, match=why):
        roll_back(mongo_database)
    assert shown(mongo_database) == three[2]


def test_a_run_whose_forecasts_are_not_what_was_written_is_refused(
    mongo_database: Database[Document], three: list[str]
):
    query = {"run_id": three[0], "series_id": DEMAND}
    mongo_database["forecasts"].update_one(query, {"$set": {"value.0": 1.0}})
    with pytest.raises(TerminalError, match="with checksum"):
        roll_back(mongo_database, three[0])


@pytest.mark.parametrize("name", ["2019-W46", "$where", "{'$ne': null}", "a\0b", "\udcff", ""])
def test_a_run_that_is_not_there_is_named_with_those_that_are(
    mongo_database: Database[Document], three: list[str], name: str
):
    with pytest.raises(ConfigurationError, match="did you mean 2019-W4"):
        roll_back(mongo_database, name)
    assert shown(mongo_database) == three[2]


def test_before_anything_was_published_there_is_nothing_to_roll_back(
    mongo_database: Database[Document],
):
    partial = replace(forecasted(), pattern="rte:*")
    run(mongo_database, partial)
    with pytest.raises(ConfigurationError, match="nothing to roll back"):
        roll_back(mongo_database)


def test_of_many_writers_at_once_the_latest_issue_wins_step_by_step(
    mongo_database: Database[Document],
):
    issued = [AS_OF + n * WEEK for n in range(12)]
    shuffled = [issued[n * 5 % 12] for n in range(12)]
    with ThreadPoolExecutor(6) as pool:
        turn = partial(turn_forward, mongo_database)
        effects = Counter(one.effect for one in pool.map(turn, map(str, shuffled), shuffled))
    pointer = read_pointer(mongo_database)
    turns = [turn["issue_at"] for turn in pointer["turns"]]
    assert turns == sorted(turns)
    assert (turns[-1], len(turns)) == (issued[-1], effects["inserted"] + effects["modified"])
    assert effects["inserted"] == 1
