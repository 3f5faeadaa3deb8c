"""How each series ends: what is published, with which intervals, and why."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl

from tasks.common.accounts import SeriesOutcome
from tasks.common.contracts import POINTS, WET_MM
from tasks.common.results import Forecasted
from tasks.common.scores import UNSCORED, Scored
from tasks.forecast.backtest import Fit, cut_truth, cut_window, measure_naive_errors
from tasks.forecast.circle import average_directions, turn_towards, wrap_turn
from tasks.forecast.combine import combine, judge_backtest
from tasks.forecast.failures import MEMBER_ERRORS, tell_failure
from tasks.forecast.fits import name_code
from tasks.forecast.intervals import (
    UNCHANGED,
    Scale,
    measure_corrections,
    measure_radii,
    measure_scale,
)
from tasks.forecast.members import choose_members
from tasks.forecast.models import SEED
from tasks.forecast.outcome import (
    Windows,
    describe_judged,
    describe_members,
    describe_withheld,
)
from tasks.forecast.plan import Horizon, SeriesPlan
from tasks.forecast.train import Values
from tasks.forecast.work import Done, How

Asked = Mapping[str, object]
"""horizon_days, series and deadline, as the operator gave them."""

YEAR_DAYS: Final = 365


def conclude_forecast(
    plans: Iterable[SeriesPlan],
    done: Iterable[Done],
    *,
    horizon: Horizon,
    asked: Asked,
    scored: Scored = UNSCORED,
) -> Forecasted:
    """Bring all fits together: points sorted by series and time, one outcome per plan.

    Args:
        plans: in the order of the outcomes.
        done: every fit of theirs, in any order.
        horizon: what they were planned for.
        asked: horizon_days, series and deadline, as the operator gave them.
        scored: how what was published before turned out; it corrects the intervals.
    """
    fits: dict[str, dict[int, dict[str, Fit]]] = {}
    counts: Counter[How] = Counter()
    for one in done:
        fits.setdefault(one.series_id, {}).setdefault(one.window, {})[one.member] = one.fit
        counts[one.how] += 1
    corrections = measure_corrections(scored.scores)
    ended = [_end_series(plan, fits.get(plan.series_id, {}), corrections) for plan in plans]
    configuration = describe_configuration(horizon, asked)
    return Forecasted(
        as_of=horizon.as_of,
        horizon_end=horizon.end,
        points=pl.concat([POINTS.to_frame(), *(points for _, points in ended)]),
        outcomes=tuple(outcome for outcome, _ in ended),
        config_hash=hash_configuration(configuration),
        pattern=str(asked.get("series", "*")),
        fits={str(how): count for how, count in sorted(counts.items())},
        scored=scored,
        configuration=configuration,
    )


def conclude_series(
    plan: SeriesPlan, windows: Windows, correction: Scale = UNCHANGED
) -> tuple[SeriesOutcome, pl.DataFrame]:
    """Give the outcome of one series and its points; none when it is withheld."""
    if plan.withheld:
        return describe_withheld(plan, plan.withheld), POINTS.to_frame()
    ahead = {n: v for n, v in collect_values(plan, windows, 0).items() if np.isfinite(v).all()}
    past = [collect_values(plan, windows, window) for window in plan.windows]
    unknown = np.full(len(plan.targets), np.nan)
    stacked = {name: np.stack([fits.get(name, unknown) for fits in past]) for name in ahead}
    truth = cut_truth(plan.train, plan.frame, plan.windows)
    methods = choose_members(plan.kind, plan.train.step).items()
    naives = frozenset(name for name, method in methods if method.naive)
    if plan.kind == "direction":
        stacked = {name: turn_towards(said, truth) for name, said in stacked.items()}
    average = average_directions if plan.kind == "direction" else combine
    judgement = judge_backtest(stacked, truth, naives, average=average)
    if judgement is None:
        told = describe_members(windows, None, ahead)
        return describe_withheld(plan, "gaps leave no naive to judge", told), POINTS.to_frame()
    scale = _compare_with_year(plan)
    inner, outer = (by * again for by, again in zip(scale, correction, strict=True))
    radii = measure_radii(judgement.errors, (inner, outer), day=plan.train.steps_per_day)
    points = _build_points(plan, average(ahead, judgement.weights), radii)
    if plan.kind == "rain":
        points = points.with_columns(probability=_tell_chance(plan, judgement.weights))
    told = describe_judged(plan, judgement, windows, ahead=ahead, scale=scale)
    return replace(told, correction80=correction[0], correction95=correction[1]), points


def _end_series(
    plan: SeriesPlan, windows: Windows, corrections: Mapping[str, Scale]
) -> tuple[SeriesOutcome, pl.DataFrame]:
    """Conclude a series; one that cannot be concluded costs only itself."""
    try:
        # Sums differ in their last bit by their order, and workers finish in any.
        names = choose_members(plan.kind, plan.train.step)
        ordered = {w: {n: fits[n] for n in names if n in fits} for w, fits in windows.items()}
        return conclude_series(plan, ordered, corrections.get(plan.series_id, UNCHANGED))
    except MEMBER_ERRORS as error:
        reason = f"its forecast could not be concluded ({tell_failure(error)})"
        return describe_withheld(plan, reason), POINTS.to_frame()


def describe_configuration(horizon: Horizon, asked: Asked) -> dict[str, str]:
    """Tell all but the data that decides the numbers: `model`, and what was set and asked for."""
    ages = {"stale_after": horizon.stale_after, "withhold_after": horizon.withhold_after}
    told = {name: str(value) for name, value in sorted({**asked, **ages}.items())}
    return {"model": name_code(), "seed": str(SEED)} | told


def hash_configuration(configuration: Mapping[str, str]) -> str:
    """Hash what `describe_configuration` tells."""
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()


def collect_values(plan: SeriesPlan, windows: Windows, window: int) -> dict[str, Values]:
    """Give each member's values of one window, within the physical bounds."""
    low, high = plan.bounds.low, plan.bounds.high
    fits = windows.get(window, {})
    return {n: np.clip(f.values, low, high) for n, f in fits.items() if f.values is not None}


def _compare_with_year(plan: SeriesPlan) -> Scale:
    count = YEAR_DAYS * plan.train.steps_per_day // plan.frame.spacing
    recent, year = (
        measure_naive_errors(plan.train, plan.kind, plan.frame, windows=windows)
        for windows in (plan.windows, range(1, count + 1))
    )
    return measure_scale(recent, year)


def _build_points(plan: SeriesPlan, values: Values, radii: Values) -> pl.DataFrame:
    """Put conformal intervals around the values, all within the physical bounds."""
    inner, outer = radii
    steps = {"value": 0, "lower80": -inner, "upper80": inner, "lower95": -outer, "upper95": outer}
    if plan.kind == "direction":
        columns = {n: wrap_turn(values + np.clip(by, -180, 180)) for n, by in steps.items()}
    else:
        low, high = plan.bounds.low, plan.bounds.high
        columns = {name: np.clip(values + by, low, high) for name, by in steps.items()}
    frame = pl.DataFrame({"at": plan.targets, **columns, "probability": None})
    return frame.select(pl.lit(plan.series_id).alias("series_id"), pl.all()).cast(POINTS)


def _tell_chance(plan: SeriesPlan, weights: Mapping[str, float]) -> pl.Series:
    """Forecast whether a day is wet as its amount is forecast: by the same members and weights."""
    now = cut_window(plan.train, plan.frame, 0)
    wet = np.where(np.isfinite(now.values), now.values >= WET_MM, np.nan)
    members = choose_members(plan.kind, now.step)
    days = replace(now, values=wet)
    told = {name: members[name].tell(days)[plan.frame.lead :] for name in weights}
    return pl.Series(np.clip(combine(told, weights), 0, 1))
