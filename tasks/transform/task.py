"""The door of the transform room."""

from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from tasks.common.accounts import timed
from tasks.common.changes import Past
from tasks.common.contracts import POINTS
from tasks.common.errors import RETRIED
from tasks.common.migration import Fetched, Plan
from tasks.common.objects import open_store
from tasks.common.results import Extracted, Forecasted, Transformed
from tasks.common.settings import load_settings
from tasks.transform.conversion import convert_object
from tasks.transform.outcome import conclude_transform, recollect_past
from tasks.transform.processed import Layer, commit_run

retried_task = task(**RETRIED, retry_delay_seconds=[2, 4, 8], cache_policy=NO_CACHE)


@retried_task
@timed
def transform(extracted: Extracted) -> Transformed:
    """Commit what was read to the processed layer, and give the history known at `as_of`.

    A retry, and a second run over the same input, write nothing new.
    """
    logger = get_run_logger()
    layer = _open_layer(extracted)
    committed = commit_run(extracted, layer)
    logger.info("Wrote %d files, manifest %s", len(committed.fresh), committed.manifest_key)
    made = conclude_transform(extracted, committed, layer)
    logger.info("History of %d series, %d rows", made.series.height, made.history.height)
    return made


@retried_task
@timed
def recollect(
    extracted: Extracted, transformed: Transformed, forecasted: Forecasted
) -> Past | None:
    """Give the history of the last issue time, as known then and as known now; None: no last run.

    A dry run left its own files nowhere, so it recollects nothing.
    """
    earlier = forecasted.scored.earlier
    if not earlier.runs or transformed.dry_run:
        return None
    run = earlier.runs[-1]
    points = earlier.points.filter(run_id=run.run_id).select(POINTS.names())
    sources, layer = extracted.sources, _open_layer(extracted)
    return recollect_past(transformed, run, points=points, sources=sources, layer=layer)


def _open_layer(extracted: Extracted) -> Layer:
    store = open_store(extracted.output, load_settings())
    return Layer(store, extracted.scratch, extracted.dry_run)


@retried_task
def convert(plan: Plan, batch: Sequence[Fetched]) -> tuple[Fetched, ...]:
    """Give a batch of objects as observations on the disk; what is rejected goes to quarantine."""
    settings = load_settings()
    store = open_store(plan.output, settings)
    keep = plan.mode == "load"
    return tuple(convert_object(fetched, store, settings, keep=keep) for fetched in batch)
