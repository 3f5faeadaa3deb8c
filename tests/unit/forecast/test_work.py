"""All the work of a run: killed, resumed, repeated next week, or ended by its deadline."""

import itertools
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from tasks.common.objects import open_store
from tasks.common.results import Forecasted
from tasks.common.settings import Settings
from tasks.forecast.backtest import Fit, Job
from tasks.forecast.conclude import conclude_forecast
from tasks.forecast.fits import FitStore, name_fit
from tasks.forecast.members import choose_members
from tasks.forecast.plan import SeriesPlan, list_jobs
from tasks.forecast.work import Done, count_work, do_work
from tests.unit.forecast.series import (
    AS_OF,
    DEMAND,
    TEMPERATURE,
    give_daily_mean,
    give_demand,
    give_horizon,
    give_store,
    give_temperature,
    give_transformed,
    keep_quick_members,
    plan_here,
    spread_here,
)

WEEK = timedelta(weeks=1)
PARTS = {
    TEMPERATURE: give_temperature(90),
    **{f"x:{place:02}:air_temperature": give_temperature(50) for place in range(12)},
}
WEATHER_AND_DEMAND = {DEMAND: give_demand(95), TEMPERATURE: PARTS[TEMPERATURE]}
DAILY = "t:32:air_temperature_daily_mean"
DAYS = {DAILY: give_daily_mean(500)}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_quick_members(monkeypatch)


def plan_week(weeks: int = 0, parts: dict[str, pl.DataFrame] = PARTS) -> list[SeriesPlan]:
    as_of = AS_OF + weeks * WEEK
    known = {
        name: part.with_columns(pl.col("value") + 0.1 * place).filter(pl.col("at") < as_of)
        for place, (name, part) in enumerate(parts.items())
    }
    step_minutes = 24 * 60 if parts is DAYS else 60
    return plan_here(give_transformed(known, as_of=as_of, step_minutes=step_minutes))


def open_week(folder: Path, weeks: int = 0) -> FitStore:
    return FitStore(open_store(str(folder), Settings()), (AS_OF + weeks * WEEK).date())


def do(plans: list[SeriesPlan], store: FitStore) -> list[Done]:
    return list(do_work(plans, store, spread=spread_here, time_is_up=lambda: False))


def count(done: Iterable[Done]) -> Counter[str]:
    return Counter(one.how for one in done)


def conclude(plans: list[SeriesPlan], done: Iterable[Done]) -> Forecasted:
    return conclude_forecast(plans, done, horizon=give_horizon(), asked={})


class KilledError(Exception):
    """Stands for whatever ends a run."""


def spread_until(
    jobs: Iterable[Job], work: Callable[[Job], Fit], *, rescue: Callable[[Job, str], Fit]
) -> Generator[tuple[Job, Fit]]:
    """Do thirty jobs, then die."""
    yield from itertools.islice(spread_here(jobs, work, rescue=rescue), 30)
    raise KilledError


def test_everything_is_done_once(tmp_path: Path):
    plans = plan_week()
    done = do(plans, open_week(tmp_path))
    asked = [(p.series_id, window, name) for p in plans for window, name in p.list_members()]
    assert sorted((one.series_id, one.window, one.member) for one in done) == sorted(asked)
    assert len(done) == count_work(plans)
    assert set(count(done)) == {"copied", "fitted"}


@pytest.mark.parametrize("end", ["closed", "raised"])
def test_a_run_that_was_stopped_fits_only_what_is_missing(tmp_path: Path, end: str):
    plans = plan_week()
    whole = do(plans, give_store())
    spread = spread_until if end == "raised" else spread_here
    work = do_work(plans, open_week(tmp_path), spread=spread, time_is_up=lambda: False)
    seen = []
    try:
        for one in work:
            seen.append(one)
            if count(seen)["fitted"] == 30 and end == "closed":
                break
    except KilledError:
        pass
    work.close()
    again = do(plans, open_week(tmp_path))
    assert count(again)["recalled"] == 30
    assert count(again)["fitted"] == count(whole)["fitted"] - 30 > 0
    assert conclude(plans, again).points.equals(conclude(plans, whole).points)


def test_a_run_that_could_not_say_goodbye_loses_the_last_portion_at_most(tmp_path: Path):
    plans = plan_week()
    work = do_work(plans, open_week(tmp_path), spread=spread_here, time_is_up=lambda: False)
    fitted = (one for one in work if one.how == "fitted")
    seen = list(itertools.islice(fitted, 60))  # and neither ended nor closed
    names = {name_fit(plan.make_job(*key)) for plan in plans for key in plan.list_members()}
    known = open_week(tmp_path).recall(names)
    assert len(seen) == 60
    assert len(known) == 50


@pytest.mark.parametrize(
    ("name", "parts"),
    [(DEMAND, WEATHER_AND_DEMAND), (TEMPERATURE, WEATHER_AND_DEMAND), (DAILY, DAYS)],
    ids=["hourly demand with weather", "hourly weather", "daily"],
)
def test_next_week_fits_only_the_new_origin(
    tmp_path: Path, name: str, parts: dict[str, pl.DataFrame]
):
    last, this = (
        [plan for plan in plan_week(week, parts) if plan.series_id == name] for week in (-1, 0)
    )
    do(last, open_week(tmp_path, -1))
    done = do(this, open_week(tmp_path))
    assert {one.window for one in done if one.how == "fitted"} == {0}
    assert {one.window for one in done if one.how == "recalled"} == set(this[0].windows)
    assert conclude(this, done).points.equals(conclude(this, do(this, give_store())).points)


def test_restated_data_is_fitted_anew(tmp_path: Path):
    do(plan_week(parts={TEMPERATURE: PARTS[TEMPERATURE]}), open_week(tmp_path))
    restated = PARTS[TEMPERATURE].with_columns(
        value=pl.when(pl.col("at") == AS_OF - timedelta(days=17)).then(20.0).otherwise("value")
    )
    done = do(plan_week(parts={TEMPERATURE: restated}), open_week(tmp_path))
    assert {one.window for one in done if one.how == "fitted"} == {0, 1, 2}
    assert {one.window for one in done if one.how == "recalled"} == {3, 4, 5}


def test_a_failure_is_tried_again(tmp_path: Path):
    def fail_all(
        jobs: Iterable[Job], work: Callable[[Job], Fit], *, rescue: Callable[[Job, str], Fit]
    ) -> Generator[tuple[Job, Fit]]:
        del work
        yield from ((job, rescue(job, "the worker process died")) for job in jobs)

    plans = plan_week(parts={TEMPERATURE: PARTS[TEMPERATURE]})
    work = do_work(plans, open_week(tmp_path), spread=fail_all, time_is_up=lambda: False)
    assert {one.fit.failure for one in work if one.how == "fitted"} == {"the worker process died"}
    again = do(plans, open_week(tmp_path))
    assert count(again)["recalled"] == 0
    assert not any(one.fit.failure for one in again)


def test_past_the_deadline_every_naive_is_still_there():
    plans = plan_week()
    done = list(do_work(plans, give_store(), spread=spread_here, time_is_up=lambda: True))
    whole = do(plans, give_store())
    assert count(done)["copied"] == count(whole)["copied"]
    assert count(done)["fitted"] <= 1
    assert sum(count(done).values()) == count_work(plans)
    left = {one.fit.failure for one in done if one.how == "left"}
    assert left == {"it was not fitted before the deadline"}


def test_what_was_fitted_before_the_deadline_is_kept_and_recalled_past_the_next(tmp_path: Path):
    plans = plan_week()
    looks = iter([False] * 9 + [True] * 9)
    first = list(
        do_work(plans, open_week(tmp_path), spread=spread_here, time_is_up=lambda: next(looks))
    )
    again = list(
        do_work(plans, open_week(tmp_path), spread=spread_here, time_is_up=lambda: next(looks))
    )
    assert (count(first)["fitted"], count(again)["recalled"]) == (10, 10)
    assert count(again)["fitted"] == 1


def test_members_of_most_value_are_fitted_first_for_all_series_and_the_longest_of_these(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.undo()  # nothing is fitted here
    plans = plan_week(parts=PARTS | WEATHER_AND_DEMAND)
    ranks = []
    for plan, _, member in list_jobs(plans, fitted=True):
        order = [*choose_members(plan.kind, plan.train.step)]
        ranks.append((order.index(member), -len(plan.train.values)))
    assert ranks == sorted(ranks)
    assert len({place for place, _ in ranks}) > 1


def test_what_only_copies_is_no_fit():
    plans = plan_week(parts=WEATHER_AND_DEMAND)
    copied, fitted = (
        {member for _, _, member in list_jobs(plans, fitted=fitted)} for fitted in (False, True)
    )
    assert {"naive_24h", "naive_168h", "profile_day"} <= copied
    assert not copied & fitted


def test_the_order_in_which_fits_arrive_changes_no_bit():
    plans = plan_week()
    done = do(plans, give_store())
    there, back = conclude(plans, done), conclude(plans, reversed(done))
    assert there.points.equals(back.points)
    untimed = [[member.name for member in outcome.members] for outcome in there.outcomes]
    assert untimed == [[member.name for member in outcome.members] for outcome in back.outcomes]
    assert there.fits == {"copied": count(done)["copied"], "fitted": count(done)["fitted"]}
