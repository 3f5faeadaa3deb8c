"""What a member is given: numbers on a regular grid, the clock of life around it, the weather."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Clock = NDArray[np.datetime64]
Dates = NDArray[np.datetime64]
Kind = Literal["demand", "weather", "wind", "direction", "rain", "any"]
Grain = Literal["hourly", "daily", "weekly"]

DAY = np.timedelta64(1, "D")
YEAR_DAYS: Final = 365.2425


@dataclass(frozen=True, slots=True)
class Supply:
    """Forecasts of the mean temperature of local days, as somebody issued them.

    Attributes:
        station: who told them, `openmeteo:32`.
        days: the last day that was over when they were issued; sorted, each once.
        values: degC, issues x days ahead, from the day after; NaN was not told.
    """

    station: str
    days: Dates
    values: Values

    def before(self, day: np.datetime64) -> "Supply | None":
        """Keep the issues of the days before one; None when there is none."""
        known = int(np.searchsorted(self.days, day))
        return Supply(self.station, self.days[:known], self.values[:known]) if known else None


@dataclass(frozen=True, slots=True)
class Temperature:
    """Mean temperature of local days.

    Attributes:
        days: sorted, each once; days that were not measured are left out.
        values: degC.
        supply: what was forecast of days to come.
    """

    days: Dates
    values: Values
    supply: Supply | None = None

    def back(self, span: np.timedelta64) -> "Temperature | None":
        """Give what was known so many days earlier, as old as it is now; None: nothing."""
        known = int(np.searchsorted(self.days, self.days[-1] + DAY - span))
        supply = self.supply and self.supply.before(self.supply.days[-1] + DAY - span)
        return Temperature(self.days[:known], self.values[:known], supply) if known else None


@dataclass(frozen=True, slots=True)
class Train:
    """Everything a member may know. Nothing in it is later than the window's origin.

    Attributes:
        values: one per step on a regular grid in UTC, oldest first; NaN is a gap.
        clock: naive local time of each step for demand, naive UTC for weather; microseconds. In
            local time one hour repeats each autumn and one is missing each spring.
        future: the same clock for the steps to forecast, which follow `values` without a hole.
        step: length of a step.
        weather: temperatures measured before the origin, for what depends on them.
    """

    values: Values
    clock: Clock
    future: Clock
    step: timedelta
    weather: Temperature | None = None

    @property
    def steps_per_day(self) -> int:
        """Count the steps of one day, at least one: a longer step counts as a day."""
        return max(1, round(timedelta(days=1) / self.step))

    @property
    def days(self) -> float:
        """Give the span of the values in days; in steps where these are longer."""
        return len(self.values) / self.steps_per_day

    def take_last(self, days: int) -> "Train":
        """Keep the last `days` of the values; all of them when there are fewer."""
        kept = days * self.steps_per_day
        values, clock = self.values[-kept:], self.clock[-kept:]
        return Train(values, clock, self.future, self.step, self.weather)

    def fill_gaps(self, days: int) -> Values:
        """Give the values without gaps: each is that of `days` earlier, else interpolated.

        Raises:
            ValueError: less than half of the values is known.
        """
        values, cycle = self.values.copy(), days * self.steps_per_day
        known = np.isfinite(values)
        if known.sum() * 2 < len(values) or not known.any():
            msg = f"{known.sum()} of {len(values)} values are known, less than half"
            raise ValueError(msg)
        for place in np.flatnonzero(~known):
            if place >= cycle:
                values[place] = values[place - cycle]
        known = np.isfinite(values)
        places = np.arange(len(values))
        return np.interp(places, places[known], values[known])


def give_nothing(step: timedelta) -> Train:
    """Give a series of which nothing is known."""
    empty = np.empty(0, "datetime64[us]")
    return Train(np.empty(0), empty, empty, step)


@dataclass(frozen=True, slots=True)
class Explained:
    """A forecast and the terms whose sum it is, in the model's own scale."""

    values: Values
    components: Mapping[str, Values]


def take_values(told: Values | Explained) -> Values:
    """Leave the explanation."""
    return told.values if isinstance(told, Explained) else told


@dataclass(frozen=True, slots=True)
class Method:
    """One row of the members table. Days are steps where these are longer than a day.

    Attributes:
        predict: gives one value per step of `train.future`; NaN where it cannot tell.
        options: second argument of `predict`.
        needs_days: shortest training span it makes sense on; a shorter one is no failure.
        fits_days: training span it is given; 0: all, by a method that only copies.
        naive: whether it is one of the copies of the past that the others must beat. They know what
            it knows, and better, so it has no weight of its own among them.
        positive: whether it takes only values above zero.
    """

    predict: Callable[[Train, Any], Values | Explained]
    options: Any
    needs_days: int
    fits_days: int = 0
    naive: bool = False
    positive: bool = False

    def tell(self, train: Train) -> Values:
        """Give the values without their explanation."""
        return take_values(self.predict(train, self.options))

    def describe(self) -> str:
        """Name everything that decides its numbers."""
        name = getattr(self.predict, "__name__", "?")
        return f"{name}({self.options!r}) of {self.fits_days} from {self.needs_days} d"

    __repr__ = describe  # that of a function names its address, another in each process

    def applies(self, train: Train) -> bool:
        """Tell whether the series is long enough, and positive where it must be."""
        if train.days < self.needs_days:
            return False
        return not self.positive or bool(np.nanmin(train.values, initial=np.inf) > 0)
