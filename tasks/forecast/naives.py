"""Copies of the past: what every model must beat, and what is published when it does not."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from tasks.forecast.train import Train, Values


@dataclass(frozen=True, slots=True)
class Lag:
    """Repeat the value of `days` ago; where that is a gap, look `retry_days` further, and so on.

    Attributes:
        tries: how many places are looked at; 364 days are also retried forward, as the same
            weekday a week later is as good as a week earlier.
    """

    days: int
    retry_days: int
    tries: int = 28
    both_ways: bool = False

    def list_detours(self, steps_per_day: int) -> list[int]:
        """List the further steps back that are tried in turn; the first is none."""
        way = self.retry_days * steps_per_day
        if self.both_ways:
            return [(i + 1) // 2 * way * (-1) ** (i + 1) for i in range(self.tries)]
        return [i * way for i in range(self.tries)]


def repeat_lag(train: Train, lag: Lag) -> Values:
    """Repeat the past by the clock: 18:00 follows 18:00 also across a change of the clocks.

    A horizon longer than the lag repeats the last known cycle. NaN where every try is a gap,
    and so is half a day around: a station that reports every three hours has no other hours.
    """
    past, positions = _lay_on_clock(train)
    cycle = lag.days * train.steps_per_day
    cycles = np.maximum(1, -(-(positions - len(past) + 1) // cycle))
    source = positions - cycles * cycle
    values = np.full(len(positions), np.nan)
    for detour in lag.list_detours(train.steps_per_day):
        place = source - detour
        usable = np.isnan(values) & (place >= 0) & (place < len(past))
        values[usable] = past[place[usable]]
    return _bridge_gaps(values, train.steps_per_day)


@dataclass(frozen=True, slots=True)
class Level:
    """The last year's values, scaled by how the last `days` compare to theirs a year ago."""

    lag: Lag
    days: int
    limit: float = 2.0


def repeat_at_level(train: Train, level: Level) -> Values:
    """Repeat the lag at today's level; NaN when the year before is too full of gaps to compare.

    The ratio of levels stays within 1/limit .. limit: a halved or doubled series is a fault.
    """
    recent = level.days * train.steps_per_day
    year = level.lag.days * train.steps_per_day
    now, then = train.values[-recent:], train.values[-recent - year : -year]
    both = np.isfinite(now[-len(then) :]) & np.isfinite(then)
    if len(then) < recent or both.sum() < recent / 2 or then[both].mean() <= 0:
        return np.full(len(train.future), np.nan)
    ratio = np.clip(now[both].mean() / then[both].mean(), 1 / level.limit, level.limit)
    return repeat_lag(train, level.lag) * ratio


@dataclass(frozen=True, slots=True)
class Climatology:
    """The mean of the last `days` at the same time of day."""

    days: int


def repeat_mean_day(train: Train, climatology: Climatology) -> Values:
    """Repeat the mean day of the last days; a time of day never observed is interpolated."""
    recent = train.take_last(climatology.days)
    past, positions = _lay_on_clock(recent)
    per_day = recent.steps_per_day
    padded = np.concatenate([past, np.full(-len(past) % per_day, np.nan)]).reshape(-1, per_day)
    counts = np.isfinite(padded).sum(axis=0)
    sums = np.nansum(padded, axis=0)
    means = np.divide(sums, counts, out=np.full(per_day, np.nan), where=counts > 0)
    return _bridge_gaps(means[positions % per_day], per_day)


def _bridge_gaps(values: Values, steps_per_day: int) -> Values:
    """Interpolate between known values where one lies within half a day."""
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        return values
    places = np.arange(len(values))
    after = np.searchsorted(known, places).clip(0, len(known) - 1)
    before = (after - 1).clip(0)
    distance = np.minimum(np.abs(known[after] - places), np.abs(places - known[before]))
    bridged = np.interp(places, known, values[known])
    return np.where(distance <= max(1, steps_per_day // 2), bridged, np.nan)


def _lay_on_clock(train: Train) -> tuple[Values, np.ndarray]:
    """Give the past as a dense array by clock step, and the positions of the future in it.

    The second fold of the repeated hour is dropped, the missing hour is a gap.
    """
    step = np.timedelta64(train.step // timedelta(microseconds=1), "us")
    places = ((train.clock - train.clock[0]) // step).astype(np.int64)
    past = np.full(int(places.max()) + 1, np.nan)
    past[places[::-1]] = train.values[::-1]
    return past, ((train.future - train.clock[0]) // step).astype(np.int64)
