"""Manifests that are wrong: each costs itself, or the file it is wrong about, and nothing else."""

import json
from pathlib import Path

import pytest
from pymongo.database import Database

from tasks.common.migration import Selection
from tasks.common.mongo import Document
from tasks.common.objects import ObjectStore
from tests.fixtures.migrating import CLEAN, migrate, write_layer, write_older

NO_LATITUDE = (
    b'{"manifest_id": "a", "as_of": "2026-11-18T21:00:00Z", "inputs": [], "files": [], '
    b'"stations": [{"station_id": "wu:A", "latitude": "north"}], "quarantine_key": null, '
    b'"versions": {}}'
)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "cannot be read at the document", id="empty"),
        pytest.param(b'{"manifest_id": "cut", "seq', "cannot be read at the document", id="cut"),
        pytest.param(b'{"schema_version": 2}', "cannot be read at schema_version", id="foreign"),
        pytest.param(b'{"a": "\xff"}', "cannot be read at the document", id="no text"),
        pytest.param(NO_LATITUDE, "cannot be read at stations", id="a latitude that is no number"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused_and_stops_no_other_object(
    lake: ObjectStore, db: Database[Document], tmp_path: Path, body: bytes, words: str
):
    rows = write_layer(lake, tmp_path)
    key = write_older(lake, CLEAN)
    broken = "processed/v1/_manifests/20261118T210000Z-0123456789ab.json"
    lake.put_if_absent(broken, body)
    report = migrate(lake, db)
    assert (report.state, report.rows.inserted) == ("DEGRADED", rows + len(CLEAN))
    assert [(one.key, one.kind) for one in report.objects if one.fate == "refused"] == [
        (broken, "manifest")
    ]
    assert words in report.verdict
    assert migrate(lake, db, Selection(key=key)).state == "COMPLETED"
    assert migrate(lake, db, Selection(latest=True)).fates == {"refused": 1, "loaded": 1}
    assert migrate(lake, db, mode="dry run").fates["refused"] == 1


def test_a_file_with_other_rows_than_its_manifest_says_is_refused_alone(
    lake: ObjectStore, db: Database[Document], tmp_path: Path
):
    write_layer(lake, tmp_path)
    write_older(lake, CLEAN)
    (ref,) = lake.list_objects("processed/v1/_manifests/")
    told = json.loads(lake.get_object(ref))
    told["files"][0]["rows"] += 1
    lake.backend.put(f"{lake.prefix}/{ref.key}".lstrip("/"), json.dumps(told).encode())
    report = migrate(lake, db)
    assert report.fates == {"refused": 1, "loaded": 1}
    assert f"not {told['files'][0]['rows']} as its manifest says" in report.verdict
