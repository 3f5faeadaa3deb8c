"""The processed layer into a real MongoDB, every row accounted for."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymongo.database import Database

from tasks.common.accounts import WriteCounts
from tasks.common.errors import ConfigurationError
from tasks.common.migration import Account, Selection
from tasks.common.mongo import Document
from tasks.common.objects import ObjectStore
from tasks.report.migration import MigrationReport
from tasks.report.statement import describe_migration, tabulate_objects
from tests.fixtures.migrating import CLEAN, migrate, older, stored, write_layer, write_older

ALL = Selection(all=True)


def first(report: MigrationReport) -> Account:
    return next(iter(report.objects))


def test_every_row_of_the_layer_is_stored_and_read_back(
    lake: ObjectStore, db: Database[Document], tmp_path: Path
):
    rows = write_layer(lake, tmp_path)
    report = migrate(lake, db)
    assert (report.state, report.rows.inserted) == ("COMPLETED", rows)
    assert {(o.checksum == o.checksum_stored, o.differing == []) for o in report.objects} == {
        (True, True)
    }
    counts = [count for one in report.objects for count in one.stations.values()]
    assert [sum(told) for told in zip(*counts, strict=True)] == [rows, rows]


def test_the_same_again_modifies_nothing_and_the_ledger_skips_it(
    lake: ObjectStore, db: Database[Document], tmp_path: Path
):
    rows = write_layer(lake, tmp_path)
    write_older(lake, CLEAN)
    migrate(lake, db)
    again, skipped = migrate(lake, db, ALL), migrate(lake, db)
    assert again.rows == WriteCounts(received=rows + 4, unchanged=rows + 4)
    assert skipped.fates == {"known": len(again.objects)}
    assert db["migration_files"].distinct("migration") == ["run"]  # the status tells it


def test_a_plan_counts_what_is_new_and_touches_nothing(
    lake: ObjectStore, db: Database[Document], tmp_path: Path
):
    rows = write_layer(lake, tmp_path)
    report = migrate(lake, db, mode="dry run")
    assert report.fates == {"planned": len(report.objects)}
    assert sum(one.expected_rows or 0 for one in report.objects) == report.expected_rows == rows
    assert stored(db) == {}


@pytest.mark.parametrize(("suffix", "shrink"), [("", bytes), (".gz", gzip.compress)])
def test_a_plan_judges_the_rows_of_json_by_its_size_and_says_so(
    lake: ObjectStore, db: Database[Document], suffix: str, shrink: Callable[[bytes], bytes]
):
    chance = np.random.default_rng(1)
    names = ("temperature", "humidity", "dewpoint", "wind_speed", "wind_gust", "uv_index")
    values: list[dict[str, Any]]
    values = [{name: round(chance.normal(50, 9), 1) for name in names} for _ in range(504)]
    body = json.dumps([older(**told) for told in values])
    lake.put_if_absent(f"processed/2026/02/18/a.json{suffix}", shrink(body.encode()))
    report = migrate(lake, db, mode="dry run")
    (row,), rows = tabulate_objects(report, rows=9), report.estimated_rows
    assert 504 / 3 < rows < 504 * 3
    assert (row["read"], first(report).estimated_rows) == (f"~{rows:,}", rows)
    assert f"0 rows of Parquet and ~{rows:,} of JSON are due" in [*describe_migration(report)][1]


def test_a_plan_takes_an_object_for_more_than_its_rows(lake: ObjectStore, db: Database[Document]):
    estimates = []
    for second in range(2):
        write_older(lake, CLEAN[:1], f"weather_data_20260218_19420{second}.json")
        estimates.append(migrate(lake, db, mode="dry run").estimated_seconds)
    assert 0 < estimates[0] < estimates[1]


def test_verify_names_and_counts_what_another_hand_changed_or_removed(
    lake: ObjectStore, db: Database[Document], tmp_path: Path
):
    rows = write_layer(lake, tmp_path)
    migrate(lake, db)
    calm = migrate(lake, db, mode="verify")
    assert (calm.state, calm.fates) == ("COMPLETED", {"verified": len(calm.objects)})
    changed, gone = sorted(stored(db))[7:9]
    db["observations"].update_one({"_id": changed}, {"$set": {"measurements": {}}})
    db["observations"].delete_one({"_id": gone})
    report = migrate(lake, db, mode="verify")
    assert report.state == "FAILED"
    assert report.rows == WriteCounts(rows, unchanged=rows - 2, missing=1, altered=1)
    assert [one.differing for one in report.objects if one.fate == "differs"] == [[changed, gone]]
    (told,) = (line for line in describe_migration(report) if line.startswith("Differs:"))
    assert f"first '{changed}'" in told
    (row,) = tabulate_objects(report, rows=9)
    assert (row["missing"], row["altered"], "new" in row) == ("1", "1", False)


def test_verify_names_every_document_that_differs(lake: ObjectStore, db: Database[Document]):
    write_older(lake, [older(f"S{n:03d}") for n in range(30)])
    migrate(lake, db)
    wanted = stored(db)
    db["observations"].delete_many({})
    one = first(migrate(lake, db, mode="verify"))
    (lines,) = (lake.get_bytes(key).splitlines() for key in one.differing_keys)
    told = {line["_id"]: (tuple(line["lake"]), line["mongodb"]) for line in map(json.loads, lines)}
    assert told == {name: (version, None) for name, version in wanted.items()}
    assert (one.rows.missing, len(one.differing)) == (30, 20)


def test_a_summary_names_the_first_objects_that_were_refused_and_counts_all(
    lake: ObjectStore, db: Database[Document]
):
    for second in range(35):
        lake.put_if_absent(f"processed/weather_data_20260218_1942{second:02d}.json", b"")
    told = [*describe_migration(migrate(lake, db))]
    assert sum(line.startswith("Refused:") for line in told) == 30
    assert "refused 35" in told[0]


def test_imperial_values_under_metric_labels_are_converted_and_counted(
    lake: ObjectStore, db: Database[Document]
):
    write_older(lake, CLEAN)
    report = migrate(lake, db)
    document = db["observations"].find_one({"_id": "wunderground:ILAMAD25|2024-10-05T10:03:00Z"})
    assert document is not None
    assert document["measurements"]["air_temperature"]["value"] == pytest.approx(13.7778, abs=1e-4)
    assert document["measurements"]["air_temperature"]["raw_unit"] == "degF"
    assert document["measurements"]["air_pressure_at_mean_sea_level"]["value"] == pytest.approx(
        998.3078, abs=1e-3
    )
    assert (report.state, first(report).imperial) == ("COMPLETED", 4)


def test_rejected_rows_keep_their_bytes_and_are_replayed_once_they_are_right(
    lake: ObjectStore, db: Database[Document]
):
    bad = older(pressure=None)
    key = write_older(lake, [*CLEAN, bad])
    report = migrate(lake, db)
    assert (report.state, first(report).rejected) == ("DEGRADED", {"unclear_units": 1})
    (line,) = lake.get_bytes(first(report).quarantine_key or "").splitlines()
    told = json.loads(line)
    assert (told["rule"], told["key"], told["line"]) == ("unclear_units", key, 5)
    assert json.loads(told["raw"]) == bad
    mended = told | {"raw": json.dumps(older(timestamp="2024-10-05T13:00:00"))}
    lake.put_if_absent("quarantine/migration/mended.jsonl", json.dumps(mended).encode())
    replayed = migrate(lake, db, Selection(replay_quarantine=True))
    again = migrate(lake, db, Selection(replay_quarantine=True))
    assert (replayed.rows.inserted, replayed.rows.rejected) == (1, 1)
    assert (again.rows.inserted, again.rows.modified, again.rows.unchanged) == (0, 0, 1)


@pytest.mark.parametrize(
    "slip", [{"modified_at": "soon"}, {"line": -1}, {"line": 2**31}, {"key": "\ud800"}]
)
def test_a_slip_in_a_mended_line_costs_that_line_alone(
    lake: ObjectStore, db: Database[Document], slip: dict[str, object]
):
    right = {"key": "processed/a.json", "etag": "e", "line": 1, "modified_at": "2026-02-18T19:42Z"}
    lines = [
        right | {"raw": json.dumps(older("FINE") | {"metadata": {}})},
        right | {"raw": json.dumps(older("SLIP") | {"metadata": {}})} | slip,
    ]
    write_older(lake, CLEAN)
    body = "\n".join(map(json.dumps, lines)).encode()
    lake.put_if_absent("quarantine/migration/mended.jsonl", body)
    report = migrate(lake, db, Selection(replay_quarantine=True))
    assert first(report).rejected == {"other_schema": 1}
    assert db["observations"].distinct("station.id") == ["wunderground:FINE"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(gzip.compress(json.dumps(CLEAN).encode())[:-20], "decompressed", id="cut gz"),
        pytest.param(json.dumps(CLEAN).encode()[:-30], "no whole JSON list", id="still growing"),
        pytest.param(b'[{"a": 1}, {"b": 2}]', "first: other_schema", id="another schema"),
        pytest.param(b"PK\x03\x04", "first: bad_json", id="no JSON"),
        pytest.param(b"[]", "it holds no record", id="an empty list"),
    ],
)
def test_a_broken_object_is_refused_in_a_sentence_and_stops_no_other(
    lake: ObjectStore, db: Database[Document], body: bytes, words: str
):
    lake.put_if_absent("processed/2026/02/18/broken.json", body)
    write_older(lake, CLEAN)
    report = migrate(lake, db)
    assert report.state == "DEGRADED"
    assert words in report.verdict
    assert report.fates == {"refused": 1, "loaded": 1}
    assert len(stored(db)) == 4


def test_a_parquet_file_with_other_bytes_than_promised_is_never_loaded(
    lake: ObjectStore, db: Database[Document], tmp_path: Path
):
    write_layer(lake, tmp_path)
    (key,) = [ref.key for ref in lake.list_objects("processed/v1/observations/")][:1]
    lake.backend.put(f"{lake.prefix}/{key}".lstrip("/"), lake.get_bytes(key)[:-1] + b"X")
    report = migrate(lake, db)
    assert "sha256" in report.verdict
    assert {one.fate for one in report.objects if one.key == key} == {"refused"}


def test_the_same_bytes_under_another_name_are_told_and_change_the_outcome_in_no_order(
    lake: ObjectStore, db: Database[Document]
):
    keys = [write_older(lake, CLEAN), write_older(lake, CLEAN, "2026/02/18/copy.json")]
    report = migrate(lake, db)
    assert len(report.duplicates) == 1
    first = stored(db)
    db["observations"].drop()
    for key in sorted(keys, reverse=True):
        migrate(lake, db, Selection(key=key))
    assert stored(db) == first


def test_a_newer_ingestion_wins_in_any_order(lake: ObjectStore, db: Database[Document]):
    newer = older(ingested="2026-03-01T00:00:00", temperature=60.0)
    keys = [
        write_older(lake, [older()]),
        write_older(lake, [newer], "weather_data_20260301_000000.json"),
    ]
    for order in (keys, keys[::-1]):
        db["observations"].drop()
        for key in order:
            report = migrate(lake, db, Selection(key=key))
        (document,) = db["observations"].find()
        assert document["measurements"]["air_temperature"]["raw"] == 60.0
    assert first(report).displaced == report.rows.duplicate == 1


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Selection(latest=True), 1),
        (Selection(key="processed/weather_data_20260218_194202.json"), 1),
        (Selection(), 2),
    ],
)
def test_what_is_selected_is_loaded(
    lake: ObjectStore, db: Database[Document], wanted: Selection, count: int
):
    write_older(lake, CLEAN)
    write_older(lake, CLEAN, "weather_data_20260301_000000.json")
    assert len(migrate(lake, db, wanted, "dry run").objects) == count


def test_a_key_that_is_not_there_and_a_lake_without_a_layer_are_refused(
    lake: ObjectStore, db: Database[Document]
):
    with pytest.raises(ConfigurationError, match="nothing below processed/"):
        migrate(lake, db)
    write_older(lake, CLEAN)
    with pytest.raises(ConfigurationError, match="No object of the processed layer is nope"):
        migrate(lake, db, Selection(key="nope"))
