"""Copies of the past: what every model must beat, and what is published when it does not."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from tasks.forecast.train import YEAR_DAYS, Train, Values


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
class Profile:
    """The mean of the last cycles, the newest counting most, and a deviation that dies away.

    Attributes:
        cycle_days: 1 for a day, 7 for a week.
        days: how far back it looks.
        keep: weight of a week beside the week after it.
        persistence: share of the newest deviation that is left a day later.
    """

    cycle_days: int
    days: int
    keep: float = 1.0
    persistence: float = 0.0


def repeat_profile(train: Train, profile: Profile) -> Values:
    """Repeat the mean cycle by the clock; a place in it never observed is interpolated.

    The deviation of the last two days from it, the newest hours first, is carried on and dies
    away.
    """
    recent = train.take_last(profile.days)
    past, positions = _lay_on_clock(recent)
    per_day = recent.steps_per_day
    cycle = profile.cycle_days * per_day
    # From the newest value back in whole cycles, so that the last one is full.
    padded = np.concatenate([np.full(-len(past) % cycle, np.nan), past]).reshape(-1, cycle)
    ages = np.arange(len(padded))[::-1] * profile.cycle_days / 7
    weights = np.where(np.isfinite(padded), profile.keep ** ages[:, None], 0.0)
    sums, totals = (weights * np.nan_to_num(padded)).sum(axis=0), weights.sum(axis=0)
    means = np.divide(sums, totals, out=np.full(cycle, np.nan), where=totals > 0)
    line = _bridge_gaps(means[(positions - len(past)) % cycle], per_day)
    if not profile.persistence:
        return line
    gone = (padded - means).reshape(-1)[-8 * per_day :]
    halves = np.where(np.isfinite(gone), 0.5 ** (np.arange(len(gone))[::-1] / per_day), 0.0)
    deviation = (halves * np.nan_to_num(gone)).sum() / max(halves.sum(), 1e-12)
    return line + deviation * profile.persistence ** ((positions - len(past) + 1) / per_day)


@dataclass(frozen=True, slots=True)
class Season:
    """The same time of the year, give or take some days."""

    days: int


def repeat_season(train: Train, around: Season) -> Values:
    """Give the mean of earlier years within `days` of the same time of the year; daily steps."""
    ahead = np.arange(len(train.values), len(train.values) + len(train.future))
    years = [ahead - round(year * YEAR_DAYS) for year in range(1, 1 + int(train.days / YEAR_DAYS))]
    near = np.arange(-around.days, around.days + 1)
    places = np.stack([one[:, None] + near for one in years], axis=1).reshape(len(ahead), -1)
    usable = (places >= 0) & (places < len(train.values))
    found = np.where(usable, train.values[np.where(usable, places, 0)], np.nan)
    counts = np.isfinite(found).sum(axis=1)
    return np.divide(
        np.nansum(found, axis=1), counts, out=np.full(len(ahead), np.nan), where=counts > 0
    )


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
