from datetime import datetime

import pytest

from deployments.local.demo import DemoLake, fill_lake

AUTUMN = datetime.fromisoformat("2026-11-04T22:00+01:00")
SPRING = datetime.fromisoformat("2026-04-08T22:00+02:00")


@pytest.fixture(scope="session")
def autumn(tmp_path_factory: pytest.TempPathFactory) -> DemoLake:
    return fill_lake(tmp_path_factory.mktemp("autumn"), as_of=AUTUMN, weeks=4)


@pytest.fixture(scope="session")
def spring(tmp_path_factory: pytest.TempPathFactory) -> DemoLake:
    return fill_lake(tmp_path_factory.mktemp("spring"), as_of=SPRING, weeks=2)
