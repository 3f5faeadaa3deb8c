"""The door of the forecast room, on a real Prefect server."""

from dataclasses import replace

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import Artifact
from prefect.client.schemas.sorting import ArtifactSort
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks.common.errors import ConfigurationError
from tasks.common.results import Forecasted, Transformed
from tasks.forecast.backtest import Fit
from tasks.forecast.task import _show_progress, forecast
from tasks.forecast.work import Done
from tests.unit.forecast.series import (
    TEMPERATURE,
    forecast_here,
    give_temperature,
    give_transformed,
)

pytestmark = pytest.mark.usefixtures("prefect_server")

SHORT = "infoclimat:00052:air_temperature"
PARTS = {TEMPERATURE: give_temperature(40), SHORT: give_temperature(5)}


@flow
def run_room(
    transformed: Transformed, pattern: str = "*", deadline_minutes: float | None = None
) -> Forecasted:
    return forecast(transformed, series=pattern, deadline_minutes=deadline_minutes)


def read_progress() -> Artifact:
    with get_client(sync_client=True) as client:
        newest, *_ = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["forecast-progress"])),
            sort=ArtifactSort.UPDATED_DESC,
        )
    return newest


def give_input(output: str) -> Transformed:
    """Keep fits in a store of the test's own."""
    return replace(give_transformed(PARTS), output=f"memory://{output}")


def test_processes_forecast_what_one_process_does_and_the_run_page_tells():
    made, here = run_room(give_input("first")), forecast_here(give_transformed(PARTS))
    assert made.points.equals(here.points)
    assert [outcome.status for outcome in made.outcomes] == ["withheld", "model"]
    assert made.fits == here.fits
    progress, total = read_progress(), sum(made.fits.values())
    assert progress.data == 100
    assert progress.description == f"{total} of {total} fits are made"


def test_a_run_that_is_repeated_fits_nothing_anew():
    first, again = (run_room(give_input("again")) for _ in range(2))
    assert again.fits == {"copied": first.fits["copied"], "recalled": first.fits["fitted"]}
    assert again.points.equals(first.points)


def test_a_deadline_leaves_fits_but_no_series():
    made = run_room(give_input("late"), deadline_minutes=1e-9)
    outcome = next(outcome for outcome in made.outcomes if outcome.series_id == TEMPERATURE)
    assert made.fits["left"] > made.fits["fitted"]
    assert outcome.published is not None
    assert made.points.height == 266
    assert "it was not fitted before the deadline" in {m.failure for m in outcome.members}


def test_a_pattern_that_matches_nothing_fails_at_once():
    with pytest.raises(ConfigurationError, match="No series that can be forecast"):
        run_room(give_transformed(PARTS), "nothing:*")


def test_a_server_that_is_gone_costs_the_bar_and_no_fit():
    fits = [Done("a:b:c", window, "lags", Fit(None, 0.0), "fitted") for window in range(3)]
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert [*_show_progress(3, fits)] == fits
