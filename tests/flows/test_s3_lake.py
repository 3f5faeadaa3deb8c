"""The lake in a bucket: read there, written there, nothing on the disk."""

from pathlib import Path

from tests.fixtures.object_servers import S3Server
from tests.flows.browser import find_trouble, running_browser
from tests.flows.command import require_shared_data, run_module

TEMPERATURES = "temperature-quotidienne-regionale_HDF_2016-2023.csv"


def test_a_lake_in_s3_is_read_and_written(
    s3_server: S3Server, mongodb_uri: str, database_name: str, tmp_path: Path
):
    body = (require_shared_data() / "demand" / TEMPERATURES).read_bytes()
    s3_server.put(f"raw/odre/{TEMPERATURES}", body)
    ran = run_module(
        "flows.forecast",
        *("--lake", s3_server.uri, "--as-of", "2019-11-06T22:00+01:00", "--json", "report.json"),
        cwd=tmp_path,
        S3_ENDPOINT_URL=s3_server.endpoint,
        AWS_REGION=s3_server.region,
        MONGODB_URI=mongodb_uri,
        MONGODB_DATABASE=database_name,
    )
    assert ran.code == 0, ran.err
    assert ran.series("odre:32:air_temperature_daily_mean")["published"] is not None
    keys = [ref.key for ref in s3_server.open().list_objects()]
    assert {key.split("/")[0] for key in keys} == {*("raw", "processed", "forecasts", "reports")}
    assert not (tmp_path / ".local").exists()
    page = tmp_path / "page.html"
    page.write_bytes(s3_server.open().get_bytes(ran.report["page_key"]))
    with running_browser() as browser:
        assert find_trouble(browser, page, width=390, scheme="light") == []
