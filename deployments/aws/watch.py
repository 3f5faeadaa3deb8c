"""Tell CloudWatch once a minute how a member is; what nobody tells, the alarms count as bad.

Runs beside mongod as container `watch`. One line of the embedded metric format a round, on
standard output, where the log driver hands it to CloudWatch.
Source: CloudWatch embedded metric format specification.
"""

import os
import shutil
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aws_embedded_metrics.logger.metrics_context import MetricsContext
from aws_embedded_metrics.serializers.log_serializer import LogSerializer
from pymongo import MongoClient
from pymongo.read_preferences import Nearest

from tasks.common.errors import PipelineError
from tasks.common.mongo import connect
from tasks.common.settings import Settings, load_settings

NAMESPACE: Final = "ForecastPipeline"
PERIOD_S: Final = 60
_PRIMARY, _SECONDARY = 1, 2


def observe_member(client: MongoClient[dict[str, Any]], host: str) -> dict[str, float]:
    """Give `member_up` (0 or 1) and, where it is known, `replication_lag_seconds`.

    Any member that answers is asked; a member of another state than primary and secondary (it is
    being filled, or was removed) is not up.
    """
    status = client.admin.command("replSetGetStatus", read_preference=Nearest())
    named = [member for member in status["members"] if member["name"].partition(":")[0] == host]
    own = next(iter(named), {})
    seen = {"member_up": float(own.get("state") in (_PRIMARY, _SECONDARY))}
    newest = [m["optimeDate"] for m in status["members"] if m.get("state") == _PRIMARY]
    if newest and seen["member_up"]:
        seen["replication_lag_seconds"] = max(0.0, (newest[0] - own["optimeDate"]).total_seconds())
    return seen


def observe_forecast(
    client: MongoClient[dict[str, Any]], database: str, now: datetime
) -> dict[str, float]:
    """Give `forecast_age_hours` since the issue time of the published run; nothing before one."""
    current = client[database].get_collection("current", read_preference=Nearest())
    pointer = current.find_one({"_id": "weekly"})
    return (
        {"forecast_age_hours": (now - pointer["issue_at"]).total_seconds() / 3600}
        if pointer
        else {}
    )


def observe_disk(folder: Path) -> dict[str, float]:
    """Give `disk_used_percent` of the volume that holds a folder."""
    usage = shutil.disk_usage(folder)
    return {"disk_used_percent": 100 * usage.used / usage.total}


def render_metrics(values: Mapping[str, float], dimensions: Mapping[str, str]) -> list[str]:
    """Give the lines that CloudWatch takes metrics from."""
    context = MetricsContext(namespace=NAMESPACE)
    context.set_dimensions([dict(dimensions)])
    for name, value in values.items():
        context.put_metric(name, value)
    return LogSerializer.serialize(context) if values else []


def observe(settings: Settings, host: str, folder: Path) -> list[str]:
    """Give the lines of one round; a set that does not answer makes its member down."""
    common = {"env": settings.environment, "cluster": settings.cluster}
    member = {"member_up": 0.0} | observe_disk(folder)
    forecast: dict[str, float] = {}
    try:
        with connect(settings) as client:
            member |= observe_member(client, host)
            forecast = observe_forecast(client, settings.mongodb_database, datetime.now(UTC))
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
    return render_metrics(member, common | {"member": host}) + render_metrics(forecast, common)


def main(environment: Mapping[str, str]) -> None:
    """Observe for ever."""
    settings, folder = load_settings(), Path(environment.get("DATA", "/data/db"))
    while True:
        lines = observe(settings, environment["MEMBER"], folder)
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
        time.sleep(PERIOD_S - time.time() % PERIOD_S)


if __name__ == "__main__":
    main(os.environ)
