"""prefect.yaml applied, and what the server holds that it does not say."""

import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound

from deployments.prefect.bootstrap import render_template
from deployments.prefect.check import load_flow
from deployments.prefect.declared import TAG, Deployment
from deployments.prefect.place import load_place


async def list_missing_pools(
    client: PrefectClient, deployments: Sequence[Deployment]
) -> AsyncGenerator[str]:
    """Tell of each pool that the server does not have: Prefect would stop there, half applied."""
    for name in sorted({one.work_pool.name for one in deployments}):
        try:
            await client.read_work_pool(name)
        except ObjectNotFound:
            yield f"Work pool {name!r} is not on the server: run bootstrap first."


def apply(file: Path, deployments: Sequence[Deployment]) -> int:
    """Run `prefect deploy` for these deployments, asking nothing, and give its exit code."""
    chosen = [word for one in deployments for word in ("--name", one.name)]
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", *chosen]
    command += ["--prefect-file", str(file)]
    return subprocess.run(command, cwd=file.parent, check=False).returncode  # noqa: S603 - ours


async def list_drift(
    client: PrefectClient, deployments: Sequence[Deployment], folder: Path
) -> AsyncGenerator[str]:
    """Tell of what the server holds otherwise: pool, deployments, schedules."""
    if any(one.on_ecs for one in deployments):
        place = load_place()
        pool = await client.read_work_pool(place.ecs_work_pool)
        if pool.base_job_template != await render_template(client, place):
            yield f"Work pool {pool.name!r} has another template: run bootstrap."
    for one in deployments:
        name = f"{load_flow(one, folder).name}/{one.name}"
        stored = await client.read_deployment_by_name(name)
        for said in _compare(one, stored):
            yield f"{name}: {said}"


async def list_undeclared(
    client: PrefectClient, deployments: Sequence[Deployment]
) -> AsyncGenerator[str]:
    """Tell of each deployment under our tag that prefect.yaml does not have any more."""
    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    declared = {one.name for one in deployments}
    for stored in await client.read_deployments(deployment_filter=ours):
        if stored.name not in declared:
            yield f"{stored.name}: stored and not declared; prefect deployment delete removes it."


def _compare(one: Deployment, stored: DeploymentResponse) -> Iterator[str]:
    declared = {s.slug: (s.cron, s.timezone, s.active) for s in one.schedules}
    held = {
        s.slug or str(s.id): (s.schedule.cron, s.schedule.timezone, s.active)
        if isinstance(s.schedule, CronSchedule)
        else (str(s.schedule), None, s.active)
        for s in stored.schedules
    }
    for slug in held.keys() - declared.keys():
        yield (
            f"schedule {slug} {held[slug]} is stored and not declared: prefect deploy removes "
            "none, prefect deployment schedule delete does."
        )
    for slug in declared.keys() & held.keys():
        if declared[slug] != held[slug]:
            yield f"schedule {slug} is {held[slug]}, declared {declared[slug]}."
    limit = stored.global_concurrency_limit
    pairs = {
        "schedules": (declared.keys() - held.keys(), set()),
        "version": (one.version, stored.version),
        "pool": (one.work_pool.name, stored.work_pool_name),
        "job variables": (one.work_pool.job_variables, stored.job_variables),
        "limit": (
            one.concurrency_limit and one.concurrency_limit.limit,
            limit and limit.limit,
        ),
        "paused": (False, stored.paused),
    }
    for what, (wanted, found) in pairs.items():
        if wanted != found:
            yield f"{what}: {found!r:.200} on the server, {wanted!r:.200} declared."
