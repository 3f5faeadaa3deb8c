"""The table of members: which methods forecast which kind of series.

To add a member, write one function `(Train, options) -> values` and one row here.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from tasks.forecast.models import Recipe, predict_prophet
from tasks.forecast.naives import (
    Climatology,
    Lag,
    Level,
    repeat_at_level,
    repeat_lag,
    repeat_mean_day,
)
from tasks.forecast.train import Grain, Kind, Method

LAST_YEAR: Final = Lag(364, retry_days=7, tries=9, both_ways=True)
"""364 days: the same weekday."""

_LEVEL: Final = Method(repeat_at_level, Level(LAST_YEAR, days=14), needs_days=379)
_NAIVE_1D: Final = Method(repeat_lag, Lag(1, retry_days=1), needs_days=2, naive=True)
_NAIVE_7D: Final = Method(repeat_lag, Lag(7, retry_days=7), needs_days=14, naive=True)
_NAIVE_364D: Final = Method(repeat_lag, LAST_YEAR, needs_days=366, naive=True)


def _prophet(recipe: Recipe, *, needs_days: int) -> Method:
    return Method(predict_prophet, recipe, needs_days=needs_days, fits_days=recipe.days)


_DEMAND: Final = Recipe(
    182,
    growth="linear",
    mode="multiplicative",
    hold_trend=True,
    weekly=True,
    kinds_of_day=True,
    holidays=True,
    order=8,
)
_DEMAND_RECENT: Final = replace(_DEMAND, days=56)
_DEMAND_DAILY: Final = Recipe(
    1460, growth="linear", hold_trend=True, weekly=True, holidays=True, yearly=6
)
_WEATHER: Final = Recipe(56)
_WIND: Final = Recipe(56, log=True)
_WEATHER_DAILY: Final = Recipe(1826, yearly=3)

_HOURLY_WEATHER: Final = {
    "prophet": _prophet(_WEATHER, needs_days=21),
    "climatology_28d": Method(repeat_mean_day, Climatology(28), needs_days=7),
    "naive_24h": _NAIVE_1D,
    "naive_168h": _NAIVE_7D,
}
_DAILY_WEATHER: Final = {
    "prophet": _prophet(_WEATHER_DAILY, needs_days=56),
    "naive_1d": _NAIVE_1D,
    "naive_7d": _NAIVE_7D,
    "naive_364d": _NAIVE_364D,
}

MEMBERS: Final[Mapping[tuple[Kind, Grain], Mapping[str, Method]]] = {
    ("demand", "hourly"): {
        "prophet": _prophet(_DEMAND, needs_days=84),
        "prophet_recent": _prophet(_DEMAND_RECENT, needs_days=28),
        "level_364d": _LEVEL,
        "naive_168h": _NAIVE_7D,
        "naive_364d": _NAIVE_364D,
    },
    ("demand", "daily"): {
        "prophet": _prophet(_DEMAND_DAILY, needs_days=56),
        "level_364d": _LEVEL,
        "naive_7d": _NAIVE_7D,
        "naive_364d": _NAIVE_364D,
    },
    ("weather", "hourly"): _HOURLY_WEATHER,
    ("weather", "daily"): _DAILY_WEATHER,
    ("wind", "hourly"): {**_HOURLY_WEATHER, "prophet": _prophet(_WIND, needs_days=21)},
    ("wind", "daily"): _DAILY_WEATHER,
}
"""By kind of variable and grain, in the order of the reports."""


def tell_kind(variable: str) -> Kind:
    """Tell demand, which follows the local clock, from weather, which follows the sun."""
    if variable.startswith("electricity_demand"):
        return "demand"
    return "wind" if variable.startswith("wind_speed") else "weather"


def choose_members(kind: Kind, step: timedelta) -> Mapping[str, Method]:
    """Give the members of a series by name, naives last."""
    grain: Grain = "daily" if step >= timedelta(days=1) else "hourly"
    return MEMBERS[kind, grain]
