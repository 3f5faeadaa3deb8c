"""Manifests: which files of the processed layer count, and which objects they came from."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Literal

import polars as pl
from polars.exceptions import PolarsError
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from tasks.common.contracts import MANIFESTS
from tasks.common.errors import TerminalError
from tasks.common.objects import ObjectRef, ObjectStore
from tasks.common.results import ObjectOutcome, ProcessedFile

STATIONS: Final = pl.Schema(
    dict.fromkeys(["station_id", "network", "name"], pl.String)
    | dict.fromkeys(["latitude", "longitude", "elevation_m"], pl.Float64)
    | {"licence": pl.String}
)
"""One row per station; null where unknown."""


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

    @field_validator("stations")
    @classmethod
    def _check_stations(cls, rows: tuple[dict[str, object], ...]) -> tuple[dict[str, object], ...]:
        try:
            pl.DataFrame(rows, schema=STATIONS)
        except (PolarsError, TypeError) as error:
            raise ValueError(str(error).partition("\n")[0]) from None
        return rows

    def encode(self) -> bytes:
        """Give the manifest as JSON, without what only later manifests can say of its files."""
        later = {"files": {"__all__": {"withdrawn", "is_void"}}}
        return self.model_dump_json(indent=1, exclude=later).encode()


def read_manifests(store: ObjectStore) -> list[Manifest]:
    """Give every manifest, in the order they were written.

    Raises:
        TerminalError: a manifest is not one that this version can read.
    """
    manifests, broken = sift_manifests(store)
    for error in broken.values():
        raise error
    return manifests


def sift_manifests(store: ObjectStore) -> tuple[list[Manifest], dict[ObjectRef, TerminalError]]:
    """Give every manifest that can be read, in the order they were written; why others cannot."""
    manifests, broken = [], {}
    for ref in (ref for ref in store.list_objects(MANIFESTS) if ref.key.endswith(".json")):
        try:
            manifests.append(_parse_manifest(ref.key, store.get_object(ref)))
        except TerminalError as error:
            broken[ref] = error
    return sorted(manifests, key=lambda m: (m.sequence, m.manifest_id)), broken


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
    newest = {name_version(o): m.sequence for m in manifests for o in _list_read(m)}
    files = {}
    for manifest in manifests:
        read = _list_read(manifest)
        stale = [o for o in read if newest[name_version(o)] > manifest.sequence]
        for file in manifest.files:
            gone = {o.key for o in stale if o.source_id == file.source_id}
            is_void = bool(gone) and gone == {o.key for o in read if o.source_id == file.source_id}
            files[file.key] = replace(file, withdrawn=tuple(sorted(gone)), is_void=is_void)
    return tuple(files[key] for key in sorted(files))


def _list_read(manifest: Manifest) -> list[ObjectOutcome]:
    return [outcome for outcome in manifest.inputs if outcome.status == "read"]


def name_version(outcome: ObjectOutcome) -> tuple[str, str]:
    """Tell an object with these bytes from all others."""
    return outcome.key, outcome.etag


def list_stations(manifests: Iterable[Manifest], newest: pl.DataFrame) -> pl.DataFrame:
    """Give one row per station, sorted: what was said last, and a null never erases."""
    known = [pl.DataFrame(m.stations, schema=newest.schema) for m in manifests]
    told = pl.concat([*known, newest])
    return told.group_by("station_id").agg(pl.all().drop_nulls().last()).sort("station_id")
