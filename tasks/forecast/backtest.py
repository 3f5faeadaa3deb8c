"""What is fitted: three past windows of the production horizon, and the forecast itself."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tasks.forecast.members import choose_members
from tasks.forecast.train import Kind, Method, Train, Values

WINDOWS: Final = 3
CANDIDATES: Final = 6
"""Windows looked at; one whose truth is mostly a gap is skipped for an older one."""
LEAST_TRUTH: Final = 0.25

MEMBER_ERRORS: Final = (
    ValueError,
    ArithmeticError,
    LookupError,
    RuntimeError,
    OSError,
    MemoryError,
)
"""What numpy, Prophet and Stan raise for data they cannot fit; it costs the member, not the run."""


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
    """Give what was known at the origin of a window; 0 is the present."""
    if number == 0:
        return whole
    start = len(whole.values) - number * targets
    origin = start - lead
    future = whole.clock[origin : start + targets]
    return Train(whole.values[:origin], whole.clock[:origin], future, whole.step)


def measure_naive_errors(
    whole: Train, kind: Kind, *, numbers: Iterable[int], targets: int, lead: int
) -> Values:
    """Give the errors of the shortest naive in past windows, windows x targets."""
    methods = choose_members(kind, whole.step).values()
    naive = min((m for m in methods if m.naive), key=lambda m: m.needs_days)
    rows = []
    for number in numbers:
        start = len(whole.values) - number * targets
        if start - lead < naive.needs_days * whole.steps_per_day:
            break
        cut = cut_window(whole, number=number, targets=targets, lead=lead)
        said = naive.predict(cut, naive.options)[lead:]
        rows.append(said - whole.values[start : start + targets])
    return np.array(rows).reshape(-1, targets)


def applicable_methods(job: Job) -> dict[str, Method]:
    """Give the members whose least training span the job has."""
    members = choose_members(job.kind, job.train.step)
    return {name: method for name, method in members.items() if job.train.days >= method.needs_days}


def run_job(job: Job) -> JobResult:
    """Fit every applicable member; one that fails is recorded and the others go on."""
    fits = {name: _run_member(job, method) for name, method in applicable_methods(job).items()}
    return JobResult(job.series_id, job.window, fits)


def rescue_job(job: Job, failure: str) -> JobResult:
    """Run only the naives, in the caller's own process; the others get `failure`."""
    methods = applicable_methods(job)
    fits = {
        name: _run_member(job, method) if method.naive else Fit(None, 0.0, failure)
        for name, method in methods.items()
    }
    return JobResult(job.series_id, job.window, fits)


def _run_member(job: Job, method: Method) -> Fit:
    started = time.perf_counter()
    values, failure = None, None
    try:
        values = method.predict(job.train, method.options)[job.lead :]
    except MEMBER_ERRORS as error:
        failure = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return Fit(values, time.perf_counter() - started, failure)
