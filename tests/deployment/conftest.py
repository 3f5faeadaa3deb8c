"""Fixtures of the deployment checks: one Docker engine, one build of the image."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.deployment.engine import ARCHITECTURE, ROOT, Engine, emulated, run_engine
from tests.deployment.stand_ins import give_python_base

TAG = "forecast-pipeline:v20261118-2000"


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    with emulated(), run_engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def git_sha() -> str:
    command = ["git", "rev-parse", "HEAD"]
    return subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(scope="session")
def pipeline_image(
    docker_engine: Engine, git_sha: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Build the image as a release is built, on the real base or a stand-in."""
    told = {
        "BASE": give_python_base(docker_engine, tmp_path_factory.mktemp("base")),
        "VERSION": TAG.partition(":")[2],
        "GIT_SHA": git_sha,
    }
    arguments = [f"--build-arg={name}={value}" for name, value in told.items()]
    arguments += ["--network=host", f"--platform=linux/{ARCHITECTURE}", f"--tag={TAG}"]
    docker_engine.run("build", *arguments, ".", timeout_s=3600)
    return TAG
