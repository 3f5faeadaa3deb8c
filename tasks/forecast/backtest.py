"""What is fitted: three past windows of the production horizon, and the forecast itself."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tasks.forecast.failures import MEMBER_ERRORS, tell_failure
from tasks.forecast.history import hide_outliers
from tasks.forecast.members import choose_members
from tasks.forecast.train import Kind, Method, Train, Values

WINDOWS: Final = 3
CANDIDATES: Final = 6
"""Windows looked at; one whose truth is mostly a gap is skipped for an older one."""
LEAST_TRUTH: Final = 0.25


@dataclass(frozen=True, slots=True)
class Job:
    """One work item: all members of one series from one origin.

    Attributes:
        window: 0 is the forecast itself, 1 the latest backtest window, 2 the one before, ...
        lead: steps between the last value and the first target: the feed's lag, the same in
            every window.
    """

    series_id: str
    window: int
    kind: Kind
    train: Train
    lead: int

    @property
    def cost(self) -> int:
        """Rank it by the rows that its dearest member fits; the longest go first."""
        methods = applicable_methods(self).values()
        days = max((min(self.train.days, method.fits_days) for method in methods), default=0)
        return round(days * self.train.steps_per_day)


@dataclass(frozen=True, slots=True)
class Fit:
    """What one member made of one job: values by target, or the reason why not."""

    values: Values | None
    seconds: float
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class JobResult:
    """What all members made of one job."""

    series_id: str
    window: int
    fits: Mapping[str, Fit]


def find_windows(values: Values, *, targets: int, lead: int, least: int) -> tuple[int, ...]:
    """List the numbers of the backtest's windows, latest (1) first, at most three.

    Window k forecasts the k-th last block of `targets` values from an origin `lead` steps
    before it, so windows never overlap. Each leaves at least `least` steps to train on, and at
    least a quarter of its truth is known.
    """
    found = []
    for number in range(1, CANDIDATES + 1):
        start = len(values) - number * targets
        truth = values[max(0, start) : start + targets]
        if start - lead < least:
            break
        if np.isfinite(truth).mean() >= LEAST_TRUTH:
            found.append(number)
    return tuple(found[:WINDOWS])


def cut_window(whole: Train, *, number: int, targets: int, lead: int) -> Train:
    """Give what was known at the origin of a window; 0 is the present.

    Outliers are told by that alone, or the window's own truth would say what they are.
    """
    clock = np.concatenate([whole.clock, whole.future])
    start = len(whole.values) + (lead if number == 0 else -number * targets)
    origin, end = start - lead, start + targets
    values = hide_outliers(whole.values[:origin])
    return Train(values, clock[:origin], clock[origin:end], whole.step)


def cut_truth(whole: Train, *, numbers: Iterable[int], targets: int) -> Values:
    """Give what then happened in each window, windows x targets; NaN unknown or an outlier."""
    values = hide_outliers(whole.values)
    starts = [len(values) - number * targets for number in numbers]
    rows = [values[start : start + targets] for start in starts]
    return np.array(rows).reshape(-1, targets)


def measure_naive_errors(
    whole: Train, kind: Kind, *, numbers: Iterable[int], targets: int, lead: int
) -> Values:
    """Give the errors of the shortest naive in past windows, windows x targets."""
    methods = choose_members(kind, whole.step).values()
    naive = min((m for m in methods if m.naive), key=lambda m: m.needs_days)
    least = naive.needs_days * whole.steps_per_day + lead
    past = [n for n in numbers if len(whole.values) - n * targets >= least]
    cuts = [cut_window(whole, number=n, targets=targets, lead=lead) for n in past]
    said = [naive.predict(cut, naive.options)[lead:] for cut in cuts]
    truth = cut_truth(whole, numbers=past, targets=targets)
    return np.array(said).reshape(-1, targets) - truth


def applicable_methods(job: Job) -> dict[str, Method]:
    """Give the members whose least training span the job has."""
    members = choose_members(job.kind, job.train.step)
    return {name: method for name, method in members.items() if job.train.days >= method.needs_days}


def run_job(job: Job, failure: str | None = None) -> JobResult:
    """Fit every applicable member; one that fails is recorded and the others go on.

    With a `failure` of an earlier try only the naives are run; it is recorded for the others.
    """
    fits = {
        name: Fit(None, 0.0, failure) if failure and not method.naive else _run_member(job, method)
        for name, method in applicable_methods(job).items()
    }
    return JobResult(job.series_id, job.window, fits)


def _run_member(job: Job, method: Method) -> Fit:
    started = time.perf_counter()
    values, failure = None, None
    try:
        values = method.predict(job.train, method.options)[job.lead :]
    except MEMBER_ERRORS as error:
        failure = tell_failure(error)
    return Fit(values, time.perf_counter() - started, failure)
