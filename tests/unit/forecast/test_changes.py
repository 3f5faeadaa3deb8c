"""What moved a forecast since last week is named: one thing flipped at a time."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import polars as pl
import pytest

from tasks.common.changes import CAUSES, CHANGES, Past
from tasks.common.results import Forecasted, Transformed
from tasks.common.scores import EarlierRun
from tasks.forecast.changes import explain_changes, measure_moves, name_changed, remake_points
from tasks.forecast.plan import SeriesPlan
from tasks.forecast.work import Done, do_work
from tests.unit.forecast.series import (
    AS_OF,
    DEMAND,
    TEMPERATURE,
    forecast_here,
    give_demand,
    give_direction,
    give_horizon,
    give_store,
    give_temperature,
    give_transformed,
    keep_quick_members,
    spread_here,
)

WEEK = timedelta(weeks=1)
BEFORE = AS_OF - WEEK
PARTS = {DEMAND: give_demand(150), TEMPERATURE: give_temperature(150)}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_quick_members(monkeypatch)


def know(parts: dict[str, pl.DataFrame], *, day: int = 0, suspect: int = 0) -> Transformed:
    """Give the history of some parts as it was known `day` days before the issue time."""
    as_of = AS_OF - timedelta(days=day)
    cut = {name: part.filter(pl.col("at") < as_of) for name, part in parts.items()}
    known = give_transformed(cut, as_of=as_of)
    counts = {"suspect": pl.lit(suspect), "failed": pl.lit(0)}
    digest = str(known.history.hash_rows(seed=0).sum())
    return replace(known, series=known.series.with_columns(**counts), input_hash=digest)


def compare(
    now: Transformed,
    *,
    then: Transformed,
    since: Transformed | None = None,
    declared_anew: tuple[tuple[str, str], ...] = (),
    alter: Callable[[Forecasted], Forecasted] = lambda made: made,
) -> pl.DataFrame:
    """Forecast twice, a week apart, and explain what moved."""
    published = alter(forecast_here(then))
    made = forecast_here(now)
    run = EarlierRun("last", BEFORE, published.configuration)
    past = Past(run, published.points, then, since or then, declared_anew)

    def do(plans: list[SeriesPlan]) -> Iterable[Done]:
        return do_work(plans, give_store(), spread=spread_here, time_is_up=lambda: False)

    remake = partial(remake_points, find_horizon=give_horizon, do=do)
    return explain_changes(made, now, past, remake=remake)


def tell(changes: pl.DataFrame, series_id: str = DEMAND) -> dict[str, Any]:
    return changes.row(by_predicate=pl.col("series_id") == series_id, named=True)


def shift(
    part: pl.DataFrame, by: float, *, since: datetime, until: datetime = AS_OF
) -> pl.DataFrame:
    moved = pl.col("at").is_between(since, until, closed="left")
    return part.with_columns(value=pl.col("value") + by * moved)


def test_new_values_of_another_level_are_the_cause():
    parts = PARTS | {DEMAND: shift(PARTS[DEMAND], 900, since=BEFORE)}
    told = tell(compare(know(parts), then=know(parts, day=7)))
    assert told["cause"] == "data"
    assert told["mean_move"] > 100


def test_the_passing_of_time_alone_is_the_calendar():
    then, now = know(PARTS, day=7), know(PARTS)
    published, made = forecast_here(then), forecast_here(now)
    run = EarlierRun("last", BEFORE, made.configuration)
    # By the data of last week, this issue time already tells what it tells now.
    changes = explain_changes(
        made, now, Past(run, published.points, then, then), remake=lambda *_: made.points
    )
    told = tell(changes)
    assert (told["cause"], told["data"]) == ("calendar", 0.0)
    assert told["calendar"] == told["mean_size"]


def test_a_restated_past_is_the_cause():
    wrong = PARTS | {
        DEMAND: shift(PARTS[DEMAND], 900, since=AS_OF - timedelta(days=60), until=BEFORE)
    }
    told = tell(compare(know(PARTS), then=know(wrong, day=7), since=know(PARTS, day=7)))
    assert told["cause"] == "restated"
    assert "1272 values before" in str(told["detail"])


def test_a_source_declared_anew_is_a_configuration():
    wrong = {TEMPERATURE: PARTS[TEMPERATURE].with_columns(value=pl.col("value") * 1.8 + 32)}
    right = {TEMPERATURE: PARTS[TEMPERATURE]}
    changes = compare(
        know(right),
        then=know(wrong, day=7),
        since=know(right, day=7),
        declared_anew=(("infoclimat", "infoclimat"),),
    )
    assert tell(changes, TEMPERATURE)["cause"] == "configuration"
    assert "infoclimat is declared anew" in str(tell(changes, TEMPERATURE)["detail"])


@pytest.mark.parametrize(("name", "cause"), [("model", "model"), ("horizon_days", "configuration")])
def test_other_code_or_settings_are_the_cause_of_what_they_moved(name: str, cause: str):
    def alter(made: Forecasted) -> Forecasted:
        """Let the last run have been made by something else, which forecast more."""
        points = made.points.with_columns(value=pl.col("value") + 2000)
        return replace(made, points=points, configuration={**made.configuration, name: "another"})

    told = tell(compare(know(PARTS), then=know(PARTS, day=7), alter=alter))
    assert told["cause"] == cause
    assert "was another, is" in str(told["detail"])


def test_a_sensor_that_stands_still_starves_its_series():
    stuck = PARTS[TEMPERATURE].filter(pl.col("at") < BEFORE + timedelta(days=1))
    now = know(PARTS | {TEMPERATURE: stuck}, suspect=144)
    changes = compare(now, then=know(PARTS, day=7))
    told = tell(changes, TEMPERATURE)
    assert told["cause"] == "data"
    assert "24 of 168 steps" in str(told["detail"])
    assert "144 values were flagged" in str(told["detail"])


def test_a_series_that_is_gone_is_listed_with_its_reason():
    old = PARTS[TEMPERATURE].filter(pl.col("at") < AS_OF - timedelta(days=20))
    changes = compare(know(PARTS | {TEMPERATURE: old}), then=know(PARTS, day=7))
    told = tell(changes, TEMPERATURE)
    assert told["shared"] is None
    assert "Withheld" in str(told["detail"])


def test_a_direction_moves_the_short_way_round():
    name = "infoclimat:07015:wind_from_direction"
    made = forecast_here(give_transformed({name: give_direction(90)}))
    turned = made.points.with_columns(value=(pl.col("value") + 350) % 360)
    assert measure_moves(made, turned)["mean_size"].to_list() == pytest.approx([10])


def test_a_change_has_the_columns_it_says_and_only_known_causes():
    changes = compare(know(PARTS), then=know(PARTS, day=7))
    assert changes.schema == CHANGES
    assert set(changes["cause"]) <= {*CAUSES, None}


def test_what_differs_between_configurations_is_told_by_name():
    told = name_changed({"model": "a", "series": "*"}, {"model": "b", "series": "*"})
    assert told == {"model": "model was a, is b"}


def test_a_configuration_that_is_not_on_record_changed_nothing():
    assert name_changed({}, {"model": "b"}) == {}
