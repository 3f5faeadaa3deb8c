"""What was read, in words and in the JSON of `python -m tasks.extract --json`."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import polars as pl

from tasks.common.accounts import Tally
from tasks.common.contracts import VARIABLES, keep_latest, series_id, variables_of
from tasks.common.results import Extracted, ObjectOutcome, Part
from tasks.extract.declaration import Source
from tasks.extract.harvest import Harvest

_SAMPLE_ROWS: Final = 20


def describe_objects(extracted: Extracted) -> Iterator[str]:
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


def summarise(
    harvest: Harvest, sources: Mapping[str, Source], unmatched: Iterable[ObjectOutcome] = ()
) -> dict[str, Any]:
    """Give the document of `--json`; read = kept + blank + duplicate + rejected.

    Of two files that hold one station's instant, the later version is kept, as in transform.
    """
    merged = _merge(harvest.parts)
    kept = sum(frame.height for frame in merged.values())
    tally = sum((one.tally for one in harvest.outcomes), Tally())
    duplicate = tally.duplicate + tally.kept - kept
    Tally(tally.read, kept, tally.blank, duplicate, tally.rejected).check("the files")
    series = [one for name, frame in merged.items() for one in _list_series(frame, sources[name])]
    return {
        "read": tally.read,
        "kept": kept,
        "blank": tally.blank,
        "duplicate": duplicate,
        "rejected": dict(tally.rejected),
        "series": dict(sorted(series)),
        "cells": dict(harvest.cells),
        "objects": [
            {"key": one.key, "source": one.source_id, "status": one.status, "reason": one.reason}
            for one in (*harvest.outcomes, *unmatched)
        ],
        "zones": {name: sources[name].time.zone for name in sorted(merged)},
        "quarantine": harvest.quarantine.head(_SAMPLE_ROWS).to_dicts(),
    }


def _merge(parts: Iterable[Part]) -> dict[str, pl.DataFrame]:
    groups: defaultdict[str, list[pl.DataFrame]] = defaultdict(list)
    for part in parts:
        groups[part.source_id].append(pl.read_ipc(part.path))
    return {name: keep_latest(pl.concat(all_, how="diagonal")) for name, all_ in groups.items()}


def _list_series(frame: pl.DataFrame, source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in variables_of(frame):
        filled = frame.filter(pl.col(name).is_not_null()).group_by("station_id")
        spans = filled.agg(pl.len(), first=pl.col("at").min(), last=pl.col("at").max())
        for station, rows, first, last in spans.iter_rows():
            yield (
                series_id(station, name),
                {
                    "rows": rows,
                    "first": format_instant(first),
                    "last": format_instant(last),
                    "unit": VARIABLES[name].unit,
                    "source_unit": source.fields[name].unit,
                },
            )


def format_instant(at: datetime) -> str:
    """Write a UTC instant as ISO 8601 with Z.

    >>> from datetime import UTC
    >>> format_instant(datetime(2024, 9, 30, 22, 4, tzinfo=UTC))
    '2024-09-30T22:04:00Z'
    """
    return at.isoformat().replace("+00:00", "Z")
