"""One record in every wrapper Airbyte has put around it."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.extract.identity import parse_extraction
from tests.unit.extract.given import (
    ENVELOPE,
    LANDED_AT,
    TABLE,
    line,
    lines,
    parquet,
    read,
    row,
    rules,
)

INSTANT = "1745688139000"
OLD = {"_airbyte_ab_id": "x", "_airbyte_emitted_at": 1745688139000}
META = '{"changes":[],"sync_id":18}'


def as_json(*records: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(record).encode() for record in records)


def as_csv(*records: dict[str, Any]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


WRAPPED = {
    "v1 nested": lines([TABLE]),
    "v1 instants as texts": line(TABLE, _airbyte_extracted_at=INSTANT, _airbyte_generation_id="1"),
    "v1 ISO instant": line(TABLE, _airbyte_extracted_at="2025-04-26T17:22:19.000Z"),
    "v0": as_json(OLD | {"_airbyte_data": TABLE}),
    "flattened": as_json(ENVELOPE | TABLE),
    "JSON in a text": as_json(ENVELOPE | {"_airbyte_data": json.dumps(TABLE)}),
    "raw_data inside": as_json(ENVELOPE | {"_airbyte_data": {"id": "7", "raw_data": TABLE}}),
    "raw_data as text": as_json(
        ENVELOPE | {"_airbyte_data": {"id": 7, "raw_data": json.dumps(TABLE)}}
    ),
    "raw_data alone": as_json({"id": 1, "raw_data": TABLE} | OLD),
    "CSV with JSON": as_csv(ENVELOPE | {"_airbyte_meta": META, "_airbyte_data": json.dumps(TABLE)}),
    "CSV flattened": as_csv(ENVELOPE | {"_airbyte_meta": META} | TABLE),
    "CSV nested names": as_csv(OLD | {f"_airbyte_data.{name}": v for name, v in TABLE.items()}),
    "Parquet with JSON": parquet(ENVELOPE | {"_airbyte_data": json.dumps(TABLE)}),
    "Parquet with JSON in bytes": parquet(ENVELOPE | {"_airbyte_data": json.dumps(TABLE).encode()}),
    "Parquet nested": parquet(ENVELOPE | {"_airbyte_data": TABLE}),
    "Parquet flattened": parquet(
        ENVELOPE | {"_airbyte_extracted_at": datetime(2025, 4, 26, 17, 22, 19, tzinfo=UTC)} | TABLE
    ),
    "array": b"[" + line(TABLE) + b"]",
}


@pytest.mark.parametrize("shape", WRAPPED)
def test_every_wrapper_gives_the_same_reading(shape: str):
    readings = read(WRAPPED[shape])
    plain = read(lines([TABLE])).frame
    assert readings.frame.drop("line", "generation").equals(plain.drop("line", "generation"))
    assert (readings.tally.read, readings.tally.kept) == (1, 1)
    assert readings.reason is None


def test_without_an_envelope_the_objects_own_time_orders_versions():
    readings = read(as_json(TABLE))
    assert readings.frame["extracted_at"].dt.strftime("%Y-%m-%d").to_list() == ["2024-10-09"]
    assert readings.frame["generation"].to_list() == [0]


@pytest.mark.parametrize(
    "text", ["1745688139000", "1745688139", "1745688139000.0", "2025-04-26T19:22:19+02:00"]
)
def test_airbytes_instant_is_read_in_every_spelling(text: str):
    found = parse_extraction(text)
    assert found is not None
    assert found.isoformat() == "2025-04-26T17:22:19+00:00"


@pytest.mark.parametrize("told", ["yesterday", -1e17, "9999-12-31T23:59:59-14:00"])
def test_an_unreadable_instant_of_airbyte_is_no_reason_to_lose_a_record(told: object):
    readings = read(line(TABLE, _airbyte_extracted_at=told))
    assert (readings.tally.kept, readings.frame["extracted_at"].to_list()) == (1, [LANDED_AT])


@pytest.mark.parametrize("as_text", [False, True])
def test_a_value_airbyte_nulled_is_told_of(as_text: bool):
    changes = [{"field": "Pressure", "change": "NULLED", "reason": "SOURCE_SERIALIZATION_ERROR"}]
    meta = {"changes": changes, "sync_id": 1}
    record = ENVELOPE | TABLE | {"Pressure": None, "_airbyte_meta": json.dumps(meta)}
    body = as_csv(record) if as_text else line(TABLE | {"Pressure": None}, _airbyte_meta=meta)
    readings = read(body)
    assert [(rule, column) for rule, _, column in rules(readings)] == [
        ("changed_by_airbyte", "Pressure")
    ]
    assert dict(readings.cells) == {"changed_by_airbyte": 1}


def test_a_column_nobody_declared_is_told_of():
    assert read(lines([row() | {"Soil": "3"}])).reason == "new columns: Soil"


def test_columns_that_come_late_are_read():
    late = [{"Time": f"{at // 60:02d}:{at % 60:02d}:00", "UV": 1} for at in range(200)]
    readings = read(lines([*late, row("12:00:00")]))
    assert readings.frame["air_temperature"].drop_nulls().to_list() == [56.2]


def infoclimat(**changes: object) -> dict[str, Any]:
    rows = [
        {
            "id_station": "00052",
            "dh_utc": "2024-10-05 00:00:00",
            "temperature": "6.4",
            "vent_rafales": None,
        }
    ]
    station = {
        "id": "00052",
        "name": "Armentières",
        "latitude": 50.689,
        "longitude": 2.877,
        "elevation": 16,
    }
    return {"stations": [station], "hourly": {"00052": rows, "_params": ["temperature"]}} | changes


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(line(infoclimat()), id="one line"),
        pytest.param(json.dumps(infoclimat(), indent=2).encode(), id="as downloaded"),
        pytest.param(
            as_csv(ENVELOPE | {"_airbyte_data": json.dumps(infoclimat())}), id="CSV with JSON"
        ),
        pytest.param(
            as_csv(ENVELOPE | {name: json.dumps(value) for name, value in infoclimat().items()}),
            id="CSV flattened",
        ),
        pytest.param(line(infoclimat(hourly=infoclimat()["hourly"]["00052"])), id="a list"),
    ],
)
def test_infoclimats_answer_is_records_by_station(body: bytes):
    readings = read(body, "infoclimat", key="infoclimat.jsonl")
    assert readings.frame["station_id"].to_list() == ["infoclimat:00052"]
    assert readings.frame["air_temperature"].to_list() == [6.4]
    assert [station["name"] for station in readings.stations] == ["Armentières"]


EXPORT = (
    "# InfoClimat, licences of the stations\n"
    "station_id;dh_utc;temperature;vent_moyen\n"
    "00052;2024-10-05 00:00:00;6.4;\n"
    "00052;2024-10-05 00:10:00;6.5;3.6\n"
)


def test_infoclimats_csv_has_its_records_as_rows():
    readings = read(EXPORT.encode(), "infoclimat", key="infoclimat.csv")
    assert readings.frame["station_id"].to_list() == ["infoclimat:00052"] * 2
    assert readings.frame["air_temperature"].to_list() == [6.4, 6.5]
    assert (readings.tally.read, readings.tally.kept) == (2, 2)


@pytest.mark.parametrize("told", ["temperature,degC", "temperature,°C", "temperature", None])
def test_an_answer_in_the_declared_units_is_read(told: object):
    answer = infoclimat(metadata={"temperature": told, "temps_omm": "present weather,a page"})
    assert read(line(answer), "infoclimat").tally.kept == 1


def test_an_answer_in_another_unit_is_rejected_alone():
    answer = infoclimat(metadata={"temperature": "temperature,degF"})
    readings = read(line(answer) + b"\n" + line(infoclimat()), "infoclimat")
    assert rules(readings) == [("unexpected_unit", 1, None)]
    assert "'degF' as the unit of temperature, where degC" in readings.quarantine["reason"][0]
    assert readings.tally.kept == 1


def test_a_station_that_is_only_the_key_of_its_rows_is_known():
    answer = infoclimat(hourly={"07015": [{"dh_utc": "2024-10-05 00:00:00", "temperature": "7"}]})
    readings = read(line(answer), "infoclimat")
    assert readings.frame["station_id"].to_list() == ["infoclimat:07015"]


@pytest.mark.parametrize("odd", [None, "", 5, False, [1]])
def test_an_odd_row_among_the_records_costs_itself(odd: object):
    good = infoclimat()["hourly"]["00052"]
    for hourly in ({"00052": [odd, *good]}, {"00052": good, "z": odd}, [*good, odd]):
        readings = read(line(infoclimat(hourly=hourly)), "infoclimat")
        assert (readings.tally.kept, dict(readings.tally.rejected)) == (1, {"bad_json": 1})


def test_an_answer_that_describes_no_station_is_read():
    tally = read(line(infoclimat(stations=None)), "infoclimat").tally
    assert (tally.kept, dict(tally.rejected)) == (1, {})


@pytest.mark.parametrize("hourly", [None, [], {}, {"_params": []}])
def test_an_answer_without_records_is_refused_in_the_providers_words(hourly: object):
    answer = infoclimat(hourly=hourly, errors=["key expired"])
    assert "key expired" in (read(line(answer), "infoclimat").reason or "")


def test_an_answer_without_records_is_rejected_with_its_line():
    readings = read(line({"status": "error"}) + b"\n" + line(infoclimat()), "infoclimat")
    assert rules(readings) == [("bad_json", 1, None)]
    assert readings.tally.kept == 1
