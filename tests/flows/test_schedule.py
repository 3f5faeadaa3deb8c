"""The silent failure: everything is green, and on Wednesday nothing runs."""

import asyncio
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun

from flows.forecast import WEEKLY

PARIS = ZoneInfo("Europe/Paris")


@flow
def weekly_probe() -> None:
    """Stand for any flow: what is tested is the schedule."""


async def schedule_runs(start: datetime, end: datetime) -> list[FlowRun]:
    deployment = await weekly_probe.ato_deployment(name="probe", schedule=WEEKLY)
    deployment_id = await deployment.aapply()
    async with get_client() as client:
        body = {"start_time": start.isoformat(), "end_time": end.isoformat(), "min_runs": 7}
        answer = await client._client.post(f"/deployments/{deployment_id}/schedule", json=body)
        answer.raise_for_status()
        wanted = DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
        return await client.read_flow_runs(deployment_filter=wanted)


@pytest.mark.usefixtures("prefect_server")
def test_a_deployed_cron_yields_runs_at_22_in_paris_on_both_sides_of_the_clock_change():
    year = datetime.now(UTC).year + 1
    window = (datetime(year, 3, 1, tzinfo=UTC), datetime(year, 4, 20, tzinfo=UTC))
    runs = asyncio.run(schedule_runs(*window))
    starts = sorted(run.expected_start_time for run in runs if run.expected_start_time)
    local = {(start.astimezone(PARIS).weekday(), start.astimezone(PARIS).hour) for start in starts}
    assert local == {(2, 22)}
    assert {start.astimezone(UTC).hour for start in starts} == {20, 21}
