"""Wednesdays of 2019, one after another: every score is what plain sums over stored points say."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.flow_engine import run_flow_sync
from prefect.states import Completed, Failed, State
from pymongo import MongoClient

from flows.backfill import conclude_weeks, forecast_backfill
from tasks.common.errors import ConfigurationError
from tasks.common.schedule import list_issue_times
from tests.flows.command import Ran, require_shared_data, run_module
from tests.flows.plain_scores import BUCKETS, PARIS, Truth, read_demand, score_plainly
from tests.shell import documented, make_checkout, type_lines

SERIES = "rte:32:electricity_demand"
WEEKS = 4


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cut eight weeks before the first Wednesday, and those that are run, out of RTE's files."""
    folder = tmp_path_factory.mktemp("backfill") / "lake"
    folder.mkdir()
    for path in (require_shared_data() / "demand").glob("*Definitif*"):
        head, *lines = path.read_bytes().split(b"\n")
        kept = [one for one in lines if _is_within(one)]
        (folder / path.name).write_bytes(b"\n".join([head, *kept, b""]))
    return folder


def _is_within(line: bytes) -> bool:
    cells = line.split(b"\t")
    return len(cells) > 4 and b"2018-11-07" <= cells[2] < b"2019-02-07"


@pytest.fixture(scope="module")
def truth(lake: Path) -> Truth:
    return read_demand(lake.glob("*.xls"))


def run_backfill(lake: Path, uri: str, weeks: int) -> Ran:
    return run_module(
        "flows.forecast",
        *("backfill", "--from", "2019-01-08", "--weeks", str(weeks), "--lake", str(lake)),
        cwd=lake.parent,
        MONGODB_URI=uri,
        MONGODB_DATABASE="backfilled",
    )


@pytest.fixture(scope="module")
def begun(lake: Path, mongodb_uri: str) -> Ran:
    return run_backfill(lake, mongodb_uri, 1)


@pytest.fixture(scope="module")
def stored(lake: Path, mongodb_uri: str, begun: Ran) -> dict[str, list[dict[str, Any]]]:
    """Go on where it was left, and give what MongoDB then holds."""
    assert begun.code == 0, begun.err
    ran = run_backfill(lake, mongodb_uri, WEEKS)
    assert ran.code == 0, ran.err
    lines = [line for line in ran.out.splitlines() if line.startswith("2019-")]
    assert [line[:20] for line in lines] == [f"{at:%Y-%m-%d} COMPLETED" for at in issue_times()]
    with MongoClient(mongodb_uri, tz_aware=True) as client:
        db = client["backfilled"]
        names = ("forecast_runs", "forecasts", "scores", "current")
        return {name: list(db[name].find().sort("issue_at")) for name in names}


def issue_times() -> list[datetime]:
    return list_issue_times(date(2019, 1, 8), WEEKS)


def find_forecast(stored: Mapping[str, Any], issue_at: datetime) -> dict[str, Any]:
    found = [
        f for f in stored["forecasts"] if (f["issue_at"], f["series_id"]) == (issue_at, SERIES)
    ]
    (only,) = found
    return only


def test_the_bench_forecasts_a_wednesday_as_it_would_have_been(lake: Path, tmp_path: Path):
    (make_checkout(tmp_path) / "demand").symlink_to(lake)
    line = documented(
        ".venv/bin/python -m tests.bench forecast-quality --lake demand/ --series 'rte:32:*' "
        "--as-of-from 2019-01-09 --json"
    )
    told = json.loads(type_lines(line, tmp_path, {"BENCH_WEEKS": "1", "BENCH_WORKERS": "1"}))
    assert (list(told["origins"]), told["series"]) == (["2019-01-09T21:00Z"], 1)
    assert told["methods"]["ours"]["mape"] < 20


def test_every_wednesday_is_a_run_and_the_last_is_the_one_readers_have(
    stored: Mapping[str, Any],
):
    assert [one["issue_at"] for one in stored["forecast_runs"]] == issue_times()
    assert {one["state"] for one in stored["forecast_runs"]} == {"complete"}
    assert stored["current"][0]["run_id"] == stored["forecast_runs"][-1]["_id"]


def test_every_score_is_what_plain_sums_say(stored: Mapping[str, Any], truth: Truth):
    told = {(one["issue_at"], one["bucket"]): one for one in stored["scores"]}
    *weeks, last_but_one, _ = issue_times()
    expected = {(at.astimezone(UTC), bucket) for at in weeks for bucket in BUCKETS}
    expected |= {(last_but_one.astimezone(UTC), bucket) for bucket in ("D+1", "D+2", "D+3-7")}
    assert set(told) == expected
    for (issue_at, bucket), score in told.items():
        plain = score_plainly(find_forecast(stored, issue_at), bucket, truth, issue_times()[-1])
        assert {name: score[name] for name in plain} == pytest.approx(plain, rel=1e-8)


def test_the_first_four_issue_times_correct_the_fifth_and_none_before(stored: Mapping[str, Any]):
    forecasts = [find_forecast(stored, at) for at in issue_times()]
    factors = [(one["correction80"], one["correction95"]) for one in forecasts]
    assert factors[:4] == [(1.0, 1.0)] * 4
    assert (1.0, 1.0) not in factors[4:]
    assert all(0.8 <= factor <= 1.25 for pair in factors for factor in pair)


def test_a_week_that_was_there_is_run_again_without_another_run(
    stored: Mapping[str, Any], lake: Path
):
    reports = sorted(lake.glob("reports/forecast/*/forecast_report_*.json"))
    attempts = [
        len([p for p in reports if p.parent.name == one["_id"]]) for one in stored["forecast_runs"]
    ]
    assert attempts == [2, *[1] * (WEEKS - 1)]


def test_wednesdays_keep_the_clock_of_paris_over_both_changes():
    times = list_issue_times(date(2019, 3, 22), 33)
    assert {at.astimezone(PARIS).time() for at in times} == {time(22)}
    assert {at.astimezone(UTC).hour for at in times} == {20, 21}
    assert {at.weekday() for at in times} == {2}


def test_a_week_that_is_still_to_come_is_refused():
    with pytest.raises(ConfigurationError, match="still to come"):
        list_issue_times(datetime.now(UTC).date(), 2)


def test_the_worst_week_names_the_whole():
    done, late, broken = Completed(name="COMPLETED"), Completed(name="DEGRADED"), Failed()
    assert conclude_weeks([done, late, done]).name == "DEGRADED"
    ended = conclude_weeks([done, broken, late])
    assert (ended.is_failed(), ended.message) == (
        True,
        "3 weeks: 1 COMPLETED, 1 Failed, 1 DEGRADED",
    )


@pytest.mark.usefixtures("prefect_server")
def test_a_week_that_fails_stops_none_of_the_others(tmp_path: Path):
    asked = {"first_on": date(2019, 1, 9), "weeks": 2, "lake": str(tmp_path / "nowhere")}
    ended = cast("State", run_flow_sync(forecast_backfill, parameters=asked, return_type="state"))
    assert ended.is_failed()
    assert ended.message == "2 weeks: 2 Failed"


@pytest.mark.parametrize("first_on", [date.min, date.max])
def test_a_first_day_at_an_end_of_the_calendar_is_refused(first_on: date):
    with pytest.raises(ConfigurationError, match="begin on a day between 1970 and 2200"):
        list_issue_times(first_on, 1)


@pytest.mark.usefixtures("prefect_server", "stored")
def test_the_flow_of_the_ui_runs_known_weeks_without_a_change(
    lake: Path, mongodb_uri: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("MONGODB_DATABASE", "backfilled")
    asked = {"first_on": date(2019, 1, 8), "weeks": 2, "lake": str(lake)}
    ended = cast("State", run_flow_sync(forecast_backfill, parameters=asked, return_type="state"))
    assert (ended.name, ended.message) == ("COMPLETED", "2 weeks: 2 COMPLETED")
    with MongoClient(mongodb_uri) as client:
        assert client["backfilled"]["forecast_runs"].count_documents({}) == WEEKS
