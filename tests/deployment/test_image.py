"""The image as it is shipped: built on an engine of its own, run as hardened as ECS runs it."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

from tasks.common.mongo import Document
from tasks.common.settings import Settings
from tests.deployment.engine import ARCHITECTURE, HARDENED, OWN, Engine

pytestmark = pytest.mark.image

LIMIT_BYTES = 1_000_000_000
EMULATED = ARCHITECTURE != OWN
IMPORT_ALL = """
import importlib, pathlib
root = pathlib.Path("/app")
for path in sorted(root.rglob("*.py")):
    name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    if path.stem != "__main__":
        importlib.import_module(name)
        print(name)
"""
FORBIDDEN = ("mongod", "cc", "c++", "gcc", "ld", "stanc")


@pytest.fixture(scope="module")
def configuration(docker_engine: Engine, pipeline_image: str) -> dict[str, Any]:
    return json.loads(docker_engine.run("image", "inspect", pipeline_image).stdout)[0]


@pytest.fixture
def environment(mongo_settings: Settings) -> list[str]:
    """Give what a lone container is told: a real MongoDB, and a Prefect server of its own."""
    assert mongo_settings.mongodb_uri is not None
    told = {
        "MONGODB_URI": mongo_settings.mongodb_uri.get_secret_value(),
        "MONGODB_DATABASE": mongo_settings.mongodb_database,
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
    }
    return [f"--env={name}={value}" for name, value in told.items()]


@pytest.fixture
def container(docker_engine: Engine) -> Iterator[str]:
    yield "forecast-that-is-stopped"
    docker_engine.run("rm", "--force", "forecast-that-is-stopped", check=False)


def test_the_image_is_smaller_than_a_gigabyte(configuration: dict[str, Any]):
    print(f"\nThe image has {configuration['Size'] / 1e6:.0f} MB.")
    assert configuration["Size"] < LIMIT_BYTES
    assert configuration["Architecture"] == ARCHITECTURE


def test_the_image_says_what_it_is_and_who_runs_it(configuration: dict[str, Any], git_sha: str):
    told = configuration["Config"]
    labels = {name.rpartition(".")[2]: value for name, value in told["Labels"].items()}
    assert (labels["revision"], labels["version"]) == (git_sha, "v20261118-2000")
    assert (told["User"], told["Entrypoint"]) == ("10001:10001", None)
    assert told["Cmd"] == ["python", "-m", "flows.forecast"]


def test_the_image_holds_neither_a_compiler_nor_a_database(
    docker_engine: Engine, pipeline_image: str
):
    either = [word for name in FORBIDDEN for word in ("-o", "-name", name)][1:]
    find = ("find", "/", "-xdev", "-not", "-type", "d", "(", *either, ")")
    ran = docker_engine.run("run", "--rm", "--user=0", pipeline_image, *find)
    assert ran.stdout == ""


def test_nothing_of_the_image_can_be_changed_by_its_user(
    docker_engine: Engine, pipeline_image: str
):
    program = "find /app /opt /usr/local -writable ! -type l | head; id -u"
    ran = docker_engine.run("run", "--rm", *HARDENED, pipeline_image, "sh", "-c", program)
    assert ran.stdout == "10001\n"


def test_every_module_finds_what_it_imports(docker_engine: Engine, pipeline_image: str):
    ran = docker_engine.run(
        *("run", "--rm", "--interactive", *HARDENED, pipeline_image, "python", "-"),
        stdin=IMPORT_ALL,
    )
    assert {"flows.migration", "tasks.forecast.models"} < set(ran.stdout.split())


def test_a_container_without_a_prefect_server_fails_at_once(
    docker_engine: Engine, pipeline_image: str
):
    told = ("--env=MONGODB_URI=mongodb://nowhere", "--env=LAKE_URI=/tmp")
    ran = docker_engine.run("run", "--rm", *HARDENED, *told, pipeline_image, check=False)
    assert ran.returncode == 1
    assert "No Prefect API URL provided" in ran.stderr


def test_a_container_that_is_told_nothing_says_so_in_one_sentence(
    docker_engine: Engine, pipeline_image: str
):
    ran = docker_engine.run("run", "--rm", *HARDENED, pipeline_image, check=False)
    assert (ran.returncode, "Traceback" in ran.stderr) == (2, False)
    assert "(Read-only file system): name a lake in LAKE_URI" in ran.stderr.splitlines()[-1]


@pytest.mark.skipif(EMULATED, reason="46 series would take an hour on an emulated processor")
def test_a_whole_demo_forecast_runs_hardened_and_tells_its_revision(
    docker_engine: Engine,
    pipeline_image: str,
    environment: list[str],
    mongo_database: Database[Document],
    git_sha: str,
):
    docker_engine.run(
        *("run", "--rm", "--network=host", "--workdir=/tmp", *HARDENED, *environment),
        pipeline_image,
    )
    (run,) = mongo_database["forecast_runs"].find()
    assert (run["git_sha"], run["image"]) == (git_sha, pipeline_image)
    assert mongo_database["current"].count_documents({"run_id": run["_id"]}) == 1


@pytest.mark.skipif(not EMULATED, reason="the whole demo is forecast, above")
def test_some_series_are_forecast_on_another_architecture(
    docker_engine: Engine,
    pipeline_image: str,
    environment: list[str],
    mongo_database: Database[Document],
):
    docker_engine.run(
        *("run", "--rm", "--network=host", "--workdir=/tmp", *HARDENED, *environment),
        *(pipeline_image, "python", "-m", "flows.forecast", "--series=infoclimat:000W3:*"),
        timeout_s=3600,
    )
    statuses = mongo_database["forecasts"].distinct("status")
    assert (statuses, mongo_database["forecast_runs"].count_documents({})) == (["model"], 1)


@pytest.mark.skipif(EMULATED, reason="its times are those of a real processor")
def test_a_run_that_is_told_to_end_ends_by_itself(
    docker_engine: Engine, pipeline_image: str, environment: list[str], container: str
):
    docker_engine.run(
        *("run", "--detach", f"--name={container}", "--network=host", "--workdir=/tmp"),
        *(*HARDENED, *environment, pipeline_image),
    )
    await_line(docker_engine, container, "Forecasting 46 series")
    began = time.monotonic()
    docker_engine.run("stop", "--time=120", container)
    assert time.monotonic() - began < 60
    ended = docker_engine.run("inspect", "--format={{.State.ExitCode}}", container).stdout
    assert ended.strip() in ("1", "143")  # 137: it was killed


def await_line(engine: Engine, container: str, line: str) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        logs = engine.run("logs", container)
        if line in logs.stdout + logs.stderr:
            return
        time.sleep(1)
    pytest.fail(f"{container} never said {line!r}: {logs.stderr[-2000:]}")
