"""ECS ends a task by SIGTERM: the run says that it failed, and nothing it started outlives it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from pymongo import MongoClient

from tasks.common.objects import open_store
from tasks.common.settings import Settings
from tests.fixtures.migrating import older, write_older
from tests.flows.command import type_line
from tests.shell import PREFECT_HOME, ROOT, documented, make_checkout


def is_open(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def wait_for(word: str, log: Path) -> None:
    deadline = time.monotonic() + 200
    while word not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def test_a_run_that_is_terminated_says_so_and_leaves_no_server_behind(tmp_path: Path):
    kept = {name: value for name, value in os.environ.items() if name != "MONGODB_URI"}
    told, metrics = tmp_path / "stderr", tmp_path / "stdout"
    with told.open("w") as err, metrics.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.forecast"],
            cwd=tmp_path,
            env=kept
            | {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(PREFECT_HOME), "METRICS": "stdout"},
            stdout=out,
            stderr=err,
        )
        try:
            wait_for("Forecasting 46 series", told)
            process.terminate()
            assert process.wait(100) == 128 + signal.SIGTERM, told.read_text()
        finally:
            process.kill()
    assert json.loads(metrics.read_text().splitlines()[0])["run_success"] == 0
    ports = set(re.findall(r"(?:mongodb|http)://127\.0\.0\.1:(\d+)", told.read_text()))
    assert len(ports) == 2
    assert [port for port in ports if is_open(port)] == []


def test_a_migration_that_is_terminated_leaves_its_report_and_is_taken_up_again(
    tmp_path: Path, mongodb_uri: str, database_name: str
):
    for number in range(150):
        name = f"weather_data_20260218_19{number // 60:02d}{number % 60:02d}.json"
        write_older(open_store(str(tmp_path), Settings()), [older(f"I{number}")], name)
    place = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name}
    words, home = ("--lake", str(tmp_path), "--quiet"), {"PREFECT_HOME": str(PREFECT_HOME)}
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.migration", *words], cwd=ROOT, env=os.environ | place | home
    )
    try:
        with MongoClient(mongodb_uri) as client:
            ledger, deadline = client[database_name]["migration_files"], time.monotonic() + 100
            while ledger.estimated_document_count() < 70 and time.monotonic() < deadline:
                time.sleep(0.05)
        process.terminate()
        assert process.wait(100) == 1
    finally:
        process.kill()
    (archived,) = (tmp_path / "reports/migration").glob("*.json")
    told = json.loads(archived.read_text())
    assert (told["state"], sum(told["fates"].values())) == ("FAILED", 150)
    assert 64 <= told["fates"]["loaded"] < 150
    line = documented(".venv/bin/python -m flows.migration")
    again = type_line(line, cwd=make_checkout(tmp_path), LAKE_URI=str(tmp_path), **place)
    assert again.code == 0, again.err
