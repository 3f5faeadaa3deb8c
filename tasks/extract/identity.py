"""Who said it, and how finally: station, vintage, Airbyte's generation and instant."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import Any, Final

import polars as pl

from tasks.common.contracts import INSTANT, QUARANTINE, RAW_LIMIT
from tasks.extract.cells import CELLS, Distinct
from tasks.extract.columns import contains, fold, is_same
from tasks.extract.declaration import Source
from tasks.extract.envelope import parse_json
from tasks.extract.instants import DayHint

_MILLISECONDS_FROM: Final = 100_000_000_000
"""Epochs from here on are milliseconds (1973), below it seconds (up to the year 5138)."""


@dataclass(frozen=True)
class Origin:
    """Where readings come from: the object as listed, its source, and a declared first day."""

    key: str
    etag: str
    source_id: str
    modified_at: datetime
    first_day: date | None = None

    @property
    def day_hint(self) -> DayHint:
        """Give what the object says of its days."""
        return DayHint(self.key, self.first_day)

    def stamp(self, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
        """Give QUARANTINE from rows of rule, line, column, reason, raw."""
        schema = {name: QUARANTINE[name] for name in ("rule", "line", "column", "reason", "raw")}
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        stamps = {"key": self.key, "etag": self.etag, "source_id": self.source_id}
        return frame.with_columns(pl.lit(v).alias(k) for k, v in stamps.items()).select(*QUARANTINE)


def add_identity(frame: pl.DataFrame, source: Source, origin: Origin) -> pl.DataFrame:
    """Add station_id (null: unknown), maturity, generation and extracted_at."""
    return frame.with_columns(
        _find_stations(frame, source, origin.key).alias("station_id"),
        _rank_maturity(frame, source).alias("maturity"),
        _read_generation(frame).alias("generation"),
        _read_extraction(frame, origin.modified_at).alias("extracted_at"),
    )


def _find_stations(frame: pl.DataFrame, source: Source, key: str) -> pl.Series:
    rule = source.station
    if rule.columns:
        distinct = Distinct.of(frame["@station"]) if "@station" in frame.columns else None
        if distinct is None:
            return pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)
        ids = {fold(id_): id_ for id_ in rule.map.values()}
        names = {fold(text): id_ for text, id_ in rule.map.items()} | ids
        return distinct.map(lambda text: _name_station(text, names, source.network), pl.String())
    station = rule.value or find_station_in_key(key, source)
    full = f"{source.network}:{station}" if station else None
    return pl.Series([full], dtype=pl.String).new_from_index(0, frame.height)


def _name_station(text: str, names: dict[str, str], network: str) -> str | None:
    if not names:
        return f"{network}:{text.strip()}" if text.strip() else None
    folded = fold(text)
    found = next((id_ for name, id_ in names.items() if is_same(folded, name)), None)
    return found and f"{network}:{found}"


def find_station_in_key(key: str, source: Source) -> str | None:
    """Give the station a key names: the last match of the declared pattern, else its glob."""
    pattern = source.station.path
    found = re.findall(pattern, key) if pattern else []
    if found:
        return found[-1]
    globs = ((id_, glob) for id_, facts in source.stations.items() for glob in facts.keys)
    return next((id_ for id_, glob in globs if fnmatchcase(key.casefold(), glob.casefold())), None)


def _rank_maturity(frame: pl.DataFrame, source: Source) -> pl.Series:
    """Rank the vintage: 1 for the least final word, ...; 0 where it is not told."""
    if source.maturity is None or "@maturity" not in frame.columns:
        return pl.Series([0], dtype=pl.UInt8).new_from_index(0, frame.height)
    words = [fold(word) for word in source.maturity.order]

    def rank(text: str) -> int:
        folded = fold(text)
        return max((n for n, word in enumerate(words, 1) if contains(folded, word)), default=0)

    return Distinct.of(frame["@maturity"]).map(rank, pl.UInt8()).fill_null(0)


def _read_generation(frame: pl.DataFrame) -> pl.Series:
    if "@generation" not in frame.columns:
        return pl.Series([0], dtype=pl.Int64).new_from_index(0, frame.height)
    return frame["@generation"].cast(pl.Int64, strict=False).fill_null(0)


def _read_extraction(frame: pl.DataFrame, modified_at: datetime) -> pl.Series:
    fallback = pl.Series([modified_at], dtype=INSTANT).new_from_index(0, frame.height)
    if "@extracted_at" not in frame.columns:
        return fallback
    read = Distinct.of(frame["@extracted_at"]).map(parse_extraction, INSTANT)
    return read.fill_null(modified_at) if read.null_count() else read


def parse_extraction(text: str) -> datetime | None:
    """Read Airbyte's instant: epoch in milliseconds, as number or text, or ISO; else None.

    >>> parse_extraction("1745688139000").isoformat(), parse_extraction("2025-04-26 17:22:19Z").year
    ('2025-04-26T17:22:19+00:00', 2025)
    """
    try:
        number = float(text)
        seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError):
        pass
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def list_changes(frame: pl.DataFrame) -> pl.DataFrame:
    """Give CELLS of the values that Airbyte says it nulled or cut."""
    if "@changes" not in frame.columns:
        return CELLS.to_frame()
    rows = [
        ("changed_by_airbyte", line, str(change.get("field")), str(change)[:RAW_LIMIT])
        for text, line in frame.select("@changes", "line").filter(_has_changes).iter_rows()
        for change in _parse_changes(text)
    ]
    return pl.DataFrame(rows, schema=CELLS, orient="row")


_has_changes: Final = (pl.col("@changes") != "[]") & ~pl.col("@changes").str.contains(
    r'"changes"\s*:\s*\[\s*\]'
)


def _parse_changes(text: str) -> list[dict[str, Any]]:
    try:
        parsed = parse_json(text)
    except ValueError:
        return []
    changes = parsed.get("changes") if isinstance(parsed, dict) else parsed
    return [change for change in changes or [] if isinstance(change, dict)]
