"""Deployments on a real Prefect server; moto's server plays AWS."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import boto3
import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Failed, State

from deployments.prefect.__main__ import main
from tests.deployment.aws_profile import write_profile
from tests.fixtures.object_servers import ACCESS_KEY, REGION, SECRET_KEY
from tests.fixtures.prefect_servers import PLACE, running, running_server
from tests.shell import BASH, documented, find_block, make_checkout, type_lines

AWS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
QUEUE = "prefect-ecs-tasks-events"
MIGRATION = "s3_to_mongo_migration/s3-to-mongo-migration"
FAMILIES = {
    "forecast_pipeline/forecast-weekly": "forecast-pipeline-ecs",
    MIGRATION: "s3-to-mongo-migration-ecs",
}


class Ran(NamedTuple):
    """What a command left."""

    code: int
    said: str


class Server(NamedTuple):
    """A Prefect server, what the operator's shell exports, and what its webhook was sent."""

    api: str
    client: SyncPrefectClient
    environment: dict[str, str]
    checkout: Path
    told: list[str]

    def run(self, *words: str, **changes: str) -> Ran:
        """Run `python -m deployments.prefect`; what Prefect's own command prints is not caught."""
        out = StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(out):
            for name, value in (self.environment | {"PWD": ""} | changes).items():
                patch.setenv(name, value)
            return Ran(main(words), out.getvalue())

    def type(self, lines: str) -> str:
        """Type lines of a how-to in the checkout and give what they print."""
        return type_lines(lines, self.checkout, self.environment)

    def read(self, name: str) -> DeploymentResponse:
        return self.client.read_deployment_by_name(name)

    def start(self, name: str) -> FlowRun:
        return self.client.create_flow_run_from_deployment(self.read(name).id)

    def wait_for_state(self, run: FlowRun, *types: str) -> State:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            state = self.client.read_flow_run(run.id).state
            if state is not None and state.type.value in types:
                return state
            time.sleep(0.5)
        pytest.fail(f"{run.name} is not {types} but {state}")

    def wait_for_task(self, run: FlowRun) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if pid := self.client.read_flow_run(run.id).infrastructure_pid:
                return pid
            time.sleep(0.5)
        pytest.fail(f"No task was started for {run.name}")

    def wait_until_told(self, words: str) -> str:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if found := [text for text in self.told if words in text]:
                return found[0]
            time.sleep(0.2)
        pytest.fail(f"The webhook was told {self.told}, not {words!r}")


def aws(service: str, endpoint: str):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


@pytest.fixture(scope="module")
def webhook() -> Iterator[tuple[str, list[str]]]:
    """Stand for the chat: keep every text that is posted."""
    told: list[str] = []

    class Chat(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None: ...  # ty: ignore[incompatible-method-override]

    with HTTPServer(("127.0.0.1", 0), Chat) as chat:
        Thread(target=chat.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{chat.server_port}/", told
        chat.shutdown()


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, moto_endpoint: str, webhook: tuple[str, list[str]]
) -> Iterator[Server]:
    ec2 = aws("ec2", moto_endpoint)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})  # moto's RunTask asks
    group = ec2.create_security_group(GroupName="runs", Description="runs", VpcId=vpc)["GroupId"]
    cluster = f"test-{uuid4().hex[:8]}"
    aws("ecs", moto_endpoint).create_cluster(clusterName=cluster)
    folder = tmp_path_factory.mktemp("prefect")
    place = {"ECS_CLUSTER": cluster, "VPC_ID": vpc, "SUBNET_IDS": subnet}
    place |= {"SECURITY_GROUP_IDS": group, "ALERT_WEBHOOK_URL": webhook[0]}
    hurry = {"PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT1S"}
    with running_server(folder, **hurry) as api:
        checkout = make_checkout(folder / "operator")
        own = {"PREFECT_API_URL": api, "PREFECT_HOME": str(checkout / "prefect")}
        with temporary_settings({PREFECT_API_URL: api}), get_client(sync_client=True) as client:
            yield Server(api, client, PLACE | place | own, checkout, webhook[1])


@pytest.fixture(scope="module")
def rounds(server: Server) -> tuple[list[Ran], str]:
    """Bootstrap and deploy, and type it all again as the how-to says."""
    first = [server.run(word) for word in ("bootstrap", "deploy")]
    assert [ran.code for ran in first] == [0, 0], first
    return first, server.type(find_block("docs/how-to/deploy-on-ecs.md", "make bootstrap"))


@pytest.fixture
def deployed(server: Server, rounds: tuple[list[Ran], str]) -> Server:
    assert "no fault" in rounds[1]
    return server


def test_a_second_bootstrap_and_deploy_change_nothing(rounds: tuple[list[Ran], str]):
    (bootstrapped, _), again = rounds
    assert bootstrapped.said.count(": created") == 8
    assert [word for word in (": created", ": updated") if word in again] == []
    assert "6 deployments are as declared" in again


@pytest.mark.parametrize(("month", "before", "after"), [(3, 21, 20), (10, 20, 21)])
def test_the_weekly_run_stays_at_22_in_paris_when_clocks_change(
    deployed: Server, month: int, before: int, after: int
):
    last = date(datetime.now(UTC).year + 1, month, 31)
    sunday = last - timedelta(days=last.isoweekday() % 7)
    change = datetime(sunday.year, month, sunday.day, 1, tzinfo=UTC)
    found = deployed.read("forecast_pipeline/forecast-weekly").id
    window = (change - timedelta(days=14), change + timedelta(days=14))
    body = {"start_time": window[0].isoformat(), "end_time": window[1].isoformat(), "min_runs": 4}
    httpx.post(f"{deployed.api}/deployments/{found}/schedule", json=body).raise_for_status()
    wanted = DeploymentFilter(id=DeploymentFilterId(any_=[found]))
    runs = deployed.client.read_flow_runs(deployment_filter=wanted)
    starts = sorted(r.expected_start_time.astimezone(UTC) for r in runs if r.expected_start_time)
    hours = [start.hour for start in starts if window[0] < start < window[1]]
    assert hours == [before, before, after, after]


def test_a_pool_that_is_not_there_is_refused_before_anything_is_applied(deployed: Server):
    ran = deployed.run("deploy", ECS_WORK_POOL="nowhere", GIT_SHA="never-applied")
    assert (ran.code, "Work pool 'nowhere' is not on the server" in ran.said) == (2, True)
    assert deployed.read("forecast_pipeline/forecast-weekly").version == PLACE["GIT_SHA"]


def test_the_image_of_another_day_is_deployed_and_two_are_brought_back(deployed: Server):
    deployed.type(documented("IMAGE=${IMAGE%:*}:v20261111-0900 GIT_SHA=3f2c1ab make deploy"))
    older = deployed.read("forecast_pipeline/forecast-adhoc")
    assert older.job_variables["image"] == "registry.example/forecast-pipeline:v20261111-0900"
    assert older.version == "3f2c1ab"
    deployed.type(
        documented(".venv/bin/python -m deployments.prefect deploy forecast-weekly forecast-adhoc")
    )
    images = [read_image(deployed, f"forecast_pipeline/forecast-{n}") for n in ("adhoc", "weekly")]
    assert images == [PLACE["IMAGE"]] * 2
    assert read_image(deployed, MIGRATION) != PLACE["IMAGE"]
    assert deployed.run("deploy").code == 0


def read_image(deployed: Server, name: str) -> str:
    return deployed.read(name).job_variables["image"]


def test_a_push_pool_is_refused_on_a_server_of_ones_own(server: Server):
    ran = server.run("bootstrap", ECS_WORK_POOL_TYPE="ecs:push", ECS_WORK_POOL="push")
    assert (ran.code, "every run would stay Late for ever" in ran.said) == (2, True)


def test_a_pool_of_another_type_is_refused(deployed: Server):
    httpx.post(f"{deployed.api}/work_pools/", json={"name": "taken", "type": "docker"})
    ran = deployed.run("bootstrap", ECS_WORK_POOL="taken")
    assert (ran.code, "is of type docker, not ecs" in ran.said) == (2, True)


def test_a_schedule_that_the_file_does_not_have_is_told(deployed: Server):
    found = deployed.read("forecast_pipeline/forecast-local").id
    cron = {"schedule": {"cron": "0 4 * * *", "timezone": "Europe/Paris"}, "active": True}
    httpx.post(f"{deployed.api}/deployments/{found}/schedules", json=[cron]).raise_for_status()
    ran = deployed.run("deploy", "forecast-local")
    assert (ran.code, "stored and not declared" in ran.said) == (3, True), ran.said
    assert "0 4 * * *" in ran.said


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (Failed(name="FAILED", message="Nothing could be read."), "failed"),
        (Completed(name="DEGRADED", message="A budget was exceeded."), "degraded"),
    ],
    ids=["failed", "degraded"],
)
def test_a_verdict_that_is_not_fine_is_told(deployed: Server, state: State, word: str):
    run = deployed.start("forecast_pipeline/forecast-adhoc")
    deployed.client.set_flow_run_state(run.id, state, force=True)
    assert str(state.message) in deployed.wait_until_told(f"a run is {word}")


def send_event(server: Server, run: FlowRun, name: str, ago: timedelta) -> None:
    """Let the server know something of a run as if it had happened some time ago."""
    event = {
        "id": str(uuid4()),
        "event": f"prefect.flow-run.{name}",
        "occurred": (datetime.now(UTC) - ago).isoformat(),
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run.id}"},
        "related": [
            {
                "prefect.resource.id": "prefect.tag.forecast-pipeline",
                "prefect.resource.role": "tag",
            },
        ],
    }
    httpx.post(f"{server.api}/events", json=[event]).raise_for_status()


def test_a_run_without_heartbeat_becomes_crashed_and_one_that_never_starts_cancelled(
    deployed: Server,
):
    silent = deployed.start("forecast_pipeline/forecast-adhoc")
    unplaced = deployed.start(MIGRATION)
    send_event(deployed, silent, "heartbeat", timedelta(minutes=10))
    send_event(deployed, unplaced, "Pending", timedelta(minutes=15))
    assert deployed.wait_for_state(silent, "CRASHED").message == "No heartbeat for 10 minutes."
    deployed.wait_for_state(unplaced, "CANCELLED", "CANCELLING")
    assert unplaced.name in deployed.wait_until_told("a run is pending")


def test_runs_are_watched_to_their_end(deployed: Server):
    lines = [
        documented(
            ".venv/bin/prefect deployment run forecast_pipeline/forecast-adhoc "
            "--param series='rte:*' --watch"
        ),
        documented(
            ".venv/bin/prefect deployment run s3_to_mongo_migration/s3-to-mongo-migration "
            "--param dry_run=true --watch"
        ),
        documented(
            ".venv/bin/prefect deployment run s3_to_mongo_migration/s3-to-mongo-migration --watch"
        ),
    ]
    known = {run.id for run in deployed.client.read_flow_runs()}
    with ThreadPoolExecutor() as pool:
        typed = [pool.submit(deployed.type, line) for line in lines]
        runs, deadline = wait_for_new_runs(deployed, known, len(lines)), time.monotonic() + 100
        # Again and again: a command that begins to watch a run that has ended waits for ever.
        while not all(one.done() for one in typed) and time.monotonic() < deadline:
            for run in runs:
                deployed.client.set_flow_run_state(run.id, Completed(), force=True)
            time.sleep(1)
        assert ["Completed" in one.result() for one in typed] == [True] * 3


def wait_for_new_runs(deployed: Server, known: set[UUID], count: int) -> list[FlowRun]:
    """Give so many runs that are asked for now; those of the schedule lie in the future."""
    deadline, soon = time.monotonic() + 60, datetime.now(UTC) + timedelta(minutes=5)
    while time.monotonic() < deadline:
        runs = [run for run in deployed.client.read_flow_runs() if run.id not in known]
        due = [run for run in runs if (run.expected_start_time or soon) < soon]
        if len(due) == count:
            return due
        time.sleep(0.5)
    pytest.fail(f"{due} of {count} runs were asked for")


@pytest.fixture(scope="module")
def started(
    server: Server,
    rounds: tuple[list[Ran], str],
    moto_endpoint: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, tuple[FlowRun, dict[str, Any]]]]:
    """Let a worker that runs once start a task of each family on moto, and another one go on.

    Gives the run of each family and what ECS then holds.
    """
    assert "no fault" in rounds[1]
    folder = tmp_path_factory.mktemp("worker")
    line = documented('.venv/bin/prefect worker start --pool "$ECS_WORK_POOL"')
    cloud = {"AWS_ENDPOINT_URL": moto_endpoint, "AWS_DEFAULT_REGION": REGION, **AWS}
    secret = {"MONGODB_URI": "mongodb://pipeline:hunter2@mongo-1.mongo.internal"}
    environment = server.environment | cloud | secret | {"PREFECT_HOME": str(folder)}
    runs = {family: server.start(name) for name, family in FAMILIES.items()}
    runs["forecast-backfill-ecs"] = start_as_documented(server)
    type_lines(f"{line} --run-once", server.checkout, environment)
    started = {
        family: (run, read_task(moto_endpoint, server.wait_for_task(run)))
        for family, run in runs.items()
    }
    # Only now: a message would be given to what the worker that has ended still asked for.
    aws("sqs", moto_endpoint).create_queue(QueueName=QUEUE)
    with running((*BASH, line), server.checkout, folder / "worker.log", **environment):
        yield started


def start_as_documented(server: Server) -> FlowRun:
    """Start the backfill as the how-to says."""
    server.type(
        documented(
            ".venv/bin/prefect deployment run forecast_backfill/forecast-backfill "
            "--param first_on=2026-09-02 --param weeks=4"
        )
    )
    found = server.read("forecast_backfill/forecast-backfill").id
    wanted = DeploymentFilter(id=DeploymentFilterId(any_=[found]))
    (run,) = server.client.read_flow_runs(deployment_filter=wanted)
    return run


def read_task(endpoint: str, pid: str) -> dict[str, Any]:
    """Give a task with its definition, as `describe` tells them."""
    cluster, _, arn = pid.partition("::")
    ecs = aws("ecs", endpoint)
    (task,) = ecs.describe_tasks(cluster=cluster, tasks=[arn], include=["TAGS"])["tasks"]
    told = ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])
    return task | {"definition": told["taskDefinition"]}


def test_a_worker_registers_each_family_and_a_stopped_task_crashes_its_run(
    deployed: Server, started: dict[str, tuple[FlowRun, dict[str, Any]]], moto_endpoint: str
):
    for family, (_, task) in started.items():
        definition = task["definition"]
        assert (definition["family"], definition["revision"]) == (family, 1)
        assert definition["containerDefinitions"][0]["image"] == PLACE["IMAGE"]
        assert "hunter2" not in json.dumps(task, default=str)
    assert started["forecast-backfill-ecs"][0].parameters["weeks"] == 4
    run, task = started["forecast-pipeline-ecs"]
    send_stopped(moto_endpoint, task)
    ended = deployed.wait_for_state(run, "CRASHED")
    assert "non-zero exit code" in str(ended.message)
    assert deployed.wait_until_told(f"a run is crashed\nforecast_pipeline, run {run.name}")


def test_readers_are_rolled_back_by_the_lines_of_the_how_to(
    deployed: Server,
    started: dict[str, tuple[FlowRun, dict[str, Any]]],
    moto_endpoint: str,
    tmp_path: Path,
):
    told = {name: deployed.environment[name] for name in PLACE}
    lines = find_block("docs/how-to/deploy-on-ecs.md", '"rollback"')
    answer = type_lines(lines, tmp_path, told | write_profile(tmp_path, moto_endpoint))
    (task,) = json.loads(answer)["tasks"]
    assert task["taskDefinitionArn"] == started["forecast-pipeline-ecs"][1]["taskDefinitionArn"]
    (container,) = task["overrides"]["containerOverrides"]
    assert container["command"] == ["python", "-m", "flows.forecast", "rollback"]


def send_stopped(endpoint: str, task: dict[str, Any]) -> None:
    """Send what EventBridge sends when the kernel killed the container for its memory."""
    detail = {
        "taskArn": task["taskArn"],
        "clusterArn": task["clusterArn"],
        "taskDefinitionArn": task["taskDefinitionArn"],
        "lastStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "containers": [{"name": "prefect", "lastStatus": "STOPPED", "exitCode": 137}],
    }
    event = {
        "id": str(uuid4()),
        "detail-type": "ECS Task State Change",
        "time": datetime.now(UTC).isoformat(),
        "detail": detail,
    }
    sqs = aws("sqs", endpoint)
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))
