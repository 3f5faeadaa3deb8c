"""The door of transform, on a real S3 server and on the real files of two years of demand."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from prefect.logging import disable_run_logger

from tasks.common.results import Extracted, Transformed
from tasks.extract.task import extract
from tasks.transform.task import transform
from tests.fixtures.fault_proxy import FaultProxy
from tests.fixtures.object_servers import S3Server
from tests.flows.command import require_shared_data
from tests.unit.transform.given import Landed, every, extracted, readings


@pytest.fixture
def given(tmp_path: Path) -> Extracted:
    frame = readings(every(60, 30, start="10-31 00:00"), {"relative_humidity": range(40, 70)})
    return extracted(tmp_path, Landed("a", frame))


def run_on(server: S3Server, given: Extracted, monkeypatch: pytest.MonkeyPatch) -> Transformed:
    monkeypatch.setenv("S3_ENDPOINT_URL", server.endpoint)
    monkeypatch.setenv("AWS_REGION", server.region)
    with disable_run_logger():
        return transform.fn(replace(given, output=server.uri))


def list_bodies(server: S3Server) -> dict[str, bytes]:
    store = server.open()
    return {ref.key: store.get_object(ref) for ref in store.list_objects()}


def test_a_second_run_over_the_same_input_changes_nothing(
    s3_server: S3Server, given: Extracted, monkeypatch: pytest.MonkeyPatch
):
    first = run_on(s3_server, given, monkeypatch)
    before = list_bodies(s3_server)
    second = run_on(s3_server, given, monkeypatch)
    assert len(before) == 3
    assert list_bodies(s3_server) == before
    assert second.input_hash == first.input_hash


def test_a_manifest_whose_acknowledgement_was_lost_is_not_lost(
    faulty_server: S3Server,
    fault_proxy: FaultProxy,
    given: Extracted,
    monkeypatch: pytest.MonkeyPatch,
):
    fault_proxy.fail("lostack", match="_manifests")
    made = run_on(faulty_server, given, monkeypatch)
    told = json.loads(list_bodies(faulty_server)[made.manifest_key or ""])
    assert [file["key"] for file in told["files"]] == [file.key for file in made.files]


def test_two_years_of_demand_lack_four_half_hours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lake = tmp_path / "lake"
    lake.mkdir()
    for year in (2018, 2019):
        name = f"eCO2mix_RTE_Hauts-de-France_Annuel-Definitif_{year}.xls"
        (lake / name).write_bytes((require_shared_data() / "demand" / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    with disable_run_logger():
        made = transform.fn(extract.fn(lake=str(lake), as_of=datetime(2020, 1, 1, tzinfo=UTC)))
    row = made.series.row(by_predicate=pl.col("variable") == "electricity_demand", named=True)
    assert (made.observations, row["present"], row["expected"]) == (35_036, 35_036, 35_040)
    assert (row["gaps"], row["step_minutes"], row["native_step_minutes"]) == (4, 60, 30)
    assert made.gaps.rows() == [
        ("rte:32:electricity_demand", datetime(2018, 10, 28, 1, tzinfo=UTC), 2),
        ("rte:32:electricity_demand", datetime(2019, 10, 27, 1, tzinfo=UTC), 2),
    ]
    assert made.history.height == 35_040 // 2
