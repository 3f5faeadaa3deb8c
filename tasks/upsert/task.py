"""The door of the room: a run, or a migration, into MongoDB."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from tasks.common.accounts import timed
from tasks.common.errors import RETRIED
from tasks.common.migration import Fetched, Plan, pack
from tasks.common.mongo import ensure_indexes, locate_database, open_database
from tasks.common.objects import open_store
from tasks.common.results import Forecasted, Transformed, Written
from tasks.common.scores import Earlier
from tasks.common.settings import add_image_digest, load_settings
from tasks.upsert.migration import load_batch, mark_known
from tasks.upsert.recall import recall_earlier
from tasks.upsert.run import plan_run, write_run
from tasks.upsert.stations import write_stations

_PROOF: Final = ("reports/.writable", b"A migration made sure that reports can be left here.\n")

retried_task = task(**RETRIED, retry_delay_seconds=[10, 20, 40], cache_policy=NO_CACHE)


@retried_task
@timed
def recall(transformed: Transformed) -> Earlier:
    """Give what readers were given before; nothing where a dry run has no MongoDB to ask."""
    settings = load_settings()
    if transformed.dry_run and settings.mongodb_uri is None:
        return Earlier()
    with open_database(settings) as db:
        earlier = recall_earlier(db, as_of=transformed.as_of)
    get_run_logger().info("Recalled %d earlier runs", len(earlier.runs))
    return earlier


@retried_task
@timed
def upsert(transformed: Transformed, forecasted: Forecasted) -> Written:
    """Store stations, observations and forecasts, and publish the run; again changes nothing.

    A dry run needs no MongoDB: it names the run and writes nothing.
    """
    if transformed.dry_run:
        return plan_run(transformed, forecasted)
    settings = add_image_digest(load_settings())
    store = open_store(transformed.output, settings)
    with open_database(settings) as db:
        written = write_run(
            db,
            transformed,
            forecasted,
            fetch=lambda file: store.get_bytes(file.key, sha256=file.sha256),
            settings=settings,
        )
    for name, counts in written.counts.items():
        get_run_logger().info("%s: %s", name, counts)
    return written


@retried_task
def prepare(plan: Plan) -> Plan:
    """Mark what the ledger has; before a load also make the indexes and store the stations.

    That a report can be left where output goes is made sure of now, not when all is loaded.
    """
    settings = load_settings()
    if plan.mode != "dry run":
        open_store(plan.output, settings).put_if_absent(*_PROOF)
    with open_database(settings) as db:
        if plan.mode == "load":
            ensure_indexes(db)
            write_stations(db, plan.stations, as_of=plan.started_at)
        return replace(mark_known(db, plan), database=locate_database(settings))


@retried_task
def load(plan: Plan, batch: Sequence[Fetched]) -> bytes:
    """Load (or only compare) a batch of objects and pack their accounts; again changes nothing."""
    settings = load_settings()
    store = open_store(plan.output, settings)
    with open_database(settings) as db:
        accounts = load_batch(db, plan, batch, store=store)
    for path in (one.path for one in batch if one.path):
        shutil.rmtree(path.parent, ignore_errors=True)
    return pack(accounts)
