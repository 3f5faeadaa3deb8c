"""Real weather from landing to processed layer: the right units at the right hours."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from prefect.logging import disable_run_logger

from tasks.common.results import Transformed
from tasks.extract.task import extract
from tasks.transform.task import transform
from tests.flows.command import require_shared_data

AS_OF = datetime(2024, 10, 7, 13, tzinfo=UTC)
WEEK = "airbyte_wunderground_ILAMAD25_first_two_days.jsonl"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    given = require_shared_data() / "weather"
    landed = tmp_path / "lake/raw/airbyte-sync/wunderground/ILAMAD25/first_day=2024-10-01"
    landed.mkdir(parents=True)
    (landed / WEEK).write_bytes((given / WEEK).read_bytes())
    name = "airbyte_infoclimat.jsonl"
    (tmp_path / "lake/raw" / name).write_bytes((given / name).read_bytes())
    return tmp_path / "lake"


def make(lake: Path) -> tuple[Transformed, pl.DataFrame]:
    with disable_run_logger():
        made = transform.fn(extract.fn(lake=str(lake), as_of=AS_OF))
    frames = [pl.read_parquet(lake / file.key) for file in made.files]
    return made, pl.concat(frames, how="diagonal_relaxed").sort("station_id", "at")


def test_weather_underground_is_metric_and_in_utc(lake: Path):
    rows = make(lake)[1].filter(pl.col("station_id") == "wunderground:ILAMAD25")
    first = rows.row(0, named=True)
    assert rows.height == 576
    assert first["at"] == datetime(2024, 9, 30, 22, 4, tzinfo=UTC)
    values = (
        "air_temperature",
        "relative_humidity",
        "air_pressure_at_mean_sea_level",
        "wind_speed",
    )
    assert [round(first[name], 2) for name in values] == [13.44, 84.0, 1007.45, 1.97]


def test_infoclimat_keeps_every_record_of_its_four_stations(lake: Path):
    made, rows = make(lake)
    kept = rows.filter(pl.col("source_id") == "infoclimat")
    assert kept.group_by("station_id").len().sort("station_id").rows() == [
        ("infoclimat:00052", 361),
        ("infoclimat:000R5", 361),
        ("infoclimat:07015", 60),
        ("infoclimat:STATIC0010", 361),
    ]
    assert (made.tally.kept, made.tally.rejected) == (1143 + 576, {})


def test_the_counter_of_rain_that_resets_in_the_morning_becomes_increments(lake: Path):
    rows = make(lake)[1].filter(pl.col("station_id") == "wunderground:ILAMAD25")
    rain = rows["precipitation_increment"].drop_nulls()
    assert rain.min() == 0.0
    assert 0 < rain.sum() < 60  # mm in two days; the counter itself would sum to hundreds
