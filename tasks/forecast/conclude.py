"""How each series ends: what is published, with which intervals, and why."""

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import version
from typing import Final

import numpy as np
import polars as pl

from tasks.common.accounts import SeriesOutcome
from tasks.common.contracts import POINTS, VARIABLES
from tasks.common.results import Forecasted
from tasks.forecast import backtest, history, intervals
from tasks.forecast.backtest import JobResult, cut_truth, measure_naive_errors
from tasks.forecast.combine import NAIVE_SHARES, combine, judge_backtest
from tasks.forecast.failures import MEMBER_ERRORS, tell_failure
from tasks.forecast.intervals import Scale, measure_radii, measure_scale
from tasks.forecast.members import MEMBERS, choose_members
from tasks.forecast.models import SEED
from tasks.forecast.outcome import Results, describe_judged, describe_members, describe_withheld
from tasks.forecast.plan import Horizon, SeriesPlan
from tasks.forecast.train import Values

YEAR_DAYS: Final = 365
REVISION: Final = 2
"""Raise it when code that no table below names changes the numbers."""


def conclude_forecast(
    plans: Iterable[SeriesPlan],
    results: Iterable[JobResult],
    *,
    horizon: Horizon,
    config_hash: str,
    seconds: float,
    pattern: str = "*",
) -> Forecasted:
    """Bring all results together: points sorted by series and time, one outcome per plan."""
    by_series: dict[str, dict[int, JobResult]] = {}
    for result in results:
        by_series.setdefault(result.series_id, {})[result.window] = result
    ended = [_end_series(plan, by_series.get(plan.series_id, {})) for plan in plans]
    return Forecasted(
        as_of=horizon.as_of,
        horizon_end=horizon.end,
        points=pl.concat([POINTS.to_frame(), *(points for _, points in ended)]),
        outcomes=tuple(outcome for outcome, _ in ended),
        config_hash=config_hash,
        seconds=seconds,
        pattern=pattern,
    )


def conclude_series(plan: SeriesPlan, results: Results) -> tuple[SeriesOutcome, pl.DataFrame]:
    """Give the outcome of one series and its points; none when it is withheld."""
    if plan.withheld:
        return describe_withheld(plan, plan.withheld), POINTS.to_frame()
    ahead = {n: v for n, v in _collect(plan, results, 0).items() if np.isfinite(v).all()}
    past = [_collect(plan, results, window) for window in plan.windows]
    unknown = np.full(len(plan.targets), np.nan)
    stacked = {name: np.stack([fits.get(name, unknown) for fits in past]) for name in ahead}
    truth = cut_truth(plan.train, numbers=plan.windows, targets=len(plan.targets))
    judgement = judge_backtest(stacked, truth, _name_naives(plan))
    if judgement is None:
        told = describe_members(results, {}, {})
        return describe_withheld(plan, "gaps leave no naive to judge", told), POINTS.to_frame()
    scale = _compare_with_year(plan)
    points = _build_points(
        plan, combine(ahead, judgement.weights), measure_radii(judgement.errors, scale)
    )
    return describe_judged(plan, judgement, results, scale=scale), points


def _end_series(plan: SeriesPlan, results: Results) -> tuple[SeriesOutcome, pl.DataFrame]:
    """Conclude a series; one that cannot be concluded costs only itself."""
    try:
        return conclude_series(plan, results)
    except MEMBER_ERRORS as error:
        reason = f"its forecast could not be concluded ({tell_failure(error)})"
        return describe_withheld(plan, reason), POINTS.to_frame()


def hash_configuration(*, horizon_days: int, pattern: str, horizon: Horizon) -> str:
    """Hash everything but the data that decides the numbers, versions of libraries included."""
    members = {
        "/".join(key): {name: method.describe() for name, method in rows.items()}
        for key, rows in MEMBERS.items()
    }
    libraries = ("prophet", "cmdstanpy", "holidays", "numpy")
    named = {
        "revision": REVISION,
        "seed": SEED,
        "members": members,
        "backtest": (backtest.WINDOWS, backtest.CANDIDATES, backtest.LEAST_TRUTH),
        "history": (history.LOOKBACK_DAYS, history.OUTLIER_RANGES),
        "combination": NAIVE_SHARES,
        "intervals": (intervals.LEVELS, intervals.INFLATION, intervals.SCALES, YEAR_DAYS),
        "horizon_days": horizon_days,
        "series": pattern,
        "ages": (str(horizon.stale_after), str(horizon.withhold_after)),
        "libraries": {name: version(name) for name in libraries},
    }
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()


def _collect(plan: SeriesPlan, results: Results, window: int) -> dict[str, Values]:
    """Give each member's values of one window, within the physical bounds."""
    bounds = VARIABLES[plan.variable]
    fits = results[window].fits if window in results else {}
    return {
        name: np.clip(fit.values, bounds.low, bounds.high)
        for name, fit in fits.items()
        if fit.values is not None
    }


def _name_naives(plan: SeriesPlan) -> frozenset[str]:
    members = choose_members(plan.kind, plan.train.step)
    return frozenset(name for name, method in members.items() if method.naive)


def _compare_with_year(plan: SeriesPlan) -> Scale:
    sizes = {"targets": len(plan.targets), "lead": plan.lead}
    count = YEAR_DAYS * plan.train.steps_per_day // len(plan.targets)
    recent, year = (
        measure_naive_errors(plan.train, plan.kind, numbers=numbers, **sizes)
        for numbers in (plan.windows, range(1, count + 1))
    )
    return measure_scale(recent, year)


def _build_points(plan: SeriesPlan, values: Values, radii: Values) -> pl.DataFrame:
    """Put conformal intervals around the values, all within the physical bounds."""
    bounds, (inner, outer) = VARIABLES[plan.variable], radii
    steps = {"value": 0, "lower80": -inner, "upper80": inner, "lower95": -outer, "upper95": outer}
    columns = {name: np.clip(values + by, bounds.low, bounds.high) for name, by in steps.items()}
    frame = pl.DataFrame({"at": plan.targets, **columns})
    return frame.select(pl.lit(plan.series_id).alias("series_id"), pl.all()).cast(POINTS)
