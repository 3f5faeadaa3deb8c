"""A recipe told to Prophet's own Python, as whoever knows Prophet would: the answer to compare."""

import numpy as np
import pandas as pd
from prophet import Prophet

from tasks.forecast.days import find_holidays, tell_kinds_of_day
from tasks.forecast.models import SEED, Recipe, silence_libraries
from tasks.forecast.temperature import DEGREES, measure_degrees
from tasks.forecast.train import Train, Values


def predict_plainly(train: Train, recipe: Recipe) -> dict[str, Values]:
    """Give `yhat` and the terms over the future, in the scale of what is fitted."""
    silence_libraries()
    clock, rows = np.concatenate([train.clock, train.future]), len(train.values)
    table = pd.DataFrame({"ds": clock} | tell_kinds_of_day(clock))
    if recipe.degrees and train.weather is not None:
        table = table.assign(**measure_degrees(train.weather, clock))
    model = _set_up(train, recipe)
    values = np.log1p(train.values) if recipe.log else train.values
    drawn = model.fit(table[:rows].assign(y=values).dropna(), seed=SEED).predict(table[rows:])
    unit = drawn["trend"] if recipe.mode == "multiplicative" else 1.0
    named = [*model.seasonalities, "holidays", *model.extra_regressors]
    terms = {name: drawn[name] * unit for name in named if name in drawn}
    return {"yhat": drawn["yhat"], "trend": drawn["trend"]} | terms


def _set_up(train: Train, recipe: Recipe) -> Prophet:
    off, bridges = find_holidays(np.concatenate([train.clock, train.future]))
    free = pd.DataFrame(
        {
            "ds": np.concatenate([off, bridges]).astype("datetime64[us]"),
            "holiday": ["holiday"] * len(off) + ["bridge"] * len(bridges),
        }
    )
    model = Prophet(
        growth=recipe.growth,
        seasonality_mode=recipe.mode,
        weekly_seasonality=recipe.weekly,
        daily_seasonality=False,
        yearly_seasonality=recipe.yearly if train.days * train.step.days > 730 else False,
        holidays=free if recipe.holidays else None,
        uncertainty_samples=0,
    )
    for name in DEGREES if recipe.degrees else ():
        model.add_regressor(name)
    kinds = ("working", "saturday", "sunday") if recipe.kinds_of_day else (None,)
    for kind in kinds if train.steps_per_day > 1 else ():
        name = f"daily_{kind}" if kind else "daily"
        model.add_seasonality(name, 1, recipe.order, condition_name=kind)
    return model
