"""What a deployment loads, and the form people fill in the UI."""

import pytest
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint

from flows.backfill import forecast_backfill
from flows.forecast import forecast_pipeline
from flows.migration import s3_to_mongo_migration


@pytest.mark.parametrize(
    ("entrypoint", "name"),
    [
        ("flows.forecast.forecast_pipeline", "forecast_pipeline"),
        ("flows/backfill.py:forecast_backfill", "forecast_backfill"),
        ("flows.migration.s3_to_mongo_migration", "s3_to_mongo_migration"),
    ],
)
def test_the_entrypoint_loads_strictly(entrypoint: str, name: str):
    # The default falls back to a placeholder and hides a broken import until Wednesday.
    assert load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False).name == name


@pytest.mark.parametrize("flow", [forecast_pipeline, forecast_backfill, s3_to_mongo_migration])
def test_every_field_of_the_form_explains_itself(flow: Flow):
    fields = flow.parameters.properties
    assert [name for name, field in fields.items() if not field.get("description")] == []


def test_the_form_knows_the_bounds_of_the_horizon():
    horizon = forecast_pipeline.parameters.properties["horizon_days"]
    assert (horizon["minimum"], horizon["maximum"], horizon["default"]) == (1, 31, 11)
