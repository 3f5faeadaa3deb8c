"""Read unread objects one by one and spill their readings, so that memory stays flat."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from tasks.common.contracts import QUARANTINE
from tasks.common.errors import ConfigurationError, CorruptObjectError, TerminalError
from tasks.common.objects import ObjectRef, ObjectStore, open_store, resolve_output
from tasks.common.results import Extracted, ObjectOutcome, Part
from tasks.common.settings import Settings, redact_uri
from tasks.extract.catalogue import give_facts, hash_source, load_sources
from tasks.extract.content import Content
from tasks.extract.declaration import Source
from tasks.extract.identity import Origin
from tasks.extract.landing import read_known, survey
from tasks.extract.readings import ObjectReadings, read_object, refuse_object
from tasks.extract.spill import make_scratch, spill_readings
from tasks.extract.stations import STATIONS, list_stations

_MIB = 1 << 20


@dataclass
class Harvest:
    """What the objects read so far have given."""

    scratch: Path
    parts: list[Part] = field(default_factory=list)
    outcomes: list[ObjectOutcome] = field(default_factory=list)
    quarantine: list[pl.DataFrame] = field(default_factory=lambda: [QUARANTINE.to_frame()])
    stations: list[pl.DataFrame] = field(default_factory=lambda: [STATIONS.to_frame()])
    cells: Counter[str] = field(default_factory=Counter)

    def add(
        self, ref: ObjectRef, source: Source, readings: ObjectReadings, sha256: str | None
    ) -> None:
        """Spill one object's readings and account for it."""
        folder = self.scratch / source.id / str(len(self.outcomes))
        self.parts += spill_readings(readings.frame, folder, source_id=source.id, key=ref.key)
        ids = readings.frame["station_id"].unique().sort()
        self.stations.append(list_stations(ids, source, readings.stations))
        self.quarantine.append(readings.quarantine)
        self.cells.update(readings.cells)
        self.outcomes.append(
            ObjectOutcome(
                key=ref.key,
                etag=ref.etag,
                size=ref.size,
                sha256=sha256,
                source_id=source.id,
                source_hash=hash_source(source),
                status="quarantined" if readings.is_whole_rejected else "read",
                tally=readings.tally,
                reason=readings.reason,
            )
        )


def read_body(body: bytes, source: Source, origin: Origin, settings: Settings) -> ObjectReadings:
    """Read one object within the bounds of the settings."""
    bounds = (settings.max_object_mib * _MIB, settings.max_line_mib * _MIB)
    return read_object(Content(origin.key, body, *bounds), source, origin)


def harvest_lake(
    lake: str, settings: Settings, *, as_of: datetime, dry_run: bool = False
) -> Extracted:
    """Read every unread object of the lake.

    One object that is damaged, too large or undated is quarantined whole and stops no other.

    Raises:
        ConfigurationError: a source file or the lake's URI is wrong, or as_of has no zone.
        TerminalError: no source explains any object of the lake.
        TransientError: the store does not answer.
    """
    if as_of.tzinfo is None:
        msg = f"as_of is {as_of.isoformat()}, without a zone; add one, for example +01:00 or Z."
        raise ConfigurationError(msg)
    sources = load_sources(settings.sources_dir)
    store, output = open_store(lake, settings), resolve_output(lake, settings)
    known = read_known(open_store(output, settings))
    landing = survey(store.list_objects(), sources, known)
    if not landing.unread and all(outcome.status == "unmatched" for outcome in landing.settled):
        msg = (
            f"Lake {redact_uri(lake)!r} holds {len(landing.settled)} objects and none that a "
            f"source matches ({', '.join(sources)}); correct LAKE_URI, or "
            "declare a source in SOURCES_DIR."
        )
        raise TerminalError(msg)
    harvest = Harvest(make_scratch())
    for ref, source in landing.unread:
        harvest.add(ref, source, *_fetch_and_read(store, ref, source, settings))
    return Extracted(
        as_of=as_of.astimezone(UTC),
        lake=lake,
        output=output,
        sources=give_facts(sources),
        parts=tuple(harvest.parts),
        objects=tuple(sorted((*landing.settled, *harvest.outcomes), key=lambda one: one.key)),
        stations=pl.concat(harvest.stations).unique("station_id", keep="last", maintain_order=True),
        quarantine=pl.concat(harvest.quarantine),
        cells=dict(sorted(harvest.cells.items())),
        scratch=harvest.scratch,
        dry_run=dry_run,
    )


def _fetch_and_read(
    store: ObjectStore, ref: ObjectRef, source: Source, settings: Settings
) -> tuple[ObjectReadings, str | None]:
    origin = Origin(ref.key, ref.etag, source.id, ref.modified_at)
    try:
        body = store.get_object(ref)
    except CorruptObjectError as error:
        return refuse_object(origin, "corrupt_object", str(error)), None
    return read_body(body, source, origin, settings), hashlib.sha256(body).hexdigest()
