import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tasks.forecast.parallel import spread_jobs

ROOT = Path(__file__).parents[3]


def look_around(_job: int) -> dict[str, object]:
    """Run in a worker: tell what it is."""
    process = multiprocessing.current_process()
    return {
        "kind": type(process).__name__,
        "prefect": "prefect" in sys.modules,
        "threads": os.environ["OPENBLAS_NUM_THREADS"],
        "folder": tempfile.gettempdir(),
        "pid": os.getpid(),
    }


def die_at_three(job: int) -> str:
    if job == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return f"done {job}"


class UnheardOfError(Exception):
    """An error that no list of expected ones names."""


def raise_at_three(job: int) -> object:
    if job == 3:
        msg = "never\nseen before"
        raise UnheardOfError(msg)
    return (lambda: job) if job == 4 else f"done {job}"  # a lambda cannot travel back


def double(job: int) -> int:
    return 2 * job


def rescue_with_nothing(_job: int, _reason: str) -> int:
    return 0


def rescue(job: int, reason: str) -> str:
    return f"rescued {job}: {reason}"


def tell_nothing(_job: int, _reason: str) -> dict[str, object]:
    return {}


def test_workers_start_clean_and_never_by_fork():
    told = [one for _, one in spread_jobs([1, 2, 3], look_around, rescue=tell_nothing, workers=2)]
    assert {one["kind"] for one in told} == {"ForkServerProcess"}
    assert {one["threads"] for one in told} == {"1"}
    assert os.getpid() not in {one["pid"] for one in told}


def test_the_workers_folder_goes_with_the_pool():
    ((_, told),) = spread_jobs([1], look_around, rescue=tell_nothing, workers=2)
    assert told["folder"] != tempfile.gettempdir()
    assert not Path(str(told["folder"])).exists()


def test_a_worker_does_not_load_the_main_module_again(tmp_path: Path):
    """As for `python -m flows.forecast`, whose main module imports Prefect."""
    (tmp_path / "story.py").write_text(
        "import sys, prefect\n"
        "from tasks.forecast.parallel import spread_jobs\n"
        "from tests.unit.forecast.test_parallel import look_around, tell_nothing\n"
        "if __name__ == '__main__':\n"
        "    told = list(spread_jobs([1, 2], look_around, rescue=tell_nothing, workers=1))\n"
        "    sys.exit(len(told) != 2 or any(one['prefect'] for _, one in told))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "story"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        check=False,
    )
    assert done.returncode == 0


def test_every_job_comes_back_with_its_own_result():
    told = list(spread_jobs(range(40), double, rescue=rescue_with_nothing, workers=2))
    assert sorted(told) == [(job, 2 * job) for job in range(40)]


def test_jobs_are_drawn_only_as_they_are_needed_and_in_their_order():
    drawn: list[int] = []

    def draw() -> Iterator[int]:
        for job in range(10_000):
            drawn.append(job)
            yield job

    with closing(spread_jobs(draw(), double, rescue=rescue_with_nothing, workers=2)) as told:
        first = list(itertools.islice(told, 100))
    assert drawn == list(range(len(drawn)))
    assert len(drawn) <= 100 + 2 * 2
    assert max(job for job, _ in first) <= 100 + 2 * 2


def test_who_stops_listening_ends_the_workers():
    told = spread_jobs(itertools.count(), double, rescue=rescue_with_nothing, workers=2)
    next(told)
    workers = multiprocessing.active_children()
    told.close()
    assert workers
    assert not [worker for worker in workers if worker.is_alive()]


def test_a_worker_that_dies_costs_only_its_own_job():
    told = dict(spread_jobs(range(6), die_at_three, rescue=rescue, workers=2))
    assert {job: told[job] for job in (0, 1, 2, 4, 5)} == {
        job: f"done {job}" for job in (0, 1, 2, 4, 5)
    }
    assert told[3].startswith("rescued 3: the worker process died")


def test_two_deaths_among_many_cost_two_jobs():
    jobs = [0, 3, *range(4, 30), 3, 30]
    told = list(spread_jobs(jobs, die_at_three, rescue=rescue, workers=2))
    assert sorted(job for job, _ in told) == sorted(jobs)
    assert [job for job, said in told if not said.startswith("done")] == [3, 3]


def test_a_job_that_raises_anything_costs_only_itself():
    told = dict(spread_jobs(range(5), raise_at_three, rescue=rescue, workers=2))
    assert {told[job] for job in range(3)} == {"done 0", "done 1", "done 2"}
    assert told[3] == "rescued 3: UnheardOfError: never seen before"
    assert str(told[4]).startswith("rescued 4: ")


def test_no_jobs_start_no_process():
    assert list(spread_jobs([], die_at_three, rescue=rescue)) == []
