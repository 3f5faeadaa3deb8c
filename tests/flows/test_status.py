"""The status asks MongoDB and the lake, on real servers, and never the scheduler."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cyclopts import CycloptsError
from pymongo.database import Database

from flows.forecast import WEEKLY
from flows.status import app
from tasks.common.mongo import Document
from tasks.common.results import Forecasted
from tasks.common.schedule import ISSUED, WEEKDAY, find_due
from tasks.common.settings import Settings
from tasks.upsert.ledger import enter
from tasks.upsert.rollback import roll_back
from tasks.upsert.run import write_run
from tests.shell import ROOT, documented, make_checkout, type_lines
from tests.unit.upsert.frames import WIND, forecasted, processed, transformed

DUE = find_due(datetime.now(UTC)).astimezone(UTC)
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Told:
    code: int
    text: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.text)


Ask = Callable[..., Told]


@pytest.fixture
def place(
    mongo_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> dict[str, str]:
    """Configure the database of this test and an empty lake."""
    assert mongo_settings.mongodb_uri is not None
    (tmp_path / "lake").mkdir()
    place = {
        "LAKE_URI": "lake",
        "MONGODB_URI": mongo_settings.mongodb_uri.get_secret_value(),
        "MONGODB_DATABASE": mongo_settings.mongodb_database,
    }
    monkeypatch.chdir(tmp_path)
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    return place


@pytest.fixture
def ask(place: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run `python -m flows.status` there."""
    assert place

    def run(*words: str) -> Told:
        code = app(words, exit_on_error=False, result_action="return_value")
        return Told(code, capsys.readouterr().out)

    return run


def publish(db: Database[Document], forecast: Forecasted, *, verdict: str = "COMPLETED") -> str:
    history = transformed(as_of=forecast.as_of)
    nothing = processed().fetch
    run_id = write_run(db, history, forecast, fetch=nothing, settings=Settings()).run_id
    db["forecast_runs"].update_one({"_id": run_id}, {"$set": {"verdict": verdict}})
    return run_id


def test_a_run_of_this_week_is_fine(
    mongo_database: Database[Document], place: dict[str, str], tmp_path: Path
):
    run_id = publish(mongo_database, forecasted(as_of=DUE))
    plain = documented(".venv/bin/python -m flows.status")
    strict = documented(".venv/bin/python -m flows.status --grace-hours 3 --timeout 5")
    told = type_lines(f"{plain}\n{strict}", make_checkout(tmp_path), place)
    assert told.count("FINE: readers see the forecast they should see.\n") == 2
    assert told.count(f"run run_id                {run_id}\n") == 2


def test_json_is_one_line_for_machines(mongo_database: Database[Document], ask: Ask):
    run_id = publish(mongo_database, forecasted(as_of=DUE))
    told = ask("--json")
    assert told.text.count("\n") == 1
    assert (told.json["exit_code"], told.json["state"], told.json["findings"]) == (0, "fine", [])
    assert told.json["run"]["run_id"] == told.json["newest_run"]["run_id"] == run_id
    assert told.json["withheld"] == [WIND]


def test_a_run_of_last_week_is_late_once_the_grace_is_over(
    mongo_database: Database[Document], ask: Ask
):
    publish(mongo_database, forecasted(as_of=DUE - WEEK))
    hours = (datetime.now(UTC) - DUE) / timedelta(hours=1)
    late = ask("--json", "--grace-hours", "0")
    assert (late.code, late.json["state"]) == (1, "late")
    assert "is due" in late.json["findings"][0]
    assert ask("--json", "--grace-hours", f"{hours + 1}").json["state"] == "fine"


def test_nothing_published_is_late(ask: Ask):
    told = ask("--json", "--grace-hours", "0")
    assert (told.code, told.json["findings"]) == (1, ["No run is published."])


def test_a_degraded_run_is_degraded(mongo_database: Database[Document], ask: Ask):
    publish(mongo_database, forecasted(as_of=DUE), verdict="DEGRADED")
    told = ask("--json")
    assert (told.code, told.json["state"]) == (1, "degraded")
    assert "1 of 2 series are stale" in told.json["findings"][0]


def test_readers_who_are_not_on_the_newest_run_are_noticed(
    mongo_database: Database[Document], ask: Ask
):
    older = publish(mongo_database, forecasted(as_of=DUE))
    newer = publish(mongo_database, forecasted(as_of=DUE + timedelta(minutes=1)))
    roll_back(mongo_database)
    told = ask("--json")
    assert (told.code, told.json["run"]["run_id"]) == (1, older)
    assert told.json["findings"] == [f"Run {newer} is newer, but somebody rolled back from it."]
    mongo_database["current"].update_one({}, {"$set": {"withdrawn": []}})
    assert "not published: run it again" in ask("--json").json["findings"][0]


def test_a_run_of_some_series_and_one_that_died_count_for_nothing(
    mongo_database: Database[Document], ask: Ask
):
    publish(mongo_database, forecasted(as_of=DUE - WEEK))
    publish(mongo_database, replace(forecasted(as_of=DUE), pattern="rte:*"))
    died = publish(mongo_database, forecasted(as_of=DUE - timedelta(days=1)))
    roll_back(mongo_database)
    mongo_database["forecast_runs"].update_one({"_id": died}, {"$set": {"state": "writing"}})
    assert ask("--json", "--grace-hours", "0").json["state"] == "late"


def test_it_tells_what_was_loaded_last_and_what_is_unread(
    mongo_database: Database[Document], ask: Ask, tmp_path: Path
):
    enter(mongo_database, "a|1", key="a", rows=1)
    enter(mongo_database, "b|2", key="b", rows=2, migration="a-flow-run")
    enter(mongo_database, "a|1", key="a", rows=1)
    landed = tmp_path / "lake/raw/infoclimat/observations.jsonl"
    landed.parent.mkdir(parents=True)
    landed.write_text("{}\n")
    told = ask("--json").json
    assert told["last_load"].pop("loaded_at") > DUE.isoformat()[:10]
    assert told["last_load"] == {"key": "a", "rows": 1}
    assert told["last_migration"].pop("loaded_at") > DUE.isoformat()[:10]
    assert told["last_migration"] == {"key": "b", "rows": 2, "migration": "a-flow-run"}
    assert (told["unread"], told["lake"]) == (1, "read")


def test_a_lake_that_is_not_there_changes_no_verdict(
    mongo_database: Database[Document], ask: Ask, monkeypatch: pytest.MonkeyPatch
):
    publish(mongo_database, forecasted(as_of=DUE))
    monkeypatch.setenv("LAKE_URI", "no/such/lake")
    told = ask("--json")
    assert (told.code, told.json["unread"]) == (0, None)
    assert "There is no folder no/such/lake" in told.json["lake"]


def test_a_lake_that_never_answers_is_waited_for_no_longer_than_asked(
    mongo_database: Database[Document], ask: Ask, monkeypatch: pytest.MonkeyPatch
):
    publish(mongo_database, forecasted(as_of=DUE))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("S3_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        told = ask("--json", "--timeout", "1", "--lake", "s3://bucket/raw")
    assert (told.code, told.json["lake"]) == (0, "gave no answer within 1 s")


def test_the_last_scores_are_told(mongo_database: Database[Document], ask: Ask):
    for week, mase in [(0, 9.0), (1, 0.5), (1, 1.0)]:
        score = {"issue_at": DUE + week * WEEK, "series_id": f"s{mase}", "mase": mase}
        mongo_database["scores"].insert_one(score | {"coverage80": 0.75, "coverage95": None})
    score = ask("--json").json["last_score"]
    assert (score["series"], score["mase"], score["coverage80"]) == (2, 0.75, 0.75)


@pytest.mark.parametrize("answers", [False, True], ids=["nobody listens", "nobody answers"])
def test_an_unreachable_mongodb_is_told_in_time(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, answers: bool
):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        if not answers:
            silent.close()
        monkeypatch.setenv("MONGODB_URI", f"mongodb://user:s3cret@127.0.0.1:{port}/?replicaSet=rs0")
        started = time.monotonic()
        told = ask("--json", "--timeout", "1")
    assert time.monotonic() - started < 5
    assert (told.code, told.json["state"]) == (2, "unreachable")
    assert "does not answer" in told.json["findings"][0]
    assert "s3cret" not in told.text


def test_with_nothing_configured_and_nothing_run_it_exits_2(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("MONGODB_URI")
    told = ask("--json")
    assert (told.code, told.json["state"]) == (2, "unreachable")
    assert not (tmp_path / ".local").exists()


def test_it_runs_without_prefect(mongo_settings: Settings, tmp_path: Path):
    # None in sys.modules makes every import of it an ImportError.
    program = (
        "import sys; sys.modules['prefect'] = sys.modules['prefect_aws'] = None\n"
        "from flows.status import main; sys.argv = ['status', '--json']; sys.exit(main())"
    )
    assert mongo_settings.mongodb_uri is not None
    uri = mongo_settings.mongodb_uri.get_secret_value()
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "MONGODB_URI": uri, "MONGODB_DATABASE": "empty"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["state"] == "late"


def test_wrong_usage_exits_2(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "flows.status", "--timeout", "0"],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2


@pytest.mark.parametrize("words", [("--grace-hours", "inf"), ("--timeout", "inf")])
def test_a_span_without_end_is_wrong_usage(words: tuple[str, str]):
    with pytest.raises(CycloptsError, match="Must be <="):
        app(words, exit_on_error=False, print_error=False)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-03-25T20:59:59+00:00", "2026-03-18T21:00:00+00:00"),
        ("2026-03-25T21:00:00+00:00", "2026-03-25T21:00:00+00:00"),
        ("2026-03-29T12:00:00+00:00", "2026-03-25T21:00:00+00:00"),
        ("2026-04-01T19:59:00+00:00", "2026-03-25T21:00:00+00:00"),
        ("2026-04-01T20:00:00+00:00", "2026-04-01T20:00:00+00:00"),
        ("2026-10-28T20:30:00+00:00", "2026-10-21T20:00:00+00:00"),
        ("2026-10-28T22:00:00+01:00", "2026-10-28T21:00:00+00:00"),
        ("2026-12-30T23:59:00-08:00", "2026-12-30T21:00:00+00:00"),
    ],
)
def test_the_last_due_instant_follows_the_clocks_of_france(now: str, due: str):
    assert find_due(datetime.fromisoformat(now)).astimezone(UTC) == datetime.fromisoformat(due)


def test_it_is_due_when_the_schedule_says():
    cron = f"{ISSUED.minute} {ISSUED.hour} * * {WEEKDAY + 1}"
    assert (WEEKLY.cron, WEEKLY.timezone) == (cron, "Europe/Paris")


def test_the_line_for_cron_writes_only_when_something_is_wrong(
    mongo_database: Database[Document], ask: Ask, tmp_path: Path
):
    page = (ROOT / "docs/how-to/watch-it.md").read_text()
    line = re.search(r"^15 6 \* \* \* cd /srv/forecast && (.*)$", page, re.MULTILINE)
    assert line is not None
    command = line[1].replace(".venv/bin/python", sys.executable)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def run() -> str:
        mail = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, check=True
        )
        return (mail.stdout + mail.stderr).decode()

    assert run().startswith("LATE: No run is published.")
    publish(mongo_database, forecasted(as_of=DUE))
    assert ask().code == 0
    assert run() == ""
