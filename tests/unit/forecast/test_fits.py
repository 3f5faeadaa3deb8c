"""The memory: equal names mean equal bits, and last week's run is this week's backtest."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tasks.common.objects import open_store
from tasks.common.results import Transformed
from tasks.common.settings import Settings
from tasks.forecast.backtest import Fit
from tasks.forecast.fits import FOLDER, FitStore, hash_code, name_fit
from tasks.forecast.members import choose_members
from tasks.forecast.plan import SeriesPlan
from tests.unit.forecast.series import (
    AS_OF,
    DEMAND,
    TEMPERATURE,
    give_daily_mean,
    give_demand,
    give_direction,
    give_temperature,
    give_transformed,
    plan_here,
)

WEEK = timedelta(weeks=1)
HOUR, DAY = 60, 24 * 60

CASES: dict[str, tuple[dict[str, pl.DataFrame], int]] = {
    DEMAND: ({DEMAND: give_demand(150), TEMPERATURE: give_temperature(140)}, HOUR),
    TEMPERATURE: ({TEMPERATURE: give_temperature(90)}, HOUR),
    "a:b:wind_from_direction": ({"a:b:wind_from_direction": give_direction(90)}, HOUR),
    "t:32:air_temperature_daily_mean": (
        {"t:32:air_temperature_daily_mean": give_daily_mean(600)},
        DAY,
    ),
    "t:32:electricity_demand": (
        {
            "t:32:electricity_demand": give_daily_mean(600).with_columns(pl.col("value") + 50),
            "t:32:air_temperature_daily_mean": give_daily_mean(600),
        },
        DAY,
    ),
}


def plan_one(name: str, *, weeks_ago: int = 0, late_hours: int = 0) -> SeriesPlan:
    parts, step = CASES[name]
    newest = AS_OF - weeks_ago * WEEK - timedelta(hours=late_hours)
    known = {key: part.filter(pl.col("at") < newest) for key, part in parts.items()}
    as_of = AS_OF - weeks_ago * WEEK
    return plan_here(give_transformed(known, as_of=as_of, step_minutes=step), pattern=name)[0]


def name_window(plan: SeriesPlan, window: int) -> dict[str, str]:
    """Name the fits of one window by member."""
    members = [name for number, name in plan.list_members() if number == window]
    return {name: name_fit(plan.make_job(window, name)) for name in members}


@pytest.mark.parametrize("late_hours", [0, 30])
@pytest.mark.parametrize("weeks", [1, 2, 3])
@pytest.mark.parametrize("name", CASES)
def test_a_window_asks_for_the_very_fits_of_the_run_of_its_week(
    name: str, weeks: int, late_hours: int
):
    now = plan_one(name, late_hours=late_hours)
    then = plan_one(name, weeks_ago=weeks, late_hours=late_hours)
    fitted = {m for m, row in choose_members(now.kind, now.train.step).items() if row.fits_days}
    assert weeks in now.windows
    assert name_window(now, weeks) == name_window(then, 0)
    assert fitted & set(name_window(then, 0))


def test_demand_is_named_with_what_was_known_of_the_weather():
    now = plan_one(DEMAND)
    assert now.train.weather is not None
    job = now.make_job(2, "calendar")
    assert job.train.weather is not None
    assert job.train.weather.days[-1].item() == (AS_OF - 2 * WEEK).date() - timedelta(days=1)


def test_no_two_fits_of_a_run_have_one_name():
    transformed = give_transformed(CASES[DEMAND][0] | {"x:y:wind_speed": give_temperature(90)})
    plans = plan_here(transformed)
    names = [name_fit(plan.make_job(*key)) for plan in plans for key in plan.list_members()]
    assert len(set(names)) == len(names) > 100


@pytest.mark.parametrize(("days_ago", "renamed"), [(3, {0}), (10, {0, 1}), (30, {0, 1, 2, 3, 4})])
def test_a_restated_value_renames_the_fits_that_knew_it(days_ago: int, renamed: set[int]):
    parts, _ = CASES[TEMPERATURE]
    at = AS_OF - timedelta(days=days_ago)
    restated = parts[TEMPERATURE].with_columns(
        value=pl.when(pl.col("at") == at).then(pl.col("value") + 0.1).otherwise("value")
    )
    first, (second,) = plan_one(TEMPERATURE), plan_here(give_transformed({TEMPERATURE: restated}))
    assert first.windows == second.windows == (1, 2, 3, 4, 5)
    windows = (0, *first.windows)
    changed = {w for w in windows if name_window(first, w) != name_window(second, w)}
    assert changed == renamed


@pytest.mark.parametrize("days_ago", [7, 8, 14])
def test_weather_after_a_windows_origin_is_no_part_of_its_fits(days_ago: int):
    parts, _ = CASES[DEMAND]
    origin = AS_OF - timedelta(days=days_ago)
    hot = parts[TEMPERATURE].with_columns(
        value=pl.when(pl.col("at").dt.date() >= origin.date()).then(45.0).otherwise("value")
    )
    poisoned = give_transformed({DEMAND: parts[DEMAND], TEMPERATURE: hot})
    told, blind = plan_one(DEMAND), plan_here(poisoned, pattern=DEMAND)[0]
    unchanged = {w for w in (0, *told.windows) if name_window(told, w) == name_window(blind, w)}
    assert unchanged == {w for w in told.windows if 7 * w >= days_ago}


def test_what_a_member_does_not_look_at_is_no_part_of_its_name():
    parts, _ = CASES[TEMPERATURE]
    younger = parts[TEMPERATURE].filter(pl.col("at") > AS_OF - timedelta(days=85))
    whole, (cut,) = plan_one(TEMPERATURE), plan_here(give_transformed({TEMPERATURE: younger}))
    for window in (0, 1, 2):
        one, other = name_window(whole, window), name_window(cut, window)
        assert one["prophet"] == other["prophet"]  # it looks at eight weeks
        assert one["lags"] != other["lags"]  # at half a year


def test_the_issue_time_decides_what_a_fit_is_named_not_the_run():
    def name_all(transformed: Transformed) -> list[str]:
        (plan,) = plan_here(transformed, pattern=TEMPERATURE)
        return [
            name for window in (0, *plan.windows) for name in name_window(plan, window).values()
        ]

    parts, _ = CASES[TEMPERATURE]
    alone, among = give_transformed(parts), give_transformed(parts | {DEMAND: give_demand(40)})
    assert name_all(alone) == name_all(among)
    other = give_transformed(parts, as_of=AS_OF - timedelta(hours=1))
    assert not set(name_all(alone)) & set(name_all(other))


def test_another_constant_is_another_code_and_another_comment_is_not():
    assert hash_code([b"LIMIT = 3.0  # measured\n"]) == hash_code([b"LIMIT  = 3.0\n\n"])
    assert hash_code([b"LIMIT = 3.0\n"]) != hash_code([b"LIMIT = 2.0\n"])


FIT = Fit(np.array([1.5, np.nan, -0.0]), 0.25, None, {"trend": np.array([1.0, 2, 3])})


ISSUED_ON = AS_OF.date()
NAMES = {"a", "b", "bad"}


def give_store(folder: Path, *, on: date = ISSUED_ON, read_only: bool = False) -> FitStore:
    return FitStore(open_store(str(folder), Settings()), on, read_only=read_only)


def test_a_fit_comes_back_to_the_last_bit(tmp_path: Path):
    give_store(tmp_path).keep({"b": FIT, "a": Fit(np.array([0.1 + 0.2]), 1.0)})
    known = give_store(tmp_path).recall(NAMES)
    assert [*known] == ["a", "b"]
    assert known["b"].values is not None
    assert known["b"].values.tobytes() == np.array([1.5, np.nan, -0.0]).tobytes()
    assert known["b"].components["trend"].tolist() == [1, 2, 3]
    assert (known["b"].seconds, known["b"].failure) == (0.25, None)


def test_only_what_is_wanted_is_recalled(tmp_path: Path):
    give_store(tmp_path).keep({"a": FIT, "b": FIT, "c": FIT})
    assert [*give_store(tmp_path).recall({"b", "d"})] == ["b"]


def test_a_failure_is_not_kept_since_it_may_not_repeat(tmp_path: Path):
    store = give_store(tmp_path)
    store.keep({"bad": Fit(None, 0.1, "MemoryError: no more")})
    assert store.recall(NAMES) == {}
    assert store.store.list_objects(FOLDER) == []


def test_a_dry_run_recalls_but_keeps_nothing(tmp_path: Path):
    give_store(tmp_path).keep({"a": FIT})
    dry = give_store(tmp_path, read_only=True)
    dry.keep({"b": FIT})
    assert [*dry.recall(NAMES)] == ["a"]


@pytest.mark.parametrize(("weeks", "known"), [(-10, ["a"]), (10, ["a"]), (11, []), (-11, [])])
def test_ten_weeks_around_a_run_are_recalled(tmp_path: Path, weeks: int, known: list[str]):
    give_store(tmp_path, on=AS_OF.date() + weeks * WEEK).keep({"a": FIT})
    (tmp_path / FOLDER / "notes.txt").write_text("not a fit")
    assert [*give_store(tmp_path).recall(NAMES)] == known


def test_what_is_kept_twice_is_there_once(tmp_path: Path):
    store = give_store(tmp_path)
    store.keep({"a": FIT})
    store.keep({"a": Fit(FIT.values, 9.0)})
    assert len(store.store.list_objects(FOLDER)) == 1
    assert store.recall(NAMES)["a"].seconds == 0.25


def test_a_memory_that_cannot_be_written_says_so_once_and_costs_no_run(tmp_path: Path):
    (tmp_path / "forecasts").write_text("in the way")
    store = give_store(tmp_path)
    store.keep({"a": FIT})
    store.keep({"b": FIT})
    (fault,) = store.faults
    assert "Cannot write 'forecasts/v1/fits/issued=2024-05-15/" in fault


def test_a_memory_that_cannot_be_listed_says_so_and_costs_no_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    away = Settings(s3_endpoint_url="http://127.0.0.1:9", aws_region="eu-west-3")
    store = FitStore(open_store("s3://bucket/lake", away), ISSUED_ON)
    assert store.recall(NAMES) == {}
    assert "Cannot list s3://bucket/lake/forecasts/v1/fits/" in store.faults[0]


def test_a_fit_that_cannot_be_read_is_left_out(tmp_path: Path):
    store = give_store(tmp_path)
    store.keep({"a": FIT})
    for name in (f"issued={ISSUED_ON}/odd.parquet", "issued=someday/odd.parquet"):
        path = tmp_path / FOLDER / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("no parquet")
    assert [*store.recall(NAMES)] == ["a"]
    assert store.faults == []
