"""Fixtures of the deployment checks: one Docker engine, one build of the image."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.engine import ARCHITECTURE, DOCKER, ROOT, Engine, emulated, run_engine
from tests.deployment.stand_ins import give_python_base
from tests.shell import documented, type_lines

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
def pipeline_image(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build the image as a release is built, on the real base or a stand-in."""
    base = give_python_base(docker_engine, tmp_path_factory.mktemp("base"))
    build = f"--build-arg=BASE={base} --network=host --platform=linux/{ARCHITECTURE}"
    line = documented("make image VERSION=v20261118-2000")
    told = {"BUILD": build, "PATH": f"{Path(DOCKER).parent}:{os.environ['PATH']}"}
    type_lines(line, ROOT, docker_engine.environment | told, timeout_s=3600)
    return TAG
