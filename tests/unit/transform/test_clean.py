"""Impossible values go, suspicious ones are marked, and good weather is left alone."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.common.contracts import UNITS, VARIABLES, Flag, convert_factor
from tasks.transform.clean import convert_units, flag_suspects, flag_values
from tests.unit.transform.given import at

TEMPERATURE = "air_temperature"


def judge(
    values: Sequence[float | None],
    *,
    minutes: float = 5,
    variable: str = TEMPERATURE,
    instants: list[datetime] | None = None,
    stations: list[str] | None = None,
) -> pl.DataFrame:
    start = at("10-07 00:00")
    frame = pl.DataFrame(
        {
            "station_id": stations or ["wu:A"] * len(values),
            "at": instants or [start + timedelta(minutes=minutes * n) for n in range(len(values))],
            variable: values,
        },
        schema_overrides={variable: pl.Float64},
    )
    flagged = flag_values(convert_units(frame, {variable: VARIABLES[variable].unit}))
    return flagged.rename({variable: "x", f"{variable}__raw": "raw", f"{variable}__flag": "flag"})


def flags(values: Sequence[float | None], **more: Any) -> list[int]:  # noqa: ANN401
    return judge(values, **more)["flag"].to_list()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 50.01, -40.01, 1e300])
def test_what_cannot_be_becomes_null_and_fails_but_its_raw_value_stays(value: float):
    row = judge([12.0, value, 12.5]).row(1, named=True)
    assert (row["x"], row["flag"]) == (None, Flag.FAIL)
    assert row["raw"] == value or math.isnan(value)


def test_bounds_themselves_are_possible_and_a_null_is_missing():
    assert flags([-40.0, None, 50.0], minutes=600) == [Flag.PASS, Flag.MISSING, Flag.PASS]


def test_a_lone_leap_there_and_back_is_a_spike():
    assert flags([12.0, 12.1, 22.0, 12.2, 12.1]) == [1, 1, Flag.SUSPECT, 1, 1]


def test_a_front_that_stays_is_weather():
    assert set(flags([22.0, 21.9, 12.0, 11.9, 11.8])) == {Flag.PASS}


def test_what_is_credible_grows_with_the_time_between_values():
    values: list[float | None] = [12.0, 17.0, 12.0]
    assert Flag.SUSPECT in flags(values, minutes=5)
    assert Flag.SUSPECT not in flags(values, minutes=60)
    assert Flag.SUSPECT not in flags([12.0, 15.0, 12.0], minutes=5)
    assert Flag.SUSPECT in flags([12.0, 28.0, 12.0], minutes=60)


def test_leaps_that_go_on_in_one_direction_are_no_spike():
    assert set(flags([2.0, 12.0, 22.0, 32.0])) == {Flag.PASS}


def test_a_spike_beside_missing_and_impossible_values_is_found():
    assert flags([12.0, None, 30.0, 99.0, 12.2]) == [1, 9, Flag.SUSPECT, 4, 1]


def test_two_stations_are_not_neighbours():
    stations = ["wu:A", "wu:A", "wu:B", "wu:C", "wu:C"]
    instants = [at("10-07 00:00"), at("10-07 00:05"), *[at("10-07 00:10")] * 2, at("10-07 00:15")]
    assert set(flags([10, 10, 30, 10, 10], stations=stations, instants=instants)) == {Flag.PASS}


def wobble(count: int) -> list[float | None]:
    return [10 + (n % 7) / 10 for n in range(count)]


@pytest.mark.parametrize(
    ("minutes", "frozen"), [(5, 145), (10, 73), (60, 13)], ids=["5 min", "10 min", "hourly"]
)
def test_a_sensor_that_stands_still_beyond_its_hours_is_suspect_on_its_own_step(
    minutes: float, frozen: int
):
    too_long = flags([*wobble(50), *[12.3] * frozen, *wobble(50)], minutes=minutes)
    in_time = flags([*wobble(50), *[12.3] * (frozen - 1), *wobble(50)], minutes=minutes)
    assert [n for n, flag in enumerate(too_long) if flag == 3] == list(range(50, 50 + frozen))
    assert set(in_time) == {Flag.PASS}


def test_hours_without_values_do_not_freeze_a_sensor():
    instants = [at("10-07 00:00") + timedelta(minutes=10 * n) for n in range(20)]
    instants += [instants[-1] + timedelta(hours=30, minutes=10 * n) for n in range(20)]
    assert set(flags([12.3] * 40, instants=instants)) == {Flag.PASS}


def test_one_station_does_not_freeze_the_next():
    stations = [*["wu:A"] * 10, *["wu:B"] * 40]
    instants = [at("10-07 00:00") + timedelta(hours=n) for n in (*range(10), *range(40))]
    values = [*[12.3] * 20, *wobble(30)]
    assert set(flags(values, stations=stations, instants=instants)) == {Flag.PASS}


def test_missing_values_do_not_hide_a_frozen_sensor():
    values = [None if n % 5 == 0 else 12.3 for n in range(300)]
    assert flags([*wobble(500), *values]).count(Flag.SUSPECT) == 240


@pytest.mark.parametrize(("variable", "value"), [("wind_speed", 0.0), ("relative_humidity", 100.0)])
def test_calm_and_fog_may_stand_still(variable: str, value: float):
    assert set(flags([value] * 900, variable=variable)) == {Flag.PASS}
    assert set(flags([value + 1 - value / 50] * 900, variable=variable)) == {Flag.SUSPECT}


def test_equal_daily_values_are_not_frozen():
    assert set(flags([12.3] * 5, minutes=1440)) == {Flag.PASS}


def test_judging_again_without_the_future_forgets_what_it_told():
    frame = judge([*wobble(50), *[12.3] * 150])
    names = {"x": TEMPERATURE, "flag": f"{TEMPERATURE}__flag"}
    before = flag_suspects(frame.rename(names).head(150))
    assert frame["flag"].to_list().count(Flag.SUSPECT) == 150
    assert set(before[f"{TEMPERATURE}__flag"]) == {Flag.PASS}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30)), min_size=1, max_size=12))
def test_no_frozen_run_slips_through_and_no_other_is_named(runs: list[tuple[int, int]]):
    values = [float(value) for value, length in runs for _ in range(length)]
    expected = []
    for value, run in groupby(values):
        length = len(list(run))
        expected += [3 if length > 24 and value != 0 else 1] * length
    assert flags(values, minutes=60, variable="wind_speed") == expected


@given(
    values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=5),
    unit=st.sampled_from([n for n, u in UNITS.items() if u.dimension == "temperature"]),
)
def test_converting_a_frame_can_be_undone_and_keeps_what_was_delivered(
    values: list[float], unit: str
):
    delivered = pl.Series(TEMPERATURE, values, pl.Float64)
    converted = convert_units(delivered.to_frame(), {TEMPERATURE: unit})
    slope, intercept = convert_factor(VARIABLES[TEMPERATURE].unit, unit)
    undone = converted[TEMPERATURE] * slope + intercept
    assert converted[f"{TEMPERATURE}__raw"].to_list() == values
    assert undone.to_list() == pytest.approx(values, abs=1e-9)
