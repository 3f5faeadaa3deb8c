"""The door of extract: objects of the lake become readings, those of its processed layer files."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from tasks.common.accounts import timed
from tasks.common.errors import RETRIED
from tasks.common.manifests import STATIONS
from tasks.common.migration import Fetched, Item, Mode, Plan, Selection
from tasks.common.objects import open_store, resolve_output
from tasks.common.results import Extracted
from tasks.common.settings import load_settings
from tasks.extract.harvest import harvest_lake
from tasks.extract.processed import (
    PROCESSED,
    fetch_items,
    list_processed,
    list_rejected,
    select,
)

retried_task = task(**RETRIED, retry_delay_seconds=[5, 10, 20], cache_policy=NO_CACHE)


@retried_task
@timed
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
    for sentence in _describe_objects(extracted):
        get_run_logger().info(sentence)
    return extracted


def _describe_objects(extracted: Extracted) -> Iterator[str]:
    """Tell a run's log what was found, each object that was refused by name."""
    statuses = Counter(outcome.status for outcome in extracted.objects)
    counts = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    tally = extracted.tally
    yield f"{len(extracted.objects)} objects ({counts})."
    yield (
        f"Records: {tally.read} read, {tally.kept} kept, {tally.blank} blank, "
        f"{tally.duplicate} duplicate, rejected {dict(tally.rejected) or 'none'}; "
        f"unreadable cells {dict(extracted.cells) or 'none'}."
    )
    for outcome in extracted.objects:
        if outcome.reason:
            yield f"{outcome.key}: {outcome.status}, {outcome.reason}."


def floor_to_hour(start: datetime) -> datetime:
    """Give the hour an instant lies in, as a plain UTC datetime.

    Prefect's instants are pendulum's: after `astimezone(datetime.UTC)` their arithmetic drops the
    zone.
    """
    return datetime.fromtimestamp(start.timestamp() // 3600 * 3600, UTC)


@retried_task
def survey(wanted: Selection, *, lake: str | None = None, mode: Mode = "load") -> Plan:
    """List what a migration is about, in the lake or, if that has none, where output goes."""
    settings = load_settings()
    may_skip = wanted.check() == Selection() and mode != "verify"
    lake = lake or settings.lake_uri
    output = resolve_output(lake, settings)
    is_there = open_store(lake, settings).list_objects(PROCESSED) and not wanted.replay_quarantine
    source = lake if is_there else output
    started_at = datetime.fromtimestamp(flow_run.scheduled_start_time.timestamp(), UTC)
    facts = (source, output, flow_run.id or "", started_at, mode, may_skip)
    plan = Plan(*facts, items=(), ignored=(), stations=STATIONS.to_frame())
    fill = list_rejected if wanted.replay_quarantine else list_processed
    return select(fill(open_store(source, settings), plan), wanted)


@retried_task
def fetch(plan: Plan, items: Sequence[Item]) -> tuple[Fetched, ...]:
    """Bring a batch of objects to the disk; again, to another folder."""
    return fetch_items(open_store(plan.source, load_settings()), items)
