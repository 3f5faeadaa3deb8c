"""Temperature as a driver of demand: what was measured before an origin, and what may follow.

The future is never the one that happened. From the origin on it is what was forecast by then, where
forecasts are landed, else the season's normal day and what is left of the last days' anomaly: in a
backtest as in production.
"""

from typing import Final

import numpy as np

from tasks.forecast.train import DAY, YEAR_DAYS, Clock, Dates, Supply, Temperature, Values

HARMONICS: Final = 3
"""Of the normal year; it takes a whole year of days to tell it."""
PERSISTENCE: Final = 0.75
"""Share of an anomaly that is left a day later."""
RECENT: Final = (0.1, 0.3, 0.6)
"""Weights of the last three days in today's anomaly."""
MEMORY: Final = 0.4
FADE: Final = 0.05
"""Share of a forecast anomaly that is no more believed for each day ahead, before any is judged."""
DOUBT: Final = 14.0
"""Days after which forecasts that were judged count as much as that belief."""
SPREAD: Final = 3.0
"""Usual distance of a day from its normal, degC."""
STEEPEST: Final = 1.5
"""A forecast is not blown up by more, whatever a few odd days say."""
HEATED_BELOW: Final = 16.0
COOLED_ABOVE: Final = 20.0
DEGREES: Final = ("heating", "cooling", "felt")


def measure_degrees(known: Temperature, clock: Clock) -> dict[str, Values]:
    """Give heating, cooling and felt heating degrees at each step, never negative; no nulls."""
    return tell_degrees(*follow_temperature(known, clock))


def tell_degrees(now: Values, felt: Values) -> dict[str, Values]:
    """Tell them from temperatures: below 16 degC buildings are heated, above 20 cooled."""
    differences = (HEATED_BELOW - now, now - COOLED_ABOVE, HEATED_BELOW - felt)
    return {name: np.maximum(by, 0) for name, by in zip(DEGREES, differences, strict=True)}


def follow_temperature(known: Temperature, clock: Clock) -> tuple[Values, Values]:
    """Give the day's mean temperature at each step, and the felt one, in degC; no nulls.

    The felt one smooths the days, since walls remember: what is left of a day's cold after another
    is 40 %.
    """
    days, values = expect_temperature(known, clock)
    felt = values.copy()
    for place in range(1, len(felt)):
        felt[place] = MEMORY * felt[place - 1] + (1 - MEMORY) * values[place]
    # A day's mean is that of its noon.
    places, ranks = _count_days(clock - days[0]) - 0.5, np.arange(len(days))
    return np.interp(places, ranks, values), np.interp(places, ranks, felt)


def expect_temperature(known: Temperature, clock: Clock) -> tuple[Dates, Values]:
    """Give the days that a clock touches and their mean temperature in degC; no nulls.

    A day without a measurement gets what was forecast of it, corrected by how such forecasts turned
    out; else the normal of the season (with less than a year of days: the mean of all) and, after
    the last measured day, what is left of its anomaly.
    """
    first, last = clock.min().astype("datetime64[D]"), clock.max().astype("datetime64[D]")
    days = np.arange(first - 3 * DAY, last + 2 * DAY)
    normal, tail = _tell_normal(known, days), known.days[-len(RECENT) :]
    gone = known.values[-len(RECENT) :] - _tell_normal(known, tail)
    anomaly = np.average(gone, weights=RECENT[-len(gone) :])
    age = _count_days(days - known.days[-1])
    expected = np.where(age > 0, normal + anomaly * PERSISTENCE ** np.maximum(age, 0), normal)
    if known.supply is not None:
        told = _tell_supplied(known, known.supply, days, normal)
        expected = np.where((age > 0) & np.isfinite(told), told, expected)
    measured = np.isin(days, known.days)
    expected[measured] = known.values[np.searchsorted(known.days, days[measured])]
    return days, expected


def _tell_supplied(known: Temperature, supply: Supply, days: Dates, normal: Values) -> Values:
    """Give what the newest issue before each day says of it, corrected; NaN: nothing."""
    newest = np.searchsorted(supply.days, days) - 1
    ahead = _count_days(days - supply.days[newest])
    said = np.full(len(days), np.nan)
    for lead, told in enumerate(supply.values.T, 1):
        mine = (newest >= 0) & (ahead == lead)
        slope, shift = _judge_supply(known, supply, lead)
        said[mine] = normal[mine] + slope * (told[newest[mine]] - normal[mine]) + shift
    return said


def _judge_supply(known: Temperature, supply: Supply, lead: int) -> tuple[float, float]:
    """Give slope and shift by which forecast anomalies of a lead time fit what was then measured.

    A ridge regression towards the belief of FADE, without a normal year towards the forecast.
    """
    due, told = supply.days + lead * DAY, supply.values[:, lead - 1]
    judged = np.isin(due, known.days) & np.isfinite(told)
    normal = _tell_normal(known, due[judged])
    truth = known.values[np.searchsorted(known.days, due[judged])] - normal
    columns = np.column_stack([told[judged] - normal, np.ones(len(normal))])
    is_yearly = _count_days(known.days[-1] - known.days[0]) >= YEAR_DAYS
    belief = np.array([1 - FADE * lead if is_yearly else 1.0, 0.0])
    doubt = DOUBT * np.diag([SPREAD**2, 1.0])
    slope, shift = np.linalg.solve(columns.T @ columns + doubt, columns.T @ truth + doubt @ belief)
    return float(np.clip(slope, 0, STEEPEST)), float(shift)


def _tell_normal(known: Temperature, days: Dates) -> Values:
    if _count_days(known.days[-1] - known.days[0]) < YEAR_DAYS:
        return np.full(len(days), known.values.mean())
    weights = np.linalg.lstsq(describe_year(known.days, HARMONICS), known.values, rcond=None)[0]
    return describe_year(days, HARMONICS) @ weights


def describe_year(days: Dates, harmonics: int) -> Values:
    """Give a constant and the sines and cosines of the time of year, days x (1 + 2 harmonics)."""
    return describe_cycle(_count_days(days - np.datetime64("2000-01-01")) / YEAR_DAYS, harmonics)


def describe_cycle(turns: Values, harmonics: int) -> Values:
    """Give a constant and the sines and cosines of a cycle, rows x (1 + 2 harmonics)."""
    angles = 2 * np.pi * turns
    waves = [wave(k * angles) for k in range(1, harmonics + 1) for wave in (np.sin, np.cos)]
    return np.column_stack([np.ones(len(turns)), *waves])


def _count_days(span: np.ndarray) -> Values:
    return span / DAY
