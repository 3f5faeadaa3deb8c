"""History is regular, looks at nothing from the future, and does not depend on how data came."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.common.contracts import HISTORY
from tasks.common.results import ProcessedFile, SourceFacts, Transformed
from tasks.transform.history import LONG_MONTHS, SHORT_MONTHS, choose_files
from tests.unit.transform.given import (
    AS_OF,
    FACTS,
    Landed,
    at,
    every,
    extracted,
    known_at,
    new_store,
    readings,
    run,
    series,
)

FEW = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MINUTES = timedelta(minutes=1)
PARIS = ZoneInfo("Europe/Paris")
DEMAND = SourceFacts(
    "eco2mix", "rte", 1, timedelta(minutes=30), {"electricity_demand": "MW"}, licence="Etalab"
)
DAILY = SourceFacts("daily", "odre", 1, timedelta(days=1), {"air_temperature_daily_mean": "degC"})


def make(
    folder: Path,
    instants: Sequence[datetime],
    values: Mapping[str, Sequence[float | None]],
    as_of: datetime = AS_OF,
) -> Transformed:
    return run(extracted(folder, Landed("a", readings(instants, values)), as_of=as_of))


def hours_of(made: Transformed, variable: str) -> list[float | None]:
    return series(made, f"wu:A:{variable}")["value"].to_list()


def test_an_hour_is_the_mean_of_its_values_and_labelled_by_its_start(tmp_path: Path):
    made = make(tmp_path, every(5, 24, start="10-07 10:04"), {"relative_humidity": range(40, 64)})
    hours = series(made, "wu:A:relative_humidity")
    assert hours["at"].to_list() == [at("10-07 10:00"), at("10-07 11:00")]
    assert hours["value"].to_list() == [45.5, 57.5]
    assert made.history.schema == HISTORY


def test_directions_are_averaged_as_vectors(tmp_path: Path):
    north = [350.0, 10.0] * 6
    opposed = [0.0, 180.0] * 6
    made = make(
        tmp_path, every(5, 24, start="10-07 10:00"), {"wind_from_direction": north + opposed}
    )
    first, second = hours_of(made, "wind_from_direction")
    assert first is not None
    assert (first + 180) % 360 == pytest.approx(180, abs=1e-6)
    assert second is None


def test_a_gust_is_the_greatest_of_its_hour(tmp_path: Path):
    gusts = [1.0] * 11 + [10.0]
    made = make(tmp_path, every(5, 12, start="10-07 10:00"), {"wind_speed_of_gust": gusts})
    assert hours_of(made, "wind_speed_of_gust") == [4.4704]


def test_rain_is_summed_only_over_whole_hours(tmp_path: Path):
    rain = [0.1] * 12 + [0.1] * 11 + [None] + [0.2] * 12
    made = make(tmp_path, every(5, 36, start="10-07 10:00"), {"precipitation_increment": rain})
    assert hours_of(made, "precipitation_increment") == [1.2, None, 2.4]


def test_an_hour_needs_half_of_its_values(tmp_path: Path):
    present = [*range(12), *range(12, 18), *range(24, 29), *range(36, 48)]
    instants = [at("10-07 10:00") + timedelta(minutes=5 * n) for n in present]
    made = make(tmp_path, instants, {"relative_humidity": [50.0 + n % 3 for n in present]})
    whole, half, less, last = hours_of(made, "relative_humidity")
    assert None not in (whole, half, last)
    assert less is None


def test_each_station_is_complete_by_its_own_step(tmp_path: Path):
    hourly = readings(every(60, 6, start="10-07 10:00"), {"relative_humidity": [50.0] * 6})
    fine = readings(
        every(5, 72, start="10-07 10:00"), {"relative_humidity": [60.0] * 72}, station="wu:B"
    )
    made = run(extracted(tmp_path, Landed("a", pl.concat([hourly, fine]))))
    assert hours_of(made, "relative_humidity") == [50.0] * 6
    steps = dict(made.series.select("station_id", "native_step_minutes").iter_rows())
    assert steps == {"wu:A": 60.0, "wu:B": 5.0}


def test_impossible_and_suspicious_values_leave_gaps(tmp_path: Path):
    values = [59.0] * 12 + [999.0] * 12 + [59.0 + n % 2 for n in range(12)]
    made = make(tmp_path, every(5, 36, start="10-07 10:00"), {"air_temperature": values})
    row = made.series.row(0, named=True)
    assert hours_of(made, "air_temperature") == [15.0, None, pytest.approx(15.277778)]
    assert (row["expected"], row["present"], row["gaps"], row["failed"]) == (36, 24, 12, 12)


@pytest.mark.parametrize("day", ["03-31 00:00", "10-27 00:00"])
def test_both_changes_of_the_clocks_are_days_like_any_other(tmp_path: Path, day: str):
    start = at(day) - timedelta(hours=12)
    instants = [start + 30 * n * MINUTES for n in range(96)]
    demand = readings(instants, {"electricity_demand": range(5000, 5096)}, station="rte:32")
    made = run(extracted(tmp_path, Landed("a", demand, "eco2mix"), sources=(DEMAND,)))
    hours = series(made, "rte:32:electricity_demand")
    assert hours["at"].diff().drop_nulls().unique().to_list() == [timedelta(hours=1)]
    assert hours["value"].to_list() == [5000.5 + 2 * n for n in range(48)]


def test_the_hour_that_local_clocks_hide_in_autumn_is_two_missing_half_hours(tmp_path: Path):
    # eCO2mix has 96 local rows a day; the second 02:00-03:00 of 27 October is not among them.
    midnight = datetime(2024, 10, 27, tzinfo=PARIS)
    instants = [(midnight + 30 * n * MINUTES).astimezone(UTC) for n in range(48)]
    demand = readings(instants, {"electricity_demand": range(5000, 5048)}, station="rte:32")
    made = run(extracted(tmp_path, Landed("a", demand, "eco2mix"), sources=(DEMAND,)))
    row = made.series.row(0, named=True)
    assert (row["expected"], row["present"], row["gaps"]) == (50, 48, 2)
    assert made.gaps.rows() == [("rte:32:electricity_demand", at("10-27 01:00"), 2)]


def test_days_of_23_and_25_hours_lie_on_a_regular_daily_grid(tmp_path: Path):
    days = [datetime(2024, 3, 1, tzinfo=PARIS) + timedelta(days=n) for n in range(245)]
    instants = [day.astimezone(UTC) for day in days]
    frame = readings(
        instants, {"air_temperature_daily_mean": [n % 20 for n in range(245)]}, station="odre:32"
    )
    made = run(extracted(tmp_path, Landed("a", frame, "daily"), sources=(DAILY,)))
    history = series(made, "odre:32:air_temperature_daily_mean")
    assert history["at"].to_list() == [day.replace(tzinfo=UTC) for day in days]
    assert history["value"].to_list() == [n % 20 for n in range(245)]
    assert made.series.select("step_minutes", "gaps").row(0) == (1440, 0)


def test_a_day_that_is_not_over_is_not_known(tmp_path: Path):
    midnights = [datetime(2024, 11, day, tzinfo=PARIS).astimezone(UTC) for day in (3, 4, 5, 6)]
    values = {"air_temperature_daily_mean": [5.0, 6.0, 7.0, 8.0]}
    landed = Landed("a", readings(midnights, values, station="odre:32"), "daily")
    made = run(extracted(tmp_path, landed, sources=(DAILY,), as_of=at("11-06 21:00")))
    assert made.series["newest_at"].item() == midnights[2]
    assert made.history["value"].to_list() == [5.0, 6.0, 7.0]


@FEW
@given(
    hour=st.integers(0, 72),
    rain=st.lists(st.floats(0, 9), min_size=144, max_size=144),
)
def test_hours_hold_as_much_rain_as_their_values_in_the_same_order(
    tmp_path: Path, hour: int, rain: list[float]
):
    first = at("03-30 00:00") + timedelta(hours=hour)
    made = make(
        tmp_path,
        [first + 5 * n * MINUTES for n in range(144)],
        {"precipitation_increment": rain},
    )
    hours = series(made, "wu:A:precipitation_increment")["value"].to_list()
    expected = [math.fsum(rain[n : n + 12]) for n in range(0, 144, 12)]
    assert hours == pytest.approx(expected, abs=1e-5)
    assert math.fsum(hours) == pytest.approx(math.fsum(rain), abs=1e-4)


def noisy(count: int) -> list[float]:
    return [50 + (n * 7919 % 23) / 10 for n in range(count)]


def test_only_hours_that_were_over_are_known(tmp_path: Path):
    instants = every(5, 48, start="11-06 18:00")
    made = make(tmp_path, instants, {"relative_humidity": noisy(48)}, as_of=at("11-06 20:59"))
    assert series(made, "wu:A:relative_humidity")["at"].max() == at("11-06 19:00")
    assert made.series["newest_at"].item() == at("11-06 20:55")
    assert made.series["freshness_h"].item() == pytest.approx(4 / 60)


FUTURES = {
    "a leap back that would explain a spike": [50.0] * 40,
    "values that would make a frozen sensor": [90.0] * 400,
    "poison": [-999.0, 1e9, 99.0] * 50,
}


@pytest.mark.parametrize("future", FUTURES.values(), ids=FUTURES)
def test_a_poisoned_future_changes_nothing_known_before(tmp_path: Path, future: list[float]):
    past = [*noisy(200), *[90.0] * 200] if future == [90.0] * 400 else [*noisy(239), 90.0]
    instants = every(5, len(past) + len(future), start="10-07 00:00")
    as_of = instants[len(past)]
    values = {"relative_humidity": [*past, *future]}
    clean = {"relative_humidity": past}
    poisoned = make(tmp_path, instants, values, as_of=as_of)
    honest = make(tmp_path, instants[: len(past)], clean, as_of=as_of)
    assert poisoned.input_hash == honest.input_hash
    assert poisoned.series.equals(honest.series)
    later = make(tmp_path, instants, values, as_of=AS_OF)
    assert later.input_hash != honest.input_hash


def test_the_history_does_not_depend_on_how_many_objects_or_runs_it_came_in(tmp_path: Path):
    instants, values = every(5, 3000, start="10-26 00:00"), noisy(3000)
    values[1000:1400] = [70.0] * 400  # frozen, across the cuts below
    whole = readings(instants, {"relative_humidity": values})
    at_once = run(extracted(tmp_path, Landed("a", whole)))
    store = new_store()
    for place, begin in enumerate(range(0, 3000, 600)):
        piece = Landed(f"object-{place}", whole.slice(begin, 600))
        in_steps = run(extracted(tmp_path, piece), store)
    assert in_steps.input_hash == at_once.input_hash
    assert in_steps.series.equals(at_once.series)
    assert len(in_steps.files) > len(at_once.files)


def test_a_later_run_corrects_an_earlier_one_whatever_comes_first(tmp_path: Path):
    instants = every(30, 4, start="10-26 00:00")
    draft = readings(instants, {"electricity_demand": [1000.0] * 4}, station="rte:32")
    final = readings(
        instants[:2], {"electricity_demand": [2000.0] * 2}, station="rte:32", maturity=1
    )
    hashes = set()
    for order in ((draft, final), (final, draft)):
        store = new_store()
        for name, frame in zip("ab", order, strict=True):
            landed = Landed(name, frame, "eco2mix")
            made = run(extracted(tmp_path, landed, sources=(DEMAND,)), store)
        assert series(made, "rte:32:electricity_demand")["value"].to_list() == [2000.0, 1000.0]
        hashes.add(made.input_hash)
    assert len(hashes) == 1


def test_two_sources_of_one_station_complete_each_other(tmp_path: Path):
    instants = every(30, 4, start="10-26 00:00")
    day_ahead = "electricity_demand_forecast_day_ahead"
    units = {"electricity_demand": "MW", day_ahead: "MW"}
    eco2mix, odre = (replace(DEMAND, id=name, units=units) for name in ("eco2mix", "odre"))
    final = readings(
        instants[:2],
        {"electricity_demand": [2000.0] * 2, day_ahead: [None] * 2},
        station="rte:32",
        maturity=1,
    )
    draft = readings(
        instants, {"electricity_demand": [1000.0] * 4, day_ahead: [900.0] * 4}, station="rte:32"
    )
    made = run(
        extracted(
            tmp_path,
            Landed("a", final, "eco2mix"),
            Landed("b", draft, "odre"),
            sources=(eco2mix, odre),
        )
    )
    assert series(made, "rte:32:electricity_demand")["value"].to_list() == [2000.0, 1000.0]
    assert series(made, f"rte:32:{day_ahead}")["value"].to_list() == [900.0, 900.0]


def test_odd_minutes_are_no_gaps_but_holes_are(tmp_path: Path):
    # 18:20 among stamps that end in :04 and :09, and holes of 24 and 27 minutes: all of them real.
    minutes = [*range(4, 200, 5), 200 + 20, *range(224 + 5, 400, 5), 427 - 3, *range(429, 600, 5)]
    instants = [at("10-07 00:00") + m * MINUTES for m in minutes]
    made = make(tmp_path, instants, {"relative_humidity": noisy(len(minutes))})
    steps = made.gaps["steps"].to_list()
    assert made.series["gaps"].item() == sum(steps)
    assert steps == [3, 1, 4]
    assert made.series["longest_gap_h"].item() == pytest.approx(20 / 60)


def test_stamps_that_wander_are_no_gaps(tmp_path: Path):
    instants = [at("10-07 00:00") + (5 * n + (0, 1, 0, -1)[n % 4]) * MINUTES for n in range(200)]
    made = make(tmp_path, instants, {"relative_humidity": noisy(200)})
    assert made.gaps.is_empty()
    assert made.series["native_step_minutes"].item() == pytest.approx(5, abs=1)


def test_a_variable_told_hourly_among_finer_rows_has_its_own_step(tmp_path: Path):
    rain = [0.2 if n % 6 == 0 else None for n in range(144)]
    made = make(tmp_path, every(10, 144, start="10-07 00:00"), {"precipitation_amount_1h": rain})
    row = made.series.row(0, named=True)
    assert (row["native_step_minutes"], row["present"], row["gaps"]) == (60, 24, 0)
    assert hours_of(made, "precipitation_amount_1h") == [0.2] * 24


def test_a_station_that_starts_where_another_ended_has_no_gap(tmp_path: Path):
    first, second = (
        readings(every(60, 40, start=start), {"relative_humidity": noisy(40)}, station=station)
        for start, station in (("10-07 00:00", "wu:A"), ("10-17 00:00", "wu:B"))
    )
    made = run(extracted(tmp_path, Landed("a", pl.concat([first, second]))))
    assert made.series["gaps"].to_list() == [0, 0]


def test_a_hole_over_the_turn_of_a_month_is_one_gap(tmp_path: Path):
    instants = every(60, 40, start="10-30 00:00") + every(60, 40, start="11-02 00:00")
    made = make(tmp_path, instants, {"relative_humidity": noisy(80)})
    assert made.gaps.rows() == [("wu:A:relative_humidity", at("10-31 16:00"), 32)]
    assert made.series.select("expected", "present").row(0) == (112, 80)


def test_a_series_without_a_trusted_value_is_told_of(tmp_path: Path):
    made = make(tmp_path, every(5, 3, start="10-07 10:00"), {"relative_humidity": [200.0] * 3})
    row = made.series.row(0, named=True)
    assert (row["present"], row["failed"], row["newest_at"]) == (0, 3, None)
    assert made.history.is_empty()


@pytest.mark.parametrize(
    ("values", "hour"),
    [
        pytest.param({"relative_humidity": [50.0] * 3}, "20:30", id="only an unfinished hour"),
        pytest.param({"relative_humidity": [50.0] * 3}, "10:00", id="only the future"),
        pytest.param({"relative_humidity": [None] * 3}, "21:00", id="only nulls"),
        pytest.param({}, "21:00", id="no variable"),
    ],
)
def test_what_gives_no_history_is_stored_all_the_same(
    tmp_path: Path, values: dict[str, list[float | None]], hour: str
):
    made = make(tmp_path, every(5, 3, start="11-06 20:00"), values, at(f"11-06 {hour}"))
    assert (made.observations, made.history.height) == (3, 0)
    assert made.history.schema == HISTORY


def test_a_variable_never_delivered_is_no_series(tmp_path: Path):
    values = {"relative_humidity": [50.0] * 3, "wind_speed": [None] * 3}
    made = make(tmp_path, every(5, 3, start="10-07 10:00"), values)
    assert made.series["variable"].to_list() == ["relative_humidity"]


@pytest.mark.parametrize(("facts", "months"), [(FACTS, SHORT_MONTHS), (DEMAND, LONG_MONTHS)])
def test_the_window_ends_with_the_newest_month_of_the_source_before_the_issue_time(
    facts: SourceFacts, months: int
):
    firsts = [datetime(2012 + n // 12, n % 12 + 1, 1, tzinfo=UTC) for n in range(120)]
    files = [
        ProcessedFile(f"{one:%Y-%m}", 1, "0", 1, facts.id, f"{one:%Y-%m}", one, one)
        for one in firsts
    ]
    sources = {facts.id: facts}
    late = choose_files(files, sources, AS_OF)
    earlier = choose_files(reversed(files), sources, firsts[100] + timedelta(hours=1))
    assert [file.month for file in late] == [file.month for file in files[-months:]]
    assert [file.month for file in earlier] == [file.month for file in files[101 - months : 101]]
    assert choose_files(files, {}, AS_OF) == []


def test_what_was_known_last_week_can_be_told_again(tmp_path: Path):
    instants = every(60, 300, start="10-25 00:00")
    frame = readings(instants, {"relative_humidity": noisy(300)})
    given_now = extracted(tmp_path, Landed("a", frame))
    store = new_store()
    run(given_now, store)
    last_week = known_at(store, given_now, AS_OF - timedelta(days=7))
    assert series(last_week, "wu:A:relative_humidity")["at"].max() == at("10-30 20:00")
