"""Every record is kept, blank, duplicate or rejected; what one object holds stands once."""

import random
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.extract.blocks import Batch
from tasks.extract.identity import Origin, list_stations
from tasks.extract.readings import read_object
from tests.unit.extract.given import (
    BLANK,
    LANDED_AT,
    SOURCES,
    instants,
    line,
    lines,
    read,
    row,
    rules,
    values,
)

PIECES = st.one_of(
    st.integers(0, 1439).map(lambda at: line(row(f"{at // 60:02d}:{at % 60:02d}:00"))),
    st.just(line(BLANK)),
    st.sampled_from(["", "?", "NaN", "13 °C", None]).map(lambda t: line(row(Temperature=t))),
    st.sampled_from([b"", b"{", b"[]", b"null", b"\xff", line(row("25:61:00")), line(row(None))]),
    st.binary(max_size=8).filter(lambda noise: b"\n" not in noise),
)


@given(st.lists(PIECES, max_size=25), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_every_count_closes_and_says_what_stands_in_quarantine(
    pieces: list[bytes], order: random.Random
):
    order.shuffle(pieces)
    readings = read(b"\n".join([line(row("00:04:00")), *pieces]))
    rejected = sum(readings.tally.rejected.values())
    whole_rows = [rule for rule, _, column in rules(readings) if column is None]
    assert readings.tally.kept == readings.frame.height == len(set(instants(readings)))
    assert readings.is_refused or len(whole_rows) == rejected
    assert readings.tally.read == sum(bool(piece.strip()) for piece in pieces) + 1


def test_of_one_instant_the_last_of_the_greatest_generation_is_kept():
    rows = [(70, 2), (60, 1), (65, 2)]
    told = (line(row(Temperature=f"{t} °F"), _airbyte_generation_id=g) for t, g in rows)
    readings = read(b"\n".join(told))
    assert (values(readings, "air_temperature"), readings.tally.duplicate) == ([65.0], 2)


def test_a_record_repeated_word_for_word_is_a_duplicate():
    readings = read(lines([row("00:04:00"), row("00:04:00"), row("00:09:00")]))
    assert (readings.tally.kept, readings.tally.duplicate) == (2, 1)


def test_an_object_of_blank_records_alone_is_told_of():
    timed = BLANK | {"Time": "00:04:00"}
    assert read(lines([BLANK, timed])).reason == "every record is blank"
    assert read(lines([timed, row("00:09:00")])).reason is None


def test_readings_are_sorted_whatever_the_order_of_the_object():
    rows = [row(f"{t}", Date="2024-10-01") for t in ("12:00:00", "00:04:00", "06:00:00")]
    readings = read(lines(rows))
    assert readings.frame["at"].is_sorted()
    assert readings.frame["line"].to_list() == [2, 3, 1]


def test_quarantine_names_object_source_line_and_text():
    told = read(lines([row("00:04:00"), row("soon")])).quarantine.row(0, named=True)
    assert (told["source_id"], told["line"], told["etag"]) == ("wunderground", 2, "etag")
    assert "soon" in told["raw"]


@pytest.mark.parametrize(
    ("key", "station"),
    [
        ("raw/wunderground/ILAMAD25/x.jsonl", "wunderground:ILAMAD25"),
        ("weather/airbyte_wunderground_IICHTE19_week.jsonl", "wunderground:IICHTE19"),
        ("wunderground/KCASANFR1809.csv", "wunderground:KCASANFR1809"),
        ("Weather Underground - Ichtegem, BE.xlsx", "wunderground:IICHTE19"),
        ("raw/wunderground/la_madeleine/x.jsonl", "wunderground:ILAMAD25"),
        ("raw/wunderground/x.jsonl", None),
    ],
)
def test_the_station_is_named_by_the_key_or_the_object_is_refused(key: str, station: str | None):
    readings = read(lines([row(Date="2024-10-01")]), key=key)
    assert readings.frame["station_id"].to_list() == ([station] if station else [])
    assert [rule for rule, _, _ in rules(readings)] == ([] if station else ["no_station"])


@pytest.mark.parametrize(
    "error", [TypeError("odd"), OverflowError("odd"), OSError(75, "odd"), zlib.error("odd")]
)
def test_whatever_one_odd_object_brings_about_quarantines_it_whole(error: Exception):
    def parse() -> Iterator[Batch]:
        raise error
        yield

    readings = read_object(parse(), SOURCES["wunderground"], Origin("a", "b", "c", LANDED_AT))
    assert rules(readings) == [("corrupt_object", None, None)]
    assert "odd" in (readings.reason or "")


def test_ids_keep_their_leading_zeros():
    record = b'{"id_station": "07015", "dh_utc": "2024-10-05 00:00:00", "humidite": 89}'
    body = b'{"hourly": {"07015": [' + record + b"]}}"
    assert read(body, "infoclimat").frame["station_id"].to_list() == ["infoclimat:07015"]


def test_a_station_is_as_declared_unless_the_object_knows_better():
    block = {
        "id": "07015",
        "name": "Lille",
        "latitude": "50.575",
        "longitude": None,
        "license": "?",
    }
    (found,) = list_stations(["infoclimat:07015"], SOURCES["infoclimat"], [block]).to_dicts()
    assert (found["name"], found["latitude"], found["longitude"]) == ("Lille", 50.575, None)
    (declared,) = list_stations(["wunderground:ILAMAD25"], SOURCES["wunderground"]).to_dicts()
    assert (declared["latitude"], declared["elevation_m"]) == (50.659, 23.0)
