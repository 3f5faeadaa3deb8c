"""Ridge regressions in closed form: on a series' own past, on calendar and temperature, on climate.

All cost milliseconds. On M4's hourly series the first alone beats every other member; on
regional demand the second does (docs/explanation/forecast-quality.md).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tasks.forecast.days import (
    find_holidays,
    find_school_holidays,
    tell_kinds_of_day,
    tell_weekday,
)
from tasks.forecast.residuals import continue_residuals
from tasks.forecast.temperature import describe_cycle, describe_year, measure_degrees
from tasks.forecast.train import DAY, Clock, Train, Values

DAMPING: Final = 1e-4
"""Ridge of the lags, relative to the variance of the series."""
HALF_LIFE_DAYS: Final = 800.0
"""Age at which a day of demand counts half."""
CALM: Final = 1.0
"""Ridge of the climate, whose target has a spread of one."""
CLIMATE_DAILY: Final = 4
CLIMATE_YEARLY: Final = 2
"""Harmonics of the day, and of the year, which bends each of them."""
HOURS: Final = 24
CHRISTMAS: Final = 358
"""Day of the year, from 1, on which the quiet week begins."""


@dataclass(frozen=True, slots=True)
class Lags:
    """An autoregression on the last steps and on whole seasons ago.

    Attributes:
        seasons: their lengths in days; one that does not fit three times is left out.
    """

    seasons: tuple[int, ...]


def predict_lags(train: Train, options: Lags) -> Values:
    """Continue the series step by step from its own past; within one range of what it was.

    Raises:
        ValueError: too few values.
    """
    values, per_day = train.fill_gaps(options.seasons[-1]), train.steps_per_day
    seasons = [s * per_day for s in options.seasons if 3 * s * per_day <= len(values)]
    twice = [2 * season for season in seasons if 4 * season <= len(values)]
    lags = np.array(sorted({1, 2, 3, *seasons, *(s + 1 for s in seasons), *twice}))
    longest = int(lags[-1])
    if len(values) < longest + 2 * len(lags):
        msg = f"{len(values)} values in the training window are too few for {len(lags)} lags"
        raise ValueError(msg)
    scale = float(np.abs(values).mean()) or 1.0
    known = values / scale
    past = np.column_stack([known[longest - lag : len(known) - lag] for lag in lags])
    weights, constant = _solve(past, known[longest:], DAMPING * len(past) * float(known.var()))
    spread = float(np.ptp(known))
    low, high = known.min() - spread, known.max() + spread
    line = np.concatenate([known, np.zeros(len(train.future))])
    for place in range(len(known), len(line)):
        line[place] = min(max(float(line[place - lags] @ weights) + constant, low), high)
    return line[len(known) :] * scale


@dataclass(frozen=True, slots=True)
class Calendar:
    """How demand is told by calendar and temperature.

    Attributes:
        half_life_days: age at which a day counts half.
        damping: ridge; columns are of the order of one.
        yearly: harmonics of the year that shape the day; `more_yearly` shift whole days.
    """

    half_life_days: float = HALF_LIFE_DAYS
    damping: float = 0.1
    yearly: int = 2
    more_yearly: int = 6


def predict_calendar(train: Train, options: Calendar) -> Values:
    """Forecast what is always positive from its calendar, and from temperature where there is one.

    Raises:
        ValueError: a value that is not positive, or no value.
    """
    line = fit_calendar(train, options)
    return np.exp(continue_line(np.log(train.values), line, train.steps_per_day))


def fit_calendar(train: Train, options: Calendar) -> Values:
    """Give the logarithm of demand for each step of past and future: a weighted ridge regression.

    Raises:
        ValueError: a value that is not positive, or no value.
    """
    known, weights = weigh_demand(train, options.half_life_days)
    columns = describe_calendar(train, options)
    target = np.log(train.values[known])
    slopes, level = _solve(columns[: len(known)][known], target, options.damping, weights)
    return columns @ slopes + level


def weigh_demand(train: Train, half_life_days: float) -> tuple[NDArray[np.bool_], Values]:
    """Tell which steps are known, and what each of these counts by its age.

    Raises:
        ValueError: a value that is not positive, or no value.
    """
    known = np.isfinite(train.values)
    if not known.any() or np.nanmin(train.values) <= 0:
        msg = "a demand that is not positive has no logarithm"
        raise ValueError(msg)
    age_days = np.arange(len(known), 0, -1) / train.steps_per_day
    return known, 0.5 ** (age_days[known] / half_life_days)


def continue_line(values: Values, line: Values, steps_per_day: int) -> Values:
    """Give the future of a line through values, with what they left over carried on."""
    rows = len(values)
    left = values - line[:rows]
    return line[rows:] + continue_residuals(left, len(line) - rows, steps_per_day)


def describe_calendar(train: Train, options: Calendar) -> Values:
    """Give one row per step of past and future and one column per reason for demand.

    The hour within each kind of day; weekdays, holidays, bridge days, school holidays; heating
    and cooling degrees by hour; the time of year by hour.
    """
    clock = np.concatenate([train.clock, train.future])
    day = clock.astype("datetime64[D]")
    hour = (clock - day) / np.timedelta64(1, "h")
    waves = describe_cycle(hour / HOURS, 4)
    kinds = tell_kinds_of_day(clock)
    floor = hour.astype(int)[:, None] == np.arange(HOURS)
    blocks = [kind[:, None] & floor for kind in kinds.values()]
    blocks += [_describe_days(clock, kinds["working"], hour)]
    if train.weather is not None:
        degrees = measure_degrees(train.weather, clock)
        blocks += [one[:, None] / 10 * waves[:, :7] for one in degrees.values()]
    year = describe_year(clock, options.more_yearly)[:, 1:]
    shaping = 2 * options.yearly
    blocks += [wave[:, None] * waves for wave in year[:, :shaping].T]
    return np.column_stack([*blocks, year[:, shaping:]]).astype(float)


def _describe_days(clock: Clock, working: np.ndarray, hour: Values) -> Values:
    """Tell what sets a day apart from others of its kind."""
    day = clock.astype("datetime64[D]")
    weekday, (off, bridges) = tell_weekday(day), find_holidays(clock)
    school = np.isin(day, find_school_holidays(clock))
    of_year = (day - day.astype("datetime64[Y]")) / DAY + 1
    christmas = (of_year >= CHRISTMAS) | (of_year == 1)
    reasons = [
        *((weekday == number) & working for number in (0, 1, 3, 4)),
        (weekday == 0) & (hour < 6) & working,  # after a Sunday
        (weekday == 4) & (hour >= 14) & working,  # before a Saturday
        np.isin(day, off) & (weekday < 5),
        np.isin(day, bridges),
        christmas,
        christmas & working,
        school,
        school & working,
    ]
    return np.column_stack(reasons)


def predict_climate(train: Train, _: None) -> Values:
    """Forecast the normal of the time of day and year, to which the past's deviation returns.

    Raises:
        ValueError: no two values that differ.
    """
    known, rows = np.isfinite(train.values), len(train.values)
    scale = float(np.std(train.values[known])) if known.any() else 0.0
    if not scale:
        msg = "values that never differ have no climate"
        raise ValueError(msg)
    clock = np.concatenate([train.clock, train.future])
    turns = (clock - clock.astype("datetime64[D]")) / DAY
    day = describe_cycle(turns, CLIMATE_DAILY if train.steps_per_day > 1 else 0)
    year = describe_year(clock, CLIMATE_YEARLY)
    columns = (year[:, :, None] * day[:, None, :]).reshape(len(clock), -1)[:, 1:]
    slopes, level = _solve(columns[:rows][known], train.values[known] / scale, CALM)
    line = scale * (columns @ slopes + level)
    return continue_line(train.values, line, train.steps_per_day)


def _solve(
    columns: Values, target: Values, damping: float, weights: Values | None = None
) -> tuple[Values, float]:
    """Give slopes and constant of a ridge regression; the constant is not damped."""
    weights = np.ones(len(target)) if weights is None else weights
    level = float(np.average(target, weights=weights))
    means = np.average(columns, axis=0, weights=weights)
    centred = columns - means
    normal = centred.T @ (centred * weights[:, None]) + damping * np.eye(columns.shape[1])
    slopes = np.linalg.solve(normal, centred.T @ (weights * (target - level)))
    return slopes, level - float(means @ slopes)
