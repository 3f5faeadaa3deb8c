"""Records of the older system: what they say is believed only by a stated rule."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transform.older import RecordError, read_record
from tests.fixtures.migrating import older


def refused(record: object) -> str:
    with pytest.raises(RecordError) as caught:
        read_record(record)
    return caught.value.rule


def infoclimat(*, pressure: float | None, temperature: float) -> dict:
    values: dict = {"pressure": pressure, "temperature": temperature}
    return older("00052", "2024-10-05T12:00:00", network="InfoClimat", **values)


@given(st.floats(25, 32), st.floats(-40, 130))
def test_a_pressure_in_inches_makes_the_whole_record_imperial(pressure: float, warmth: float):
    reading = read_record(older(pressure=pressure, temperature=warmth))
    assert (reading.is_imperial, reading.was_mislabelled) == (True, True)


@given(st.floats(850, 1100), st.floats(-40, 50))
def test_a_pressure_in_hectopascal_makes_it_what_it_says(pressure: float, warmth: float):
    reading = read_record(older(pressure=pressure, temperature=warmth))
    assert (reading.is_imperial, reading.was_mislabelled) == (False, False)


@pytest.mark.parametrize(
    "record",
    [
        older(pressure=None),
        older(pressure=500.0),
        older(pressure=1013.0, temperature=66.4),
        infoclimat(pressure=None, temperature=66.4),
    ],
    ids=["none to tell", "neither", "hPa beside degF", "impossibly hot"],
)
def test_what_nothing_tells_is_not_guessed(record: dict):
    assert refused(record) == "unclear_units"


def test_a_length_beside_inches_of_mercury_is_not_guessed():
    assert refused(older(visibility=10.0)) == "unknown_unit"
    record = older()
    record["measurements"]["visibility"] = {"value": 10.0, "unit": "m"}  # or miles
    assert refused(record) == "unclear_units"


def test_infoclimat_is_metric_without_a_pressure_too():
    assert not read_record(infoclimat(pressure=None, temperature=12.0)).is_imperial


def test_honest_imperial_labels_are_believed():
    record = older(pressure=29.9, temperature=56.8, humidity=None, wind_speed=None)
    record["measurements"]["pressure"]["unit"] = "inHg"
    assert refused(record) == "unknown_unit"
    record["measurements"]["temperature"]["unit"] = "°F"
    reading = read_record(record)
    assert (reading.is_imperial, reading.was_mislabelled) == (True, False)


def test_imperial_labels_that_the_pressure_belies_are_not_believed():
    record = older(pressure=998.3, temperature=13.8, humidity=None, wind_speed=None)
    record["measurements"]["pressure"]["unit"] = "inHg"
    record["measurements"]["temperature"]["unit"] = "°F"
    assert refused(record) == "unclear_units"


@pytest.mark.parametrize(
    ("timestamp", "network", "expected"),
    [
        ("2024-10-05T12:04:00", "WeatherUnderground", "2024-10-05T10:04:00"),
        ("2024-10-05T12:04:00", "InfoClimat", "2024-10-05T12:04:00"),
        ("2024-10-05 12:04", "Weather Underground", "2024-10-05T10:04:00"),
        ("2024-10-05T12:04:00+00:00", "WeatherUnderground", "2024-10-05T12:04:00"),
        ("2024-10-05T12:04:00Z", "WeatherUnderground", "2024-10-05T12:04:00"),
    ],
)
def test_a_text_is_an_instant_on_the_clock_of_its_network(
    timestamp: str, network: str, expected: str
):
    reading = read_record(older(timestamp=timestamp, network=network))
    assert reading.at == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("timestamp", "rule"),
    [
        (None, "undated"),
        ("12:04:00", "bad_timestamp"),
        ("2024-10-05", "bad_timestamp"),
        ("yesterday at noon", "bad_timestamp"),
        ("1024-10-05T12:04:00", "bad_timestamp"),
        ("2024-10-27T02:30:00", "ambiguous_local_time"),
        ("2024-03-31T02:30:00", "nonexistent_local_time"),
    ],
)
def test_a_time_that_is_not_told_is_not_invented(timestamp: str | None, rule: str):
    assert refused(older(timestamp=timestamp)) == rule


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        ("text", "other_schema"),
        ({"station": {"id": 7, "network": "InfoClimat"}, "measurements": {}}, "other_schema"),
        (older(network="Netatmo"), "unknown_station"),
        (older(" "), "unknown_station"),
        (older(temperature="56.8"), "bad_value"),
        (older(temperature=float("nan")), "bad_value"),
        (older(temperature=10**400), "bad_value"),
        (older(temperature=True), "bad_value"),
        (older(temperature=None, humidity=None, pressure=None, wind_speed=None), "blank"),
    ],
)
def test_a_record_that_cannot_be_used_says_which_rule_it_breaks(record: object, rule: str):
    assert refused(record) == rule


def test_a_counter_without_its_reset_is_left_out_by_name():
    assert read_record(older(precipitation_accumulated=0.19)).left_out == (
        "precipitation_accumulated",
    )
