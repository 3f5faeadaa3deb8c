"""What a worker would ask of ECS for each deployment, from prefect.yaml and the pool's template."""

import asyncio
import json
from typing import Any, NamedTuple
from uuid import uuid4

import botocore.session
import pytest
from botocore.validate import ParamValidator
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect_aws.workers.ecs_worker import ECSJobConfiguration, ECSWorker

from deployments.prefect.check import check
from deployments.prefect.declared import Deployment
from deployments.prefect.place import load_place
from tests.fixtures.prefect_servers import ARN, PLACE, ROOT

NOWHERE = "http://127.0.0.1:9/api"  # nothing is asked of it
SENTINEL = "operator:hunter2"
SECRET_ARN = ARN("secretsmanager:eu-west-3", "secret:prefect-auth")


class Asked(NamedTuple):
    """The two requests that a worker sends for a run."""

    definition: dict[str, Any]
    run: dict[str, Any]

    @property
    def container(self) -> dict[str, Any]:
        return self.definition["containerDefinitions"][0]


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> None:
    given = PLACE | {"PWD": str(ROOT), "PREFECT_API_SECRET_ARN": SECRET_ARN}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MONGODB_URI", f"mongodb://{SENTINEL}@mongo-1.mongo.internal")


async def render(one: Deployment) -> Asked:
    """Do as the worker does; its two `_prepare` methods are private, and used only here."""
    configuration = await ECSJobConfiguration.from_template_and_values(
        load_place().fill_template(), one.work_pool.job_variables, client=PrefectClient(NOWHERE)
    )
    run = FlowRun(flow_id=uuid4(), deployment_id=uuid4(), name="quick-hare")
    configuration.prepare_for_flow_run(run)
    worker = ECSWorker(work_pool_name="forecast-ecs")
    definition = worker._prepare_task_definition(configuration, region="eu-west-3", flow_run=run)
    # Looked up in EC2 otherwise; test_prefect_server has a VPC to look in.
    network, configuration.network_configuration = configuration.network_configuration, {}
    configuration.task_run_request["networkConfiguration"] = {"awsvpcConfiguration": network}
    asked = worker._prepare_task_run_request(configuration, definition, "arn", True)
    return Asked(definition, asked)


@pytest.fixture
def tasks() -> dict[str, Asked]:
    deployments, faults = check(ROOT / "prefect.yaml", ())
    assert faults == []
    with temporary_settings({PREFECT_API_URL: NOWHERE, PREFECT_API_AUTH_STRING: SENTINEL}):
        return {one.name: asyncio.run(render(one)) for one in deployments if one.on_ecs}


@pytest.mark.parametrize(
    ("name", "family", "cpu", "memory", "role", "secret"),
    [
        ("forecast-weekly", "forecast-pipeline-ecs", "2048", "8192", "PIPELINE", "PIPELINE"),
        ("s3-to-mongo-migration", "s3-to-mongo-migration-ecs", "1024", "4096", *["MIGRATION"] * 2),
    ],
)
def test_each_flow_has_a_family_size_role_and_database_user_of_its_own(  # noqa: PLR0913, PLR0917
    tasks: dict[str, Asked], name: str, family: str, cpu: str, memory: str, role: str, secret: str
):
    definition, container = tasks[name].definition, tasks[name].container
    assert (definition["family"], definition["cpu"], definition["memory"]) == (family, cpu, memory)
    assert definition["taskRoleArn"] == PLACE[f"{role}_ROLE_ARN"]
    told = {one["name"]: one["valueFrom"] for one in container["secrets"]}
    assert told["MONGODB_URI"] == PLACE[f"{secret}_MONGODB_URI_SECRET_ARN"]
    assert container["image"] == PLACE["IMAGE"]


def test_a_task_has_time_to_end_no_capability_and_a_log(tasks: dict[str, Asked]):
    for asked in tasks.values():
        container = asked.container
        assert container["stopTimeout"] == 120
        assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
        migrates = asked.definition["family"] == "s3-to-mongo-migration-ecs"
        assert container["logConfiguration"]["options"] == {
            "awslogs-group": PLACE[f"{'MIGRATION' if migrates else 'PIPELINE'}_LOG_GROUP"],
            "awslogs-create-group": "false",
            "awslogs-region": "eu-west-3",
            "awslogs-stream-prefix": asked.definition["family"],
        }


def test_families_are_never_shared(tasks: dict[str, Asked]):
    families = [asked.definition["family"] for asked in tasks.values()]
    assert len(set(families)) == len(families) == 4


def test_a_run_goes_into_the_network_that_mongodb_lets_in(tasks: dict[str, Asked]):
    run = tasks["forecast-weekly"].run
    assert (run["cluster"], run["launchType"]) == ("main", "FARGATE")
    assert run["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["subnet-0a", "subnet-0b"],
        "securityGroups": ["sg-0a"],
        "assignPublicIp": "DISABLED",
    }


def test_a_run_gets_the_settings_of_its_environment_and_none_of_the_worker(tasks: dict[str, Asked]):
    (told,) = tasks["forecast-weekly"].run["overrides"]["containerOverrides"]
    env = {one["name"]: one["value"] for one in told["environment"]}
    names = ("ENVIRONMENT", "GIT_SHA", "AWS_REGION", "LAKE_URI", "OUTPUT_URI")
    assert {name: env[name] for name in names} == {name: PLACE[name] for name in names}
    assert (env["PREFECT_HOME"], env["PREFECT_SERVER_EPHEMERAL_ENABLED"]) == (
        "/tmp/prefect",  # noqa: S108 - of the container
        "false",
    )
    assert told["command"] == ["prefect", "flow-run", "execute"]


def test_no_secret_stands_in_a_request_only_where_ecs_finds_it(tasks: dict[str, Asked]):
    for asked in tasks.values():
        assert SENTINEL not in json.dumps(asked)
        assert {"name": "PREFECT_API_AUTH_STRING", "valueFrom": SECRET_ARN} in (
            asked.container["secrets"]
        )


def test_botocore_accepts_every_request(tasks: dict[str, Asked]):
    model = botocore.session.Session().get_service_model("ecs")
    for asked in tasks.values():
        for operation, told in zip(("RegisterTaskDefinition", "RunTask"), asked, strict=True):
            shape = model.operation_model(operation).input_shape
            assert ParamValidator().validate(told, shape).generate_report() == ""
