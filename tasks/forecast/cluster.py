"""Work spread over the workers of a Dask cluster, with the promises of `parallel.spread_jobs`.

The only file that knows Dask. A worker is a process with one thread that runs this very program;
fits are named by what decides their numbers, so one that would make others is refused.
"""

import os
import tempfile
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from distributed import Client, Future, KilledWorker, Worker, get_worker, wait

from tasks.common.errors import ConfigurationError, TransientError
from tasks.forecast.failures import tell_failure
from tasks.forecast.fits import name_code
from tasks.forecast.parallel import ONE_THREAD, without_main
from tasks.forecast.worker import start_worker

J = TypeVar("J")
R = TypeVar("R")
There = Callable[[Collection[J]], tuple[list[R], float]]

PER_WORKER: Final = 4
"""Batches in flight: one at work, the others hide the way there and back."""
UNABLE: Final = "cannot load this program ({}); give it the image of this run"
BATCH_S: Final = 0.25
BATCH_JOBS: Final = 16
"""Dask takes some 5 ms a batch, and many fits less: they travel together."""
PATIENCE_S: Final = 60
"""How long a cluster may be without any worker."""


@contextmanager
def describe_cluster(address: str | None, workers: int | None) -> Generator[dict[str, Any]]:
    """Say in the words of prefect-dask's task runner where the workers are.

    Without an address they are `workers` processes of this machine, one per core by default, that
    live as long as the runner. They start by spawn, with one BLAS thread, and their files go with
    this context.
    """
    if address:
        yield {"address": address}
        return
    with tempfile.TemporaryDirectory(prefix="forecast-", ignore_cleanup_errors=True) as scratch:
        local = {
            "n_workers": workers or os.cpu_count() or 1,
            "threads_per_worker": 1,
            "memory_limit": None,  # as for the local pool, that is the machine's to say
            "dashboard_address": "127.0.0.1:0",
            "scheduler_kwargs": {"allowed_failures": 0, "dashboard": False},
            "local_directory": scratch,
            "env": ONE_THREAD,
        }
        yield {"cluster_class": "distributed.LocalCluster", "cluster_kwargs": local}


def spread_over(
    jobs: Iterable[J],
    work: Callable[[J], R],
    *,
    rescue: Callable[[J, str], R],
    connect: Callable[[], Client],
) -> Generator[tuple[J, R], None, None]:
    """Yield every job once with its result, as they finish, in no fixed order.

    Jobs are drawn as they are needed, a few batches per worker, and their arrays travel once. A
    batch with one that raises is done again job by job: that one goes to `rescue`, here. Jobs
    whose worker died as often as the scheduler allows are done again, each alone, at the end: the
    guilty one goes to `rescue` then. What is in flight when the generator is closed is cancelled.

    Args:
        jobs: in the order they should start.
        work: a module's function.
        rescue: makes a result of a job that raised or whose worker died, and the reason.
        connect: opens the client, once there is a first job.

    Raises:
        ConfigurationError: a worker would make other numbers.
        TransientError: the scheduler or all workers are out of reach.
    """
    waiting = iter(jobs)
    if not (drawn := list(islice(waiting, 1))):
        return
    client, there = _open_client(connect), partial(_do_batch, work, name_code())
    suspects = yield from _run_jobs(client, _Queue(chain(drawn, waiting)), there, rescue=rescue)
    for job in suspects:
        if (yield from _run_jobs(client, _Queue(iter([job])), there, rescue=rescue)):
            yield job, rescue(job, "the worker process died; it may lack memory")


def prepare_worker(program: str, dask_worker: Worker) -> str | None:
    """Give the worker that this runs on the start of a local one.

    Returns:
        Why it would make other numbers than `program`, or disturb itself, if it would.
    """
    if (threads := dask_worker.state.nthreads) != 1:
        return f"has {threads} threads, and fits want one; start it with --nthreads 1"
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        return "has many BLAS threads; start it with its nanny, or OPENBLAS_NUM_THREADS=1"
    if (found := name_code()) != program:
        return f"runs {found!r}, not {program!r}; give it the image of this run"
    scratch = Path(dask_worker.local_directory, "forecast")
    scratch.mkdir(exist_ok=True)
    start_worker(str(scratch), ONE_THREAD)
    return None


def _do_batch(work: Callable[[J], R], program: str, batch: Collection[J]) -> tuple[list[R], float]:
    """Run in a worker, perhaps in one that came later than the others; also the seconds taken."""
    worker = get_worker()
    if fault := prepare_worker(program, worker):
        msg = f"The Dask worker {worker.address} {fault}."
        raise ConfigurationError(msg)
    started = time.perf_counter()
    results = [work(job) for job in batch]
    return results, time.perf_counter() - started


def _open_client(connect: Callable[[], Client]) -> Client:
    try:
        with without_main():
            client = connect()
        client.wait_for_workers(1, timeout=PATIENCE_S)
        client.run_on_scheduler(name_code)  # jobs are unpickled there, too
        faults = client.run(prepare_worker, name_code(), on_error="return")
    except OSError as error:
        msg = f"The Dask cluster is out of reach ({tell_failure(error)}): start it or correct "
        raise TransientError(msg + "DASK_ADDRESS.") from error
    except (ImportError, AttributeError) as error:
        msg = f"The Dask scheduler {UNABLE.format(error)}."
        raise ConfigurationError(msg) from None
    for worker, told in faults.items():
        unable = UNABLE.format(told)
        if told:
            msg = f"The Dask worker {worker} {unable if isinstance(told, Exception) else told}."
            raise ConfigurationError(msg)
    return client


@dataclass
class _Queue(Generic[J]):
    """Jobs that were not begun, drawn in batches; those to be done again come one by one."""

    jobs: Iterator[J]
    again: list[J] = field(default_factory=list)
    size: int = 1

    def draw(self) -> list[J]:
        return [self.again.pop()] if self.again else list(islice(self.jobs, self.size))

    def learn(self, jobs: int, seconds: float) -> None:
        """Choose how many travel together by what so many took."""
        fitting = int(jobs * BATCH_S / max(seconds, 1e-9))
        self.size = max(1, min(2 * jobs, BATCH_JOBS, fitting))


def _run_jobs(
    client: Client, queue: _Queue[J], there: There[J, R], *, rescue: Callable[[J, str], R]
) -> Generator[tuple[J, R], None, list[J]]:
    """Yield what is finished; return what killed a worker, or was beside what did."""
    at_work: dict[Future, list[J]] = {}
    suspects: list[J] = []
    try:
        while _send_some(client, queue, there, at_work):
            for future in _wait_for_some(client, at_work):
                batch = at_work.pop(future)
                for results, seconds in client.gather([future], errors="skip"):
                    queue.learn(len(batch), seconds)
                    yield from zip(batch, results, strict=True)
                failure = future.exception()
                if failure and len(batch) > 1:
                    queue.again += batch
                elif isinstance(failure, KilledWorker):
                    suspects += batch
                elif failure:
                    yield batch[0], rescue(batch[0], tell_failure(failure))
    finally:
        client.cancel(list(at_work))
    return suspects


def _send_some(
    client: Client, queue: _Queue[J], there: There[J, R], at_work: dict[Future, list[J]]
) -> bool:
    """Keep every worker supplied; tell whether anything is at work."""
    room = PER_WORKER * max(1, _count_workers(client))
    while len(at_work) < room and (batch := queue.draw()):
        at_work[client.submit(there, batch, pure=False)] = batch
    return bool(at_work)


def _wait_for_some(client: Client, at_work: Collection[Future]) -> Collection[Future]:
    """Give those that are finished, none if it takes long.

    Raises:
        ConfigurationError: a worker refused itself.
        TransientError: nobody is there to finish them.
    """
    lost = "Run again when it is back: what was fitted is kept."
    try:
        with client.as_current():
            done = wait(list(at_work), timeout=PATIENCE_S, return_when="FIRST_COMPLETED").done
    except TimeoutError:
        if _count_workers(client):
            return ()
        msg = f"The Dask cluster has had no worker for {PATIENCE_S} s. {lost}"
        raise TransientError(msg) from None
    except CancelledError as error:
        msg = f"The Dask cluster lost its scheduler ({tell_failure(error)}). {lost}"
        raise TransientError(msg) from None
    for failure in (future.exception() for future in done):
        if isinstance(failure, ConfigurationError):
            raise failure
    return done


def _count_workers(client: Client) -> int:
    return client.scheduler_info(n_workers=0)["n_workers"]
