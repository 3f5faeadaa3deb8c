"""Manifests: which files of the processed layer count, and which objects they came from."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.common.accounts import Tally
from tasks.common.contracts import MANIFESTS, MARKET_ZONE
from tasks.common.errors import TerminalError
from tasks.common.objects import ObjectStore
from tasks.common.results import Extracted, ObjectOutcome, ProcessedFile

VERSIONS: Final = {"layout": "1", "polars": pl.__version__}
"""What decides the bytes beside the input; part of a manifest's name."""


class Manifest(BaseModel):
    """One run's additions to the processed layer.

    Attributes:
        sequence: one more than that of any manifest that stood before; part of `rev`.
        inputs: objects that need not be read again, by (key, etag, source_hash).
        files: what this run added, sorted by key.
        stations: what this run learned of stations, a row each: a later run that reads nothing
            new must still know names, places and licences.
        quarantine_key: what it rejected; None: nothing.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    manifest_id: str
    sequence: int = 0
    as_of: datetime
    inputs: tuple[ObjectOutcome, ...]
    files: tuple[ProcessedFile, ...]
    stations: tuple[dict[str, str | float | None], ...]
    quarantine_key: str | None
    versions: dict[str, str]

    def encode(self) -> bytes:
        """Give the manifest as JSON, without what only later manifests can say of its files."""
        later = {"files": {"__all__": {"withdrawn", "is_void"}}}
        return self.model_dump_json(indent=1, exclude=later).encode()


def read_manifests(store: ObjectStore) -> list[Manifest]:
    """Give every manifest, in the order they were written.

    Raises:
        TerminalError: a manifest is not one that this version can read.
    """
    refs = [ref for ref in store.list_objects(MANIFESTS) if ref.key.endswith(".json")]
    manifests = [_parse_manifest(ref.key, store.get_object(ref)) for ref in refs]
    return sorted(manifests, key=lambda m: (m.sequence, m.manifest_id))


def _parse_manifest(key: str, body: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        msg = (
            f"Manifest {key} cannot be read at {where}: {first['msg']}; run a version of the "
            "pipeline that knows its schema_version, or restore the object."
        )
        raise TerminalError(msg) from None


def list_files(manifests: Sequence[Manifest]) -> tuple[ProcessedFile, ...]:
    """Give the files of the layer, each once, sorted by key, and what of each counts no more.

    What was read of an object counts until a later manifest read the same bytes anew, by another
    declaration. Other bytes under the same key withdraw nothing: a file that always holds the
    last days does not erase the days before.
    """
    newest = {_name_version(o): m.sequence for m in manifests for o in _list_read(m)}
    files = {}
    for manifest in manifests:
        read = _list_read(manifest)
        stale = [o for o in read if newest[_name_version(o)] > manifest.sequence]
        for file in manifest.files:
            gone = {o.key for o in stale if o.source_id == file.source_id}
            is_void = bool(gone) and gone == {o.key for o in read if o.source_id == file.source_id}
            files[file.key] = replace(file, withdrawn=tuple(sorted(gone)), is_void=is_void)
    return tuple(files[key] for key in sorted(files))


def _list_read(manifest: Manifest) -> list[ObjectOutcome]:
    return [outcome for outcome in manifest.inputs if outcome.status == "read"]


def _name_version(outcome: ObjectOutcome) -> tuple[str, str]:
    return outcome.key, outcome.etag


def sum_week(manifests: Iterable[Manifest], as_of: datetime) -> Tally:
    """Count the records of all objects read in the ISO week (Paris) of `as_of`.

    Of an object that was read more than once, the newest reading counts.
    """
    week = _week_of(as_of)
    read = {
        _name_version(o): o.tally for m in manifests if _week_of(m.as_of) == week for o in m.inputs
    }
    return sum(read.values(), Tally())


def _week_of(instant: datetime) -> tuple[int, int]:
    return instant.astimezone(MARKET_ZONE).isocalendar()[:2]


def list_stations(manifests: Iterable[Manifest], newest: pl.DataFrame) -> pl.DataFrame:
    """Give one row per station, sorted: what was said last, and a null never erases."""
    known = [pl.DataFrame(m.stations, schema=newest.schema) for m in manifests]
    told = pl.concat([*known, newest])
    return told.group_by("station_id").agg(pl.all().drop_nulls().last()).sort("station_id")


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
