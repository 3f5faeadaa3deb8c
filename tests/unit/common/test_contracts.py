"""Units convert exactly, and the latest version of a reading is kept."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.common.contracts import (
    INSTANT,
    UNITS,
    VARIABLES,
    convert_factor,
    keep_latest,
)
from tasks.common.errors import ConfigurationError


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (56.2, "degF", "degC", 13.4444),
        (29.75, "inHg", "hPa", 1007.451),
        (4.4, "mph", "m s-1", 1.96698),
        (36.0, "km h-1", "m s-1", 10.0),
        (0.19, "inch", "mm", 4.826),
        (273.15, "K", "degC", 0.0),
        (8, "okta", "1", 1.0),
        (12, "cm", "m", 0.12),
        (6500, "MW", "GW", 6.5),
    ],
)
def test_a_value_converts_exactly(value: float, source: str, target: str, expected: float):
    slope, intercept = convert_factor(source, target)
    assert slope * value + intercept == pytest.approx(expected, abs=5e-5)


@given(
    value=st.floats(-1e4, 1e4),
    pair=st.sampled_from(
        [(a, b) for a in UNITS for b in UNITS if UNITS[a].dimension == UNITS[b].dimension]
    ),
)
def test_converting_there_and_back_changes_nothing(value: float, pair: tuple[str, str]):
    slope, intercept = convert_factor(*pair)
    back_slope, back_intercept = convert_factor(*reversed(pair))
    assert back_slope * (slope * value + intercept) + back_intercept == pytest.approx(
        value, rel=1e-9, abs=1e-6
    )


@pytest.mark.parametrize(("source", "target"), [("degF", "hPa"), ("furlong", "m"), ("m", "degX")])
def test_units_that_do_not_measure_the_same_are_refused(source: str, target: str):
    with pytest.raises(ConfigurationError, match=r"use one of|same dimension"):
        convert_factor(source, target)


def test_every_variable_has_a_known_unit_and_ordered_bounds():
    assert {v.unit for v in VARIABLES.values()} <= set(UNITS)
    assert [name for name, v in VARIABLES.items() if not v.low < v.high] == []


def readings(*rows: tuple[str, int, int, int | None]) -> pl.DataFrame:
    noon = datetime(2024, 10, 1, 12, tzinfo=UTC)
    return pl.DataFrame(
        [
            (s, noon, m, 0, None if e is None else noon.replace(hour=e), n)
            for n, (s, _, m, e) in enumerate(rows)
        ],
        schema={
            "station_id": pl.String,
            "at": INSTANT,
            "maturity": pl.UInt8,
            "generation": pl.Int64,
            "extracted_at": INSTANT,
            "line": pl.UInt32,
        },
        orient="row",
    )


def test_maturity_outranks_a_later_extraction():
    kept = keep_latest(readings(("a", 0, 2, 3), ("a", 0, 1, 9)))
    assert kept["maturity"].to_list() == [2]


def test_a_reading_without_extraction_time_ranks_lowest():
    kept = keep_latest(readings(("a", 0, 1, 1), ("a", 0, 1, None)))
    assert kept["extracted_at"].null_count() == 0


def test_stations_do_not_outrank_each_other():
    assert keep_latest(readings(("a", 0, 1, 1), ("b", 0, 1, 1))).height == 2
