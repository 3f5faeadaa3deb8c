"""What a member is given: numbers on a regular grid, and the clock that life around it follows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Clock = NDArray[np.datetime64]
Kind = Literal["demand", "weather", "wind"]
Grain = Literal["hourly", "daily"]

DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class Train:
    """Everything a member may know. Nothing in it is later than the window's origin.

    Attributes:
        values: one per step on a regular grid in UTC, oldest first; NaN is a gap.
        clock: naive local time of each step for demand, naive UTC for weather; microseconds. In
            local time one hour repeats each autumn and one is missing each spring.
        future: the same clock for the steps to forecast, which follow `values` without a hole.
        step: length of a step.
    """

    values: Values
    clock: Clock
    future: Clock
    step: timedelta

    @property
    def steps_per_day(self) -> int:
        """Count the steps of one day, at least one."""
        return max(1, round(timedelta(days=1) / self.step))

    @property
    def days(self) -> float:
        """Give the span of the values in days."""
        return len(self.values) / self.steps_per_day

    def take_last(self, days: int) -> "Train":
        """Keep the last `days` of the values; all of them when there are fewer."""
        kept = days * self.steps_per_day
        return Train(self.values[-kept:], self.clock[-kept:], self.future, self.step)


def give_nothing(step: timedelta) -> Train:
    """Give a series of which nothing is known."""
    empty = np.empty(0, "datetime64[us]")
    return Train(np.empty(0), empty, empty, step)


@dataclass(frozen=True, slots=True)
class Method:
    """One row of the members table.

    Attributes:
        predict: gives one value per step of `train.future`; NaN where it cannot tell.
        options: second argument of `predict`.
        needs_days: shortest training span it makes sense on; a shorter one is no failure.
        fits_days: training span it uses at most; a measure of its cost.
        naive: whether it is one of the copies of the past that the others must beat.
    """

    predict: Callable[[Train, Any], Values]
    options: Any
    needs_days: int
    fits_days: int = 0
    naive: bool = False

    def describe(self) -> str:
        """Name everything that decides its numbers."""
        name = getattr(self.predict, "__name__", "?")
        return f"{name}({self.options!r}) from {self.needs_days} d"
