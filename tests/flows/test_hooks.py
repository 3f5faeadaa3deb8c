"""What stands around a run: its name, exactly one success or failure for CloudWatch, the word."""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, cast

import pytest
from prefect import Flow, flow, task
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort
from prefect.flow_engine import run_flow_sync
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import State

from flows.forecast import forecast_pipeline
from flows.hooks import HOOKS
from flows.migration import s3_to_mongo_migration
from tasks.common.objects import open_store
from tasks.common.settings import Settings
from tasks.report.document import RunReport
from tasks.report.task import conclude
from tests.unit.report.results_of_a_run import HOSTILE
from tests.unit.report.test_summary import tell

pytestmark = pytest.mark.usefixtures("prefect_server", "no_heartbeat")


@pytest.fixture
def no_heartbeat() -> Iterator[None]:
    """Spare every flow the second that its heart needs to stop."""
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


@task
def read_a_lake() -> None:
    open_store("ftp://<script>", Settings())


@flow(name="forecast_pipeline", **HOOKS)
def run_any(outcome: str) -> State[RunReport]:
    """End as the word says, by the ways in which the real flows end."""
    if outcome == "error":
        read_a_lake()
    if outcome == "interrupt":
        raise KeyboardInterrupt
    return conclude(tell().model_copy(update={"state": outcome, "verdict": f"{outcome}: x."}))


def end(outcome: str) -> None:
    try:
        run_flow_sync(run_any, parameters={"outcome": outcome}, return_type="state")
    except KeyboardInterrupt:
        assert outcome == "interrupt"


def read_failure() -> str:
    with get_client(sync_client=True) as client:
        newest, *_ = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["forecast-failure"])),
            sort=ArtifactSort.UPDATED_DESC,
        )
    assert newest.flow_run_id is not None
    return str(newest.data)


@pytest.mark.parametrize(
    ("outcome", "success"),
    [("COMPLETED", 1), ("DEGRADED", 1), ("FAILED", 0), ("error", 0), ("interrupt", 0)],
)
def test_a_run_is_one_success_or_one_failure_however_it_ends(
    outcome: str,
    success: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
):
    monkeypatch.setenv("METRICS", "stdout")
    end(outcome)
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["run_success"] for line in lines if "run_success" in line] == [success]
    assert 0 <= lines[0]["duration"] < 60


@pytest.mark.parametrize(("on_ecs", "count"), [(True, 1), (False, 0)])
def test_metrics_are_written_on_ecs_and_not_to_a_person(
    *, on_ecs: bool, count: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    if on_ecs:
        monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/0")
    end("COMPLETED")
    assert capfd.readouterr().out.count('"run_success": 1.0') == count


def test_settings_that_broke_the_run_do_not_silence_its_metrics(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/0")
    monkeypatch.setenv("MAX_LINE_MIB", "many")
    end("error")
    assert '"run_success": 0.0' in capfd.readouterr().out


def test_a_failed_verdict_leaves_its_series_as_an_artifact():
    end("FAILED")
    assert f"- `{HOSTILE.replace('|', '¦').replace('`', chr(39))}`: `Newest value" in read_failure()


def test_an_error_leaves_its_cause_and_its_place_as_an_artifact():
    end("error")
    told = read_failure()
    assert told.splitlines()[0].startswith("`")
    assert "ftp://<script>" in told.splitlines()[0]
    assert "In `tasks/common/objects.py:" in told


class Inbox(HTTPServer):
    """A web hook that keeps what it is sent, and answers with `status`."""

    def __init__(self, status: int) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.status, self.received = status, list[dict[str, Any]]()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        inbox = cast("Inbox", self.server)
        inbox.received.append(json.loads(body))
        self.send_response(inbox.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own word
        """Say nothing."""


@contextmanager
def receiving(status: int) -> Generator[Inbox]:
    with Inbox(status) as inbox:
        Thread(target=inbox.serve_forever, daemon=True).start()
        block = CustomWebhookNotificationBlock(
            name="operations",
            url=f"http://127.0.0.1:{inbox.server_port}/secret-path",
            json_data={"subject": "{{subject}}", "body": "{{body}}"},
        )
        block.save("operations", overwrite=True)
        yield inbox
        inbox.shutdown()


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    monkeypatch.setenv("NOTIFICATION_BLOCK", "custom-webhook/operations")
    with receiving(200) as one:
        yield one


def test_a_configured_block_is_told_of_what_needs_somebody_and_of_nothing_else(inbox: Inbox):
    for outcome in ("COMPLETED", "DEGRADED", "error"):
        end(outcome)
    degraded, failed = inbox.received
    assert degraded["subject"].startswith("forecast_pipeline DEGRADED: ")
    assert "30 days old" in degraded["body"]
    assert "ftp://(script)" in failed["body"]


def test_a_message_that_cannot_be_sent_hides_neither_the_cause_nor_its_address(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("NOTIFICATION_BLOCK", "custom-webhook/operations")
    with receiving(500) as inbox:
        end("FAILED")
    assert len(inbox.received) == 1
    assert "Nobody was told through the block custom-webhook/operations" in caplog.text
    assert "secret-path" not in caplog.text
    assert "FAILED: x" in caplog.text


@pytest.mark.parametrize("block", ["custom-webhook/none", "nothing/none", "secret/absent"])
def test_a_block_that_is_not_there_costs_one_warning(
    block: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("NOTIFICATION_BLOCK", block)
    end("DEGRADED")
    assert f"Nobody was told through the block {block}" in caplog.text
    assert "encountered while running hook" not in caplog.text


def name(named: Flow[..., Any], parameters: dict[str, Any]) -> str:
    """Run a flow that fails at once, for no lake is there, and give its name."""
    state = named(lake="ftp://none", **parameters, return_state=True)
    assert state.is_failed()
    with get_client(sync_client=True) as client:
        return client.read_flow_run(state.state_details.flow_run_id).name


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"as_of": "2019-11-06T21:00Z"}, "2019-W45 · all series"),
        (
            {"as_of": "2019-11-03T23:30Z", "series": "rte:*", "dry_run": True},
            "2019-W45 · rte:* · dry run",
        ),
        ({"as_of": "0001-01-01T00:00+14:00"}, "1-W01 · all series"),
    ],
    ids=["week", "Monday in Paris", "no other zone"],
)
def test_a_forecast_is_named_by_week_and_scope(parameters: dict[str, Any], expected: str):
    assert name(forecast_pipeline, parameters) == expected


def test_a_forecast_without_an_issue_time_is_named_by_its_start():
    year, week, _ = datetime.now(UTC).isocalendar()
    assert name(forecast_pipeline, {}) in {
        f"{year}-W{n:02d} · all series" for n in (week, week + 1)
    }


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "what is new"),
        ({"date": "2026-02-18", "verify": True}, "2026-02-18 · verify"),
        ({"replay_quarantine": True, "dry_run": True}, "replay quarantine · dry run"),
    ],
)
def test_a_migration_is_named_by_what_it_loads(parameters: dict[str, Any], expected: str):
    assert name(s3_to_mongo_migration, parameters) == expected
