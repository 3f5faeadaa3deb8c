"""The migration as a person runs it: exit codes, the report in the lake, and what is printed."""

import json
from pathlib import Path

import pytest
from pymongo import MongoClient

from flows.migration_console import app
from tasks.common.objects import open_store
from tasks.common.settings import Settings
from tests.fixtures.migrating import older, write_layer, write_older
from tests.flows.command import refuse, run_module, type_line
from tests.shell import documented, find_block, list_lines, make_checkout, type_lines

URI = "mongodb://USER:PASSWORD@host-1:27017,host-2:27017,host-3:27017/?replicaSet=rs0&tls=true"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    folder.mkdir()
    store = open_store(str(folder), Settings())
    write_layer(store, tmp_path / "scratch", days=1, stations=1)
    write_older(store, [older()])
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return make_checkout(tmp_path)


def test_the_plan_writes_nothing_and_what_was_loaded_verifies(
    lake: Path, checkout: Path, mongodb_uri: str, database_name: str
):
    block = find_block("docs/how-to/migrate-to-mongodb.md", "--verify")
    block = block.replace(URI, mongodb_uri).replace("s3://bucket", str(lake))
    export, plan, load, verify = list_lines(block)
    named = {"MONGODB_DATABASE": database_name}
    planned = type_lines(f"{export}\n{plan}", checkout, named)
    assert planned.startswith("COMPLETED: this is the plan, nothing was written.")
    with MongoClient(mongodb_uri) as client:
        assert client[database_name]["observations"].count_documents({}) == 0
    done = type_lines("\n".join((export, load, verify)), checkout, named)
    assert (done.count("COMPLETED"), "inserted 289" in done) == (2, True)


def test_a_refused_object_is_told_by_the_exit_code_and_a_rejected_row_is_replayed(
    lake: Path, checkout: Path, mongodb_uri: str, database_name: str
):
    store = open_store(str(lake), Settings())
    write_older(store, [{"a": 1}], "2026/02/18/other.json")
    write_older(store, [older("GOOD"), older("BAD", pressure=None)], "2026/02/18/odd.json")
    place = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name, "LAKE_URI": str(lake)}
    line = documented(".venv/bin/python -m flows.migration --all")
    loaded = type_line(line, cwd=checkout, **place)
    assert (loaded.code, "inserted 290" in loaded.out) == (3, True)
    line = documented(".venv/bin/python -m flows.migration --replay-quarantine")
    replayed = type_line(line, cwd=checkout, **place)
    assert (replayed.code, "100.00 % of the records were rejected" in replayed.out) == (3, True)


def test_a_run_that_breaks_off_leaves_its_report_all_the_same(
    lake: Path, tmp_path: Path, mongodb_uri: str, database_name: str
):
    with MongoClient(mongodb_uri) as client:
        rule = {"station.network": {"$ne": "wu"}}
        client[database_name].create_collection("observations", validator=rule)
    place = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name}
    words = ("--lake", str(lake), "--json", "report.json", "--quiet")
    ran = run_module("flows.migration", *words, cwd=tmp_path, **place)
    assert ran.out == ran.report["verdict"] + "\n"
    assert (ran.code, ran.report["state"], ran.report["fates"]) == (1, "FAILED", {"left": 2})
    assert "MongoDB refused" in ran.report["verdict"]
    (archived,) = (lake / "reports/migration").glob("migration_report_*Z.json")
    assert json.loads(archived.read_text()) == ran.report


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
    lake: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:9/")
    assert refuse(app, "--lake", str(lake), *words) == 2


def test_a_report_without_a_place_in_the_lake_is_told_all_the_same(
    lake: Path, tmp_path: Path, mongodb_uri: str, database_name: str
):
    (lake / "reports").mkdir()
    (lake / "reports/migration").write_text("a file where the folder of the reports should be")
    place = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name}
    words = ("--lake", str(lake), "--json", "report.json")
    ran = run_module("flows.migration", *words, cwd=tmp_path, **place)
    assert (ran.code, ran.report["fates"], ran.report["state"]) == (1, {"loaded": 2}, "FAILED")
    assert "this report has no archive: Cannot write" in ran.report["verdict"]
    assert "FAILED: this report has no archive" in ran.out


def test_nothing_is_loaded_where_no_report_could_be_left(
    lake: Path, tmp_path: Path, mongodb_uri: str, database_name: str
):
    (lake / "reports").write_text("a file where the folder should be")
    place = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name}
    words = ("--lake", str(lake), "--json", "report.json")
    ran = run_module("flows.migration", *words, cwd=tmp_path, **place)
    assert (ran.code, ran.report["fates"]) == (1, {"left": 2})
    with MongoClient(mongodb_uri) as client:
        assert client[database_name]["observations"].count_documents({}) == 0
