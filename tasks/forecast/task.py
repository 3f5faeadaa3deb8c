"""The door of the forecast room."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing

from prefect import get_run_logger, task
from prefect.artifacts import ArtifactRequest
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.runtime import flow_run, task_run
from prefect.tasks import exponential_backoff

from tasks.common.errors import is_worth_retrying
from tasks.common.results import Forecasted, Transformed
from tasks.common.settings import load_settings
from tasks.forecast.backtest import Job, JobResult, run_job
from tasks.forecast.conclude import conclude_forecast, hash_configuration
from tasks.forecast.parallel import spread_jobs
from tasks.forecast.plan import Horizon, order_jobs, plan_series


@task(
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    retry_jitter_factor=0.5,
    retry_condition_fn=is_worth_retrying,
    cache_policy=NO_CACHE,
)
def forecast(transformed: Transformed, *, horizon_days: int = 11, series: str = "*") -> Forecasted:
    """Forecast every series that can be, to the end of the day `horizon_days` after as_of.

    Every series ends with a status and a reason; one that fails never stops the others.
    `series` is a pattern on series_id. The same input gives the same numbers on one machine.

    Raises:
        ConfigurationError: `series` matches none.
    """
    started, settings = time.perf_counter(), load_settings()
    horizon = Horizon.of(transformed.as_of, horizon_days, settings)
    plans = plan_series(transformed, horizon=horizon, pattern=series)
    jobs = order_jobs(plans)
    get_run_logger().info("Forecasting %d series by %d fits", len(plans), len(jobs))
    workers = settings.forecast_workers
    with closing(spread_jobs(jobs, run_job, rescue=run_job, workers=workers)) as spread:
        results = list(_show_progress(jobs, spread))
    told = hash_configuration(horizon_days=horizon_days, pattern=series, horizon=horizon)
    seconds = time.perf_counter() - started
    made = conclude_forecast(
        plans, results, horizon=horizon, config_hash=told, seconds=seconds, pattern=series
    )
    get_run_logger().info("Ended %s in %.1f s", _count_statuses(made), made.seconds)
    return made


def _show_progress(jobs: Iterable[Job], results: Iterable[JobResult]) -> Iterator[JobResult]:
    """Pass results on, and tell Prefect's run page how many series are finished.

    By one client: Prefect's own functions open one a call and leave its socket behind.
    """
    waiting = Counter(job.series_id for job in jobs)
    total, shown = len(waiting), 0
    with get_client(sync_client=True) as client:
        artifact = client.create_artifact(
            ArtifactRequest(
                type="progress",
                key="forecast-progress",
                data=0 if total else 100,
                task_run_id=task_run.id,
                flow_run_id=flow_run.id,
            )
        )
        for result in results:
            yield result
            waiting -= Counter([result.series_id])  # drops what has come to zero
            percent = 100 * (total - len(waiting)) // total
            if percent > shown:
                shown, told = percent, f"{total - len(waiting)} of {total} series are forecast"
                client.update_artifact(artifact.id, ArtifactUpdate(data=percent, description=told))


def _count_statuses(forecasted: Forecasted) -> str:
    counts = Counter(outcome.status for outcome in forecasted.outcomes)
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "none"
