"""The processed layer: immutable Parquet files, and manifests that say which of them count.

```
processed/v1/observations/source=<id>/date=<YYYY-MM>/<manifest_id>-<n>.parquet
processed/v1/_manifests/<manifest_id>.json      written last: it is the commit
quarantine/<manifest_id>.jsonl.zst
```
A file that no manifest names does not exist: a crashed run leaves nothing behind that anybody
reads. The same input gives the same names and bytes, so a retry finishes what a crash began.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Final

import polars as pl
from backports import zstd

from tasks.common.accounts import Tally, check_closes
from tasks.common.contracts import MANIFESTS, MARKET_ZONE, variables_of
from tasks.common.errors import TerminalError
from tasks.common.manifests import (
    Manifest,
    list_files,
    list_stations,
    name_version,
    read_manifests,
)
from tasks.common.objects import ObjectStore
from tasks.common.results import Extracted, ObjectOutcome, Part, ProcessedFile, SourceFacts
from tasks.transform.observations import Observed, build_observations, group_parts

OBSERVATIONS: Final = "processed/v1/observations/"
"""Then `source=<id>/date=<YYYY-MM>/<manifest_id>-<n>.parquet`; n is 0 since a run writes one file
for a source and month."""

VERSIONS: Final = {"layout": "1", "polars": pl.__version__}
"""What decides the bytes beside the input; part of a manifest's name."""

_WRITERS: Final = 2
"""Months at work at once: encoding Parquet keeps one core busy, and a month stays in memory."""


@dataclass(frozen=True)
class Layer:
    """The processed layer as one run sees it.

    What this run writes also stays in `scratch`: it is read back from there, and a dry run puts
    it nowhere else.
    """

    store: ObjectStore
    scratch: Path
    dry_run: bool

    def fetch(self, file: ProcessedFile) -> bytes:
        """Give the bytes of a file: this run's own, or the store's, verified by sha256."""
        own = self.scratch / file.key
        if own.exists():
            return own.read_bytes()
        return self.store.get_bytes(file.key, sha256=file.sha256)

    def put(self, key: str, body: bytes) -> None:
        """Put an object; a dry run does not.

        Raises:
            TerminalError: other bytes hold the key.
        """
        if not self.dry_run and not self.store.put_if_absent(key, body):
            msg = (
                f"Object {key} in {self.store.uri} holds other bytes than this run made of the "
                "same input: move it away and run again."
            )
            raise TerminalError(msg)


@dataclass(frozen=True)
class Committed:
    """What stands in the processed layer after a run.

    Attributes:
        files: those that any manifest names, this run's included, sorted by key.
        fresh: those of this run; in a dry run they are in the scratch folder only.
        stations: what is known of every station of the layer.
        week: records of all objects read in the ISO week, this run's included.
        manifest_key: None when nothing new was read, or in a dry run.
        sequence: that of the newest manifest, this run's included; 0: there is none.
        duplicate: readings that lost to a later version in another object.
    """

    files: tuple[ProcessedFile, ...]
    fresh: tuple[ProcessedFile, ...]
    stations: pl.DataFrame
    week: Tally
    manifest_key: str | None
    sequence: int
    duplicate: int


def commit_run(extracted: Extracted, layer: Layer) -> Committed:
    """Write this run's observations and rejections, and last the manifest that makes them count.

    Raises:
        TerminalError: a manifest is unreadable, or other bytes hold a key of this run.
        UnbalancedCountsError: readings appeared or vanished.
    """
    known = read_manifests(layer.store)
    stations = list_stations(known, extracted.stations)
    written, duplicate, key = tuple[ProcessedFile, ...](), 0, None
    if manifest := plan_manifest(extracted, known):
        written, duplicate = _write_months(extracted, layer, manifest)
        if manifest.quarantine_key:
            layer.put(manifest.quarantine_key, encode_quarantine(extracted.quarantine))
        key = f"{MANIFESTS}{manifest.manifest_id}.json"
        complete = manifest.model_copy(update={"files": written})
        layer.put(key, complete.encode())
        known = [*(m for m in known if m.manifest_id != complete.manifest_id), complete]
    own, files = {file.key for file in written}, list_files(known)
    return Committed(
        files=files,
        fresh=tuple(file for file in files if file.key in own),
        stations=stations,
        week=sum_week(known, extracted.as_of),
        manifest_key=None if layer.dry_run else key,
        sequence=max((m.sequence for m in known), default=0),
        duplicate=duplicate,
    )


def _write_months(
    extracted: Extracted, layer: Layer, manifest: Manifest
) -> tuple[tuple[ProcessedFile, ...], int]:
    def write(group: tuple[tuple[str, str], list[Part]]) -> tuple[ProcessedFile, int]:
        (source_id, month), parts = group
        facts = extracted.sources[source_id]
        observed = build_observations(parts, facts, month, sequence=manifest.sequence)
        return _write_month(observed, facts, layer, manifest.manifest_id), observed.received

    groups = group_parts(extracted.parts, extracted.sources)
    with ThreadPoolExecutor(_WRITERS) as pool:
        written = list(pool.map(write, groups.items()))
    received = sum(count for _, count in written)
    check_closes("transform", sum(part.rows for part in extracted.parts), received)
    files = tuple(sorted((file for file, _ in written if file.rows), key=lambda file: file.key))
    return files, received - sum(file.rows for file in files)


def _write_month(
    observed: Observed, facts: SourceFacts, layer: Layer, manifest_id: str
) -> ProcessedFile:
    frame, month = observed.frame, observed.month
    body = encode_parquet(frame, facts)
    key = f"{OBSERVATIONS}source={facts.id}/date={month}/{manifest_id}-0.parquet"
    (layer.scratch / key).parent.mkdir(parents=True, exist_ok=True)
    (layer.scratch / key).write_bytes(body)
    if frame.height:
        layer.put(key, body)
    digest = hashlib.sha256(body).hexdigest()
    first, last = frame.select(first=pl.col("at").min(), last=pl.col("at").max()).row(0)
    return ProcessedFile(key, len(body), digest, frame.height, facts.id, month, first, last)


def encode_parquet(frame: pl.DataFrame, facts: SourceFacts) -> bytes:
    """Give OBSERVATIONS as Parquet; equal frames give equal bytes.

    The metadata `raw_units` say, as JSON, the unit of every `x__raw`.
    """
    units = {name: facts.units[name] for name in variables_of(frame)}
    # As String: files that list different texts would else not be read together.
    texts = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Enum)]
    body = BytesIO()
    # Level 1 and no statistics: the layer is read by whole files, and writing it is the longest
    # part of this step.
    frame.cast(dict.fromkeys(texts, pl.String)).rechunk().write_parquet(
        body,
        compression="zstd",
        compression_level=1,
        statistics=False,
        metadata={"raw_units": json.dumps(units)},
    )
    return body.getvalue()


def encode_quarantine(rejected: pl.DataFrame) -> bytes:
    """Give QUARANTINE as JSON lines in zstd, sorted: equal rows give equal bytes."""
    order = ["key", "line", "column", "rule", "raw"]
    return zstd.compress(rejected.sort(order).write_ndjson().encode())


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
