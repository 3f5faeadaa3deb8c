"""Why a forecast is not last week's: the same dates again, with one thing after another held.

Four things may move a series from the last run to this one. Each is told by a forecast made anew
that differs from the one before it in that thing alone:

    published last -> same issue time and data, by this code        model, or configuration
                   -> same issue time, by what is known of it now   restated
                   -> this issue time, by the same data             calendar
                   -> published now                                 data
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce
from typing import Any, Final

import numpy as np
import polars as pl

from tasks.common.changes import CAUSES, CHANGES, Past
from tasks.common.contracts import MARKET_ZONE
from tasks.common.results import Forecasted, Transformed
from tasks.forecast.circle import turn_towards
from tasks.forecast.conclude import conclude_forecast
from tasks.forecast.plan import Horizon, SeriesPlan, plan_series
from tasks.forecast.train import Values
from tasks.forecast.work import Done

MOST: Final = 5
"""Series whose cause is looked for: each costs up to three forecasts."""

Remake = Callable[[Transformed, list[str]], pl.DataFrame]
"""Gives POINTS of some series by this code, from a history at its `as_of`."""


def explain_changes(
    made: Forecasted, transformed: Transformed, past: Past, *, remake: Remake
) -> pl.DataFrame:
    """Give CHANGES between two runs, most moved first.

    A series of which hardly a new value is usable was moved by its data, whatever else; so was
    one that is withheld. The cause of the MOST others that moved most is found by forecasts made
    anew.

    Args:
        made: this run, of `transformed`.
        transformed: the history it was made of.
        past: the history at the last run's issue time, and what readers were given then.
        remake: makes forecasts anew.
    """
    moves = measure_moves(made, past.points)
    starved = {
        name: told
        for name in moves["series_id"]
        if (told := tell_starved(name, transformed, past)) is not None
    }
    moved = moves.filter(~pl.col("series_id").is_in(list(starved)), pl.col("mean_size") > 0)
    names = moved["series_id"].head(MOST).to_list()
    changed = name_changed(past.run.configuration, made.configuration)
    frames = {"before": past.points, "now": made.points}
    if names:  # what would be made of the same data by the same code is not made anew
        frames["calendar"] = remake(replace(past.now, as_of=made.as_of), names)
        if past.is_restated:
            frames["restated"] = remake(past.now, names)
        if changed:
            frames["remade"] = remake(past.then, names)
    told = [_explain_one(name, frames, changed=changed, past=past) for name in names]
    told += [{"series_id": name, "cause": "data", "detail": why} for name, why in starved.items()]
    told += _list_gone(made, past)
    schema = {name: kind for name, kind in CHANGES.items() if name not in moves.columns[1:]}
    causes = pl.DataFrame(told, schema=schema)
    joined = moves.join(causes, on="series_id", how="full", coalesce=True, maintain_order="left")
    return joined.select(CHANGES.names())


def remake_points(
    given: Transformed,
    names: Collection[str],
    *,
    find_horizon: Callable[[datetime], Horizon],
    do: Callable[[list[SeriesPlan]], Iterable[Done]],
) -> pl.DataFrame:
    """Forecast some series anew by this code (`Remake`).

    Args:
        given: the history.
        names: series ids.
        find_horizon: gives that of an issue time.
        do: fits what is planned.
    """
    horizon = find_horizon(given.as_of)
    every = plan_series(given, horizon=horizon, pattern="*")
    plans = [plan for plan in every if plan.series_id in names]
    return conclude_forecast(plans, do(plans), horizon=horizon, asked={}).points


def measure_moves(made: Forecasted, before: pl.DataFrame) -> pl.DataFrame:
    """Give one row per series that two runs forecast for some same instants, most moved first.

    Columns series_id, shared (instants), mean_move and mean_size (of value now - value before, in
    the series' unit), relative (mean_size over the error of the backtest; null without one).
    """
    errors = {outcome.series_id: outcome.mae or None for outcome in made.outcomes}
    both = made.points.join(before, on=["series_id", "at"], suffix="_before")
    parts = [
        _measure_move(*key, part)
        for key, part in both.partition_by("series_id", as_dict=True).items()
    ]
    schema = {name: CHANGES[name] for name in ("series_id", "shared", "mean_move", "mean_size")}
    usual = pl.col("series_id").replace_strict(errors, default=None, return_dtype=pl.Float64)
    told = pl.DataFrame(parts, schema=schema, orient="row")
    told = told.with_columns(relative=pl.col("mean_size") / usual)
    return told.sort("relative", "series_id", descending=[True, False], nulls_last=True)


def name_changed(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Tell what of two configurations differs, in words; nothing where one is not on record."""
    told = {}
    for name in sorted({*before, *now}) if before else ():
        was, is_now = before.get(name, "unknown"), now.get(name, "unknown")
        if was != is_now:
            told[name] = f"{name} was {was}, is {is_now}"
    return told


def tell_changed(made: Forecasted, past: Past) -> tuple[str, ...]:
    """Tell all that is configured, declared or programmed otherwise, whatever it moved."""
    changed = name_changed(past.run.configuration, made.configuration)
    anew = (f"source {source} is declared anew" for source, _ in past.declared_anew)
    return (*changed.values(), *anew)


def tell_starved(series_id: str, transformed: Transformed, past: Past) -> str | None:
    """Say so when less than half of a series' steps since the last issue time are usable."""
    now, then = _find_series(transformed, series_id), _find_series(past.now, series_id)
    step = timedelta(minutes=now["step_minutes"])
    due = (transformed.as_of - past.now.as_of) // step
    fresh = transformed.history.filter(series_id=series_id).filter(pl.col("at") >= past.now.as_of)
    usable = fresh["value"].count()
    if 2 * usable >= due:
        return None
    flagged = now["suspect"] + now["failed"] - then.get("suspect", 0) - then.get("failed", 0)
    lost = f"{flagged} values were flagged suspect or refused" if flagged > 0 else "none came"
    since = past.now.as_of.astimezone(MARKET_ZONE)
    return f"{usable} of {due} steps since {since:%Y-%m-%d %H:%M} are usable: {lost}"


def count_causes(changes: pl.DataFrame) -> dict[str, int]:
    """Count the series by the cause that was found."""
    found = changes["cause"].drop_nulls().value_counts(sort=True)
    return dict(found.sort("cause").iter_rows())


def _find_series(transformed: Transformed, series_id: str) -> dict[str, Any]:
    rows = transformed.series.filter(series_id=series_id).rows(named=True)
    return rows[0] if rows else {}


def _measure_move(series_id: str, both: pl.DataFrame) -> tuple[str, int, float, float]:
    moves = _subtract(series_id, both["value"].to_numpy(), both["value_before"].to_numpy())
    return series_id, len(moves), float(moves.mean()), float(np.abs(moves).mean())


def _subtract(series_id: str, value: Values, reference: Values) -> Values:
    turns = series_id.endswith(":wind_from_direction")
    return (turn_towards(value, reference) if turns else value) - reference


def _explain_one(
    series_id: str, frames: Mapping[str, pl.DataFrame], *, changed: Mapping[str, str], past: Past
) -> dict[str, object]:
    """Walk from the last forecast to this one; what was not made anew stood still.

    A source that is declared anew restates its history: that is its configuration's part.
    """
    code = "model" if "model" in changed else "configuration"
    anew = [source for source, network in past.declared_anew if series_id.startswith(f"{network}:")]
    restated = "configuration" if anew else "restated"
    mine = {name: frame.filter(series_id=series_id) for name, frame in frames.items()}
    mine = {name: frame for name, frame in mine.items() if frame.height}
    shared = reduce(lambda some, more: some.join(more, on="at", how="semi"), mine.values())
    sizes, here = dict.fromkeys(CAUSES, 0.0), "before"
    walk = (("remade", code), ("restated", restated), ("calendar", "calendar"), ("now", "data"))
    for there, cause in walk:
        if there in mine:
            values = [_take(mine[name], shared) for name in (there, here)]
            sizes[cause] += float(np.abs(_subtract(series_id, *values)).mean())
            here = there
    cause = max(sizes, key=lambda one: sizes[one])
    told = [words for name, words in changed.items() if (name == "model") == (cause == "model")]
    told += [f"source {one} is declared anew, so its history was read again" for one in anew]
    detail = (
        "; ".join(told) if cause in ("model", "configuration") else _tell(cause, series_id, past)
    )
    return {"series_id": series_id, **sizes, "cause": cause, "detail": detail}


def _take(points: pl.DataFrame, shared: pl.DataFrame) -> Values:
    return points.join(shared, on="at", how="semi").sort("at")["value"].to_numpy()


def _tell(cause: str, series_id: str, past: Past) -> str:
    since = f"{past.now.as_of.astimezone(MARKET_ZONE):%Y-%m-%d %H:%M}"
    if cause == "calendar":
        return f"the issue time moved on from {since}; the same data forecast these dates otherwise"
    if cause == "data":
        return f"values since {since} changed what is expected"
    both = past.then.history.join(
        past.now.history, on=["series_id", "at"], how="full", coalesce=True
    )
    mine = both.filter(series_id=series_id).filter(
        pl.col("value").ne_missing(pl.col("value_right"))
    )
    if mine.is_empty():
        return f"what it depends on was restated for the time before {since}"
    first = mine["at"].min()
    return f"{mine.height} values before {since} are no longer what was known then, first {first}"


def _list_gone(made: Forecasted, past: Past) -> list[dict[str, object]]:
    told = {outcome.series_id: outcome for outcome in made.outcomes}
    gone = sorted(set(past.points["series_id"]) - set(made.points["series_id"]))
    unknown = "no value of it stands in the history any more"
    reasons = {name: told[name].reason if name in told else unknown for name in gone}
    return [{"series_id": name, "cause": "data", "detail": why} for name, why in reasons.items()]
