"""Prophet with an autoregression on its residuals. The only file that knows Prophet and pandas.

Both are imported inside the functions: who deploys or tests the rest need not load them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from tasks.forecast.days import find_holidays, tell_kinds_of_day
from tasks.forecast.residuals import continue_residuals
from tasks.forecast.stan import find_optimum
from tasks.forecast.temperature import DEGREES, measure_degrees
from tasks.forecast.train import Explained, Train, Values

if TYPE_CHECKING:
    import pandas as pd
    from prophet import Prophet
    from prophet.models import ModelInputData

SEED: Final = 20_240_503
YEARLY_FROM_DAYS: Final = 730
"""Forced on a shorter span, a yearly term triples the error (measured on eight weeks of load)."""
LEAST_ROWS: Final = 21
WEEK: Final = timedelta(days=7)


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
    left_over, terms = _fit_terms(train, values, recipe)
    terms["residuals"] = continue_residuals(left_over, len(train.future), train.steps_per_day)
    ahead = np.sum([*terms.values()], axis=0)
    ahead = np.expm1(ahead) if recipe.log else ahead
    if not np.isfinite(ahead).all():
        msg = "the forecast is not finite"
        raise ValueError(msg)
    return Explained(ahead, terms)


def silence_libraries() -> None:
    """Stop Prophet and cmdstanpy from logging every fit; for each worker, before the first fit."""
    logging.getLogger("prophet.plot").disabled = True  # plotly is not wanted
    logging.getLogger("prophet").setLevel(logging.ERROR)
    # It sets its level back when it loads a model: only `disabled` lasts.
    logging.getLogger("cmdstanpy").disabled = True


def _check_values(values: Values) -> None:
    known = values[np.isfinite(values)]
    if len(known) < LEAST_ROWS:
        msg = f"{len(known)} values in the training window, at least {LEAST_ROWS} are needed"
        raise ValueError(msg)
    if np.ptp(known) == 0:
        msg = f"all {len(known)} values of the training window are {known[0]:g}"
        raise ValueError(msg)


def _fit_terms(train: Train, values: Values, recipe: Recipe) -> tuple[Values, dict[str, Values]]:
    """Give what the fit leaves over of the values, and the terms of the future."""
    prophet, frame = _load_libraries()
    whole = frame(_build_columns(train, recipe))
    known = np.flatnonzero(np.isfinite(values))
    # An hour of autumn comes twice, 2:00 2:30 2:00 2:30; Prophet takes rows in the clock's order.
    rows = known[np.argsort(train.clock[known], kind="stable")]
    model = prophet(**_choose_settings(train, recipe, frame))
    _add_terms(model, train, recipe)
    inputs = model.preprocess(whole.iloc[rows].assign(y=values[rows]))
    start = model.calculate_initial_params(inputs.K)
    found = find_optimum(vars(inputs), vars(start), seed=SEED)
    left_over = np.full(len(values), np.nan)
    left_over[rows] = values[rows] - _draw_past(inputs, found) * float(model.y_scale or 1)
    model.params = {name: value.reshape(1, -1) for name, value in found.items()}
    drawn = model.predict(whole.iloc[len(values) :])
    trend = drawn["trend"].to_numpy()
    trend = np.full_like(trend, trend[0]) if recipe.hold_trend else trend
    scale = trend if recipe.mode == "multiplicative" else 1.0
    named = [*model.seasonalities, "holidays", *model.extra_regressors]
    terms = {name: drawn[name].to_numpy() * scale for name in named if name in drawn}
    return left_over, {"trend": trend} | terms


def _draw_past(inputs: ModelInputData, found: Mapping[str, Values]) -> Values:
    """Draw the fit over its own rows, in Prophet's scale; `predict` would build them again.

    Source: the mean of the likelihood in Prophet's prophet.stan.
    """
    columns, weights = np.asarray(inputs.X), found["beta"]
    multiplied, added = (columns @ (weights * np.asarray(s)) for s in (inputs.s_m, inputs.s_a))
    return found["trend"] * (1 + multiplied) + added


def _load_libraries() -> tuple[type[Prophet], type[pd.DataFrame]]:
    silence_libraries()
    from pandas import DataFrame  # noqa: PLC0415
    from prophet import Prophet  # noqa: PLC0415

    return Prophet, DataFrame


def _choose_settings(train: Train, recipe: Recipe, frame: type[pd.DataFrame]) -> dict[str, Any]:
    long = (train.clock[-1] - train.clock[0]) >= np.timedelta64(YEARLY_FROM_DAYS, "D")
    return {
        "growth": recipe.growth,
        "seasonality_mode": recipe.mode,
        "weekly_seasonality": recipe.weekly and train.step < WEEK,
        "daily_seasonality": False,
        "yearly_seasonality": recipe.yearly if long else False,
        "holidays": frame(_build_holidays(train)) if recipe.holidays else None,
        "uncertainty_samples": 0,
    }


def _add_terms(model: Prophet, train: Train, recipe: Recipe) -> None:
    if recipe.degrees and train.weather is not None:
        for name in DEGREES:
            model.add_regressor(name)
    if train.steps_per_day == 1:
        return
    kinds = tell_kinds_of_day(train.clock[:1]) if recipe.kinds_of_day else [None]
    for kind in kinds:
        name = f"daily_{kind}" if kind else "daily"
        model.add_seasonality(name, 1, recipe.order, condition_name=kind)


def _build_columns(train: Train, recipe: Recipe) -> dict[str, Any]:
    clock = np.concatenate([train.clock, train.future])
    kinds = tell_kinds_of_day(clock) if recipe.kinds_of_day else {}
    if not recipe.degrees or train.weather is None:
        return {"ds": clock} | kinds
    return {"ds": clock} | kinds | measure_degrees(train.weather, clock)


def _build_holidays(train: Train) -> dict[str, Any]:
    off, bridges = find_holidays(np.concatenate([train.clock, train.future]))
    names = ["holiday"] * len(off) + ["bridge"] * len(bridges)
    return {"ds": np.concatenate([off, bridges]).astype("datetime64[us]"), "holiday": names}
