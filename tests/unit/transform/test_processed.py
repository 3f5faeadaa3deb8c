"""What is written counts only by its manifest, is the same however often, and never overwritten."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from backports import zstd

from tasks.common.accounts import Tally
from tasks.common.contracts import QUARANTINE
from tasks.common.errors import CorruptObjectError, TerminalError, UnbalancedCountsError
from tasks.common.manifests import Manifest, read_manifests
from tasks.common.objects import ObjectStore
from tasks.common.results import Extracted, ObjectOutcome
from tests.unit.transform.given import (
    FACTS,
    Landed,
    at,
    every,
    extracted,
    new_store,
    readings,
    run,
)

VALUES = {"wind_speed": [1.0, 2.0, 3.0], "relative_humidity": [50.0, 51.0, 52.0]}
REJECTED = pl.DataFrame(
    [("bad_json", "b", "e1", "wu", line, None, "not JSON", "{é") for line in (9, 2)],
    schema=QUARANTINE,
    orient="row",
)


def october(folder: Path, **more: Any) -> Extracted:  # noqa: ANN401
    frame = readings(every(60, 3, start="10-31 22:00"), VALUES)
    return replace(extracted(folder, Landed("a", frame)), **more)


def bodies(store: ObjectStore) -> dict[str, bytes]:
    return {ref.key: store.get_object(ref) for ref in store.list_objects()}


def test_files_lie_by_source_and_month_and_the_manifest_describes_them(tmp_path: Path):
    store = new_store()
    made = run(october(tmp_path), store)
    (manifest,) = read_manifests(store)
    stored = bodies(store)
    folders = [file.key.rpartition("/")[0] for file in made.files]
    assert folders == [f"processed/v1/observations/source=wu/date=2024-{m}" for m in (10, 11)]
    assert manifest.files == made.files
    for file in made.files:
        body = stored[file.key]
        frame = pl.read_parquet(BytesIO(body))
        assert (file.size, file.sha256) == (len(body), sha256(body).hexdigest())
        assert (file.rows, file.first_at) == (frame.height, frame["at"].min())


def test_a_file_tells_the_units_of_its_raw_values(tmp_path: Path):
    store = new_store()
    made = run(october(tmp_path), store)
    metadata = pl.read_parquet_metadata(BytesIO(bodies(store)[made.files[0].key]))
    assert json.loads(metadata["raw_units"]) == {"relative_humidity": "%", "wind_speed": "mph"}


def test_a_manifest_reads_as_documented(tmp_path: Path):
    store = new_store()
    made = run(october(tmp_path), store)
    told = json.loads(bodies(store)[made.manifest_key or ""])
    assert set(told) == set(Manifest.model_fields)
    assert told["schema_version"] == 1
    assert {k: told["inputs"][0][k] for k in ("key", "etag", "source_hash", "status")} == {
        "key": "a",
        "etag": "e1",
        "source_hash": "h1",
        "status": "read",
    }
    assert told["inputs"][0]["tally"]["kept"] == 3
    assert set(told["files"][0]) == {
        "key", "size", "sha256", "rows", "source_id", "month", "first_at", "last_at"
    }  # fmt: skip


def test_a_retry_writes_the_same_names_and_bytes(tmp_path: Path):
    store = new_store()
    run(october(tmp_path), store)
    before = bodies(store)
    run(october(tmp_path), store)
    assert bodies(store) == before


def test_what_a_crashed_run_left_is_finished_by_its_retry(tmp_path: Path):
    whole, crashed = new_store(), new_store()
    run(october(tmp_path), whole)
    first = next(iter(bodies(whole)))
    crashed.put_if_absent(first, bodies(whole)[first])
    run(october(tmp_path), crashed)
    assert bodies(crashed) == bodies(whole)


def test_a_file_without_a_manifest_is_not_there(tmp_path: Path):
    store = new_store()
    made = run(october(tmp_path), store)
    orphan = made.files[0].key.replace("-0.parquet", "-9.parquet")
    store.put_if_absent(orphan, b"half a file")
    again = run(extracted(tmp_path), store)
    assert again.files == made.files
    assert again.input_hash == made.input_hash


def test_a_run_with_nothing_new_writes_nothing(tmp_path: Path):
    store = new_store()
    made = run(october(tmp_path), store)
    before = bodies(store)
    given = extracted(tmp_path, Landed("a", readings([], {"wind_speed": []})))
    known = [replace(outcome, status="known") for outcome in given.objects]
    unmatched = replace(known[0], key="README", status="unmatched", source_id=None)
    again = run(replace(given, objects=(*known, unmatched)), store)
    assert again.manifest_key is None
    assert (bodies(store), again.input_hash) == (before, made.input_hash)


def test_an_object_without_a_good_row_is_an_input_and_its_rows_are_kept_apart(tmp_path: Path):
    store = new_store()
    bad = ObjectOutcome(
        "b", "e1", 3, None, "wu", "h1", "quarantined", Tally(2, 0, 0, 0, {"bad_json": 2})
    )
    given = replace(extracted(tmp_path), objects=(bad,), quarantine=REJECTED)
    made = run(given, store)
    (manifest,) = read_manifests(store)
    lines = zstd.decompress(bodies(store)[manifest.quarantine_key or ""]).decode().splitlines()
    assert [json.loads(line)["line"] for line in lines] == [2, 9]
    assert [entry.status for entry in manifest.inputs] == ["quarantined"]
    assert (manifest.files, made.history.height) == ((), 0)


def test_a_dry_run_tells_all_and_writes_nothing(tmp_path: Path):
    store = new_store()
    dry = run(october(tmp_path, dry_run=True, quarantine=REJECTED), store)
    assert bodies(store) == {}
    real = run(october(tmp_path, quarantine=REJECTED), store)
    assert dry.input_hash == real.input_hash
    assert (dry.manifest_key, dry.files, dry.observations) == (None, (), 3)


def test_losers_to_another_object_are_duplicates_and_the_counts_close(tmp_path: Path):
    frame = readings(every(60, 3, start="10-31 22:00"), VALUES)
    again = frame.with_columns(pl.col("extracted_at") + timedelta(hours=1))
    made = run(extracted(tmp_path, Landed("a", frame), Landed("b", again)))
    assert (made.tally.read, made.tally.kept, made.tally.duplicate) == (6, 3, 3)
    assert made.observations == 3


def test_readings_that_vanish_on_the_way_stop_the_run(tmp_path: Path):
    given = october(tmp_path)
    parts = (replace(given.parts[0], rows=given.parts[0].rows + 1), *given.parts[1:])
    with pytest.raises(UnbalancedCountsError, match="3 came in, 2 are accounted for"):
        run(replace(given, parts=parts))


def test_readings_outside_their_month_stop_the_run(tmp_path: Path):
    given = october(tmp_path)
    facts = replace(FACTS, label="end")
    late = tuple(replace(part, month="2024-08") for part in given.parts)
    with pytest.raises(UnbalancedCountsError, match="3 came in, 0 are accounted for"):
        run(replace(given, parts=late, sources={facts.id: facts}))


def test_other_bytes_under_a_key_of_ours_stop_the_run_before_its_manifest(tmp_path: Path):
    store = new_store()
    key = run(october(tmp_path)).files[0].key
    store.put_if_absent(key, b"somebody else's")
    with pytest.raises(TerminalError, match="holds other bytes"):
        run(october(tmp_path), store)
    assert read_manifests(store) == []


def test_the_same_input_has_a_name_of_its_own_per_issue_time_and_declaration(tmp_path: Path):
    given = october(tmp_path)
    changed = tuple(replace(outcome, source_hash="h2") for outcome in given.objects)
    runs = (given, replace(given, objects=changed), october(tmp_path, as_of=at("11-13 21:00")))
    keys = [run(one).manifest_key or "" for one in runs]
    assert len(set(keys)) == 3
    assert keys[0].startswith("processed/v1/_manifests/20241106T210000Z-")


@pytest.mark.parametrize("body", [b'{"schema_version": 2}', b"{", b"[]"])
def test_a_manifest_of_another_kind_is_named_and_refused(tmp_path: Path, body: bytes):
    store = new_store()
    store.put_if_absent("processed/v1/_manifests/odd.json", body)
    with pytest.raises(TerminalError, match=r"Manifest processed/v1/_manifests/odd\.json cannot"):
        run(october(tmp_path), store)


def test_a_file_that_changed_under_its_manifest_is_noticed(tmp_path: Path):
    store = new_store()
    (manifest,) = (run(october(tmp_path), store), read_manifests(store)[0])[1:]
    lies = [replace(file, sha256="0" * 64) for file in manifest.files]
    other = new_store()
    for key, body in bodies(store).items():
        told = manifest.model_copy(update={"files": tuple(lies)}).model_dump_json().encode()
        other.put_if_absent(key, told if key.endswith(".json") else body)
    with pytest.raises(CorruptObjectError):
        run(extracted(tmp_path), other)


def test_licences_come_from_the_station_before_the_source(tmp_path: Path):
    instants: list[datetime] = every(60, 3, start="10-31 18:00")
    frames = [readings(instants, VALUES, station=f"wu:{name}") for name in "AB"]
    stations = pl.DataFrame(
        {"station_id": ["wu:A"], "network": ["wu"], "licence": ["CC BY 2.0 FR"]}
    )
    made = run(replace(extracted(tmp_path, Landed("a", pl.concat(frames))), stations=stations))
    told = dict(made.series.select("station_id", "licence").iter_rows())
    assert told == {"wu:A": "CC BY 2.0 FR", "wu:B": "see station"}


def test_a_run_that_reads_no_object_still_knows_names_and_licences(tmp_path: Path):
    store = new_store()
    told = {"station_id": ["wu:A"], "network": ["wu"], "name": ["Lille"], "licence": ["CC BY 4.0"]}
    stations = pl.DataFrame(told)
    first = run(october(tmp_path, stations=stations), store)
    again = run(replace(extracted(tmp_path), stations=stations.clear()), store)
    assert again.stations.to_dicts() == first.stations.to_dicts() == stations.to_dicts()
    assert again.series["licence"].to_list() == ["CC BY 4.0", "CC BY 4.0"]


def test_what_is_said_later_of_a_station_counts_and_a_null_erases_nothing(tmp_path: Path):
    store = new_store()
    said = {"station_id": ["wu:A"], "network": ["wu"], "name": ["Lille"], "licence": ["CC BY 4.0"]}
    run(october(tmp_path, stations=pl.DataFrame(said)), store)
    later = pl.DataFrame(said | {"name": ["Lesquin"], "licence": [None]}).cast(pl.String)
    made = run(replace(extracted(tmp_path), stations=later), store)
    assert made.stations.rows() == [("wu:A", "wu", "Lesquin", "CC BY 4.0")]
