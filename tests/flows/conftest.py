"""Flow tests run against one real Prefect server a session, with a database of its own."""

import os
from collections.abc import Iterator

import pytest
from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    os.environ["PREFECT_LOGGING_TO_API_ENABLED"] = "false"
    with prefect_test_harness(server_startup_timeout=120):
        yield
