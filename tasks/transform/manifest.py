"""Manifests: which files of the processed layer count, and which objects they came from."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.common.errors import TerminalError
from tasks.common.objects import ObjectStore
from tasks.common.results import Extracted, ObjectOutcome, ProcessedFile

MANIFESTS: Final = "processed/v1/_manifests/"
"""Where readers of the processed layer begin."""

VERSIONS: Final = {"layout": "1", "polars": pl.__version__}
"""What decides the bytes beside the input; part of a manifest's name."""


class Manifest(BaseModel):
    """One run's additions to the processed layer.

    Attributes:
        inputs: objects that need not be read again, by (key, etag, source_hash).
        files: what this run added, sorted by key.
        stations: what this run learned of stations, a row each: a later run that reads nothing
            new must still know names, places and licences.
        quarantine_key: what it rejected; None: nothing.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    manifest_id: str
    as_of: datetime
    inputs: tuple[ObjectOutcome, ...]
    files: tuple[ProcessedFile, ...]
    stations: tuple[dict[str, str | float | None], ...]
    quarantine_key: str | None
    versions: dict[str, str]


def read_manifests(store: ObjectStore) -> list[Manifest]:
    """Give every manifest, sorted by key.

    Raises:
        TerminalError: a manifest is not one that this version can read.
    """
    refs = [ref for ref in store.list_objects(MANIFESTS) if ref.key.endswith(".json")]
    return [_parse_manifest(ref.key, store.get_object(ref)) for ref in refs]


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


def list_files(manifests: Iterable[Manifest]) -> tuple[ProcessedFile, ...]:
    """Give the files of the layer, each once, sorted by key."""
    files = {file.key: file for manifest in manifests for file in manifest.files}
    return tuple(files[key] for key in sorted(files))


def list_stations(manifests: Iterable[Manifest], newest: pl.DataFrame) -> pl.DataFrame:
    """Give one row per station, sorted: what was said last, and a null never erases."""
    known = [pl.DataFrame(m.stations, schema=newest.schema) for m in manifests]
    told = pl.concat([*known, newest])
    return told.group_by("station_id").agg(pl.all().drop_nulls().last()).sort("station_id")


def plan_manifest(extracted: Extracted) -> Manifest | None:
    """Give the manifest of this run, its files still missing; None when nothing new was read.

    Its name begins with the issue time, for the eye, and ends with a hash of what decides the
    content. A quarantined object is an input: reading it again would not mend it.
    """
    fresh = [o for o in extracted.objects if o.status in ("read", "quarantined")]
    if not fresh:
        return None
    inputs = tuple(sorted(fresh, key=lambda o: (o.key, o.etag, o.source_hash or "")))
    identity = [[o.key, o.etag, o.source_hash] for o in inputs]
    digest = hashlib.sha256(json.dumps([identity, VERSIONS]).encode()).hexdigest()
    as_of = extracted.as_of.astimezone(UTC)
    name = f"{as_of:%Y%m%dT%H%M%SZ}-{digest[:12]}"
    rejected = f"quarantine/{name}.jsonl.zst" if extracted.quarantine.height else None
    return Manifest(
        manifest_id=name,
        as_of=as_of,
        inputs=inputs,
        files=(),
        stations=tuple(extracted.stations.sort("station_id").to_dicts()),
        quarantine_key=rejected,
        versions=VERSIONS,
    )
