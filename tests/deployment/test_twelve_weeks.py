"""Twelve Wednesdays of 2019 over real data: every figure of every scorecard, by plain sums.

The Wednesday before them is run first, so that the first of the twelve has something to judge.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import polars as pl
import pytest
from pymongo import MongoClient

from tasks.common.schedule import list_issue_times
from tests.flows.command import require_shared_data
from tests.flows.plain_scores import BUCKETS, PARIS, Truth, read_demand, score_plainly
from tests.shell import BASH, call, documented, make_checkout

pytestmark = pytest.mark.twelve

DEMAND, TEMPERATURE = "rte:32:electricity_demand", "odre:32:air_temperature_daily_mean"
NAME = "twelve"
FIRST, WEEKS = date(2019, 1, 9), 12

Typed = tuple[CompletedProcess[str], CompletedProcess[str]]
Stored = Mapping[tuple[str, datetime], dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp(NAME))


@pytest.fixture(scope="module")
def ran(folder: Path, mongodb_uri: str) -> Typed:
    """Type what the how-to shows, on the data where they stand; all output goes to `folder`."""
    line = documented(
        ".venv/bin/python -m flows.forecast backfill --from 2019-01-09 --weeks 12 "
        "--lake s3://landing/raw"
    ).replace("s3://landing/raw", str(require_shared_data()))
    before = line.replace("2019-01-09 --weeks 12", "2019-01-02 --weeks 1")
    place = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": NAME, "OUTPUT_URI": "output"}
    one, twelve = (call((*BASH, words), folder, place, timeout_s=3600) for words in (before, line))
    return one, twelve


@pytest.fixture(scope="module")
def issue_times() -> list[datetime]:
    """Give all thirteen, in UTC."""
    times = list_issue_times(FIRST - timedelta(weeks=1), WEEKS + 1)
    return [at.astimezone(UTC) for at in times]


@pytest.fixture(scope="module")
def forecasts(ran: Typed, mongodb_uri: str) -> Stored:
    """Give what MongoDB holds, by series and issue time."""
    assert [one.returncode for one in ran] == [0, 0], ran[1].stderr
    with MongoClient(mongodb_uri, tz_aware=True) as client:
        return {(one["series_id"], one["issue_at"]): one for one in client[NAME].forecasts.find()}


@pytest.fixture(scope="module")
def truths() -> dict[str, Truth]:
    """Read the files as they were delivered."""
    demand = require_shared_data() / "demand"
    (file,) = demand.glob("temperature*.csv")
    days = pl.read_csv(file, separator=";").filter(pl.col("Code INSEE région") == 32)
    told = {
        datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC): mean
        for day, mean in days.select("Date", "TMoy (°C)").iter_rows()
    }
    return {DEMAND: read_demand(demand.glob("*Definitif*")), TEMPERATURE: told}


@pytest.fixture(scope="module")
def cards(folder: Path, ran: Typed, issue_times: list[datetime]) -> list[dict[str, Any]]:
    """Give the report of every run, by issue time."""
    assert ran[1].returncode == 0, ran[1].stderr
    files = (folder / "output").glob("reports/forecast/*/forecast_report_*.json")
    told = [json.loads(path.read_text()) for path in files]
    told.sort(key=lambda one: one["issue_at"])
    assert [datetime.fromisoformat(one["issue_at"]) for one in told] == issue_times
    return told


def list_judged(times: list[datetime], bucket: str, until: datetime) -> list[datetime]:
    """List the issue times whose bucket is over, all but the last two hours."""
    last = BUCKETS[bucket][1]
    end = (until + timedelta(hours=2)).astimezone(PARIS).date()
    return [at for at in times if at.astimezone(PARIS).date() + timedelta(days=last + 1) <= end]


def list_expected(
    times: list[datetime], until: datetime
) -> Iterator[tuple[str, str, list[datetime]]]:
    for series_id in (TEMPERATURE, DEMAND):
        for bucket in BUCKETS:
            if judged := list_judged(times, bucket, until):
                yield series_id, bucket, judged


def test_twelve_wednesdays_are_told_line_by_line(ran: Typed, issue_times: list[datetime]):
    lines = [line[:20] for line in ran[1].stdout.splitlines() if line.startswith("2019-")]
    assert lines == [f"{at:%Y-%m-%d} COMPLETED" for at in issue_times[1:]]
    assert "nothing published before it can be judged" in ran[0].stdout


def test_every_one_of_twelve_scorecards_has_figures_and_the_one_before_has_none(
    cards: list[dict[str, Any]], issue_times: list[datetime]
):
    assert cards[0]["scorecard"] == []
    for card, until in zip(cards[1:], issue_times[1:], strict=True):
        told = [(one["series_id"], one["bucket"], one["issues"]) for one in card["scorecard"]]
        expected = list_expected(issue_times, until)
        assert sorted(told) == sorted((name, bucket, len(at)) for name, bucket, at in expected)


def test_every_figure_of_twelve_scorecards_is_what_plain_sums_say(
    cards: list[dict[str, Any]],
    forecasts: Stored,
    truths: dict[str, Truth],
    issue_times: list[datetime],
):
    figures = 0
    for card, until in zip(cards[1:], issue_times[1:], strict=True):
        told = {(one["series_id"], one["bucket"]): one for one in card["scorecard"]}
        for series_id, bucket, judged in list_expected(issue_times, until):
            truth = truths[series_id]
            plain = [score_plainly(forecasts[series_id, at], bucket, truth, until) for at in judged]
            score, names = told[series_id, bucket], set(plain[0]) - {"points"}
            assert score["points"] == plain[-1]["points"]
            for name in names:
                told_here = score["latest"][name], score["mean"][name]
                values = [value for one in plain if (value := one[name]) is not None]
                if not values:  # a temperature has no wMAPE
                    assert told_here == (None, None)
                    continue
                expected = values[-1], np.mean(values)
                assert told_here == pytest.approx(expected, rel=1e-8, abs=1e-12), (until, name)
                figures += 2
    print(f"\n{figures} figures of {len(cards) - 1} scorecards are what plain sums say")
    assert figures > 1000
