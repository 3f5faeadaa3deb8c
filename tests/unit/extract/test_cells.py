"""From texts to numbers."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.extract.cells import decode_counters, map_column, read_cells, read_number
from tests.unit.extract.given import SOURCES, lines, read, row, rules, values

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)


@pytest.mark.parametrize(
    ("text", "value", "rule"),
    [
        ("56.8\u00a0°f", 56.8, None),
        ("0 w/m²", 0.0, None),
        ("-3.5", -3.5, None),
        ("1.5e3", 1500.0, None),
        (".5", 0.5, None),
        ("nan", None, "not_finite"),
        ("-inf", None, "not_finite"),
        ("1e999", None, "not_finite"),
        ("12 34", None, "not_a_number"),
        ("1.2.3", None, "not_a_number"),
        ("18,92", None, "not_a_number"),
        ("0x1f", None, "not_a_number"),
        ("2024-10-01", None, "not_a_number"),
        ("7 mph", None, "unexpected_suffix"),
        ("abc", None, "not_a_number"),
    ],
)
def test_a_text_is_a_number_or_breaks_a_rule(text: str, value: float | None, rule: str | None):
    assert read_number(text, ("°F", "w/m²")) == (value, rule)


@given(NUMBERS, st.sampled_from(["", "\u00a0°f", " mph", "%"]))
def test_what_was_written_is_what_is_read(number: float, suffix: str):
    assert read_number(f"{number!r}{suffix}", ("°F", "mph", "%")) == (number, None)


@given(st.lists(st.none() | st.text(max_size=3), max_size=30))
@settings(max_examples=50)
def test_reading_distinct_texts_once_equals_reading_each(texts: list[str | None]):
    column = pl.Series("x", texts, dtype=pl.String)
    mapped = map_column(column, len, pl.Int64)
    assert mapped.to_list() == [None if text is None else len(text) for text in texts]


@given(
    st.lists(
        st.none()
        | st.from_regex(r"[-+.0-9eE]{0,5}[ \u00a0]?(°F|°f|mph|°C|F)?|nan|-inf", fullmatch=True),
        max_size=12,
    )
)
def test_reading_a_column_at_once_equals_reading_each_text(texts: list[str | None]):
    source = SOURCES["wunderground"]
    frame = pl.DataFrame({"air_temperature": pl.Series(texts, dtype=pl.String)})
    typed, faults = read_cells(frame.with_row_index("line"), source)
    suffixes = source.fields["air_temperature"].suffixes
    missing = {None, *map(str.casefold, source.missing)}
    folded = [text and text.strip().casefold() for text in texts]
    each = [
        (None, None) if text in missing else read_number(text or "", suffixes) for text in folded
    ]
    assert typed["air_temperature"].to_list() == [value for value, _ in each]
    assert [fault.rule for fault in faults] == [rule for _, rule in each if rule]


def test_a_number_that_means_missing_is_no_value():
    source = SOURCES["wunderground"].model_copy(update={"missing": ("-999",)})
    frame = pl.DataFrame({"line": [1, 2], "air_temperature": ["-999", "50.1 °F"]})
    typed, faults = read_cells(frame, source)
    assert (typed["air_temperature"].to_list(), faults) == ([None, 50.1], [])


def test_directions_are_sixteen_points_and_spelled_out_cardinals():
    points = ["N", "North", "NNE", "East", "SSW", "West", "NNW", "--", "Up"]
    readings = read(lines(row(f"00:{at:02d}:00", Wind=point) for at, point in enumerate(points)))
    directions = [0.0, 0.0, 22.5, 90.0, 202.5, 270.0, 337.5, None, None]
    assert values(readings, "wind_from_direction") == directions
    assert rules(readings) == [("not_a_number", 9, "wind_from_direction")]


def test_a_number_with_another_units_suffix_is_in_doubt_and_not_taken():
    readings = read(lines([row("00:04:00", Temperature="13 °C"), row("00:09:00")]))
    assert values(readings, "air_temperature") == [None, 56.2]
    assert (readings.tally.kept, dict(readings.cells)) == (2, {"unexpected_suffix": 1})


def test_inches_mean_mercury_for_pressure_and_water_for_rain():
    fields = SOURCES["wunderground"].fields
    assert fields["air_pressure_at_mean_sea_level"].unit == "inHg"
    assert fields["precipitation_increment"].unit == "inch"


def test_a_counter_that_resets_in_the_morning_gives_increments():
    # ILAMAD25 starts the day at 0.19 in and resets at 08:04 local, not at midnight.
    totals = ["0.19 in", "0.20 in", None, "0.24 in", "0.00 in", "0.03 in"]
    times = ["07:49:00", "07:54:00", "07:56:00", "07:59:00", "08:04:00", "08:09:00"]
    rows = [row(t) | {"Precip. Accum.": total} for t, total in zip(times, totals, strict=True)]
    increments = values(read(lines(rows)), "precipitation_increment")
    assert increments == [None, 0.01, None, 0.04, 0.0, 0.03]


def test_a_counter_is_differenced_within_its_station():
    frame = pl.DataFrame(
        {"station_id": ["a", "a", "b", "b"], "precipitation_increment": [1.0, 1.5, 0.2, 0.1]}
    )
    decoded = decode_counters(frame, SOURCES["wunderground"])
    assert decoded["precipitation_increment"].to_list() == [None, 0.5, None, 0.1]


def test_missing_markers_are_not_faults():
    frame = pl.DataFrame({"electricity_demand": ["ND", "-", "", None, "6602", "n/a"]})
    typed, faults = read_cells(frame.with_row_index("line"), SOURCES["eco2mix"])
    assert typed["electricity_demand"].to_list() == [None, None, None, None, 6602.0, None]
    assert (typed["is_blank"].sum(), faults) == (5, [])
