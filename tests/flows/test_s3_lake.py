"""The lake in a bucket: read there, written there, nothing on the disk."""

import json
from pathlib import Path

from tests.fixtures.object_servers import ACCESS_KEY, SECRET_KEY, S3Server
from tests.flows.browser import find_trouble, running_browser
from tests.flows.command import require_shared_data, type_line
from tests.shell import documented, make_checkout

SERIES = "odre:32:air_temperature_daily_mean"
TEMPERATURES = "temperature-quotidienne-regionale_HDF_2016-2023.csv"


def test_a_lake_in_s3_is_read_and_written(
    s3_server: S3Server, mongodb_uri: str, database_name: str, tmp_path: Path
):
    body = (require_shared_data() / "demand" / TEMPERATURES).read_bytes()
    s3_server.put(f"raw/odre/{TEMPERATURES}", body)
    line = documented(
        ".venv/bin/python -m flows.forecast --lake s3://landing/raw --as-of 2019-11-06T22:00+01:00"
    )
    ran = type_line(
        line.replace("s3://landing/raw", s3_server.uri),
        cwd=make_checkout(tmp_path),
        S3_ENDPOINT_URL=s3_server.endpoint,
        AWS_REGION=s3_server.region,
        AWS_ACCESS_KEY_ID=ACCESS_KEY,
        AWS_SECRET_ACCESS_KEY=SECRET_KEY,
        MONGODB_URI=mongodb_uri,
        MONGODB_DATABASE=database_name,
    )
    assert ran.code == 0, ran.err
    keys = [ref.key for ref in s3_server.open().list_objects()]
    assert {key.split("/")[0] for key in keys} == {*("raw", "processed", "forecasts", "reports")}
    assert not (tmp_path / ".local").exists()
    (archived,) = (key for key in keys if key.startswith("reports/") and key.endswith(".json"))
    report = json.loads(s3_server.open().get_bytes(archived))
    assert [one["series_id"] for one in report["series"] if one["published"]] == [SERIES]
    page = tmp_path / "page.html"
    page.write_bytes(s3_server.open().get_bytes(report["page_key"]))
    with running_browser() as browser:
        assert find_trouble(browser, page, width=390, scheme="light") == []
