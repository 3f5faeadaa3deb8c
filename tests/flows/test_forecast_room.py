"""The door of the forecast room, on a real Prefect server."""

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort

from tasks.common.errors import ConfigurationError
from tasks.common.results import Forecasted, Transformed
from tasks.forecast.task import forecast
from tests.unit.forecast.series import (
    TEMPERATURE,
    forecast_here,
    give_temperature,
    give_transformed,
)

pytestmark = pytest.mark.usefixtures("prefect_server")

PARTS = {
    TEMPERATURE: give_temperature(56),
    "infoclimat:00052:air_temperature": give_temperature(5),
}


@flow
def run_room(transformed: Transformed, pattern: str) -> Forecasted:
    return forecast(transformed, series=pattern)


def test_processes_forecast_what_one_process_does_and_the_run_page_tells():
    made = run_room(give_transformed(PARTS), "*")
    assert made.points.equals(forecast_here(give_transformed(PARTS)).points)
    assert [outcome.status for outcome in made.outcomes] == ["withheld", "model"]
    with get_client(sync_client=True) as client:
        progress, *_ = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["forecast-progress"])),
            sort=ArtifactSort.UPDATED_DESC,
        )
    assert progress.data == 100
    assert progress.description == "1 of 1 series are forecast"


def test_a_pattern_that_matches_nothing_fails_at_once():
    with pytest.raises(ConfigurationError, match="No series that can be forecast"):
        run_room(give_transformed(PARTS), "nothing:*")
