"""The lines that CloudWatch reads are of its format, and their figures those of the report."""

import json
import socket
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from aws_embedded_metrics.unit import Unit

from tasks.common.accounts import WriteCounts
from tasks.common.migration import Migrated, Plan
from tasks.common.settings import Settings
from tasks.report.document import RunReport
from tasks.report.metrics import render_metrics
from tasks.report.migration import MigrationReport, summarise_migration
from tests.unit.report.test_summary import tell

NOW = datetime.now(UTC)


def measure(
    told: RunReport | MigrationReport | None,
    flow: str = "forecast_pipeline",
    *,
    is_success: bool = True,
) -> list[dict[str, Any]]:
    settings = Settings(environment="staging")
    outcome = {"is_success": is_success, "seconds": 12.5, "ended_at": NOW}
    return [json.loads(line) for line in render_metrics(told, settings, flow=flow, **outcome)]


def list_declared(line: dict[str, Any]) -> dict[str, str]:
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    return {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}


def migrate() -> MigrationReport:
    plan = Plan("lake", "lake", "m-1", NOW, "load", True, (), (), pl.DataFrame())
    rows = WriteCounts(10, inserted=4, modified=2, unchanged=1, duplicate=1, rejected=2)
    told = summarise_migration(Migrated(plan, (), 1.0), Settings())
    return told.model_copy(update={"rows": rows})


def test_a_line_is_of_the_embedded_metric_format():
    (line,) = measure(tell())
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert line["_aws"]["Timestamp"] == round(NOW.timestamp() * 1000)
    assert directive["Namespace"] == "ForecastPipeline"
    assert directive["Dimensions"] == [["env", "cluster"]]
    assert (line["env"], line["cluster"]) == ("staging", "ecs")
    declared = list_declared(line)
    assert set(declared.values()) <= {unit.value for unit in Unit}
    assert set(declared) <= set(line)  # each is the name of a member of the root


def test_the_figures_are_those_of_the_report_in_their_units():
    (line,) = measure(tell())
    units = list_declared(line)
    assert {name: line[name] for name in ("read", "kept", "rejected", "error_rate")} == {
        "read": 100,
        "kept": 90,
        "rejected": 3,
        "error_rate": 3.0,
    }
    assert (line["series_model"], line["series_withheld"], line["series_stale"]) == (1, 1, 0)
    assert (line["skill"], line["coverage80"], line["coverage95"]) == (20.0, 80.0, 95.0)
    assert (units["duration"], units["read"], units["skill"], units["error_rate"]) == (
        *("Seconds", "Count"),
        *("Percent", "Percent"),
    )


def test_a_run_that_was_never_reported_is_a_failure_with_its_duration():
    (line,) = measure(None, is_success=False)
    assert list_declared(line) == {"run_success": "Count", "duration": "Seconds"}
    assert (line["run_success"], line["duration"]) == (0, 12.5)


def test_a_thousand_series_make_lines_of_which_one_tells_the_success():
    told = tell()
    many = told.model_copy(update={"series": list(told.series) * 1000})
    lines = measure(many)
    skills = [len(line["skill"]) for line in lines]
    assert (sum(skills), max(skills)) == (1000, 100)
    assert sum("run_success" in list_declared(line) for line in lines) == 1


def test_a_migration_has_names_of_its_own_but_for_its_success():
    (line,) = measure(migrate(), "s3_to_mongo_migration")
    names = {name for name in list_declared(line) if not name.startswith("migration_")}
    assert names == {"run_success"}
    assert (line["migration_read"], line["migration_kept"], line["migration_rejected"]) == (
        10,
        7,
        2,
    )
    assert line["migration_error_rate"] == 20.0


def test_a_figure_that_is_no_number_is_left_out():
    told = tell()
    strange = told.series[1].model_copy(update={"skill": float("-inf")})
    (line,) = measure(told.model_copy(update={"series": [strange]}))
    assert "skill" not in line


def test_it_asks_nothing_of_the_network(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        pytest.fail("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    assert measure(tell())
