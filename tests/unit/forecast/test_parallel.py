import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
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


def rescue(job: int, reason: str) -> str:
    return f"rescued {job}: {reason}"


def tell_nothing(_job: int, _reason: str) -> dict[str, object]:
    return {}


def test_workers_start_clean_and_never_by_fork():
    told = list(spread_jobs([1, 2, 3], look_around, rescue=tell_nothing, workers=2))
    assert {one["kind"] for one in told} == {"ForkServerProcess"}
    assert {one["threads"] for one in told} == {"1"}
    assert os.getpid() not in {one["pid"] for one in told}


def test_the_workers_folder_goes_with_the_pool():
    (told,) = spread_jobs([1], look_around, rescue=tell_nothing, workers=2)
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
        "    sys.exit(any(one['prefect'] for one in told))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "story"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        check=False,
    )
    assert done.returncode == 0


def test_a_worker_that_dies_costs_only_its_own_job():
    told = sorted(spread_jobs(list(range(6)), die_at_three, rescue=rescue, workers=2))
    assert told[:5] == ["done 0", "done 1", "done 2", "done 4", "done 5"]
    assert told[5].startswith("rescued 3: the worker process died")


def test_a_job_that_raises_anything_costs_only_itself():
    told = sorted(spread_jobs(list(range(5)), raise_at_three, rescue=rescue, workers=2), key=str)
    assert told[:3] == ["done 0", "done 1", "done 2"]
    assert told[3] == "rescued 3: UnheardOfError: never seen before"
    assert str(told[4]).startswith("rescued 4: ")


def test_no_jobs_start_no_process():
    assert list(spread_jobs([], die_at_three, rescue=rescue)) == []
