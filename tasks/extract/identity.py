"""Who said it, and how finally: station, vintage, Airbyte's generation and instant."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import Any, Final

import orjson
import polars as pl

from tasks.common.contracts import INSTANT, QUARANTINE
from tasks.common.manifests import STATIONS
from tasks.extract.blocks import RefusedError, Reject
from tasks.extract.cells import map_column
from tasks.extract.columns import contains, fold, is_same
from tasks.extract.declaration import MaturityRule, Source
from tasks.extract.envelope import parse_json

_MILLISECONDS_FROM: Final = 100_000_000_000
"""Epochs from here on are milliseconds (1973), below it seconds (up to the year 5138)."""

_ROLES: Final = ("@station", "@maturity", "@generation", "@extracted_at")


@dataclass(frozen=True)
class Origin:
    """Where readings come from: the object as listed, its source, and a declared first day."""

    key: str
    etag: str
    source_id: str
    modified_at: datetime
    first_day: date | None = None

    def stamp(self, rejects: Iterable[Reject]) -> pl.DataFrame:
        """Give QUARANTINE of what was rejected."""
        schema = {name: QUARANTINE[name] for name in Reject._fields}
        stamps = {"key": self.key, "etag": self.etag, "source_id": self.source_id}
        frame = pl.DataFrame(list(rejects), schema=schema, orient="row")
        return frame.with_columns(pl.lit(v).alias(k) for k, v in stamps.items()).select(*QUARANTINE)


def add_identity(frame: pl.DataFrame, source: Source, origin: Origin) -> pl.DataFrame:
    """Add station_id (null: unknown), maturity, generation and extracted_at.

    Raises:
        RefusedError: no record's station is known.
    """
    absent = [pl.lit(None, pl.String).alias(role) for role in _ROLES if role not in frame.columns]
    told = frame.with_columns(absent)
    station: pl.Series | pl.Expr = pl.lit(find_station_in_key(origin.key, source), pl.String)
    if source.station.columns:
        station = map_column(told["@station"], _station_reader(source), pl.String())
    rank = _maturity_reader(source.maturity)
    identified = frame.with_columns(
        station.alias("station_id"),
        maturity=map_column(told["@maturity"], rank, pl.UInt8()).fill_null(0),
        generation=told["@generation"].cast(pl.Int64, strict=False).fill_null(0),
        extracted_at=map_column(told["@extracted_at"], parse_extraction, INSTANT).fill_null(
            origin.modified_at
        ),
    )
    if identified["station_id"].count() == 0:
        reason = f"no station is named by the key {origin.key!r} or by its records"
        raise RefusedError("no_station", reason)
    return identified


def _station_reader(source: Source) -> Callable[[str], str | None]:
    ids = {fold(id_): id_ for id_ in source.station.map.values()}
    names = ids | {fold(text): id_ for text, id_ in source.station.map.items()}

    def read(text: str) -> str | None:
        if not names:
            return f"{source.network}:{text.strip()}" if text.strip() else None
        found = next((id_ for name, id_ in names.items() if is_same(fold(text), name)), None)
        return found and f"{source.network}:{found}"

    return read


def find_station_in_key(key: str, source: Source) -> str | None:
    """Give the constant station, or that of the key: the pattern's last match, else a glob's."""
    rule = source.station
    named = [rule.value] if rule.value else re.findall(rule.path, key) if rule.path else []
    globs = ((id_, glob) for id_, facts in source.stations.items() for glob in facts.keys)
    named = [id_ for id_, glob in globs if fnmatchcase(key.casefold(), glob.casefold())] + named
    return f"{source.network}:{named[-1]}" if named else None


def _maturity_reader(rule: MaturityRule | None) -> Callable[[str], int]:
    words = [fold(word) for word in rule.order] if rule else []
    return lambda text: max(
        (rank for rank, word in enumerate(words, 1) if contains(fold(text), word)), default=0
    )


def parse_extraction(text: str) -> datetime | None:
    """Read Airbyte's instant: epoch in milliseconds, as number or text, or ISO; else None.

    >>> parse_extraction("1745688139000").isoformat(), parse_extraction("2025-04-26 17:22:19Z").year
    ('2025-04-26T17:22:19+00:00', 2025)
    """
    with suppress(ValueError, OverflowError, OSError):  # -1e17: OSError 75
        number = float(text)
        seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
        return datetime.fromtimestamp(seconds, UTC)
    with suppress(ValueError, OverflowError):  # 9999-12-31T23:59:59-14:00 is beyond in UTC
        read = datetime.fromisoformat(text.strip())
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    return None


def list_changes(frame: pl.DataFrame) -> list[Reject]:
    """Give the cells that Airbyte says it nulled or cut on their way."""
    if "@changes" not in frame.columns:
        return []
    told = {text: _read_changes(text) for text in frame["@changes"].unique() if text}
    if not any(told.values()):
        return []
    changed = frame.filter(pl.col("@changes").is_in([text for text in told if told[text]]))
    reason = "Airbyte nulled or cut the value (_airbyte_meta.changes)"
    return [
        Reject("changed_by_airbyte", line, column, reason, raw)
        for line, text in changed.select("line", "@changes").iter_rows()
        for column, raw in told[text]
    ]


def _read_changes(meta: str) -> list[tuple[str, str]]:
    """Give field and JSON of each change; none in `{"changes":[],"sync_id":18}`."""
    try:
        changes = parse_json(meta)["changes"]
        return [(str(change["field"]), orjson.dumps(change).decode()) for change in changes]
    except (ValueError, TypeError, KeyError):
        return []


def list_stations(
    ids: Iterable[str], source: Source, described: Iterable[Mapping[str, Any]] = ()
) -> pl.DataFrame:
    """Give STATIONS of the given ids; what an object says of them overrides the declaration."""
    own = {f"{source.network}:{block.get('id')}": _read_block(block) for block in described}
    rows = []
    for station_id in ids:
        declared = source.stations.get(station_id.removeprefix(f"{source.network}:"))
        facts = declared.model_dump(exclude={"keys"}, exclude_none=True) if declared else {}
        row = {"station_id": station_id, "network": source.network, "licence": source.licence}
        rows.append(row | facts | own.get(station_id, {}))
    return pl.DataFrame(rows, schema=STATIONS)


def _read_block(block: Mapping[str, Any]) -> dict[str, Any]:
    facts = {
        "name": str(block["name"]) if block.get("name") else None,
        "latitude": _read_number(block.get("latitude")),
        "longitude": _read_number(block.get("longitude")),
        "elevation_m": _read_number(block.get("elevation")),
    }
    if isinstance(licence := block.get("license"), Mapping):
        told = (licence.get(word) for word in ("license", "source", "url"))
        facts["licence"] = ", ".join(str(word) for word in told if word)
    return {name: value for name, value in facts.items() if value is not None}


def _read_number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None
