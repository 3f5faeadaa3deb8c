"""The door of extract: from the lake's objects to readings, spilled by source and month."""

from datetime import UTC, datetime

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.tasks import exponential_backoff

from tasks.common.errors import is_worth_retrying
from tasks.common.results import Extracted
from tasks.common.settings import load_settings
from tasks.extract.harvest import harvest_lake
from tasks.extract.summary import describe_objects


@task(
    retries=3,
    retry_delay_seconds=exponential_backoff(backoff_factor=5),
    retry_jitter_factor=0.5,
    retry_condition_fn=is_worth_retrying,
    cache_policy=NO_CACHE,
)
def extract(
    *, lake: str | None = None, as_of: datetime | None = None, dry_run: bool = False
) -> Extracted:
    """Read every unread object of the lake; see `harvest_lake`.

    Without `as_of` the run is issued at the hour of its scheduled start: a run that is started
    again within the hour is the same run.
    """
    settings = load_settings()
    issued_at = as_of or floor_to_hour(flow_run.scheduled_start_time)
    extracted = harvest_lake(lake or settings.lake_uri, settings, as_of=issued_at, dry_run=dry_run)
    for sentence in describe_objects(extracted):
        get_run_logger().info(sentence)
    return extracted


def floor_to_hour(start: datetime) -> datetime:
    """Give the hour an instant lies in, as a plain UTC datetime.

    Prefect's instants are pendulum's: after `astimezone(datetime.UTC)` their arithmetic drops the
    zone.
    """
    return datetime.fromtimestamp(start.timestamp() // 3600 * 3600, UTC)
