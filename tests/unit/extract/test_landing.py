"""Which objects of a lake are read, and that one of them never stops the others."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from prefect.logging import disable_run_logger

from tasks.common.errors import ConfigurationError, TerminalError
from tasks.common.manifests import Manifest
from tasks.common.objects import open_store
from tasks.common.results import Extracted
from tasks.common.settings import Settings
from tasks.extract.harvest import explain_full_disk, harvest_lake, harvest_objects
from tasks.extract.task import extract
from tests.unit.extract.given import BLANK, SOURCES, lines, row

AS_OF = datetime(2024, 10, 9, 20, tzinfo=UTC)
DAY = "raw/wunderground/ITESTA12/first_day=2024-10-01/a.jsonl"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    for key in (
        DAY,
        "README.md",
        "processed/v1/wunderground.csv",
        "forecasts/v1/fits/wunderground.csv",
        ".hidden/wunderground.csv",
    ):
        put(tmp_path, key, lines([BLANK, row("00:04:00"), row("23:59:00")]))
    return tmp_path


def put(lake: Path, key: str, body: bytes) -> None:
    (lake / key).parent.mkdir(parents=True, exist_ok=True)
    (lake / key).write_bytes(body)


def harvest(lake: Path, **settings: object) -> Extracted:
    return harvest_lake(str(lake), Settings.model_validate(settings), as_of=AS_OF)


def remember(lake: Path, extracted: Extracted, **changes: str | None) -> None:
    """Leave the manifest that transform would leave."""
    read = [one for one in extracted.objects if one.status in ("read", "quarantined")]
    manifest = Manifest(
        manifest_id="one",
        as_of=AS_OF,
        inputs=tuple(replace(one, **changes) for one in read),
        files=(),
        stations=(),
        quarantine_key=None,
        versions={},
    )
    put(lake, "processed/v1/_manifests/one.json", manifest.encode())


def statuses(extracted: Extracted) -> dict[str, str]:
    return {one.key: one.status for one in extracted.objects}


def test_every_foreign_object_is_accounted_for_and_our_own_are_passed_over(lake: Path):
    found = harvest(lake)
    assert statuses(found) == {DAY: "read", "README.md": "unmatched"}
    assert (found.tally.read, found.tally.kept, found.tally.blank) == (3, 2, 1)
    assert len(found.objects[1].sha256 or "") == 64


def test_readings_are_spilled_by_month_of_the_instant(lake: Path):
    found = harvest(lake)
    assert [(part.month, part.rows) for part in found.parts] == [("2024-09", 1), ("2024-10", 1)]
    frame = pl.read_ipc(found.parts[0].path)
    assert frame["air_temperature"].to_list() == [56.2]
    assert "precipitation_increment" in frame.columns


def test_an_object_a_manifest_lists_is_known_until_it_or_its_source_changes(lake: Path):
    remember(lake, harvest(lake))
    again = harvest(lake)
    assert (statuses(again)[DAY], again.parts) == ("known", ())
    remember(lake, replace(again, objects=()))
    assert statuses(harvest(lake))[DAY] == "read"


@pytest.mark.parametrize("changed", [{"etag": "old"}, {"source_hash": None}, {"sha256": None}])
def test_a_changed_object_or_declaration_is_read_again(lake: Path, changed: dict[str, str | None]):
    remember(lake, harvest(lake), **changed)
    assert statuses(harvest(lake))[DAY] == "read"


def test_a_late_object_is_read_though_a_newer_one_was(lake: Path):
    remember(lake, harvest(lake))
    earlier = DAY.replace("2024-10-01", "2024-09-01")
    put(lake, earlier, lines([row()]))
    assert statuses(harvest(lake)) == {DAY: "known", earlier: "read", "README.md": "unmatched"}


def test_a_damaged_object_stops_no_other(lake: Path):
    truncated = DAY.replace("a.jsonl", "b.jsonl.gz")
    put(lake, truncated, gzip.compress(lines([row()] * 100))[:-9])
    put(lake, DAY.replace("a.jsonl", "c.xlsx"), b"PK\x03\x04")
    found = harvest(lake)
    assert sorted(statuses(found).values()) == ["quarantined", "quarantined", "read", "unmatched"]
    assert found.quarantine["rule"].to_list() == ["corrupt_object", "corrupt_object"]
    assert found.tally.kept == 2


@pytest.mark.parametrize(
    "write", [Path("/dev/full").write_bytes, lambda _: pl.DataFrame([1]).write_ipc("/dev/full")]
)
def test_a_full_disk_is_told_of_with_its_remedy(write: Callable[[bytes], object]):
    with pytest.raises(TerminalError, match="point TMPDIR at"), explain_full_disk():
        write(b"more")


def test_an_undated_object_keeps_its_hash_and_reason(lake: Path):
    put(lake, "raw/wunderground/ITESTA12/b.jsonl", lines([row()]))
    (refused,) = [one for one in harvest(lake).objects if one.status == "quarantined"]
    assert (refused.reason or "").startswith("undated")
    assert refused.sha256 is not None


def test_an_unreadable_manifest_is_not_passed_over(lake: Path):
    put(lake, "processed/v1/_manifests/one.json", b"{")
    with pytest.raises(TerminalError, match=r"one\.json"):
        harvest(lake)


def test_a_lake_without_a_matching_object_is_told_of(tmp_path: Path):
    put(tmp_path, "README.md", b"nothing here")
    with pytest.raises(TerminalError, match="LAKE_URI"):
        harvest(tmp_path)


def test_an_issue_time_without_a_zone_is_refused(lake: Path):
    with pytest.raises(ConfigurationError, match="without a zone"):
        harvest_lake(str(lake), Settings(), as_of=AS_OF.replace(tzinfo=None))


def test_a_wrong_source_file_stops_the_run_before_anything_is_read(lake: Path):
    put(lake, "sources/mine.yaml", b"id: mine\n")
    with pytest.raises(ConfigurationError, match=r"mine\.yaml"):
        harvest(lake, sources_dir=str(lake / "sources"))


def test_a_station_that_moves_between_two_objects_is_told_of_once(tmp_path: Path):
    hourly = [{"dh_utc": "2024-10-05 00:00:00", "temperature": "6.4"}]
    for name, latitude in {"a": 50.0, "b": 50.0001, "c": 51.0, "d": None}.items():
        station = {"id": "07015", "name": "Lille", "latitude": latitude, "longitude": 3.0}
        answer = {"stations": [station], "hourly": {"07015": hourly}}
        put(tmp_path, f"infoclimat_{name}.jsonl", lines([answer]))
    found = harvest(tmp_path)
    moved = (
        "station infoclimat:07015 moved from [50.0001, 3.0] to [51.0, 3.0] (latitude, longitude)"
    )
    assert [one.reason for one in found.objects] == [None, None, moved, None]
    assert found.stations["latitude"].to_list() == [51.0]


@pytest.fixture
def _quiet() -> Iterator[None]:
    with disable_run_logger():
        yield


@pytest.mark.usefixtures("_quiet")
def test_the_task_reads_the_lake_of_the_settings(lake: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LAKE_URI", str(lake))
    found = extract.fn(as_of=AS_OF, dry_run=True)
    assert (found.as_of, found.dry_run, found.tally.kept) == (AS_OF, True, 2)
    assert found.sources["wunderground"].units["air_temperature"] == "degF"


def test_an_object_that_vanished_since_the_listing_stops_no_other(lake: Path):
    store = open_store(str(lake), Settings())
    here = next(ref for ref in store.list_objects("raw/"))
    gone = replace(here, key=DAY.replace("a.jsonl", "gone.jsonl"))
    unread = [(gone, SOURCES["wunderground"]), (here, SOURCES["wunderground"])]
    found = harvest_objects(unread, store.get_object, Settings())
    assert [one.status for one in found.outcomes] == ["quarantined", "read"]
    assert (found.outcomes[0].reason or "").startswith("unreadable_object")
