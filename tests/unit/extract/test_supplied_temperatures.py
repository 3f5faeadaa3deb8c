"""Open-Meteo's answers: one record an answer, its arrays read by JSONPath."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.common.contracts import TEMPERATURES_AHEAD
from tests.unit.extract.given import ENVELOPE, line, read

KEY = "raw/weather/openmeteo_32/2024_10_08_1728345600000_0.jsonl"


def give_answer(day: int = 8, *, told: int = 16, **changes: object) -> dict[str, Any]:
    """Answer as https://api.open-meteo.com/v1/forecast does: days, and a number for each."""
    return {
        "latitude": 50.28,
        "longitude": 2.78,
        "generationtime_ms": 0.02,
        "utc_offset_seconds": 7200,
        "timezone": "Europe/Paris",
        "timezone_abbreviation": "CEST",
        "elevation": 70.0,
        "daily_units": {"time": "iso8601", "temperature_2m_mean": "°C"},
        "daily": {
            "time": [f"2024-10-{day + ahead:02}" for ahead in range(told)],
            "temperature_2m_mean": [10.5 + ahead for ahead in range(told)],
        },
    } | changes


WRAPPED = {
    "nested": line(give_answer()),
    "a text": json.dumps(ENVELOPE | {"_airbyte_data": json.dumps(give_answer())}).encode(),
    "flattened": json.dumps(ENVELOPE | give_answer()).encode(),
    "raw_data": json.dumps({"id": 1, "raw_data": give_answer()}).encode(),
    "array": b"[" + line(give_answer()) + b"]",
    "bare": json.dumps(give_answer(), indent=1).encode(),
}


@pytest.mark.parametrize("shape", WRAPPED)
def test_an_answer_of_today_is_known_when_yesterday_is_over(shape: str):
    readings = read(WRAPPED[shape], "openmeteo", key=KEY)
    (row,) = readings.frame.iter_rows(named=True)
    assert (row["station_id"], row["at"]) == (
        "openmeteo:32",
        datetime(2024, 10, 7, 22, tzinfo=UTC),
    )
    assert [row[name] for name in TEMPERATURES_AHEAD.values()] == [10.5 + n for n in range(16)]
    assert readings.reason is None


def test_days_that_an_answer_does_not_tell_are_null():
    holey = give_answer()
    holey["daily"]["temperature_2m_mean"][2] = None
    body = line(holey) + b"\n" + line(give_answer(9, told=7))
    first, second = read(body, "openmeteo", key=KEY).frame.iter_rows(named=True)
    assert first[TEMPERATURES_AHEAD[3]] is None
    assert (first[TEMPERATURES_AHEAD[4]], second[TEMPERATURES_AHEAD[7]]) == (13.5, 16.5)
    assert second[TEMPERATURES_AHEAD[8]] is None


@pytest.mark.parametrize("daily", [{}, [], "rain", {"time": "2024-10-08"}, {"time": [8]}])
def test_an_answer_without_days_or_temperatures_costs_only_itself(daily: object):
    body = line(give_answer(daily=daily)) + b"\n" + line(give_answer())
    readings = read(body, "openmeteo", key=KEY)
    assert (readings.tally.read, readings.tally.kept) == (2, 1)


def test_an_answer_that_is_an_excuse_is_refused():
    told = {"error": True, "reason": "Daily API request limit exceeded."}
    readings = read(line(told), "openmeteo", key=KEY)
    assert readings.is_refused


def test_the_key_names_the_region():
    readings = read(WRAPPED["nested"], "openmeteo", key="raw/openmeteo_11/a.jsonl")
    assert readings.frame["station_id"].to_list() == ["openmeteo:11"]
    assert read(WRAPPED["nested"], "openmeteo", key="raw/openmeteo_lille/a.jsonl").tally.kept == 0
