"""What a run adds to the processed layer: its manifest, named after what decides its content."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import polars as pl

from tasks.common.accounts import Tally
from tasks.common.contracts import MARKET_ZONE
from tasks.common.manifests import Manifest, name_version
from tasks.common.results import Extracted, ObjectOutcome

VERSIONS: Final = {"layout": "1", "polars": pl.__version__}
"""What decides the bytes beside the input; part of a manifest's name."""


def sum_week(manifests: Iterable[Manifest], as_of: datetime) -> Tally:
    """Count the records of all objects read in the ISO week (Paris) of `as_of`.

    Of an object that was read more than once, the newest reading counts.
    """
    week = _week_of(as_of)
    read = {
        name_version(o): o.tally for m in manifests if _week_of(m.as_of) == week for o in m.inputs
    }
    return sum(read.values(), Tally())


def _week_of(instant: datetime) -> tuple[int, int]:
    return instant.astimezone(MARKET_ZONE).isocalendar()[:2]


def plan_manifest(extracted: Extracted, known: Sequence[Manifest]) -> Manifest | None:
    """Give the manifest of this run, its files still missing; None when nothing new was read.

    Its name begins with the issue time, for the eye, and ends with a hash of what decides the
    content; a retry of a run whose manifest stands already gives that one. A quarantined object
    is an input: reading it again would not mend it.
    """
    fresh = [o for o in extracted.objects if o.status in ("read", "quarantined")]
    if not fresh:
        return None
    inputs = tuple(sorted(fresh, key=lambda o: (o.key, o.etag, o.source_hash or "")))
    as_of = extracted.as_of.astimezone(UTC)
    after = 1 + max((m.sequence for m in known), default=0)
    own = (m for m in known if m.manifest_id == _name_manifest(as_of, inputs, m.sequence))
    sequence = next((manifest.sequence for manifest in own), after)
    name = _name_manifest(as_of, inputs, sequence)
    rejected = f"quarantine/{name}.jsonl.zst" if extracted.quarantine.height else None
    return Manifest(
        manifest_id=name,
        sequence=sequence,
        as_of=as_of,
        inputs=inputs,
        files=(),
        stations=tuple(extracted.stations.sort("station_id").to_dicts()),
        quarantine_key=rejected,
        versions=VERSIONS,
    )


def _name_manifest(as_of: datetime, inputs: Iterable[ObjectOutcome], sequence: int) -> str:
    # An object that could not be read has no sha256: read after all, it is another input.
    identity = [[o.key, o.etag, o.source_hash, o.sha256, o.status] for o in inputs]
    decisive = json.dumps([as_of.isoformat(), sequence, identity, VERSIONS])
    return f"{as_of:%Y%m%dT%H%M%SZ}-{hashlib.sha256(decisive.encode()).hexdigest()[:12]}"
