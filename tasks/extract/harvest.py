"""Read unread objects one by one and spill their readings, so that memory stays flat."""

import atexit
import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import polars as pl

from tasks.common.contracts import QUARANTINE
from tasks.common.errors import ConfigurationError, CorruptObjectError, TerminalError
from tasks.common.objects import ObjectRef, open_store, resolve_output
from tasks.common.results import Extracted, ObjectOutcome, Part
from tasks.common.settings import Settings, redact_uri
from tasks.extract.blocks import Limits
from tasks.extract.catalogue import give_facts, hash_source, load_sources
from tasks.extract.content import read_batches
from tasks.extract.declaration import Source
from tasks.extract.identity import Origin
from tasks.extract.landing import Landing, read_known, survey
from tasks.extract.readings import read_object, refuse_object
from tasks.extract.stations import STATIONS, list_stations

_MIB: Final = 1 << 20


def make_scratch() -> Path:
    """Make a folder that is removed when the process ends."""
    scratch = Path(tempfile.mkdtemp(prefix="forecast-pipeline-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return scratch


def spill_readings(
    readings: pl.DataFrame, folder: Path, ref: ObjectRef, source: Source
) -> list[Part]:
    """Write READINGS of one object into its own folder, one Arrow file per UTC month.

    Columns without a value are left out.
    """
    filled = readings.select(column for column in readings if column.null_count() < len(column))
    month = pl.col("at").dt.year() * 100 + pl.col("at").dt.month()
    split = filled.with_columns(month=month) if filled.height else pl.DataFrame({"month": []})
    parts = []
    for (number,), frame in split.partition_by("month", as_dict=True, include_key=False).items():
        name = f"{number // 100}-{number % 100:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        frame.write_ipc(folder / f"{name}.arrow")
        parts.append(Part(source.id, name, ref.key, folder / f"{name}.arrow", frame.height))
    return parts


@dataclass
class Harvest:
    """What the objects read so far have given."""

    limits: Limits
    scratch: Path = field(default_factory=make_scratch)
    parts: list[Part] = field(default_factory=list)
    outcomes: list[ObjectOutcome] = field(default_factory=list)
    quarantine: list[pl.DataFrame] = field(default_factory=lambda: [QUARANTINE.to_frame()])
    stations: list[pl.DataFrame] = field(default_factory=lambda: [STATIONS.to_frame()])
    cells: Counter[str] = field(default_factory=Counter)

    @classmethod
    def within(cls, settings: Settings) -> "Harvest":
        """Start one within the bounds of the settings."""
        return cls(Limits(settings.max_object_mib * _MIB, settings.max_line_mib * _MIB))

    def gather(
        self,
        ref: ObjectRef,
        source: Source,
        fetch: Callable[[ObjectRef], bytes],
        *,
        first_day: date | None = None,
    ) -> None:
        """Read one object, spill its readings and account for it; a damaged one stops nothing."""
        origin = Origin(ref.key, ref.etag, source.id, ref.modified_at, first_day)
        sha256 = None
        try:
            body = fetch(ref)
        except TerminalError as error:
            is_corrupt = isinstance(error, CorruptObjectError)
            rule = "corrupt_object" if is_corrupt else "unreadable_object"
            readings = refuse_object(origin, rule, str(error))
        else:
            sha256 = hashlib.sha256(body).hexdigest()
            batches = read_batches(ref.key, body, source, self.limits)
            readings = read_object(batches, source, origin)
        folder = self.scratch / source.id / str(len(self.outcomes))
        self.parts += spill_readings(readings.frame, folder, ref, source)
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
                status="quarantined" if readings.is_refused else "read",
                tally=readings.tally,
                reason=readings.reason,
            )
        )


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
    landing = survey(store.list_objects(), sources, read_known(open_store(output, settings)))
    _check_found(landing, lake, list(sources))
    harvest = Harvest.within(settings)
    for ref, source in landing.unread:
        harvest.gather(ref, source, store.get_object)
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


def _check_found(landing: Landing, lake: str, names: list[str]) -> None:
    if not landing.unread and all(one.status == "unmatched" for one in landing.settled):
        msg = (
            f"Lake {redact_uri(lake)!r} holds {len(landing.settled)} objects and none that a "
            f"source matches ({', '.join(names)}); correct LAKE_URI, or declare a source in "
            "SOURCES_DIR."
        )
        raise TerminalError(msg)
