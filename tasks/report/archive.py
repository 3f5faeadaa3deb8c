"""Reports in the lake: written once, never overwritten."""

from itertools import count

from tasks.common.objects import ObjectStore
from tasks.report.document import RunReport


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
