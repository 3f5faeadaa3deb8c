"""Prophet with an autoregression on its residuals. The only file that knows Prophet and pandas.

Both are imported inside the functions: who deploys or tests the rest need not load them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from tasks.forecast.days import find_holidays, tell_kinds_of_day
from tasks.forecast.residuals import continue_residuals
from tasks.forecast.train import Clock, Train, Values

if TYPE_CHECKING:
    import pandas as pd
    from prophet import Prophet

SEED: Final = 20_240_503
YEARLY_FROM_DAYS: Final = 730
"""Forced on a shorter span, a yearly term triples the error (measured on eight weeks of load)."""
LEAST_ROWS: Final = 21


@dataclass(frozen=True, slots=True)
class Recipe:
    """How Prophet is set up.

    Attributes:
        days: training window; older values are not looked at.
        growth: flat for weather: a linear trend extrapolated a week is its main harm.
        hold_trend: keep the trend at its last level. It takes a quarter off the error of eleven
            days of demand on eight weeks (7.6 to 5.7 %), as changes of slope are weather.
        kinds_of_day: separate daily curves for working days, Saturdays, and days off.
        holidays: holidays and bridge days shift their day.
        order: Fourier order of each daily curve; 0: none.
        yearly: Fourier order of the yearly term, from two years of span on; 0: none.
        log: fit log(1 + y), for what is positive and skewed.
    """

    days: int
    growth: Literal["linear", "flat"] = "flat"
    mode: Literal["additive", "multiplicative"] = "additive"
    hold_trend: bool = False
    weekly: bool = False
    kinds_of_day: bool = False
    holidays: bool = False
    order: int = 4
    yearly: int = 0
    log: bool = False


def predict_prophet(train: Train, recipe: Recipe) -> Values:
    """Forecast with Prophet plus an autoregression on its residuals; finite everywhere.

    The same input gives the same bits on one machine: no samples are drawn.

    Raises:
        ValueError: fewer than 21 values in the training window, a constant, or no finite result.
        RuntimeError: Stan failed.
    """
    train = train.take_last(recipe.days)
    values = np.log1p(np.maximum(train.values, 0)) if recipe.log else train.values
    _check_values(values)
    fitted, ahead = _fit_and_predict(train, values, recipe)
    residuals = values - fitted
    ahead = ahead + continue_residuals(residuals, len(ahead), train.steps_per_day)
    ahead = np.expm1(ahead) if recipe.log else ahead
    if not np.isfinite(ahead).all():
        msg = "the forecast is not finite"
        raise ValueError(msg)
    return ahead


def silence_libraries() -> None:
    """Stop Prophet and cmdstanpy from logging every fit; for each worker, before the first fit."""
    logging.getLogger("prophet.plot").disabled = True  # plotly is not wanted
    logging.getLogger("prophet").setLevel(logging.ERROR)
    # cmdstanpy sets its level back when it loads a model: only `disabled` lasts.
    logging.getLogger("cmdstanpy").disabled = True


def _check_values(values: Values) -> None:
    known = values[np.isfinite(values)]
    if len(known) < LEAST_ROWS:
        msg = f"{len(known)} values in the training window, at least {LEAST_ROWS} are needed"
        raise ValueError(msg)
    if np.ptp(known) == 0:
        msg = f"all {len(known)} values of the training window are {known[0]:g}"
        raise ValueError(msg)


def _fit_and_predict(train: Train, values: Values, recipe: Recipe) -> tuple[Values, Values]:
    """Give the fit on the training window and the forecast."""
    prophet, frame = _load_libraries()
    whole = frame(_build_columns(np.concatenate([train.clock, train.future]), recipe))
    rows = len(values)
    past = whole.iloc[:rows].assign(y=values)
    model = prophet(**_choose_settings(train, recipe, frame))
    _add_daily_curves(model, train, recipe)
    try:
        model.fit(past[np.isfinite(values)], seed=SEED)
        drawn = model.predict(whole)
    finally:
        if model.stan_backend is not None:
            model.stan_backend.cleanup()
    line, trend = drawn["yhat"].to_numpy().copy(), drawn["trend"].to_numpy()
    if recipe.hold_trend:
        held = trend[rows - 1]
        multiplied = recipe.mode == "multiplicative"
        line[rows:] = (
            line[rows:] * (held / trend[rows:]) if multiplied else line[rows:] + held - trend[rows:]
        )
    return line[:rows], line[rows:]


def _load_libraries() -> tuple[type[Prophet], type[pd.DataFrame]]:
    silence_libraries()
    from pandas import DataFrame  # noqa: PLC0415
    from prophet import Prophet  # noqa: PLC0415

    return Prophet, DataFrame


def _choose_settings(train: Train, recipe: Recipe, frame: type[pd.DataFrame]) -> dict[str, Any]:
    return {
        "growth": recipe.growth,
        "seasonality_mode": recipe.mode,
        "weekly_seasonality": recipe.weekly,
        "daily_seasonality": False,
        "yearly_seasonality": recipe.yearly if train.days >= YEARLY_FROM_DAYS else False,
        "holidays": frame(_build_holidays(train)) if recipe.holidays else None,
        "uncertainty_samples": 0,
    }


def _add_daily_curves(model: Prophet, train: Train, recipe: Recipe) -> None:
    if train.steps_per_day == 1:
        return
    kinds = tell_kinds_of_day(train.clock[:1]) if recipe.kinds_of_day else [None]
    for kind in kinds:
        name = f"daily_{kind}" if kind else "daily"
        model.add_seasonality(name, 1, recipe.order, condition_name=kind)


def _build_columns(clock: Clock, recipe: Recipe) -> dict[str, Any]:
    return {"ds": clock} | (tell_kinds_of_day(clock) if recipe.kinds_of_day else {})


def _build_holidays(train: Train) -> dict[str, Any]:
    off, bridges = find_holidays(np.concatenate([train.clock, train.future]))
    names = ["holiday"] * len(off) + ["bridge"] * len(bridges)
    return {"ds": np.concatenate([off, bridges]).astype("datetime64[us]"), "holiday": names}
