"""From one Wednesday to the next one thing is flipped, and the report names it."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from prefect.flow_engine import run_flow_sync
from prefect.states import State

from flows.forecast import forecast_pipeline
from tasks.report.document import Change, RunReport

pytestmark = pytest.mark.usefixtures("prefect_server")

NOW = datetime(2024, 5, 15, 20, tzinfo=UTC)  # a Wednesday, 22:00 in Paris
BEFORE = NOW - timedelta(weeks=1)
SERIES = "meadow:M1:air_temperature"
DECLARED = """
id: meadow
network: meadow
match: ["*meadow*.csv"]
step: PT1H
licence: "none"
station: {path: "(M[0-9])"}
time:
  zone: UTC
  instant: {columns: [when], formats: ["%Y-%m-%dT%H:%M"]}
fields:
  air_temperature: {columns: [temp], unit: degC}
"""

Values = Callable[[datetime, float], float]


def land(folder: Path, name: str, *, since: datetime, until: datetime, change: Values) -> None:
    """Land hours of a wandering temperature of station M1, as `change` makes of it."""
    drawn = np.random.default_rng(5).normal(0, 0.3, 24 * 90)
    first, lines = NOW - timedelta(days=90), ["when,temp"]
    wander = 0.0
    for hour, step in enumerate(drawn):
        at = first + timedelta(hours=hour)
        wander = 0.98 * wander + step
        if since <= at < until:
            value = change(at, 12 + wander + 4 * np.sin(at.hour / 24 * 2 * np.pi))
            lines.append(f"{at:%Y-%m-%dT%H:%M},{value:.2f}")
    (folder / "raw/meadow/M1").mkdir(parents=True, exist_ok=True)
    (folder / f"raw/meadow/M1/{name}.csv").write_text("\n".join(lines) + "\n")


def keep(_: datetime, value: float) -> float:
    return value


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a lake as it was a week ago."""
    folder = tmp_path_factory.mktemp("changes")
    (folder / "sources").mkdir()
    (folder / "sources/meadow.yaml").write_text(DECLARED)
    land(folder / "lake", "old_M1", since=NOW - timedelta(days=90), until=BEFORE, change=keep)
    return folder


@pytest.fixture
def folder(
    begun: Path,
    tmp_path: Path,
    mongodb_uri: str,
    database_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Give a copy of that lake, after its first run."""
    shutil.copytree(begun, tmp_path / "mine")
    monkeypatch.setenv("MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("MONGODB_DATABASE", database_name)
    monkeypatch.setenv("SOURCES_DIR", str(tmp_path / "mine/sources"))
    run(tmp_path / "mine", BEFORE)
    # What is fitted a first time is there for the other copies, too.
    shutil.copytree(tmp_path / "mine/lake/forecasts", begun / "lake/forecasts", dirs_exist_ok=True)
    return tmp_path / "mine"


def run(folder: Path, as_of: datetime, horizon_days: int = 11) -> RunReport:
    asked = {"lake": str(folder / "lake"), "as_of": as_of, "horizon_days": horizon_days}
    state = run_flow_sync(forecast_pipeline, parameters=asked, return_type="state")
    return cast("RunReport", cast("State", state).result())


def find_change(told: RunReport) -> Change:
    (only,) = [change for change in told.changes.series if change.series_id == SERIES]
    return only


def test_a_flipped_unit_is_a_configuration(folder: Path):
    declared = folder / "sources/meadow.yaml"
    declared.write_text(declared.read_text().replace("unit: degC", "unit: degF"))
    land(folder / "lake", "new_M1", since=BEFORE, until=NOW, change=keep)
    told = run(folder, NOW, horizon_days=10)
    assert told.changes.changed == ["horizon_days was 11, is 10", "source meadow is declared anew"]
    change = find_change(told)
    assert change.cause == "configuration"
    assert str(change.detail).endswith(
        "source meadow is declared anew, so its history was read again"
    )
    assert change.mean_move is not None
    assert change.mean_move < -10


def test_a_restated_history_is_told_with_how_many_values(folder: Path):
    def warm(_: datetime, value: float) -> float:
        return value + 6

    first = BEFORE - timedelta(days=30)
    land(folder / "lake", "restated_M1", since=first, until=BEFORE, change=warm)
    land(folder / "lake", "new_M1", since=BEFORE, until=NOW, change=warm)
    change = find_change(run(folder, NOW))
    assert change.cause == "restated"
    assert str(change.detail).startswith("720 values before 2024-05-08 22:00 are no longer")


def test_a_sensor_that_is_stuck_is_told_by_its_flagged_values(folder: Path):
    land(folder / "lake", "new_M1", since=BEFORE, until=NOW, change=lambda *_: 11.1)
    change = find_change(run(folder, NOW))
    assert change.cause == "data"
    assert "of 168 steps since 2024-05-08 22:00 are usable" in str(change.detail)
    assert "values were flagged suspect or refused" in str(change.detail)


def test_a_week_of_other_weather_is_data(folder: Path):
    def cool(_: datetime, value: float) -> float:
        return value - 8

    land(folder / "lake", "new_M1", since=BEFORE, until=NOW, change=cool)
    told = run(folder, NOW)
    assert find_change(told).cause == "data"
    assert told.changes.since_issue_at == BEFORE
