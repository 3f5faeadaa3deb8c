"""One run into MongoDB, in the order that keeps readers safe."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256
from typing import Final

from pymongo.database import Database

from tasks.common.accounts import SeriesOutcome, WriteCounts, judge_run
from tasks.common.mongo import Document, ensure_indexes, locate_database
from tasks.common.results import Forecasted, ProcessedFile, Transformed, Written
from tasks.common.settings import Settings
from tasks.upsert.documents import (
    SCHEMA_VERSION,
    cut_to_milliseconds,
    describe_origin,
    forecast_documents,
)
from tasks.upsert.observations import load_observations
from tasks.upsert.publish import name_run, publish_run
from tasks.upsert.recall import write_scores
from tasks.upsert.stations import write_stations

_COLLECTIONS: Final = (
    *("stations", "observations", "scores"),
    *("forecasts", "forecast_runs", "current"),
)


def plan_run(
    transformed: Transformed, forecasted: Forecasted, *, database: str = "nowhere (dry run)"
) -> Written:
    """Name the run that would be written; nothing is."""
    known = transformed.input_hash + _hash_corrections(forecasted.outcomes)
    return Written(
        run_id=name_run(transformed.as_of, forecasted.config_hash, known),
        counts={name: WriteCounts() for name in _COLLECTIONS},
        published=False,
        previous_run_id=None,
        database=database,
    )


def write_run(
    db: Database[Document],
    transformed: Transformed,
    forecasted: Forecasted,
    *,
    fetch: Callable[[ProcessedFile], bytes],
    settings: Settings,
) -> Written:
    """Store stations, observations and scores, then the forecasts, and publish them.

    Every step may be repeated, and a second time changes nothing.

    Args:
        db: where to.
        transformed: the history, its files and stations.
        forecasted: the forecasts of `transformed`.
        fetch: gives the bytes of a processed file, checked against its sha256.
        settings: tell the revision of the code, and where `db` is.
    """
    ensure_indexes(db)
    stations, moves = write_stations(db, transformed.stations, as_of=transformed.as_of)
    observations = load_observations(db, transformed.files, fetch)
    scores = write_scores(db, forecasted.scored.scores, as_of=transformed.as_of)
    written = publish_run(
        db,
        plan_run(transformed, forecasted, database=locate_database(settings)),
        _describe_run(transformed, forecasted, settings),
        forecast_documents(transformed, forecasted, settings=settings),
    )
    counts = {"stations": stations, "observations": observations, "scores": scores}
    notes = (*moves, *written.notes)
    return replace(written, counts={**counts, **written.counts}, notes=notes)


def _hash_corrections(outcomes: Iterable[SeriesOutcome]) -> str:
    """Hash what earlier forecasts made of these intervals; nothing where they corrected none."""
    told = [
        (one.series_id, one.correction80, one.correction95)
        for one in outcomes
        if {one.correction80, one.correction95} - {None, 1.0}
    ]
    return sha256(repr(told).encode()).hexdigest() if told else ""


def _describe_run(transformed: Transformed, forecasted: Forecasted, settings: Settings) -> Document:
    verdict = judge_run(transformed.week, forecasted.outcomes, settings)
    return {
        "verdict": verdict.state,
        "reasons": list(verdict.reasons),
        "pattern": forecasted.pattern,
        **describe_origin(forecasted, settings),
        "issue_at": cut_to_milliseconds(transformed.as_of),
        "horizon_end": cut_to_milliseconds(forecasted.horizon_end),
        "config_hash": forecasted.config_hash,
        "configuration": dict(forecasted.configuration),
        "input_hash": transformed.input_hash,
        "sequence": transformed.sequence,
        "manifest_key": transformed.manifest_key,
        "output": transformed.output,
        "schema_version": SCHEMA_VERSION,
    }
