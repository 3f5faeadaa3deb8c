"""The migration as a person runs it: exit codes, the report in the lake, and what is printed."""

import json
from pathlib import Path

import pytest
from pymongo import MongoClient

from tasks.common.objects import open_store
from tasks.common.settings import Settings
from tests.fixtures.migrating import older, write_layer, write_older
from tests.flows.command import Ran, run_module


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    folder.mkdir()
    store = open_store(str(folder), Settings())
    write_layer(store, tmp_path / "scratch", days=1, stations=1)
    write_older(store, [older()])
    return folder


def run(lake: Path, tmp_path: Path, *words: str, **environment: str) -> Ran:
    told = ("--lake", str(lake), "--json", "report.json", *words)
    return run_module("flows.migration", *told, cwd=tmp_path, **environment)


def test_a_migration_loads_all_and_leaves_its_report_in_the_lake(
    lake: Path, tmp_path: Path, mongodb_uri: str, database_name: str
):
    mongo = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name}
    ran = run(lake, tmp_path, **mongo)
    assert ran.code == 0, ran.err
    assert "inserted 289" in ran.out
    (archived,) = (lake / "reports/migration").glob("migration_report_*Z.json")
    assert json.loads(archived.read_text()) == ran.report


def test_the_plan_writes_nothing_and_what_was_loaded_verifies(
    lake: Path, tmp_path: Path, mongodb_uri: str, database_name: str
):
    mongo = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name}
    planned = run(lake, tmp_path, "--dry-run", "--quiet", **mongo)
    assert (planned.code, planned.err) == (0, "")
    assert planned.out == "COMPLETED: this is the plan, nothing was written.\n"
    with MongoClient(mongodb_uri) as client:
        assert client[database_name]["observations"].count_documents({}) == 0
    assert run(lake, tmp_path, **mongo).code == 0
    assert run(lake, tmp_path, "--verify", **mongo).code == 0


def test_a_refused_object_is_told_by_the_exit_code(
    lake: Path, tmp_path: Path, mongodb_uri: str, database_name: str
):
    write_older(open_store(str(lake), Settings()), [{"a": 1}], "2026/02/18/other.json")
    mongo = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name}
    assert run(lake, tmp_path, **mongo).code == 3


def test_a_run_that_breaks_off_leaves_its_report_all_the_same(
    lake: Path, tmp_path: Path, mongodb_uri: str, database_name: str
):
    with MongoClient(mongodb_uri) as client:
        rule = {"station.network": {"$ne": "wu"}}
        client[database_name].create_collection("observations", validator=rule)
    mongo = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name}
    ran = run(lake, tmp_path, **mongo)
    assert (ran.code, ran.report["state"], ran.report["fates"]) == (1, "FAILED", {"left": 2})
    assert "MongoDB refused" in ran.report["verdict"]
    assert len(list((lake / "reports/migration").iterdir())) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--latest", "--all"),
        ("--key", "x", "--replay-quarantine"),
        ("--date", "yesterday"),
        ("--verify", "--dry-run"),
        ("--no-such-word",),
    ],
)
def test_words_that_cannot_be_carried_out_are_refused(
    lake: Path, tmp_path: Path, words: tuple[str, ...]
):
    assert run(lake, tmp_path, *words, MONGODB_URI="mongodb://127.0.0.1:9/").code == 2


def test_a_report_without_a_place_in_the_lake_is_told_all_the_same(
    lake: Path, tmp_path: Path, mongodb_uri: str, database_name: str
):
    (lake / "reports").mkdir()
    (lake / "reports/migration").write_text("a file where the folder of the reports should be")
    mongo = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name}
    ran = run(lake, tmp_path, **mongo)
    assert (ran.code, ran.report["fates"], ran.report["state"]) == (1, {"loaded": 2}, "FAILED")
    assert "this report has no archive: Cannot write" in ran.report["verdict"]
    assert "FAILED: this report has no archive" in ran.out


def test_nothing_is_loaded_where_no_report_could_be_left(
    lake: Path, tmp_path: Path, mongodb_uri: str, database_name: str
):
    (lake / "reports").write_text("a file where the folder should be")
    mongo = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name}
    ran = run(lake, tmp_path, **mongo)
    assert (ran.code, ran.report["fates"]) == (1, {"left": 2})
    with MongoClient(mongodb_uri) as client:
        assert client[database_name]["observations"].count_documents({}) == 0
