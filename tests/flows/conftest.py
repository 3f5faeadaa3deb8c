"""Flow tests run against one real Prefect server a session, with a database of its own."""

import os
from collections.abc import Iterator

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.fixtures.prefect_servers import running_server
from tests.shell import SERVED


@pytest.fixture(scope="session", autouse=True)
def _serve_the_lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with running_server(tmp_path_factory.mktemp("prefect")) as address:
        SERVED["PREFECT_API_URL"] = address
        yield
    SERVED.clear()


@pytest.fixture(scope="session")
def prefect_server(_serve_the_lines: None) -> Iterator[None]:
    os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
    with temporary_settings({PREFECT_API_URL: SERVED["PREFECT_API_URL"]}):
        yield
