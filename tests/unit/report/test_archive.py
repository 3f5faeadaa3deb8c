"""A report and its page stand beside each other, and the address of the page can be opened."""

from pathlib import Path

import pytest

from tasks.common.objects import open_store
from tasks.common.settings import Settings
from tasks.report.archive import archive_page, archive_report, locate_page
from tasks.report.document import RunReport
from tasks.report.render import render_markdown
from tests.unit.report.test_summary import tell


def test_the_page_stands_beside_the_report_of_its_number(tmp_path: Path):
    store = open_store(str(tmp_path), Settings())
    for number in (1, 2):
        told = archive_report(tell(), store)
        link = archive_page(told, f"<p>{number}", store, endpoint=None)
        assert Path(link.removeprefix("file://")).read_text() == f"<p>{number}"
    keys = [ref.key.rpartition("/")[2] for ref in store.list_objects("reports/")]
    assert keys == [f"forecast_report_00{n}.{end}" for n in (1, 2) for end in ("html", "json")]


def test_the_archived_report_names_its_page(tmp_path: Path):
    store = open_store(str(tmp_path), Settings())
    told = archive_report(tell(), store)
    (ref,) = store.list_objects("reports/")
    assert RunReport.model_validate_json(store.get_object(ref)) == told
    assert told.page_key == ref.key.removesuffix("json") + "html"


@pytest.mark.parametrize(
    ("output", "endpoint", "address"),
    [
        ("/srv/a b", None, "file:///srv/a%20b/r/x.html"),
        ("file:///srv/a%20b", None, "file:///srv/a%20b/r/x.html"),
        ("s3://lake", None, "https://console.aws.amazon.com/s3/object/lake?prefix=r/x.html"),
        ("s3://lake/a/", "http://weed:8333/", "http://weed:8333/lake/a/r/x.html"),
    ],
)
def test_the_address_of_a_page_can_be_opened(output: str, endpoint: str | None, address: str):
    assert locate_page(output, "r/x.html", endpoint=endpoint) == address


def test_the_markdown_links_to_the_page():
    assert "[The page of this run](<file:///x.html>)" in render_markdown(tell(), "file:///x.html")
    assert "page of this run" not in render_markdown(tell())
