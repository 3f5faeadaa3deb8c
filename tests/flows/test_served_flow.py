"""The flow behind a real Prefect server, started as the how-to says and run as the UI runs it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.fixtures.prefect_servers import running, running_server
from tests.shell import BASH, find_block, make_checkout


@pytest.fixture
def api(tmp_path: Path) -> Iterator[str]:
    with running_server(tmp_path) as address:
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
    lines = find_block("docs/how-to/run-from-the-ui.md", "make serve")
    command = (*BASH, lines.replace("http://127.0.0.1:4200/api", api))
    with (
        running(command, make_checkout(tmp_path), log),
        temporary_settings({PREFECT_API_URL: api}),
    ):
        run = asyncio.run(run_deployment({"series": "rte:*"}, log))
    assert run.state is not None, log.read_text()
    assert (run.state.name, run.state.type.value) == ("COMPLETED", "COMPLETED"), log.read_text()
