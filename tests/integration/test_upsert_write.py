"""The write path on a real server: any order, any repetition, faults included."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from tasks.common.accounts import WriteCounts
from tasks.common.errors import TerminalError
from tasks.common.mongo import Document
from tasks.upsert.write import BATCH_DOCUMENTS, write_documents

LABEL = "RetryableWriteError"
VERSIONS = st.builds(
    lambda key, rev, content: {"_id": f"s|{key}", "rev": str(rev), "hash": content},
    st.integers(0, 3), st.integers(0, 2), st.sampled_from("ab"),
)  # fmt: skip


def documents(count: int, *, rev: str = "1", content: str = "a") -> list[Document]:
    return [{"_id": f"s|{n:06d}", "rev": rev, "hash": content, "value": n} for n in range(count)]


@contextmanager
def failing(db: Database[Document], times: int, *commands: str, **data: object) -> Generator[None]:
    """Make commands fail on the server, so many times."""
    mode = {"times": times}
    what = {"failCommands": list(commands), **data}
    db.client.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": what})
    yield
    db.client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


def test_a_second_write_changes_nothing(mongo_database: Database[Document]):
    wanted = documents(BATCH_DOCUMENTS + 1)
    first = write_documents(mongo_database["o"], wanted)
    second = write_documents(mongo_database["o"], wanted)
    assert first == WriteCounts(received=len(wanted), inserted=len(wanted))
    assert second == WriteCounts(received=len(wanted), unchanged=len(wanted))


def test_every_document_is_counted_once(mongo_database: Database[Document]):
    write_documents(mongo_database["o"], documents(3, rev="2"))
    mixed = [*documents(1), *documents(5, rev="2")[1:], *documents(3, rev="3")[2:]]
    counts = write_documents(mongo_database["o"], mixed)
    # 0 is stale; 1 unchanged; 2 comes twice, and its later version replaces; 3 and 4 are new.
    assert counts == WriteCounts(received=6, inserted=2, modified=1, unchanged=1, duplicate=2)


@given(st.lists(VERSIONS, max_size=12), st.randoms(), st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_any_order_of_arrival_ends_in_the_same_documents(
    mongodb_uri: str, arrived: list[Document], random: Random, size: int
):
    shuffled = random.sample(arrived, len(arrived))
    with MongoClient(mongodb_uri) as client:
        stored = client["orders"][uuid4().hex]
        for start in range(0, len(shuffled), size):
            write_documents(stored, shuffled[start : start + size])
        found = {d["_id"]: (d["rev"], d["hash"]) for d in stored.find()}
        stored.drop()
    expected: dict[str, tuple[str, str]] = {}
    for document in arrived:
        version = (document["rev"], document["hash"])
        expected[document["_id"]] = max(version, expected.get(document["_id"], version))
    assert found == expected


def test_writers_at_the_same_time_agree(mongo_database: Database[Document]):
    revisions = ["3", "1", "2", "3"]
    with ThreadPoolExecutor(len(revisions)) as pool:
        for counts in pool.map(
            lambda rev: write_documents(mongo_database["o"], documents(2000, rev=rev)), revisions
        ):
            counts.check("one of the writers")
    assert mongo_database["o"].distinct("rev") == ["3"]
    assert mongo_database["o"].count_documents({}) == 2000


@pytest.mark.parametrize(
    ("times", "fault"),
    [
        pytest.param(2, {"closeConnection": True}, id="connection closed twice"),
        pytest.param(3, {"errorCode": 10107}, id="no longer primary, three times"),
        pytest.param(
            1, {"writeConcernError": {"code": 64, "errmsg": "timed out"}}, id="not acknowledged"
        ),
        pytest.param(
            2,
            {"writeConcernError": {"code": 91, "errmsg": "down"}, "errorLabels": [LABEL]},
            id="shutting down, twice",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["insert", "update"])
def test_a_fault_of_the_moment_costs_nothing(
    mongo_database: Database[Document], times: int, fault: Document, command: str
):
    if command == "update":
        write_documents(mongo_database["o"], documents(10, rev="0"))
    with failing(mongo_database, times, command, **fault):
        counts = write_documents(mongo_database["o"], documents(10))
    written = {"insert": {"inserted": 10}, "update": {"modified": 10}}[command]
    assert counts == WriteCounts(received=10, **written)
    assert mongo_database["o"].distinct("rev") == ["1"]


def test_a_read_that_is_cut_is_read_again(mongo_database: Database[Document]):
    with failing(mongo_database, 2, "find", closeConnection=True):
        counts = write_documents(mongo_database["o"], documents(10))
    assert counts == WriteCounts(received=10, inserted=10)


def test_a_write_concern_that_cannot_be_met_fails_at_once(mongo_database: Database[Document]):
    fault = {"writeConcernError": {"code": 100, "errmsg": "Not enough members"}}
    with (
        failing(mongo_database, 1, "insert", **fault),
        pytest.raises(BulkWriteError, match="Not enough members"),
    ):
        write_documents(mongo_database["o"], documents(10))


@pytest.mark.parametrize("stored_before", [False, True], ids=["insert", "replace"])
def test_a_refused_document_is_named(mongo_database: Database[Document], *, stored_before: bool):
    if stored_before:
        write_documents(mongo_database["o"], documents(2, rev="0"))
    else:
        mongo_database.create_collection("o")
    rule = {"value": {"$ne": 1}}
    mongo_database.command("collMod", "o", validator=rule)
    with pytest.raises(TerminalError, match=r"refused 1 of 2 documents of o, first 's\|000001'"):
        write_documents(mongo_database["o"], documents(2))
