"""What Prefect does around a run: its name, its metrics, and the word when it needs somebody.

Prefect calls a hook once per final state and catches what it raises: none can fail a run.
"""

import logging
import sys
from contextlib import suppress
from typing import Any, Final

from httpx import HTTPError
from prefect import Flow
from prefect.artifacts import ArtifactRequest
from prefect.blocks.abstract import NotificationError
from prefect.blocks.core import Block
from prefect.blocks.notifications import NotificationBlock
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.logging.loggers import flow_run_logger
from prefect.runtime import flow_run
from prefect.states import State
from prefect.utilities.asyncutils import run_coro_as_sync
from prefect.utilities.urls import url_for

from tasks.common.contracts import MARKET_ZONE
from tasks.common.errors import ConfigurationError
from tasks.common.settings import Settings, load_settings, runs_on_ecs
from tasks.report.metrics import render_metrics
from tasks.report.task import find_report
from tasks.report.text import fence
from tasks.report.trouble import Trouble, find_trouble, render_trouble, write_notice


def name_forecast() -> str:
    """Name a run by ISO week (Paris), scope and mode: `2019-W45 · rte:* · dry run`."""
    given = flow_run.parameters
    issued = given["as_of"] or flow_run.scheduled_start_time
    # At the ends of the calendar no other zone has a date.
    local = issued.astimezone(MARKET_ZONE) if 1 < issued.year < 9999 else issued
    year, week, _ = local.isocalendar()
    scope = "all series" if given["series"] == "*" else given["series"]
    return " · ".join([f"{year}-W{week:02d}", scope, *["dry run"] * given["dry_run"]])


def name_migration() -> str:
    """Name a run by what it loads and its mode: `2026-02-18 · verify`."""
    given = flow_run.parameters
    flags = [name for name in ("latest", "all", "replay_quarantine") if given[name]]
    scope = given["key"] or given["date"] or " ".join(flags).replace("_", " ") or "what is new"
    modes = [mode for mode in ("dry_run", "verify") if given[mode]]
    return " · ".join([str(scope), *modes]).replace("dry_run", "dry run")


def emit_metrics(flow: Flow[..., Any], run: FlowRun, state: State[Any]) -> None:
    """Write the metrics of a run to standard output, if the setting METRICS says so."""
    settings = _read_settings()
    if settings.metrics == "off" or (settings.metrics == "auto" and not runs_on_ecs()):
        return
    ended_at = state.timestamp
    lines = render_metrics(
        find_report(state.result(raise_on_failure=False)),
        settings,
        flow=flow.name,
        is_success=state.is_completed(),
        seconds=max((ended_at - (run.start_time or ended_at)).total_seconds(), 0.0),
        ended_at=ended_at,
    )
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def tell_trouble(flow: Flow[..., Any], run: FlowRun, state: State[Any]) -> None:
    """Log the cause of a run that needs somebody, leave it as an artifact, and notify."""
    if state.is_completed() and state.name != "DEGRADED":
        return
    outcome, name = state.result(raise_on_failure=False), state.name or state.type.value
    trouble = find_trouble(find_report(outcome), outcome, state.message or name)
    concerned = ", ".join(name for name, _ in trouble.concerned[:10]) or "the whole run"
    logger = flow_run_logger(run, flow)
    level = logging.WARNING if state.is_completed() else logging.ERROR
    logger.log(level, "%s. Concerned: %s.", trouble.cause.rstrip("."), concerned)
    if not state.is_completed():
        _leave_artifact(run, trouble)
    subject = f"{flow.name} {name.upper()}: {run.name}"
    block = _read_settings().notification_block
    if block and (fault := _notify(block, subject, write_notice(trouble, url_for(run)))):
        logger.warning("Nobody was told through the block %s (%s)", block, fault)


HOOKS: Final[dict[str, Any]] = {
    "on_completion": [emit_metrics, tell_trouble],
    "on_failure": [emit_metrics, tell_trouble],
    "on_crashed": [emit_metrics, tell_trouble],
    "on_cancellation": [emit_metrics],
}
"""What every flow of the project has."""


def _leave_artifact(run: FlowRun, trouble: Trouble) -> None:
    request = ArtifactRequest(
        type="markdown",
        key="forecast-failure",
        data=render_trouble(trouble),
        description=fence(trouble.cause),
        flow_run_id=run.id,
    )
    with suppress(HTTPError), get_client(sync_client=True) as client:
        client.create_artifact(request)


def _notify(slug: str, subject: str, body: str) -> str | None:
    """Send a message and give what forbade it; not its text, which may tell the hook's address."""
    try:
        block = Block.load(slug)
        if not isinstance(block, NotificationBlock):
            return "it is no notification block"
        if sent := block.notify(body, subject):  # some blocks send at once, some when awaited
            run_coro_as_sync(sent)
    except (HTTPError, NotificationError, OSError, RuntimeError, ValueError) as error:
        return type(error).__name__
    return None


def _read_settings() -> Settings:
    """Read the settings; where they are what broke the run, go on with their defaults."""
    try:
        return load_settings()
    except ConfigurationError:
        return Settings.model_construct()
