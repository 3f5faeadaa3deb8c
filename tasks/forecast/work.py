"""All the work of a run: copies at once, fits recalled or spread over workers until time is up."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from tasks.forecast.backtest import Fit, Job, fail_job, run_job
from tasks.forecast.fits import FitStore, name_fit
from tasks.forecast.plan import SeriesPlan, list_jobs

How = Literal["copied", "recalled", "fitted", "left"]

PORTIONS: Final = 20
"""Fits are kept in so many portions: a run that is killed loses at most the last one."""


class Spread(Protocol):
    """Runs jobs somewhere and gives each back once with its fit, in any order."""

    def __call__(
        self,
        jobs: Iterator[Job],
        work: Callable[[Job], Fit],
        *,
        rescue: Callable[[Job, str], Fit],
    ) -> Generator[tuple[Job, Fit]]:
        """Spread them."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """One fit: what was asked for and how it came about."""

    series_id: str
    window: int
    member: str
    fit: Fit
    how: How


def count_work(plans: Iterable[SeriesPlan]) -> int:
    """Count what `do_work` will yield."""
    return sum(len(plan.list_members()) for plan in plans)


def do_work(
    plans: Sequence[SeriesPlan],
    store: FitStore,
    *,
    spread: Spread,
    time_is_up: Callable[[], bool],
) -> Generator[Done]:
    """Yield every fit of every plan once: naives of all series first, then members by value.

    What is not fitted when time is up is yielded as left, with the reason; so there is always
    something complete to publish.
    """
    for plan, window, member in list_jobs(plans, fitted=False):
        job = plan.make_job(window, member)
        yield Done(job.series_id, window, member, run_job(job), "copied")
    missing = {
        (plan.series_id, window, member): (name_fit(plan.make_job(window, member)), plan)
        for plan, window, member in list_jobs(plans, fitted=True)
    }
    known = store.recall({name for name, _ in missing.values()})
    for key in [key for key, (name, _) in missing.items() if name in known]:
        name, _ = missing.pop(key)
        yield Done(*key, known[name], "recalled")
    yield from _fit_missing(missing, store, spread, time_is_up)


def _fit_missing(
    missing: dict[tuple[str, int, str], tuple[str, SeriesPlan]],
    store: FitStore,
    spread: Spread,
    time_is_up: Callable[[], bool],
) -> Generator[Done]:
    portion = max(50, len(missing) // PORTIONS)
    jobs = (plan.make_job(*key[1:]) for key, (_, plan) in list(missing.items()))
    fresh: dict[str, Fit] = {}
    try:
        for job, fit in spread(jobs, run_job, rescue=fail_job):
            name, _ = missing.pop((job.series_id, job.window, job.member))
            fresh[name] = fit
            yield Done(job.series_id, job.window, job.member, fit, "fitted")
            if len(fresh) >= portion:
                store.keep(fresh)
                fresh = {}
            if time_is_up():
                break
    finally:
        store.keep(fresh)
    left = Fit(None, 0.0, "it was not fitted before the deadline")
    yield from (Done(*key, left, "left") for key in missing)
