"""Read unread objects one by one and spill their readings, so that memory stays flat."""

import atexit
import hashlib
import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from tasks.common.contracts import QUARANTINE
from tasks.common.errors import ConfigurationError, CorruptObjectError, TerminalError
from tasks.common.manifests import STATIONS
from tasks.common.objects import ObjectRef, open_store, resolve_output
from tasks.common.results import Extracted, ObjectOutcome, Part
from tasks.common.settings import Settings, redact_uri
from tasks.extract.blocks import Limits
from tasks.extract.catalogue import give_facts, load_sources
from tasks.extract.content import read_batches
from tasks.extract.declaration import Source
from tasks.extract.identity import Origin, list_stations
from tasks.extract.landing import Landing, read_known, settle, survey
from tasks.extract.readings import ObjectReadings, is_disk_full, read_object, refuse_object

_MIB: Final = 1 << 20
_WORKERS: Final = 3
_MOVED_DEGREES: Final = 0.001
"""A station found farther than this, 100 m, from its place in an earlier object has moved."""


class Harvest(NamedTuple):
    """What one object gave, or several, in their order; the readings lie in the scratch folder."""

    outcomes: list[ObjectOutcome]
    parts: list[Part]
    quarantine: pl.DataFrame
    stations: pl.DataFrame
    cells: Counter[str]
    scratch: Path


def harvest_objects(
    unread: Sequence[tuple[ObjectRef, Source]],
    fetch: Callable[[ObjectRef], bytes],
    settings: Settings,
    *,
    first_day: date | None = None,
) -> Harvest:
    """Read objects, three at a time, and spill their readings; a damaged one stops no other.

    While one is fetched, others are parsed; memory holds three, however many there are.

    Raises:
        ConfigurationError, TransientError: as `fetch` does.
        TerminalError: the scratch folder's disk is full.
    """
    limits = Limits(settings.max_object_mib * _MIB, settings.max_line_mib * _MIB)
    scratch = make_scratch()

    def gather(number: int, ref: ObjectRef, source: Source) -> Harvest:
        origin = Origin(ref.key, ref.etag, source.id, ref.modified_at, first_day)
        readings, sha256 = _fetch_and_read(lambda: fetch(ref), origin, limits, source)
        outcome = settle(ref, source, "quarantined" if readings.is_refused else "read")
        return Harvest(
            [replace(outcome, sha256=sha256, tally=readings.tally, reason=readings.reason)],
            spill_readings(readings.frame, scratch / f"{number}", source_id=source.id, key=ref.key),
            readings.quarantine,
            list_stations(readings.frame["station_id"].unique().sort(), source, readings.stations),
            Counter(readings.cells),
            scratch,
        )

    with ThreadPoolExecutor(_WORKERS) as pool:
        all_ = list(pool.map(gather, range(len(unread)), *zip(*unread, strict=True)))
    stations = pl.concat([STATIONS.to_frame(), *(one.stations for one in all_)])
    return Harvest(
        outcomes=list(_note_moves(all_)),
        parts=[part for one in all_ for part in one.parts],
        quarantine=pl.concat([QUARANTINE.to_frame(), *(one.quarantine for one in all_)]),
        stations=stations.group_by("station_id", maintain_order=True).agg(
            pl.all().drop_nulls().last()  # what was said last, and a null never erases
        ),
        cells=sum((one.cells for one in all_), Counter()),
        scratch=scratch,
    )


def _note_moves(all_: Iterable[Harvest]) -> Iterator[ObjectOutcome]:
    """Give the outcomes; one that puts a station elsewhere than one before says so."""
    places: dict[str, list[float]] = {}
    for one in all_:
        (outcome,) = one.outcomes
        news = [outcome.reason] if outcome.reason else []
        told = one.stations.select("station_id", "latitude", "longitude").drop_nulls()
        for station, *place in told.iter_rows():
            before = places.get(station, place)
            if math.dist(place, before) > _MOVED_DEGREES:
                news.append(
                    f"station {station} moved from {before} to {place} (latitude, longitude)"
                )
            places[station] = place
        yield replace(outcome, reason="; ".join(news) or None)


@contextmanager
def explain_full_disk() -> Generator[None]:
    """Turn the error of a disk without room into one sentence.

    Raises:
        TerminalError: the disk of the scratch folder is full.
    """
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        msg = (
            f"The disk under {tempfile.gettempdir()} is full ({error}), where readings are spilled "
            "between steps; free some space, or point TMPDIR at a folder on a larger disk."
        )
        raise TerminalError(msg) from error


@explain_full_disk()
def make_scratch() -> Path:
    """Make a folder that is removed when the process ends."""
    scratch = Path(tempfile.mkdtemp(prefix="forecast-pipeline-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return scratch


def _fetch_and_read(
    fetch: Callable[[], bytes], origin: Origin, limits: Limits, source: Source
) -> tuple[ObjectReadings, str | None]:
    """Give the readings and the sha256 of the bytes, if these could be had."""
    try:
        body = fetch()
    except TerminalError as error:
        is_corrupt = isinstance(error, CorruptObjectError)
        rule = "corrupt_object" if is_corrupt else "unreadable_object"
        return refuse_object(origin, rule, str(error)), None
    batches = read_batches(origin.key, body, source, limits)
    return read_object(batches, source, origin), hashlib.sha256(body).hexdigest()


@explain_full_disk()
def spill_readings(readings: pl.DataFrame, folder: Path, *, source_id: str, key: str) -> list[Part]:
    """Write READINGS of one object into its own folder, one Arrow file per UTC month.

    Columns without a value are left out.
    """
    if readings.is_empty():
        return []
    folder.mkdir()
    filled = readings.select(column for column in readings if column.null_count() < len(column))
    dated = filled.with_columns(month=pl.col("at").dt.truncate("1mo"))
    parts = []
    for (month,), frame in dated.partition_by("month", as_dict=True, include_key=False).items():
        path = folder / f"{month:%Y-%m}.arrow"
        frame.write_ipc(path)
        parts.append(Part(source_id, path.stem, key, path, frame.height))
    return parts


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
    harvest = harvest_objects(landing.unread, store.get_object, settings)
    return Extracted(
        as_of=as_of.astimezone(UTC),
        lake=lake,
        output=output,
        sources=give_facts(sources),
        parts=tuple(harvest.parts),
        objects=tuple(sorted((*landing.settled, *harvest.outcomes), key=lambda one: one.key)),
        stations=harvest.stations,
        quarantine=harvest.quarantine,
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
