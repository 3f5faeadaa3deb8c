"""What was read, in words and in the JSON of `python -m tasks.extract --json`."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import polars as pl

from tasks.common.accounts import Tally
from tasks.common.contracts import VARIABLES, keep_latest, series_id, variables_of
from tasks.common.results import Extracted, ObjectOutcome
from tasks.extract.declaration import Source

SAMPLE_ROWS: Final = 20
"""Quarantined rows that the JSON shows."""


def describe_objects(extracted: Extracted) -> Iterator[str]:
    """Tell a run's log what was found, each object that was refused by name."""
    statuses = Counter(outcome.status for outcome in extracted.objects)
    counts = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    tally = extracted.tally
    yield f"{extracted.lake}: {len(extracted.objects)} objects ({counts})."
    yield (
        f"Records: {tally.read} read, {tally.kept} kept, {tally.blank} blank, "
        f"{tally.duplicate} duplicate, rejected {dict(tally.rejected) or 'none'}; "
        f"unreadable cells {dict(extracted.cells) or 'none'}."
    )
    for outcome in extracted.objects:
        if outcome.status == "quarantined" or outcome.reason:
            yield f"{outcome.key}: {outcome.status}, {outcome.reason}."


def drop_duplicates(
    frames: Mapping[str, list[pl.DataFrame]],
) -> tuple[dict[str, pl.DataFrame], int]:
    """Merge the readings of each source's objects; give them and how many records gave way."""
    merged, dropped = {}, 0
    for source_id, parts in frames.items():
        together = pl.concat(parts, how="diagonal")
        merged[source_id] = keep_latest(together)
        dropped += together.height - merged[source_id].height
    return merged, dropped


def list_series(frame: pl.DataFrame, source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each series that has a value: rows, first, last, canonical unit, delivered unit."""
    for name in variables_of(frame):
        spans = (
            frame.filter(pl.col(name).is_not_null())
            .group_by("station_id")
            .agg(pl.len(), pl.col("at").min().alias("first"), pl.col("at").max().alias("last"))
        )
        for station_id, rows, first, last in spans.iter_rows():
            yield (
                series_id(station_id, name),
                {
                    "rows": rows,
                    "first": format_instant(first),
                    "last": format_instant(last),
                    "unit": VARIABLES[name].unit,
                    "source_unit": source.fields[name].unit,
                    "source": source.id,
                },
            )


def format_instant(at: datetime) -> str:
    """Write a UTC instant as ISO 8601 with Z.

    >>> from datetime import UTC
    >>> format_instant(datetime(2024, 9, 30, 22, 4, tzinfo=UTC))
    '2024-09-30T22:04:00Z'
    """
    return at.isoformat().replace("+00:00", "Z")


def summarise(
    outcomes: Iterable[ObjectOutcome],
    frames: Mapping[str, list[pl.DataFrame]],
    sources: Mapping[str, Source],
    *,
    quarantine: pl.DataFrame,
    cells: Mapping[str, int],
) -> dict[str, Any]:
    """Give the document of `--json`; read = kept + blank + duplicate + rejected."""
    outcomes = list(outcomes)
    merged, dropped = drop_duplicates(frames)
    tally = sum((one.tally for one in outcomes), Tally()) + Tally(kept=-dropped, duplicate=dropped)
    tally.check("the files")
    series = {
        id_: facts
        for name, frame in merged.items()
        for id_, facts in list_series(frame, sources[name])
    }
    return {
        "read": tally.read,
        "kept": tally.kept,
        "blank": tally.blank,
        "duplicate": tally.duplicate,
        "rejected": dict(tally.rejected),
        "series": dict(sorted(series.items())),
        "cells": dict(cells),
        "objects": [
            {"key": one.key, "source": one.source_id, "status": one.status, "reason": one.reason}
            for one in outcomes
        ],
        "zones": {name: sources[name].time.zone for name in sorted(frames)},
        "quarantine": quarantine.head(SAMPLE_ROWS).to_dicts(),
    }
