"""Automations as code: what is done, and who is told, when a run goes wrong by itself."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

from prefect.client.schemas.objects import StateType
from prefect.events.actions import (
    ActionTypes,
    CancelFlowRun,
    ChangeFlowRunState,
    DoNothing,
    SendNotification,
)
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from deployments.prefect.declared import TAG

PENDING: Final = timedelta(minutes=15)
"""Fargate starts a task in one to three minutes; after fifteen nothing was placed."""

LATE: Final = timedelta(minutes=30)
"""Nobody picks the run up: no worker, or the pool's limit is taken."""

SILENT: Final = timedelta(minutes=10)
"""A run sends a heartbeat every three minutes; three missing ones are no hiccup."""

_RUNS: Final = {"prefect.resource.id": "prefect.flow-run.*"}
_OURS: Final = {
    "prefect.resource.role": "tag",
    "prefect.resource.id": f"prefect.tag.{TAG}",
}
_BODY: Final = (
    "{{ flow.name }}, run {{ flow_run.name }}: {{ flow_run.state.name }}. "
    "{{ flow_run.state.message }} {{ flow_run|ui_url or '' }}"
)
_trigger: Final = partial(
    EventTrigger,
    expect={"prefect.flow-run.*"},
    match_related=_OURS,
    for_each={"prefect.resource.id"},
    threshold=1,
)


def render_automations(notifier: UUID | None) -> list[AutomationCore]:
    """Give every automation; without a notifier they act, and tell nobody."""
    crash = ChangeFlowRunState(
        state=StateType.CRASHED, message=f"No heartbeat for {SILENT.seconds // 60} minutes."
    )
    # A run ends as COMPLETED, DEGRADED or FAILED, its verdict's word: types tell, not names.
    return [
        _watch("pending", _missing("Pending", PENDING), [CancelFlowRun()], notifier),
        _watch("late", _missing("Late", LATE), [], notifier),
        _watch("heartbeat lost", _missing("heartbeat", SILENT), [crash], notifier),
        _watch("crashed", _ended({"prefect.state-type": "CRASHED"}), [], notifier),
        _watch("failed", _ended({"prefect.state-type": "FAILED"}), [], notifier),
        _watch("degraded", _ended({"prefect.state-name": "DEGRADED"}), [], notifier),
    ]


def _watch(
    what: str, trigger: EventTrigger, acts: Sequence[ActionTypes], notifier: UUID | None
) -> AutomationCore:
    actions = list(acts)
    if notifier is not None:
        subject = f"{TAG}: a run is {what}"
        actions.append(SendNotification(block_document_id=notifier, subject=subject, body=_BODY))
    return AutomationCore(
        name=f"{TAG}: {what}",
        description="Made by python -m deployments.prefect bootstrap; edit it there.",
        trigger=trigger,
        actions=actions or [DoNothing()],
    )


def _missing(after: str, within: timedelta) -> EventTrigger:
    """Fire when a run tells nothing more within some time of an event."""
    events = {f"prefect.flow-run.{after}"}
    return _trigger(after=events, match=_RUNS, posture=Posture.Proactive, within=within)


def _ended(state: dict[str, str]) -> EventTrigger:
    return _trigger(match=_RUNS | state, posture=Posture.Reactive, within=timedelta(0))
