"""The figures of a run as CloudWatch metrics: JSON lines in the Embedded Metric Format.

CloudWatch makes metrics of such lines wherever they reach a log group, on ECS from standard
output; no agent, no network and no permission is needed here.
"""

import math
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Final, get_args

from aws_embedded_metrics.logger.metrics_context import MetricsContext
from aws_embedded_metrics.serializers.log_serializer import LogSerializer

from tasks.common.accounts import SeriesStatus
from tasks.common.settings import Settings
from tasks.report.document import RunReport
from tasks.report.migration import MigrationReport

NAMESPACE: Final = "ForecastPipeline"

_PREFIXES: Final = {"s3_to_mongo_migration": "migration_"}
"""Records of a migration and of a forecast are counted apart; a failure is a failure."""

Figure = tuple[str, float | None, str]
"""Name, value and CloudWatch's unit of a metric; without a value it is left out."""


def render_metrics(
    told: RunReport | MigrationReport | None,
    settings: Settings,
    *,
    flow: str,
    is_success: bool,
    seconds: float,
    ended_at: datetime,
) -> list[str]:
    """Give the lines of one run; exactly one of them carries its `run_success`.

    Skill and coverage have one value per series, 100 of them a line. All names but that one begin
    with `migration_` for a migration.

    Args:
        told: None for a run that ended before it could be reported.
        settings: dimensions `env` and `cluster`.
        flow: name of the flow, a property of the lines.
        is_success: whether it ended COMPLETED or DEGRADED.
        seconds: from the start of the flow to its end.
        ended_at: time of the metrics.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    dimensions = {"env": settings.environment, "cluster": settings.cluster}
    context = MetricsContext(NAMESPACE, {"flow": flow}, [dimensions])
    context.set_timestamp(ended_at)
    context.put_metric("run_success", float(is_success), "Count")
    for name, value, unit in (("duration", seconds, "Seconds"), *_list_figures(told)):
        if value is not None and math.isfinite(value):
            context.put_metric(_PREFIXES.get(flow, "") + name, value, unit)
    if told:
        context.set_property("run_id", told.run_id)
    return LogSerializer.serialize(context)


def _list_figures(told: RunReport | MigrationReport | None) -> Iterator[Figure]:
    if isinstance(told, MigrationReport):
        rows = told.rows
        kept = rows.inserted + rows.modified + rows.unchanged
        yield from _list_counts(rows.received, kept, rows.rejected)
    elif told:
        records = told.input.records
        yield from _list_counts(records.read, records.kept, sum(records.rejected.values()))
        yield from _list_series(told)


def _list_counts(read: int, kept: int, rejected: int) -> Iterator[Figure]:
    yield "read", read, "Count"
    yield "kept", kept, "Count"
    yield "rejected", rejected, "Count"
    yield "error_rate", 100 * rejected / max(read, 1), "Percent"


def _list_series(told: RunReport) -> Iterator[Figure]:
    yield "published", float(told.mongodb.published), "Count"
    ended = Counter(one.status for one in told.series)
    for status in get_args(SeriesStatus):
        yield f"series_{status}", ended[status], "Count"
    for one in told.series:
        for name in ("skill", "coverage80", "coverage95"):
            share = getattr(one, name)
            yield name, None if share is None else 100 * share, "Percent"
