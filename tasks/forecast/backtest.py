"""What is fitted: past windows of the production horizon, and the forecast itself.

A window's origin is an issue time of the past, whole weeks ago for what is issued weekly: what was
fitted then is what the backtest asks for now, so the usual week fits only the newest origin (the
rest is remembered, see fits.py).
"""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tasks.forecast.circle import turn_towards
from tasks.forecast.failures import MEMBER_ERRORS, tell_failure
from tasks.forecast.history import hide_outliers
from tasks.forecast.members import choose_members
from tasks.forecast.train import Explained, Kind, Train, Values, take_values

HORIZONS: Final = 3
"""The windows together span so many horizons."""
LEAST_TRUTH: Final = 0.25


@dataclass(frozen=True, slots=True)
class Frame:
    """How issue times lie on the grid, in steps.

    Attributes:
        targets: steps to forecast.
        lead: steps between the last value and the first target: the feed's lag, the same in
            every window.
        spacing: distance between the issue times of two windows.
    """

    targets: int
    lead: int
    spacing: int

    @staticmethod
    def weekly(targets: int, lead: int, steps_per_day: int) -> "Frame":
        """Issue every week; every so many that not more than half a horizon overlaps."""
        week = 7 * steps_per_day
        return Frame(targets, lead, week * max(1, math.ceil(targets / (2 * week))))

    @property
    def windows(self) -> int:
        """Count the windows that are wanted."""
        return math.ceil(HORIZONS * self.targets / self.spacing)

    def find_start(self, rows: int, window: int) -> int:
        """Give the place of a window's first target, after `rows` values; 0 is the present."""
        return rows + self.lead - window * self.spacing


@dataclass(frozen=True, slots=True)
class Job:
    """One work item: one member of one series from one origin.

    Attributes:
        window: 0 is the forecast itself, 1 the latest backtest window, 2 the one before, ...
    """

    series_id: str
    window: int
    member: str
    kind: Kind
    train: Train
    lead: int


@dataclass(frozen=True, slots=True)
class Fit:
    """What a member made of a job: values by target, or the reason why not."""

    values: Values | None
    seconds: float
    failure: str | None = None
    components: dict[str, Values] = field(default_factory=dict)


def find_windows(values: Values, frame: Frame, *, least: int) -> tuple[int, ...]:
    """List the numbers of the backtest's windows, latest (1) first.

    Each leaves at least `least` steps to train on, and at least a quarter of its truth is known:
    the latest may not be over yet. One whose truth is a gap is skipped for an older one.
    """
    found = []
    for number in range(1, 2 * frame.windows + 1):
        start = frame.find_start(len(values), number)
        if start - frame.lead < least:
            break
        known = np.isfinite(values[start : start + frame.targets]).sum()
        if known >= LEAST_TRUTH * frame.targets:
            found.append(number)
    return tuple(found[: frame.windows])


def cut_window(whole: Train, frame: Frame, window: int) -> Train:
    """Give what was known at the origin of a window; 0 is the present.

    Outliers are told by that alone, or the window's own truth would say what they are. The
    weather is as old as it is at present.
    """
    clock = np.concatenate([whole.clock, whole.future])
    start = frame.find_start(len(whole.values), window)
    origin, end = start - frame.lead, start + frame.targets
    weather = whole.weather
    if weather is not None:
        day, today = clock[[start, frame.find_start(len(whole.values), 0)]].astype("datetime64[D]")
        weather = weather.back(today - day)
    values = hide_outliers(whole.values[:origin])
    return Train(values, clock[:origin], clock[origin:end], whole.step, weather)


def cut_truth(whole: Train, frame: Frame, windows: Iterable[int]) -> Values:
    """Give what then happened in each window, windows x targets; NaN unknown or an outlier."""
    known = hide_outliers(whole.values)
    ahead = np.full(frame.lead + frame.targets, np.nan)  # the latest may begin after all values
    values = np.concatenate([known, ahead])
    starts = [frame.find_start(len(known), window) for window in windows]
    rows = [values[start : start + frame.targets] for start in starts]
    return np.array(rows).reshape(-1, frame.targets)


def measure_naive_errors(
    whole: Train, kind: Kind, frame: Frame, *, windows: Iterable[int]
) -> Values:
    """Give the errors of the shortest naive in past windows, windows x targets."""
    methods = choose_members(kind, whole.step).values()
    naive = min((m for m in methods if m.naive), key=lambda m: m.needs_days)
    least = naive.needs_days * whole.steps_per_day + frame.lead
    rows = len(whole.values)
    past = [number for number in windows if frame.find_start(rows, number) >= least]
    cuts = [cut_window(whole, frame, number) for number in past]
    said = np.array([naive.tell(cut)[frame.lead :] for cut in cuts]).reshape(-1, frame.targets)
    truth = cut_truth(whole, frame, past)
    return (turn_towards(said, truth) if kind == "direction" else said) - truth


def run_job(job: Job) -> Fit:
    """Fit one member; one that fails is recorded, and stops nothing."""
    method = choose_members(job.kind, job.train.step)[job.member]
    started = time.perf_counter()
    values, components, failure = None, {}, None
    try:
        told = method.predict(job.train, method.options)
        components = told.components if isinstance(told, Explained) else {}
        values = take_values(told)[job.lead :]
    except MEMBER_ERRORS as error:
        failure = tell_failure(error)
    cut = {name: term[job.lead :] for name, term in components.items()}
    return Fit(values, time.perf_counter() - started, failure, cut)


def fail_job(_: Job, reason: str) -> Fit:
    """Record that a job could not be run at all."""
    return Fit(None, 0.0, reason)
