"""The door of the room: history and forecasts into MongoDB, published as one run."""

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.tasks import exponential_backoff

from tasks.common.errors import is_worth_retrying
from tasks.common.mongo import connect, database
from tasks.common.objects import open_store
from tasks.common.results import Forecasted, Transformed, Written
from tasks.common.settings import load_settings
from tasks.upsert.run import plan_run, write_run


@task(
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=10),
    retry_jitter_factor=0.5,
    retry_condition_fn=is_worth_retrying,
    cache_policy=NO_CACHE,
)
def upsert(transformed: Transformed, forecasted: Forecasted) -> Written:
    """Store stations, observations and forecasts, and publish the run; again changes nothing.

    A dry run needs no MongoDB: it names the run and writes nothing.
    """
    if transformed.dry_run:
        return plan_run(transformed, forecasted)
    settings = load_settings()
    store = open_store(transformed.output, settings)
    with connect(settings) as client:
        written = write_run(
            database(client, settings),
            transformed,
            forecasted,
            fetch=lambda file: store.get_bytes(file.key, sha256=file.sha256),
            settings=settings,
        )
    for name, counts in written.counts.items():
        get_run_logger().info("%s: %s", name, counts)
    return written
