"""Reports in the lake: written once, never overwritten."""

from datetime import UTC, timedelta
from io import BytesIO
from itertools import count
from pathlib import Path
from urllib.parse import quote, unquote

from tasks.common.objects import ObjectStore
from tasks.report.document import RunReport
from tasks.report.migration import MigrationReport, encode_migration


def archive_report(report: RunReport, store: ObjectStore) -> RunReport:
    """Put the report under the next free number of its run and give it with its page's key.

    Key: `reports/forecast/<run_id>/forecast_report_<n>.json`, and `.html` beside it for the page. A
    run that is repeated tells other counts (nothing inserted), so each attempt keeps its own.
    """
    folder = f"reports/forecast/{report.run_id}"
    taken = sum(ref.key.endswith(".json") for ref in store.list_objects(f"{folder}/"))
    for number in count(taken + 1):
        stem = f"{folder}/forecast_report_{number:03d}"
        told = report.model_copy(update={"page_key": f"{stem}.html"})
        if store.put_if_absent(f"{stem}.json", told.model_dump_json(indent=1).encode()):
            break
    return told


def archive_page(report: RunReport, page: str, store: ObjectStore, *, endpoint: str | None) -> str:
    """Put the page of a report beside its JSON and give its address.

    Raises:
        TerminalError: the report was not archived before, so that it has no place.
    """
    key = report.page_key or ""
    store.put_if_absent(key, page.encode())
    return locate_page(store.uri, key, endpoint=endpoint)


def locate_page(output: str, key: str, *, endpoint: str | None) -> str:
    """Give the address that a browser opens a page by; in AWS, that of its console.

    >>> locate_page("s3://lake/raw", "reports/a b.html", endpoint=None)
    'https://console.aws.amazon.com/s3/object/lake?prefix=raw/reports/a%20b.html'
    """
    scheme, _, place = output.rpartition("://")
    if scheme in ("", "file"):
        folder = Path(unquote(place) if scheme else place).expanduser().resolve()
        return (folder / key).as_uri()
    bucket, _, prefix = place.partition("/")
    path = quote(f"{prefix.rstrip('/')}/{key}".lstrip("/"))
    if endpoint:
        return f"{endpoint.rstrip('/')}/{bucket}/{path}"
    return f"https://console.aws.amazon.com/s3/object/{bucket}?prefix={path}"


def archive_migration(report: MigrationReport, store: ObjectStore) -> str:
    """Put the report under the second it started in, or the next free one, and give its key.

    Key: `reports/migration/migration_report_YYYYMMDDTHHMMSSZ.json`.
    """
    body = BytesIO()  # whose value is no copy
    body.writelines(encode_migration(report))
    stamps = (report.started_at.astimezone(UTC) + timedelta(seconds=n) for n in count())
    keys = (f"reports/migration/migration_report_{at:%Y%m%dT%H%M%SZ}.json" for at in stamps)
    return next(key for key in keys if store.put_if_absent(key, body.getvalue()))
