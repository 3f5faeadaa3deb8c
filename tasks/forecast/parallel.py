"""Work spread over processes that start clean, and survive the death of one of them.

Never by fork: polars' and cmdstanpy's threads do not survive it, and the child waits for ever.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
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
    jobs: Iterable[J],
    work: Callable[[J], R],
    *,
    rescue: Callable[[J, str], R],
    workers: int | None = None,
) -> Generator[tuple[J, R], None, None]:
    """Yield every job once with its result, as they finish, in no fixed order.

    Jobs are drawn as they are needed: only a few are in memory, however many there are. A worker
    that dies (out of memory, say) takes the whole pool with it: what was at work is done again
    alone, so that the guilty job is known. It goes to `rescue`, here, and so does one that raised
    whatever it was.

    Args:
        jobs: in the order they should start.
        work: a module's function; it and the jobs travel to the workers.
        rescue: makes a result of a job that raised or whose worker died, and the reason.
        workers: processes; None is one per core.
    """
    at_once, waiting = workers or os.cpu_count() or 1, iter(jobs)
    # Stan's process may outlive its worker by a moment, and write there while it is removed.
    with tempfile.TemporaryDirectory(prefix="forecast-", ignore_cleanup_errors=True) as scratch:
        while drawn := list(islice(waiting, 1)):
            with _open_pool(at_once, scratch) as pool:
                rest = chain(drawn, waiting)
                suspects = yield from _run_jobs(pool, rest, work, rescue=rescue, room=2 * at_once)
            for job in suspects:
                with _open_pool(1, scratch) as pool:
                    guilty = yield from _run_jobs(pool, iter([job]), work, rescue=rescue, room=1)
                if guilty:
                    yield job, rescue(job, "the worker process died; it may lack memory")


def _run_jobs(
    pool: ProcessPoolExecutor,
    jobs: Iterator[J],
    work: Callable[[J], R],
    *,
    rescue: Callable[[J, str], R],
    room: int,
) -> Generator[tuple[J, R], None, list[J]]:
    """Yield what is finished until the pool breaks, if it does; return what was at work then."""
    at_work: dict[Future[R], J] = {}
    broken: list[J] = []
    while not broken:
        for job in islice(jobs, room - len(at_work)):
            try:
                with without_main():
                    at_work[pool.submit(work, job)] = job
            except BrokenProcessPool:
                broken.append(job)
        if not at_work:
            break
        for future in wait(at_work, return_when=FIRST_COMPLETED).done:
            job, failure = at_work.pop(future), future.exception()
            if isinstance(failure, BrokenProcessPool):
                broken.append(job)
            else:
                yield job, rescue(job, tell_failure(failure)) if failure else future.result()
    return [*broken, *at_work.values()]


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
def without_main() -> Generator[None]:
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
