"""Work spread over processes that start clean, and survive the death of one of them.

Never by fork: polars' and cmdstanpy's threads do not survive it, and the child waits for ever.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Final, TypeVar

from tasks.forecast.failures import tell_failure
from tasks.forecast.worker import start_worker

J = TypeVar("J")
R = TypeVar("R")

START_METHOD: Final = "forkserver" if sys.platform == "linux" else "spawn"
ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1"
)


def spread_jobs(
    jobs: Sequence[J],
    work: Callable[[J], R],
    *,
    rescue: Callable[[J, str], R],
    workers: int | None = None,
) -> Generator[R, None, None]:
    """Yield the result of every job once, as they finish; results come in no fixed order.

    A worker that dies (out of memory, say) takes the whole pool with it: what was not finished
    is done again one at a time, so that the guilty job is known. It goes to `rescue`, here, and
    so does one that raised whatever it was.

    Args:
        jobs: in the order they should start; the longest first keeps all workers busy.
        work: a module's function; it and the jobs travel to the workers.
        rescue: makes a result of a job that raised or whose worker died, and the reason.
        workers: processes; None is one per core.
    """
    at_once, unfinished = workers or os.cpu_count() or 1, list(jobs)
    with tempfile.TemporaryDirectory(prefix="forecast-") as scratch:
        size = len(unfinished)
        while unfinished:
            with _open_pool(min(at_once, size), scratch) as pool:
                done = yield from _run_batches(pool, unfinished, work, rescue=rescue, size=size)
            unfinished = [job for place, job in enumerate(unfinished) if place not in done]
            if unfinished and size == 1:
                yield rescue(unfinished.pop(0), "the worker process died; it may lack memory")
            size = 1


def _run_batches(
    pool: ProcessPoolExecutor,
    jobs: Sequence[J],
    work: Callable[[J], R],
    *,
    rescue: Callable[[J, str], R],
    size: int,
) -> Generator[R, None, set[int]]:
    """Yield what is finished before the pool breaks, if it does; return the finished places."""
    done: set[int] = set()
    for start in range(0, len(jobs), size):
        futures = _submit_jobs(pool, jobs[start : start + size], work)
        for future in as_completed(futures):
            failure, place = future.exception(), start + futures[future]
            if not isinstance(failure, BrokenProcessPool):
                done.add(place)
                yield rescue(jobs[place], tell_failure(failure)) if failure else future.result()
        if len(done) < min(start + size, len(jobs)):
            break
    return done


def _submit_jobs(
    pool: ProcessPoolExecutor, jobs: Sequence[J], work: Callable[[J], R]
) -> dict[Future[R], int]:
    """Submit jobs until the pool breaks, if it does; give their places among them."""
    places: dict[Future[R], int] = {}
    with _without_main(), suppress(BrokenProcessPool):
        for place, job in enumerate(jobs):
            places[pool.submit(work, job)] = place
    return places


@contextmanager
def _open_pool(workers: int, scratch: str) -> Generator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context(START_METHOD),
        initializer=start_worker,
        initargs=(scratch, ONE_THREAD),
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _without_main() -> Generator[None]:
    """Keep a new process from importing the parent's `__main__` again.

    `python -m flows.forecast` would load the flow, and Prefect, into every worker. Processes
    start within `submit`, so that is as long as it is needed.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
