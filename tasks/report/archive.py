"""Reports in the lake: written once, never overwritten."""

from datetime import UTC, timedelta
from itertools import count

from tasks.common.objects import ObjectStore
from tasks.report.document import RunReport
from tasks.report.migration import MigrationReport


def archive_report(report: RunReport, store: ObjectStore) -> str:
    """Put the report under the next free number of its run and give its key.

    Key: `reports/forecast/<run_id>/forecast_report_<n>.json`. A run that is repeated tells
    other counts (nothing inserted), so each attempt keeps a report of its own.
    """
    body = report.model_dump_json(indent=1).encode()
    folder = f"reports/forecast/{report.run_id}"
    taken = len(store.list_objects(f"{folder}/"))
    keys = (f"{folder}/forecast_report_{number:03d}.json" for number in count(taken + 1))
    return next(key for key in keys if store.put_if_absent(key, body))


def archive_migration(report: MigrationReport, store: ObjectStore) -> str:
    """Put the report under the second it started in, or the next free one, and give its key.

    Key: `reports/migration/migration_report_YYYYMMDDTHHMMSSZ.json`.
    """
    body = report.model_dump_json(indent=1).encode()
    start = report.started_at.astimezone(UTC)
    stamps = (start + timedelta(seconds=later) for later in count())
    keys = (f"reports/migration/migration_report_{at:%Y%m%dT%H%M%SZ}.json" for at in stamps)
    return next(key for key in keys if store.put_if_absent(key, body))
