"""Fits on a real Dask cluster: a scheduler and two workers on loopback, as in the how-to."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import dask
import pytest
from distributed import Client, LocalCluster
from prefect import flow
from prefect_dask import DaskTaskRunner

from tasks.common.errors import ConfigurationError, TransientError
from tasks.common.results import Forecasted, Transformed
from tasks.forecast.cluster import describe_cluster, spread_over
from tasks.forecast.task import forecast
from tests.fixtures.object_servers import find_free_ports
from tests.flows.command import read_fence, type_line
from tests.shell import BASH, PREFECT_HOME, ROOT, documented, inherit, make_checkout
from tests.unit.forecast.series import (
    DEMAND,
    TEMPERATURE,
    forecast_here,
    give_demand,
    give_temperature,
    give_transformed,
)
from tests.unit.forecast.test_parallel import die_at_three, raise_at_three, rescue

PARTS = {DEMAND: give_demand(40), TEMPERATURE: give_temperature(40)}


@contextmanager
def running(line: str, checkout: Path) -> Generator[subprocess.Popen[bytes]]:
    with (checkout / "log").open("ab") as out:
        process = subprocess.Popen(
            (*BASH, line),
            cwd=checkout,
            env=inherit() | {"DASK_TEMPORARY_DIRECTORY": str(checkout)},
            stdout=out,
            stderr=out,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp("dask"))


@pytest.fixture(scope="module")
def address(checkout: Path) -> Iterator[str]:
    (port,) = find_free_ports(1)
    scheduler = documented(".venv/bin/python -m dask scheduler --host 127.0.0.1 --port 8786")
    worker = documented(
        ".venv/bin/python -m dask worker tcp://127.0.0.1:8786 --nthreads 1 --nworkers 2"
    )
    with (
        running(scheduler.replace("8786", str(port)), checkout),
        running(worker.replace("8786", str(port)), checkout),
    ):
        yield f"tcp://127.0.0.1:{port}"


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


@pytest.fixture(scope="module")
def here() -> Forecasted:
    return forecast_here(give_transformed(PARTS))


@flow
def run_room(transformed: Transformed) -> Forecasted:
    return forecast(transformed)


def give_input(output: str) -> Transformed:
    """Keep fits in a store of the test's own, so that none is recalled."""
    return replace(give_transformed(PARTS), output=f"memory://{output}")


def choose_dask(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in {"FORECAST_RUNNER": "dask", **settings}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("prefect_server")
def test_a_cluster_forecasts_what_one_process_does(
    client: Client, address: str, here: Forecasted, monkeypatch: pytest.MonkeyPatch
):
    choose_dask(monkeypatch, DASK_ADDRESS=address)
    made = run_room(give_input("dask"))
    assert made.points.equals(here.points)
    assert made.fits == here.fits
    folders = client.run(tempfile.gettempdir).values()
    assert len({Path(one) for one in folders if one.endswith("/forecast")}) == 2


@pytest.fixture
def garden(checkout: Path) -> Path:
    """Land thirty days of one thermometer, by the declaration of the how-to, an hour a step."""
    declared = read_fence(ROOT / "docs/how-to/add-a-source.md", "yaml").replace("PT5M", "PT1H")
    landed = checkout / "raw/garden/GARDEN1/hours.csv"
    for path in (checkout / "sources/garden.yaml", landed):
        path.parent.mkdir(parents=True)
    (checkout / "sources/garden.yaml").write_text(declared)
    now = datetime.now(ZoneInfo("Europe/Paris"))
    hours = [(now - timedelta(hours=hour)) for hour in range(24 * 30, 0, -1)]
    rows = [f"{at:%d/%m/%Y %H}:00;{50 + at.hour % 12 + at.day / 10};n/a;n/a" for at in hours]
    landed.write_text("\n".join(["when;temp;hum;gust", *rows]))
    return checkout


def test_a_run_by_command_is_fitted_on_the_cluster(address: str, garden: Path):
    line = documented(
        "FORECAST_RUNNER=dask DASK_ADDRESS=tcp://127.0.0.1:8786 "
        ".venv/bin/python -m flows.forecast --dry-run"
    )
    before = (garden / "log").read_text().count("Receive client connection")
    line = line.replace("tcp://127.0.0.1:8786", address)
    ran = type_line(line, cwd=garden, LAKE_URI="raw", SOURCES_DIR="sources")
    assert (ran.code in (0, 3), "fitted" in ran.out) == (True, True), ran.err
    assert (garden / "log").read_text().count("Receive client connection") == before + 1


@pytest.mark.usefixtures("prefect_server")
def test_a_run_is_complete_though_a_worker_is_killed_in_the_middle(
    client: Client, address: str, here: Forecasted, monkeypatch: pytest.MonkeyPatch
):
    before, killed = client.run(os.getpid), list[int]()

    def kill_one_at_work() -> None:
        while not killed:
            busy = [worker for worker, keys in client.processing().items() if keys]
            killed.extend(before[worker] for worker in busy[:1])
        os.kill(killed[0], signal.SIGKILL)

    choose_dask(monkeypatch, DASK_ADDRESS=address)
    killer = threading.Thread(target=kill_one_at_work)
    killer.start()
    made = run_room(give_input("killed"))
    killer.join()
    assert made.points.equals(here.points)
    client.wait_for_workers(2, timeout=60)
    assert killed[0] not in client.run(os.getpid).values()


@pytest.mark.usefixtures("prefect_server")
def test_without_an_address_a_cluster_of_this_machine_lives_as_long_as_the_task(
    here: Forecasted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    choose_dask(monkeypatch, FORECAST_WORKERS="2")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = run_room(give_input("temporary"))
    assert made.points.equals(here.points)
    assert made.fits == here.fits
    assert list(tmp_path.glob("forecast-*")) == []


def spread(client: Client) -> Callable[..., Generator[tuple[int, object]]]:
    return partial(spread_over, rescue=rescue, connect=lambda: client)


# The guilty job comes late, when batches have grown.
def test_a_job_that_raises_costs_only_itself(client: Client):
    told = dict(spread(client)(range(40, -1, -1), raise_at_three))
    assert told.pop(3) == "rescued 3: UnheardOfError: never seen before"
    assert callable(told.pop(4))
    assert told == {job: f"done {job}" for job in range(41) if job not in (3, 4)}


def test_a_job_that_kills_its_worker_costs_only_itself():
    with describe_cluster(None, 1) as described, DaskTaskRunner(**described) as runner:
        told = dict(spread(runner.client)(range(20, -1, -1), die_at_three))
    assert told.pop(3) == "rescued 3: the worker process died; it may lack memory"
    assert told == {job: f"done {job}" for job in range(21) if job != 3}


def test_closing_early_cancels_what_is_pending_and_few_were_drawn(client: Client):
    drawn = count()
    told = spread(client)((0.5 for _ in drawn), time.sleep)
    next(told)
    told.close()
    assert next(drawn) <= 2 * 4 + 2
    deadline = time.monotonic() + 1  # what was drawn would take two
    while any(client.processing().values()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(client.processing().values())


def test_no_jobs_need_no_cluster():
    assert list(spread_over([], time.sleep, rescue=rescue, connect=pytest.fail)) == []


def test_a_worker_of_many_threads_is_refused():
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
        pytest.raises(ConfigurationError, match=r"has 2 threads.*start it with --nthreads 1"),
    ):
        next(spread(client)([1], time.sleep))


def test_an_absent_scheduler_is_worth_another_try():
    nobody = partial(Client, "tcp://127.0.0.1:9", set_as_default=False)
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(TransientError, match=r"out of reach.*correct DASK_ADDRESS"),
    ):
        next(spread_over([1], time.sleep, rescue=rescue, connect=nobody))


def test_the_extra_is_asked_for_before_anything_is_read(tmp_path: Path):
    program = (
        "import runpy, sys; sys.modules['prefect_dask'] = None; "
        "runpy.run_module('flows.forecast', run_name='__main__')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(PREFECT_HOME), "FORECAST_RUNNER": "dask"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "FORECAST_RUNNER is 'dask': " in ran.stderr
    assert "needs the extra `dask`" in ran.stderr
