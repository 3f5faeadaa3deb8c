"""The door of upsert, and what it says when MongoDB cannot be used."""

from dataclasses import replace
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.database import Database

from tasks.common.errors import ConfigurationError, TerminalError, TransientError
from tasks.common.mongo import Document, connect, ensure_indexes, open_database
from tasks.common.results import Transformed, Written
from tasks.common.settings import Settings
from tasks.upsert.task import upsert
from tests.unit.upsert.frames import forecasted, observations, processed, transformed


@pytest.fixture
def history(tmp_path: Path) -> Transformed:
    """A history whose processed layer lies in a folder."""
    layer = processed(observations([8.0, 8.5, None]))
    for key, body in layer.bodies.items():
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(body)
    return replace(transformed(layer.files), output=str(tmp_path))


@pytest.fixture
def environment(mongodb_uri: str, database_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a deployed run."""
    monkeypatch.setenv("MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("MONGODB_DATABASE", database_name)


def run_task(history: Transformed) -> Written:
    with disable_run_logger():
        return upsert.fn(history, forecasted())


def refuse(uri: str, *, error: type[Exception], match: str) -> str:
    settings = Settings(mongodb_uri=SecretStr(uri))
    with pytest.raises(error, match=match) as caught, connect(settings):
        pass
    return str(caught.value)


@pytest.mark.usefixtures("environment")
def test_the_task_reads_the_processed_layer_and_publishes(
    history: Transformed, mongodb_uri: str, database_name: str
):
    written = run_task(history)
    again = run_task(history)
    assert written.counts["observations"].inserted == 3
    assert written.database == f"mongodb://{mongodb_uri.split('/')[2]}/{database_name}"
    assert sum(counts.modified + counts.inserted for counts in again.counts.values()) == 0
    with MongoClient(mongodb_uri) as client:
        last = client[database_name]["observations"].find_one(sort=[("_id", -1)]) or {}
        assert last["measurements"] == {}
        client.drop_database(database_name)


@pytest.mark.usefixtures("environment")
def test_a_file_that_is_not_what_its_manifest_says_is_not_stored(
    history: Transformed, mongodb_uri: str, database_name: str
):
    damaged = replace(history.files[0], sha256="0" * 64)
    with pytest.raises(TerminalError, match=r"0\.parquet"):
        run_task(replace(history, files=(damaged,)))
    with MongoClient(mongodb_uri) as client:
        assert client[database_name]["migration_files"].count_documents({}) == 0
        client.drop_database(database_name)


def test_a_dry_run_needs_no_mongodb(history: Transformed, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MONGODB_URI", raising=False)
    written = run_task(replace(history, dry_run=True))
    assert (written.published, written.run_id) == (False, "2019-W45-fedcba09-ca9f1de0")
    assert all(counts.received == 0 for counts in written.counts.values())


def test_the_indexes_readers_rely_on_stand(mongo_database: Database[Document]):
    ensure_indexes(mongo_database)
    ensure_indexes(mongo_database)
    by_station = mongo_database["observations"].index_information()
    assert "station.id_1_timestamp_1" in by_station
    assert "location_geo_2dsphere" in mongo_database["stations"].index_information()


def test_a_weak_write_concern_in_the_uri_is_overruled(mongodb_uri: str, database_name: str):
    settings = Settings(
        mongodb_uri=SecretStr(f"{mongodb_uri}&w=1&retryWrites=false"),
        mongodb_database=database_name,
    )
    with open_database(settings) as db:
        assert db.write_concern.document == {"w": "majority"}
        assert db.client.options.retry_writes


def test_a_wrong_password_is_told_without_it(mongodb_uri: str):
    uri = mongodb_uri.replace("mongodb://", "mongodb://pipeline:s3cret@")
    told = refuse(uri, error=ConfigurationError, match="refused the user")
    assert "s3cret" not in told
    assert "Authentication failed" in told


def test_an_unreachable_server_is_worth_another_try():
    uri = "mongodb://pipeline:s3cret@127.0.0.1:1/?serverSelectionTimeoutMS=200"
    told = refuse(uri, error=TransientError, match="mongodb://127.0.0.1:1/forecast_2_0 does not")
    assert "s3cret" not in told
    assert "Topology" not in told


def test_a_server_without_tls_is_told_so(mongodb_uri: str):
    uri = f"{mongodb_uri}&tls=true&serverSelectionTimeoutMS=500"
    refuse(uri, error=TransientError, match="tls")


def test_a_missing_authority_file_is_a_configuration_error(mongodb_uri: str, tmp_path: Path):
    uri = f"{mongodb_uri}&tls=true&tlsCAFile={tmp_path / 'missing.pem'}"
    refuse(uri, error=ConfigurationError, match=r"missing\.pem")
