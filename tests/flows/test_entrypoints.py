"""What a deployment loads, and the form people fill in the UI."""

from prefect.flows import load_flow_from_entrypoint

from flows.forecast import forecast_pipeline


def test_the_entrypoint_loads_strictly():
    # The default falls back to a placeholder and hides a broken import until Wednesday.
    loaded = load_flow_from_entrypoint(
        "flows.forecast.forecast_pipeline", use_placeholder_flow=False
    )
    assert loaded.name == "forecast_pipeline"


def test_every_field_of_the_form_explains_itself():
    fields = forecast_pipeline.parameters.properties
    assert [name for name, field in fields.items() if not field.get("description")] == []


def test_the_form_knows_the_bounds_of_the_horizon():
    horizon = forecast_pipeline.parameters.properties["horizon_days"]
    assert (horizon["minimum"], horizon["maximum"], horizon["default"]) == (1, 31, 11)
