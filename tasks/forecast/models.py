"""Prophet with an autoregression on its residuals.

The model is Prophet's to the last default: a trend that may change its slope, waves, holidays and
regressors, fitted by Prophet's own program (see stan.py, also for why its Python is not called).
Source of the formulas: Taylor and Letham 2018, and Prophet 1.5's `forecaster.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tasks.forecast.days import find_holidays, tell_kinds_of_day
from tasks.forecast.residuals import continue_residuals
from tasks.forecast.stan import find_optimum
from tasks.forecast.temperature import measure_degrees
from tasks.forecast.train import DAY, Clock, Explained, Train, Values

SEED: Final = 20_240_503
YEARLY_FROM: Final = 730 * DAY
"""Forced on a shorter span, a yearly term triples the error (measured on eight weeks of load)."""
YEAR_DAYS: Final = 365.25
WEEKLY_ORDER: Final = 3
LEAST_ROWS: Final = 21
WEEK: Final = timedelta(days=7)
GROWTHS: Final = {"linear": 0, "flat": 2}
CHANGEPOINTS: Final = 25
CHANGEPOINT_RANGE: Final = 0.8
"""Share of the rows, from the oldest on, in which the slope may change."""
CHANGEPOINT_SCALE: Final = 0.05
TERM_SCALE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How Prophet is set up.

    Attributes:
        growth: flat for weather: a linear trend extrapolated a week is its main harm.
        hold_trend: keep the trend at its last level. It takes a quarter off the error of eleven
            days of demand on eight weeks (7.6 to 5.7 %), as changes of slope are weather.
        kinds_of_day: separate daily curves for working days, Saturdays, and days off.
        holidays: holidays and bridge days shift their day.
        degrees: heating and cooling degrees are regressors where a temperature is known.
        order: Fourier order of each daily curve; 0: none.
        yearly: Fourier order of the yearly term, from two years of span on; 0: none.
        log: fit log(1 + y), for what is positive and skewed.
    """

    growth: Literal["linear", "flat"] = "flat"
    mode: Literal["additive", "multiplicative"] = "additive"
    hold_trend: bool = False
    weekly: bool = False
    kinds_of_day: bool = False
    holidays: bool = False
    degrees: bool = False
    order: int = 4
    yearly: int = 0
    log: bool = False


def predict_prophet(train: Train, recipe: Recipe) -> Explained:
    """Forecast with Prophet plus an autoregression on its residuals; finite everywhere.

    The same input gives the same bits on one machine: no samples are drawn.

    Raises:
        ValueError: fewer than 21 values in the training window, a constant, or no finite result.
        RuntimeError: Stan failed.
    """
    values = np.log1p(np.maximum(train.values, 0)) if recipe.log else train.values
    _check_values(values)
    drawn, rows = _fit_terms(train, values, recipe), len(values)
    line = np.sum([*drawn.values()], axis=0)
    residuals = continue_residuals(values - line[:rows], len(train.future), train.steps_per_day)
    ahead = line[rows:] + residuals
    ahead = np.expm1(ahead) if recipe.log else ahead
    if not np.isfinite(ahead).all():
        msg = "the forecast is not finite"
        raise ValueError(msg)
    terms = {name: term[rows:] for name, term in drawn.items()}
    return Explained(ahead, terms | {"residuals": residuals})


def _check_values(values: Values) -> None:
    known = values[np.isfinite(values)]
    if len(known) < LEAST_ROWS:
        msg = f"{len(known)} values in the training window, at least {LEAST_ROWS} are needed"
        raise ValueError(msg)
    if np.ptp(known) == 0:
        msg = f"all {len(known)} values of the training window are {known[0]:g}"
        raise ValueError(msg)


def _fit_terms(train: Train, values: Values, recipe: Recipe) -> dict[str, Values]:
    """Give the terms, whose sum is the fit, over the training window and the future."""
    clock = np.concatenate([train.clock, train.future])
    known = np.flatnonzero(np.isfinite(values))
    # An hour of autumn comes twice, 2:00 2:30 2:00 2:30; Stan takes rows in the clock's order.
    rows = known[np.argsort(clock[known], kind="stable")]
    first, last = clock[rows[[0, -1]]]
    time, scale = (clock - first) / (last - first), np.abs(values[rows]).max()
    features = _build_waves(train, recipe, clock) | _build_effects(train, recipe, clock, rows=rows)
    # Without terms Stan still wants a column.
    matrix = np.hstack([*features.values()] or [np.zeros((len(clock), 1))], dtype=float)
    data = _describe_data(time[rows], values[rows] / scale, matrix[rows], recipe)
    found = find_optimum(data, _choose_start(data), seed=SEED)
    trend = _draw_trend(time, data["t_change"], found, growth=recipe.growth) * scale
    if recipe.hold_trend:
        trend[len(values) :] = trend[len(values)]
    unit = trend if recipe.mode == "multiplicative" else scale
    weights = iter(found["beta"])
    terms = {name: part @ [*islice(weights, part.shape[1])] for name, part in features.items()}
    return {"trend": trend} | {name: term * unit for name, term in terms.items()}


def _describe_data(time: Values, scaled: Values, matrix: Values, recipe: Recipe) -> dict[str, Any]:
    """Name the inputs as Stan does: `time` runs from 0 to 1, `scaled` within -1 and 1."""
    rows, count = matrix.shape
    early = int(CHANGEPOINT_RANGE * rows)
    places = np.linspace(0, early - 1, min(CHANGEPOINTS, early - 1) + 1).round().astype(int)[1:]
    multiplied = float(recipe.mode == "multiplicative")
    trend = {"T": rows, "t": time, "y": scaled, "cap": np.zeros(rows)}
    turns = {"S": len(places), "t_change": time[places], "tau": CHANGEPOINT_SCALE}
    # A column in place of terms has the scale 1 in Prophet.
    sigmas = np.full(count, TERM_SCALE if matrix.any() else 1.0)
    terms = {"K": count, "X": matrix, "sigmas": sigmas}
    modes = {"s_a": np.full(count, 1 - multiplied), "s_m": np.full(count, multiplied)}
    return trend | turns | terms | modes | {"trend_indicator": GROWTHS[recipe.growth]}


def _choose_start(data: Mapping[str, Any]) -> dict[str, Any]:
    """Start with the line through the first and last value, or with their mean where it is flat."""
    values = data["y"]
    linear = data["trend_indicator"] == GROWTHS["linear"]
    slope, level = (values[-1] - values[0], values[0]) if linear else (0.0, values.mean())
    delta, beta = np.zeros(data["S"]), np.zeros(data["K"])
    return {"k": slope, "m": level, "delta": delta, "beta": beta, "sigma_obs": 1.0}


def _draw_trend(
    time: Values, changes: Values, found: Mapping[str, Values], *, growth: str
) -> Values:
    """Draw a line whose slope changes by `delta` at each of `changes`."""
    if growth == "flat":
        return np.full(len(time), found["m"][0])
    turned = (changes <= time[:, None]) * found["delta"]
    return (turned.sum(axis=1) + found["k"]) * time + found["m"] - turned @ changes


def _build_waves(train: Train, recipe: Recipe, clock: Clock) -> dict[str, Values]:
    """Give sines and cosines at each step by term, steps x twice the order."""
    waves = {}
    if recipe.order and train.steps_per_day > 1:
        daily = _draw_waves(clock, 1, recipe.order)
        kinds = tell_kinds_of_day(clock) if recipe.kinds_of_day else {}
        split = {f"daily_{kind}": daily * holds[:, None] for kind, holds in kinds.items()}
        waves |= split or {"daily": daily}
    if recipe.yearly and train.clock[-1] - train.clock[0] >= YEARLY_FROM:
        waves["yearly"] = _draw_waves(clock, YEAR_DAYS, recipe.yearly)
    if recipe.weekly and train.step < WEEK:
        waves["weekly"] = _draw_waves(clock, 7, WEEKLY_ORDER)
    return waves


def _draw_waves(clock: Clock, period_days: float, order: int) -> Values:
    turn = 2 * np.pi * ((clock - np.datetime64(0, "D")) / DAY)
    angles = np.multiply.outer(turn, np.arange(1, order + 1) / period_days)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(len(clock), -1)


def _build_effects(
    train: Train, recipe: Recipe, clock: Clock, *, rows: NDArray[np.int64]
) -> dict[str, Values]:
    """Give what is no wave: days off and bridges, and degrees in their own spread over `rows`."""
    effects: dict[str, Any] = {}
    if recipe.holidays:
        off, bridges = find_holidays(clock)
        day = clock.astype("datetime64[D]")
        effects["holidays"] = np.column_stack([np.isin(day, bridges), np.isin(day, off)])
    if recipe.degrees and train.weather is not None:
        for name, degrees in measure_degrees(train.weather, clock).items():
            past = degrees[rows]
            mean, spread = past.mean(), past.std(ddof=1)
            effects[name] = ((degrees - mean) / spread if np.ptp(past) else degrees)[:, None]
    return effects
