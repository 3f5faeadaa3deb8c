"""Gradient-boosted trees on calendar and temperature.

The only file that knows scikit-learn, which takes a second to load and is loaded when it is used.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tasks.forecast.days import (
    find_holidays,
    find_school_holidays,
    tell_kinds_of_day,
    tell_weekday,
)
from tasks.forecast.regression import (
    HALF_LIFE_DAYS,
    Calendar,
    continue_line,
    fit_calendar,
    weigh_demand,
)
from tasks.forecast.temperature import follow_temperature, tell_degrees
from tasks.forecast.train import DAY, Train, Values

RATE: Final = 0.1
"""How much of what is left each tree adds."""
LEAVES: Final = 15
RARE: Final = 50
"""Steps that a leaf holds at least: two days of hours."""


@dataclass(frozen=True, slots=True)
class Trees:
    """How many trees, and what they add to.

    Attributes:
        count: number of trees.
        calendar: the regression whose errors they learn; None: they learn demand itself.
    """

    count: int
    calendar: Calendar | None = None


def predict_trees(train: Train, options: Trees) -> Values:
    """Forecast what is always positive by trees, which bend where a straight line cannot.

    Raises:
        ValueError: a value that is not positive, or no value.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415

    known, weights = weigh_demand(train, HALF_LIFE_DAYS)
    reasons, rows = describe_reasons(train), len(known)
    line = fit_calendar(train, options.calendar) if options.calendar else np.zeros(len(reasons))
    trees = HistGradientBoostingRegressor(
        max_iter=options.count,
        learning_rate=RATE,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=RARE,
        early_stopping=False,
        random_state=0,
    )
    target = np.log(train.values)
    trees.fit(reasons[:rows][known], (target - line[:rows])[known], sample_weight=weights)
    return np.exp(continue_line(target, line + trees.predict(reasons), train.steps_per_day))


def describe_reasons(train: Train) -> Values:
    """Give one row per step of past and future and one column per reason for demand.

    The hour, the weekday, the kind of day, whether it is a holiday, a bridge day, without school;
    the day of the year; degrees and the day's mean temperature where one is known.
    """
    clock = np.concatenate([train.clock, train.future])
    day = clock.astype("datetime64[D]")
    off, bridges = find_holidays(clock)
    kinds = tell_kinds_of_day(clock)
    reasons = [
        (clock - day) / np.timedelta64(1, "h"),
        tell_weekday(day),
        kinds["saturday"] + 2 * kinds["sunday"],
        np.isin(day, off),
        np.isin(day, bridges),
        np.isin(day, find_school_holidays(clock)),
        (day - day.astype("datetime64[Y]")) / DAY,
    ]
    if train.weather is not None:
        now, felt = follow_temperature(train.weather, clock)
        reasons += [*tell_degrees(now, felt).values(), now]
    return np.column_stack(reasons).astype(float)
