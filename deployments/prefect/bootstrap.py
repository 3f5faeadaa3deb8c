"""What deployments need before they are applied: pools, the notifier, automations."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.base import ServerType
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker
from pydantic import SecretStr

from deployments.prefect.automations import render_automations
from deployments.prefect.declared import LOCAL_POOL, Deployment
from deployments.prefect.place import Place, load_place
from tasks.common.errors import ConfigurationError

NOTIFIER: Final = "forecast-alerts"
"""Name of the webhook block; its address is kept encrypted by the server."""


async def bootstrap(
    client: PrefectClient, deployments: Sequence[Deployment]
) -> AsyncGenerator[str]:
    """Make or mend what is not as declared, and tell of each thing; a second time changes nothing.

    Raises:
        ConfigurationError: a pool cannot be had on this server, or is of another type.
    """
    if any(not one.on_ecs for one in deployments):
        template = ProcessWorker.get_default_base_job_template()
        yield await _make_pool(client, WorkPoolCreate(name=LOCAL_POOL, type="process"), template)
    on_ecs = [one for one in deployments if one.on_ecs]
    if not on_ecs:
        return
    place = load_place()
    limit = sum(one.concurrency_limit.limit for one in on_ecs if one.concurrency_limit)
    pool = WorkPoolCreate(
        name=place.ecs_work_pool, type=place.ecs_work_pool_type, concurrency_limit=limit
    )
    yield await _make_pool(client, pool, await render_template(client, place))
    webhook = place.alert_webhook_url
    notifier = await _save_notifier(webhook) if webhook else None
    yield f"block {NOTIFIER}: saved" if webhook else "ALERT_WEBHOOK_URL is unset: nobody is told"
    for automation in render_automations(notifier):
        yield await _make_automation(client, automation)


async def render_template(client: PrefectClient, place: Place) -> dict[str, Any]:
    """Give the template of the ECS pool, for the kind of server that the client talks to.

    Raises:
        ConfigurationError: ecs:push on a server of one's own, or without its credentials block.
    """
    cloud = client.server_type == ServerType.CLOUD
    template = place.fill_template(cloud=cloud)
    if place.ecs_work_pool_type == "ecs":
        return template
    if not cloud:
        msg = (
            f"ECS_WORK_POOL_TYPE is ecs:push, and {client.api_url} is not Prefect Cloud, which "
            "alone starts tasks of such a pool: here every run would stay Late for ever; set it "
            "to ecs and start a worker."
        )
        raise ConfigurationError(msg)
    if place.aws_credentials_block is None:
        msg = (
            "AWS_CREDENTIALS_BLOCK is unset: ecs:push starts tasks with an AwsCredentials block, "
            "so save one in Prefect Cloud and give its name."
        )
        raise ConfigurationError(msg)
    block = await client.read_block_document_by_name(place.aws_credentials_block, "aws-credentials")
    reference = {"$ref": {"block_document_id": str(block.id)}}
    template["variables"]["properties"]["aws_credentials"]["default"] = reference
    return template


async def _make_pool(client: PrefectClient, pool: WorkPoolCreate, template: dict[str, Any]) -> str:
    said = f"work pool {pool.name} ({pool.type})"
    try:
        stored = await client.read_work_pool(pool.name)
    except ObjectNotFound:
        wanted = pool.model_copy(update={"base_job_template": template})
        await client.create_work_pool(wanted)
        return f"{said}: created"
    if stored.type != pool.type:
        msg = (
            f"Work pool {pool.name!r} is of type {stored.type}, not {pool.type}, and a pool's type "
            "cannot be changed: give ECS_WORK_POOL another name, or delete the pool."
        )
        raise ConfigurationError(msg)
    told = (stored.base_job_template, stored.concurrency_limit)
    if pool.name == LOCAL_POOL or told == (template, pool.concurrency_limit):
        return f"{said}: unchanged"
    update = WorkPoolUpdate(base_job_template=template, concurrency_limit=pool.concurrency_limit)
    await client.update_work_pool(pool.name, update)
    return f"{said}: updated"


async def _save_notifier(webhook: SecretStr) -> Any:  # noqa: ANN401 - an id, typed as anything
    block = CustomWebhookNotificationBlock(
        name=NOTIFIER,
        url=webhook.get_secret_value(),
        json_data={"text": "{{subject}}\n{{body}}"},
    )
    return await block.asave(NOTIFIER, overwrite=True)


async def _make_automation(client: PrefectClient, wanted: AutomationCore) -> str:
    said = f"automation {wanted.name}"
    stored = await client.read_automations_by_name(wanted.name)
    if not stored:
        await client.create_automation(wanted)
        return f"{said}: created"
    told = stored[0].model_dump(mode="json", include=set(AutomationCore.model_fields))
    if told == wanted.model_dump(mode="json"):
        return f"{said}: unchanged"
    # Of a model as it was built, only what was given would be sent: `exclude_unset`.
    await client.update_automation(stored[0].id, AutomationCore(**wanted.model_dump()))
    return f"{said}: updated"
