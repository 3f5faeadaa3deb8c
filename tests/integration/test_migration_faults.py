"""A migration that is killed, doubled, starved or lied to ends in the documents it should."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from tasks.common.migration import Selection
from tasks.common.mongo import Document, open_database
from tasks.common.objects import ObjectStore, open_store
from tasks.common.settings import Settings
from tests.fixtures.fault_proxy import FaultProxy, Mode
from tests.fixtures.migrating import (
    migrate,
    older,
    plan_migration,
    run_plan,
    stored,
    write_layer,
    write_older,
)
from tests.fixtures.mongo_servers import ReplicaSet, run_replica_set
from tests.fixtures.object_servers import S3Server

ALL = Selection(all=True)


def fill(store: ObjectStore, folder: Path) -> None:
    """Write a layer, and older objects that overlap and contradict each other."""
    write_layer(store, folder)
    for number in range(4):
        records = [
            older(timestamp=f"2024-10-05T12:{minute:02d}:00", temperature=50.0 + number)
            | {"metadata": {"ingestion_timestamp": f"2026-02-{18 + number % 3}T20:00:00"}}
            for minute in range(10 * number, 10 * number + 25)
        ]
        write_older(store, records, f"weather_data_2026021{number}_200000.json")


@pytest.fixture
def lake(tmp_path: Path) -> ObjectStore:
    folder = tmp_path / "lake"
    folder.mkdir()
    store = open_store(str(folder), Settings())
    fill(store, tmp_path / "scratch")
    return store


@pytest.fixture
def expected(lake: ObjectStore, mongodb_uri: str, database_name: str) -> Iterator[dict]:
    """What one undisturbed migration leaves."""
    with MongoClient(mongodb_uri, tz_aware=True) as client:
        other = client[f"{database_name}_calm"]
        migrate(lake, other)
        yield stored(other)
        client.drop_database(other.name)


def start(lake: ObjectStore, settings: Settings, seed: int) -> subprocess.Popen:
    uri = settings.mongodb_uri
    environment = {
        "MONGODB_URI": uri.get_secret_value() if uri else "",
        "MONGODB_DATABASE": settings.mongodb_database,
    }
    command = [sys.executable, "-m", "tests.fixtures.migrating", lake.uri, str(seed), "0.3"]
    return subprocess.Popen(command, env=os.environ | environment, start_new_session=True)


def test_a_migration_that_is_killed_again_and_again_ends_right(
    lake: ObjectStore, mongo_settings: Settings, mongo_database: Database[Document], expected: dict
):
    chance = random.Random(4)  # noqa: S311
    partial = set()
    for seed in range(20):
        process = start(lake, mongo_settings, seed)
        while not partial and process.poll() is None and not stored(mongo_database):
            time.sleep(0.01)  # the first is killed once something stands there
        time.sleep(chance.uniform(0, 0.05) if seed == 0 else chance.uniform(0.3, 1.1))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        partial.add(len(stored(mongo_database)))
    report = migrate(lake, mongo_database, ALL)
    assert stored(mongo_database) == expected
    assert report.state == "COMPLETED"
    assert min(partial) < len(expected)


def test_two_migrations_at_once_in_different_orders_end_right(
    lake: ObjectStore, mongo_settings: Settings, mongo_database: Database[Document], expected: dict
):
    both = [start(lake, mongo_settings, seed) for seed in (1, 2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert stored(mongo_database) == expected


def test_a_run_waits_for_the_one_that_holds_the_object_and_then_leaves_it(
    lake: ObjectStore, mongo_database: Database[Document], expected: dict
):
    def run(name: str) -> list:
        return run_plan(lake, mongo_database, plan_migration(lake, run=name))

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(run, ["one", "two"])
    fates = [account.fate for account in (*first, *second)]
    assert (fates.count("loaded"), fates.count("known")) == (len(first), len(first))
    assert stored(mongo_database) == expected


@pytest.mark.parametrize("mode", ["503", "reset", "truncate", "corrupt"])
def test_a_fault_of_the_store_is_overcome(
    faulty_server: S3Server,
    fault_proxy: FaultProxy,
    mongo_database: Database[Document],
    mode: Mode,
):
    lake = faulty_server.open()
    write_older(lake, [older()])
    fault_proxy.fail(mode, match="GET /" + faulty_server.bucket + "/processed/weather")
    report = migrate(lake, mongo_database)
    assert (report.state, report.rows.inserted) == ("COMPLETED", 1)


def test_a_body_that_stalls_half_way_is_fetched_to_its_end(
    faulty_server: S3Server, fault_proxy: FaultProxy, mongo_database: Database[Document]
):
    write_older(faulty_server.open(), [older(f"S{number}") for number in range(50)])
    fault_proxy.fail("stallmid", match="GET /" + faulty_server.bucket + "/processed/weather")
    report = migrate(faulty_server.open_impatient(), mongo_database)
    assert (report.state, report.rows.inserted) == ("COMPLETED", 50)
    assert sum("/processed/weather" in line for line in fault_proxy.seen) > 1


def test_bytes_that_stay_corrupt_are_refused_and_never_loaded(
    faulty_server: S3Server, fault_proxy: FaultProxy, mongo_database: Database[Document]
):
    lake = faulty_server.open()
    write_older(lake, [older()])
    fault_proxy.fail("corrupt", times=9, match="/processed/weather")
    report = migrate(lake, mongo_database)
    assert (report.state, report.fates) == ("FAILED", {"refused": 1})
    assert stored(mongo_database) == {}


def test_an_object_that_grew_since_it_was_listed_is_refused(
    lake: ObjectStore, mongo_database: Database[Document]
):
    plan = plan_migration(lake)
    key = plan.items[-1].key
    path = Path(lake.uri) / key
    path.write_bytes(path.read_bytes() + b" ")
    fates = {account.key: account.fate for account in run_plan(lake, mongo_database, plan)}
    assert fates.pop(key) == "refused"
    assert set(fates.values()) == {"loaded"}


def test_a_full_disk_refuses_what_does_not_fit_and_says_so(
    lake: ObjectStore, mongo_database: Database[Document]
):
    large = [older(f"S{number}") for number in range(1_000)]
    key = write_older(lake, large, "2026/01/01/large.json")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The kernel refuses larger files, as it does under a quota.
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        report = migrate(lake, mongo_database)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [one.key for one in report.objects if one.fate == "refused"] == [key]
    assert "the disk or a quota is full, so free some space" in report.verdict


@pytest.fixture(scope="module")
def replica_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    with run_replica_set(tmp_path_factory.mktemp("set")) as members:
        yield members


def test_the_death_of_the_primary_reaches_nobody_and_loses_nothing(
    lake: ObjectStore, replica_set: ReplicaSet, expected: dict
):
    settings = Settings.model_validate({"mongodb_uri": replica_set.uri})
    with open_database(settings) as db, ThreadPoolExecutor(1) as pool:
        write_older(lake, [older(f"S{n}") for n in range(30_000)], "2026/01/01/large.json")
        loading = pool.submit(run_plan, lake, db, plan_migration(lake))
        while db["observations"].estimated_document_count() < 5_000:
            time.sleep(0.02)
        replica_set.kill_primary()
        accounts = loading.result(90)
        found = stored(db)
    assert {account.fate for account in accounts} == {"loaded"}
    assert {key: found[key] for key in expected} == expected
    assert len(found) == len(expected) + 30_000
