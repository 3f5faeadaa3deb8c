"""The flow behind a real Prefect server, started as the how-to says and run as the UI runs it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.flows.command import ROOT

BIN = Path(sys.executable).parent


@contextmanager
def running(command: list[str], cwd: Path, log: Path, **environment: str) -> Generator[None]:
    """Run a command in the background; end it, and what it started, by its process group."""
    kept = {name: value for name, value in os.environ.items() if name != "MONGODB_URI"}
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=kept
            | {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(cwd / "prefect")}
            | environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(60)


def wait_for(url: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    pytest.fail(f"{url} does not answer: {log.read_text()[-2000:]}")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}/api"
    log = tmp_path / "server.log"
    command = [str(BIN / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with running(command, tmp_path, log):
        wait_for(f"{address}/health", log)
        yield address


async def run_deployment(parameters: dict[str, object], log: Path) -> FlowRun:
    async with get_client() as client:
        for _ in range(240):
            found = await client.read_deployments()
            if found:
                run = await client.create_flow_run_from_deployment(
                    found[0].id, parameters=parameters
                )
                break
            await asyncio.sleep(0.5)
        else:
            pytest.fail(f"Nothing was served: {log.read_text()[-2000:]}")
        for _ in range(360):
            run = await client.read_flow_run(run.id)
            if run.state and run.state.is_final():
                return run
            await asyncio.sleep(0.5)
    return run


def test_a_run_from_the_ui_carries_the_verdict_as_its_state(api: str, tmp_path: Path):
    log = tmp_path / "serve.log"
    command = [str(BIN / "python"), "-m", "flows.forecast", "serve"]
    with (
        running(command, tmp_path, log, PREFECT_API_URL=api),
        temporary_settings({PREFECT_API_URL: api}),
    ):
        run = asyncio.run(run_deployment({"series": "rte:*"}, log))
    assert run.state is not None, log.read_text()
    assert (run.state.name, run.state.type.value) == ("COMPLETED", "COMPLETED"), log.read_text()
