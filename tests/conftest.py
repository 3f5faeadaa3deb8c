"""Fixtures every test may ask for: real servers, started once per session when first needed."""

import os

# Before anything imports Prefect: its temporary server locks its own database for telemetry.
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"

import hypothesis
import pytest

from tasks.common.settings import Settings

# The same examples everywhere, however busy the machine: a red run is a change's fault.
hypothesis.settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("steady")

pytest_plugins = ["tests.fixtures.object_servers", "tests.fixtures.mongo_servers"]


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests from a database or bucket that the shell or a .env names."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(Settings, "model_config", {**Settings.model_config, "env_file": None})
