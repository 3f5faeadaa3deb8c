"""The table of members: which methods forecast which kind of series.

To add a member, write one function `(Train, options) -> values` and one row here. The order is
that of their value: with a deadline the first are fitted first, for all series.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final, get_args

from tasks.forecast.circle import predict_circle
from tasks.forecast.models import Recipe, predict_prophet
from tasks.forecast.naives import (
    Lag,
    Profile,
    Season,
    repeat_lag,
    repeat_profile,
    repeat_season,
)
from tasks.forecast.peers import Model, Peer, predict_peer
from tasks.forecast.regression import (
    Calendar,
    Lags,
    predict_calendar,
    predict_climate,
    predict_lags,
)
from tasks.forecast.train import Grain, Kind, Method, Train
from tasks.forecast.trees import Trees, predict_trees

LAST_YEAR: Final = Lag(364, retry_days=7, tries=9, both_ways=True)
"""364 days: the same weekday."""

NEARLY_A_YEAR: Final = 330
"""From less of a year its waves run wild beyond it: of 150 to 250 days they doubled the error."""

Members = Mapping[str, Method]


def _naive(days: int) -> Method:
    """Repeat the value of `days` ago: what is to be beaten."""
    lag = Lag(days, retry_days=min(days, 7))
    return Method(repeat_lag, lag, needs_days=2 * days, naive=True)


def _prophet(recipe: Recipe, *, days: int, needs_days: int, positive: bool = False) -> Method:
    return Method(predict_prophet, recipe, needs_days, days, positive=positive)


def _lags(*seasons: int, days: int) -> Method:
    return Method(predict_lags, Lags(seasons), 3 * seasons[0], days)


def _peer(model: Model, *seasons: int, days: int) -> Method:
    return Method(predict_peer, Peer(model, seasons), 2 * seasons[0] + 1, days)


def _peers(*seasons: int, days: int) -> Members:
    """Give statsforecast's three: MSTL with all seasons, two smoothings with the shortest."""
    return {name: _peer(name, *seasons, days=days) for name in get_args(Model)}


def _trees(trees: Trees, needs_days: int) -> Method:
    return Method(predict_trees, trees, needs_days, fits_days=1200, positive=True)


_NAIVE_364D: Final = Method(repeat_lag, LAST_YEAR, needs_days=366, naive=True)
_CALENDAR: Final = Method(predict_calendar, Calendar(), NEARLY_A_YEAR, 1200, positive=True)
_CALENDAR_RECENT: Final = Method(
    predict_calendar,
    Calendar(half_life_days=100, yearly=1, more_yearly=2),
    needs_days=56,
    fits_days=600,
    positive=True,
)
"""Learns half from the last hundred days: what has changed since last year counts."""

_CLIMATE: Final = Method(predict_climate, None, needs_days=366, fits_days=1826)
"""A year, or it would take the season for the climate."""

_PROFILE_DAY: Final = Method(repeat_profile, Profile(1, 56, 0.6, 0.7), needs_days=7)
_PROFILE_WEEK: Final = Method(repeat_profile, Profile(7, 35, 0.8, 0.7), needs_days=14)
_PROFILE_WEEKS: Final = Method(repeat_profile, Profile(7, 56, 0.9, 0.5), needs_days=28)

_DEMAND: Final = Recipe(
    growth="linear",
    mode="multiplicative",
    hold_trend=True,
    weekly=True,
    kinds_of_day=True,
    holidays=True,
    degrees=True,
    order=8,
)
_DEMAND_DAILY: Final = Recipe(
    growth="linear", hold_trend=True, weekly=True, holidays=True, degrees=True, yearly=6
)
_ANY: Final = Recipe(growth="linear", weekly=True, yearly=10)
_LEVEL_ONLY: Final = Recipe()
_WIND: Final = Recipe(log=True)
_YEARLY_WEATHER: Final = Recipe(yearly=3)

_HOURLY: Final = {
    "lags": _lags(1, 7, days=182),
    "prophet": _prophet(replace(_LEVEL_ONLY, weekly=True), days=182, needs_days=7),
    "prophet_scaled": _prophet(
        replace(_ANY, mode="multiplicative", hold_trend=True), days=182, needs_days=7, positive=True
    ),
    "mstl": _peer("mstl", 1, 7, days=56),
    "profile_day": _PROFILE_DAY,
    "profile_week": _PROFILE_WEEK,
    "profile_weeks": _PROFILE_WEEKS,
    "naive_24h": _naive(1),
    "naive_168h": _naive(7),
}
_HOURLY_DEMAND: Final = {
    "calendar": _CALENDAR,
    "calendar_recent": _CALENDAR_RECENT,
    "calendar_trees": _trees(Trees(75, Calendar()), NEARLY_A_YEAR),
    "trees": _trees(Trees(150), 56),
    "prophet": _prophet(_DEMAND, days=182, needs_days=28),
    "mstl": _peer("mstl", 1, 7, days=56),
    "naive_168h": _naive(7),
    "naive_364d": _NAIVE_364D,
}
"""Without those that were half again as bad as the rest over a year of demand: CES, Theta, lags."""

_HOURLY_WEATHER: Final = {
    "prophet": _prophet(_LEVEL_ONLY, days=56, needs_days=21),
    "climate": _CLIMATE,
    "lags": _lags(1, days=182),
    "ces": _peer("ces", 1, days=56),
    "profile_day": _PROFILE_DAY,
    "naive_24h": _naive(1),
    "naive_168h": _naive(7),
}
_DAILY: Final = {
    "prophet": _prophet(_ANY, days=1826, needs_days=56),
    "lags": _lags(7, days=1826),
    **_peers(7, days=1826),
    "naive_1d": _naive(1),
    "naive_7d": _naive(7),
}
_DAILY_DEMAND: Final = {
    "calendar": _CALENDAR,
    "prophet": _prophet(_DEMAND_DAILY, days=1460, needs_days=56),
    **_peers(7, days=365),
    "naive_7d": _naive(7),
    "naive_364d": _NAIVE_364D,
}
_DAILY_WEATHER: Final = {
    "prophet": _prophet(_YEARLY_WEATHER, days=1826, needs_days=56),
    "climate": _CLIMATE,
    "lags": _lags(7, days=1826),
    "naive_1d": _naive(1),
    "naive_7d": _naive(7),
    "naive_364d": _NAIVE_364D,
}
_WEEKLY: Final = {
    "lags": _lags(52, days=1000),
    "prophet": _prophet(_ANY, days=1000, needs_days=21),
    "prophet_flat": _prophet(_LEVEL_ONLY, days=1000, needs_days=21),
    "prophet_scaled": _prophet(
        replace(_ANY, mode="multiplicative"), days=1000, needs_days=21, positive=True
    ),
    **_peers(52, days=1000),
    "naive_1w": _naive(1),
    "naive_52w": _naive(52),
}
_RAIN: Final = {
    "climatology_30d": Method(repeat_profile, Profile(1, 30), needs_days=14),
    "climatology_90d": Method(repeat_profile, Profile(1, 90), needs_days=60),
    "season": Method(repeat_season, Season(15), needs_days=382),
    "naive_1d": _naive(1),
    "naive_7d": _naive(7),
}


def _circle(members: Members) -> Members:
    """Forecast directions by members of their two components; copies need none."""
    return {
        name: m if m.naive else replace(m, predict=predict_circle, options=m)
        for name, m in members.items()
    }


MEMBERS: Final[Mapping[tuple[Kind, Grain], Members]] = {
    ("demand", "hourly"): _HOURLY_DEMAND,
    ("demand", "daily"): _DAILY_DEMAND,
    ("weather", "hourly"): _HOURLY_WEATHER,
    ("weather", "daily"): _DAILY_WEATHER,
    ("wind", "hourly"): {
        **_HOURLY_WEATHER,
        "prophet": _prophet(_WIND, days=56, needs_days=21),
    },
    ("wind", "daily"): _DAILY_WEATHER,
    ("direction", "hourly"): _circle(_HOURLY_WEATHER),
    ("direction", "daily"): _circle(_DAILY_WEATHER),
    ("rain", "daily"): _RAIN,
    ("any", "hourly"): _HOURLY,
    ("any", "daily"): _DAILY,
    ("any", "weekly"): _WEEKLY,
}
"""By kind of variable and grain, in the order of their value; `any`: nothing is known but the
numbers."""


def tell_kind(variable: str) -> Kind:
    """Tell demand, which follows the local clock, from weather, which follows the sun."""
    if variable.startswith("electricity_demand"):
        return "demand"
    named: dict[str, Kind] = {
        "wind_speed": "wind",
        "wind_speed_of_gust": "wind",
        "wind_from_direction": "direction",
        "precipitation_amount_daily": "rain",
    }
    return named.get(variable, "weather")


def choose_members(kind: Kind, step: timedelta) -> Members:
    """Give the members of a series by name, those of most value first."""
    if step >= timedelta(days=7) and (kind, "weekly") in MEMBERS:
        return MEMBERS[kind, "weekly"]
    return MEMBERS[kind, "daily" if step >= timedelta(days=1) else "hourly"]


def applicable_members(kind: Kind, train: Train) -> Members:
    """Give the members that can be asked about a series."""
    members = choose_members(kind, train.step)
    return {name: method for name, method in members.items() if method.applies(train)}
