"""The door of the forecast room."""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Final

from httpx import HTTPError
from prefect import get_run_logger, task
from prefect.artifacts import ArtifactRequest
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.objects import Artifact
from prefect.runtime import flow_run, task_run

from tasks.common.accounts import timed
from tasks.common.changes import Changes, Past
from tasks.common.errors import RETRIED
from tasks.common.objects import open_store
from tasks.common.results import Forecasted, Transformed
from tasks.common.scores import UNSCORED, Scored
from tasks.common.settings import Settings, load_settings
from tasks.forecast.changes import count_causes, explain_changes, remake_points, tell_changed
from tasks.forecast.conclude import conclude_forecast
from tasks.forecast.fits import FitStore
from tasks.forecast.parallel import spread_jobs
from tasks.forecast.plan import Horizon, SeriesPlan, plan_series
from tasks.forecast.work import Done, How, Spread, count_work, do_work

Listener = Callable[[int, Counter[How]], None]
"""Told after every fit: how many there will be, and how many are made by how they came about."""

listener: Final[ContextVar[Listener]] = ContextVar("listener", default=lambda _total, _made: None)
"""Set by whoever runs the flow in this process and wants to show it."""

_WRITE_EVERY_S: Final = 2.0
_LOG_EVERY_S: Final = 30.0

retried_task = task(**RETRIED, retry_delay_seconds=[2, 4, 8], cache_policy=NO_CACHE)


@retried_task
@timed
def forecast(
    transformed: Transformed,
    *,
    scored: Scored = UNSCORED,
    horizon_days: int = 11,
    series: str = "*",
    deadline_minutes: float | None = None,
) -> Forecasted:
    """Forecast every series that can be, to the end of the day `horizon_days` after as_of.

    Every series ends with a status and a reason; one that fails never stops the others.
    `series` is a pattern on series_id. `scored` tells how what was published before turned out,
    which corrects the intervals. The same input gives the same numbers on one machine.

    Raises:
        ConfigurationError: `series` matches none, or a Dask worker would make other numbers.
        TransientError: the Dask cluster is out of reach.
    """
    started, settings = time.perf_counter(), load_settings()
    horizon = Horizon.of(transformed.as_of, horizon_days, settings)
    asked = {"horizon_days": horizon_days, "series": series, "deadline": deadline_minutes}
    plans = plan_series(transformed, horizon=horizon, pattern=series)
    get_run_logger().info("Forecasting %d series", len(plans))
    store = FitStore(
        open_store(transformed.output, settings), horizon.issued_on, transformed.dry_run
    )
    limit = started + 60 * (deadline_minutes or math.inf)
    done = _do_all(plans, store, settings, time_is_up=lambda: time.perf_counter() > limit)
    made = conclude_forecast(plans, done, horizon=horizon, asked=asked, scored=scored)
    get_run_logger().info("Ended %s", _count_statuses(made))
    return made


@retried_task
@timed
def compare(transformed: Transformed, forecasted: Forecasted, past: Past | None) -> Changes:
    """Tell what moved since the last run that readers were given, and why."""
    if past is None:
        return Changes(reason="There is no earlier run to compare with.")
    settings, days = load_settings(), int(forecasted.configuration["horizon_days"])
    find_horizon = partial(Horizon.of, horizon_days=days, settings=settings)
    issued_on = find_horizon(transformed.as_of).issued_on
    store = FitStore(open_store(transformed.output, settings), issued_on)
    with _open_spread(settings) as spread:
        do = partial(do_work, store=store, spread=spread, time_is_up=lambda: False)
        remake = partial(remake_points, find_horizon=find_horizon, do=do)
        moved = explain_changes(forecasted, transformed, past, remake=remake)
    get_run_logger().info("Causes of what moved since %s: %s", past.run.run_id, count_causes(moved))
    return Changes(past.run, moved, tell_changed(forecasted, past), seconds=past.seconds)


def _do_all(
    plans: Sequence[SeriesPlan],
    store: FitStore,
    settings: Settings,
    *,
    time_is_up: Callable[[], bool],
) -> list[Done]:
    with _open_spread(settings) as spread:
        work = do_work(plans, store, spread=spread, time_is_up=time_is_up)
        with closing(work):
            done = list(_show_progress(count_work(plans), work))
    for fault in store.faults:
        get_run_logger().warning("Fits are not remembered: %s", fault)
    return done


@contextmanager
def _open_spread(settings: Settings) -> Generator[Spread]:
    """Choose where fits run: processes of this machine, or the workers of a Dask cluster."""
    if settings.forecast_runner == "local":
        yield partial(spread_jobs, workers=settings.forecast_workers)
        return
    from prefect_dask import DaskTaskRunner  # noqa: PLC0415 - an extra

    from tasks.forecast.cluster import describe_cluster, spread_over  # noqa: PLC0415

    logging.getLogger("distributed").setLevel(logging.WARNING)  # it tells of every connection
    cluster = describe_cluster(settings.dask_address, settings.forecast_workers)
    with cluster as described, DaskTaskRunner(**described) as runner:
        yield partial(spread_over, connect=lambda: runner.client)


def _show_progress(total: int, done: Iterable[Done]) -> Iterator[Done]:
    """Pass fits on, and tell how many there are: the listener at once, others now and then."""
    made: Counter[How] = Counter()
    listen, written_at, logged_at = listener.get(), 0.0, time.monotonic()
    with _open_bar(empty=not total) as write:
        for one in done:
            yield one
            made[one.how] += 1
            listen(total, made)
            now, count = time.monotonic(), made.total()
            if now - written_at > _WRITE_EVERY_S or count == total:
                write(100 * count // total, f"{count} of {total} fits are made")
                written_at = now
            if now - logged_at > _LOG_EVERY_S:
                get_run_logger().info("%d of %d fits are made: %s", count, total, dict(made))
                logged_at = now


@contextmanager
def _open_bar(*, empty: bool) -> Generator[Callable[[int, str], None]]:
    """Give what moves the bar on Prefect's run page, as long as its server answers.

    By one client: Prefect's own functions open one a call and leave its socket behind.
    """
    artifact: Artifact | None = None
    place = {"task_run_id": task_run.id, "flow_run_id": flow_run.id}
    request = ArtifactRequest(
        type="progress", key="forecast-progress", data=100 if empty else 0, **place
    )

    def write(percent: int, told: str) -> None:
        nonlocal artifact
        try:
            if artifact:
                client.update_artifact(artifact.id, ArtifactUpdate(data=percent, description=told))
        except HTTPError:  # a server that restarts costs the bar, not the run
            artifact = None

    with get_client(sync_client=True) as client:
        with suppress(HTTPError):
            artifact = client.create_artifact(request)
        yield write


def _count_statuses(forecasted: Forecasted) -> str:
    counts = Counter(outcome.status for outcome in forecasted.outcomes)
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "none"
