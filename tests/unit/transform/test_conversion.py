"""A Parquet file that its manifest vouches for is still looked at before it is loaded."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from tasks.common.contracts import OBSERVATION_KEYS
from tasks.common.migration import Fetched, Item
from tasks.common.objects import open_store
from tasks.common.results import ProcessedFile
from tasks.common.settings import Settings
from tasks.transform.conversion import convert_object

NOW = datetime(2026, 11, 18, 21, tzinfo=UTC)
ROW = {
    "station_id": "wunderground:A",
    "at": NOW,
    "rev": "1",
    "maturity": 0,
    "source_id": "wunderground",
    "source_key": "raw/a.jsonl",
    "line": 1,
    "extracted_at": NOW,
    "air_temperature": 13.8,
    "air_temperature__flag": 1,
}
SCHEMA = OBSERVATION_KEYS | {"air_temperature": pl.Float64, "air_temperature__flag": pl.UInt8}


def convert(path: Path) -> Fetched:
    file = ProcessedFile("processed/v1/a.parquet", 1, "", 1, "wunderground", "2026-11", NOW, NOW)
    item = Item(file.key, "parquet", "", 1, NOW, "", file)
    store = open_store(f"memory://{path.name}", Settings())
    return convert_object(Fetched(item, path), store, Settings(), keep=False)


def test_a_file_of_observations_is_taken_as_it_is(tmp_path: Path):
    pl.DataFrame([ROW], schema=SCHEMA).write_parquet(path := tmp_path / "a")
    assert convert(path).files == (path,)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("station_id", pl.lit(None, pl.String)),
        ("at", pl.lit(None, pl.Datetime("us", "UTC"))),
        ("rev", pl.lit(None, pl.String)),
        ("air_temperature", pl.lit("warm")),
        ("air_temperature__flag", pl.lit("good")),
        ("line", pl.lit("one")),
    ],
)
def test_a_file_of_another_schema_is_refused_by_the_name_of_the_column(
    tmp_path: Path, column: str, values: pl.Expr
):
    frame = pl.DataFrame([ROW], schema=SCHEMA).with_columns(values.alias(column))
    frame.write_parquet(path := tmp_path / "a")
    refused = convert(path)
    assert refused.files == ()
    assert f"of another schema: {column} missing" in (refused.reason or "")


def test_a_file_whose_metadata_are_damaged_is_refused(tmp_path: Path):
    frame = pl.DataFrame([ROW], schema=SCHEMA)
    frame.write_parquet(path := tmp_path / "a", metadata={"raw_units": "{"})
    assert "is no Parquet" in (convert(path).reason or "")
