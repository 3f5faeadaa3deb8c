"""Records out of whatever Airbyte wrapped them in, as a table of texts.

Known wrappers: destination-s3 from 1.0.0 (`_airbyte_raw_id, _airbyte_extracted_at,
_airbyte_generation_id, _airbyte_meta, _airbyte_data`) and before (`_airbyte_ab_id,
_airbyte_emitted_at`); data nested, flattened to the root, or as JSON in a text; `{id, raw_data}`.
Source: https://docs.airbyte.com/integrations/destinations/s3
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
import polars as pl

from tasks.common.contracts import RAW_LIMIT
from tasks.extract.blocks import Batch, Reject
from tasks.extract.columns import LINE, STATION_KEY, find_columns, fold
from tasks.extract.declaration import Source

DATA: Final = "_airbyte_data"

_EXCUSES: Final = ("errors", "error", "message")
"""Where providers say why an answer holds no records: InfoClimat's `"errors": ["key expired"]`."""

Record = dict[str, Any]


class NoRecordError(ValueError):
    """A text that holds no JSON object, or not at the declared path."""


class UnitError(ValueError):
    """An answer that tells another unit than is declared."""


def parse_json(text: bytes | str) -> Any:  # noqa: ANN401
    """Parse JSON; NaN, Infinity and 1e999, which JSON has not, become texts.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        parsed = json.loads(text, parse_constant=str, parse_float=str, parse_int=str)
        orjson.dumps(parsed)  # refuses half a surrogate pair, which json lets through
    except (RecursionError, TypeError) as error:
        raise NoRecordError(str(error)) from None
    return parsed


def find_step(record: Record) -> str | None:
    """Name the wrapper's key under which the data lies; None: the record is the data."""
    if DATA in record:
        return DATA
    names = {name for name in record if not name.startswith("_airbyte_")}
    return "raw_data" if names == {"id", "raw_data"} else None


def open_envelope(value: object) -> dict[str, Any]:
    """Give the data of a record, with Airbyte's own columns beside it.

    Raises:
        ValueError: there is no JSON object inside.
    """
    outer = inner = _open_text(value)
    while step := find_step(inner):
        inner = _open_text(inner[step])
    return inner | {n: outer[n] for n in outer if n.startswith("_airbyte_") and n != DATA}


def _open_text(value: object) -> Record:
    opened = parse_json(value) if isinstance(value, str | bytes) else value
    if not isinstance(opened, dict):
        msg = f"a JSON {type(opened).__name__} where an object is expected"
        raise NoRecordError(msg)
    return opened


def read_values(values: Iterable[tuple[int, object]], source: Source) -> Batch:
    """Read numbered texts or objects one by one; one without a record is rejected alone."""
    rows: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    stations: list[dict[str, Any]] = []
    for line, value in values:
        try:
            payload = open_envelope(value)
            _check_units(payload, source)
            found = _list_records(payload, source)
            stations += _list_stations(payload, source)
        except ValueError as error:
            rejects.append(_reject(line, value, error))
            continue
        for beside, record in found:
            try:
                rows.append({**_open_text(record), **beside, LINE: line})
            except ValueError as error:
                rejects.append(_reject(line, record, error))
    return _tabulate(rows, source)._replace(rejects=rejects, stations=stations)


def _list_records(payload: Record, source: Source) -> list[tuple[Record, object]]:
    """Give what stands beside each record, and the record, unopened: by its path, or the payload.

    Raises:
        ValueError: there is none, and the provider says why, or nothing at the path.
    """
    rule = source.records
    if rule is None or (rule.first not in payload and _has_variable(payload, source)):
        return [({}, payload)]
    airbyte = {name: value for name, value in payload.items() if name.startswith("_airbyte_")}
    found = _follow(payload, rule.path)
    by_station = found if isinstance(found, Mapping) else {None: found or []}
    listed = [
        ({STATION_KEY: station, **airbyte}, record)
        for station, rows in by_station.items()
        if station not in rule.ignore
        for record in (rows if isinstance(rows, list) else [rows])
    ]
    told = {name: payload[name] for name in _EXCUSES if payload.get(name)}
    if found is None or (told and not listed):
        msg = f"no records at {rule.path!r}; the provider says {told or 'nothing'}"
        raise NoRecordError(msg)
    return listed


def _has_variable(payload: Record, source: Source) -> bool:
    wanted = {fold(column) for rule in source.fields.values() for column in rule.columns}
    return any(fold(name) in wanted for name in payload)


def _check_units(payload: Record, source: Source) -> None:
    """Compare the units that an answer tells with the declared ones.

    Raises:
        UnitError: one is another.
    """
    rule = source.records
    units = _follow(payload, rule.units) if rule and rule.units else None
    told = dict(units) if isinstance(units, Mapping) else {}
    for field in source.fields.values():
        for column in field.columns:
            unit = str(told.get(column)).rpartition(",")[2].strip()
            is_told = field.suffixes and "," in str(told.get(column))
            if is_told and fold(unit) not in map(fold, field.suffixes):
                declared = " or ".join(field.suffixes)
                msg = f"it tells {unit!r} as the unit of {column}, where {declared} is declared"
                raise UnitError(msg)


def _list_stations(payload: Record, source: Source) -> list[dict[str, Any]]:
    rule = source.records
    found = _follow(payload, rule.stations) if rule and rule.stations else None
    return [dict(station) for station in found or () if isinstance(station, Mapping)]


def _follow(payload: Record, path: str) -> Mapping[str, Any] | list[Any] | None:
    found: Any = payload
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
        found = parse_json(found) if isinstance(found, str) else found
    return found if isinstance(found, Mapping | list) else None


def _reject(line: int, value: object, error: ValueError) -> Reject:
    text = value if isinstance(value, bytes) else orjson.dumps(value)
    rules = {UnicodeDecodeError: "bad_utf8", UnitError: "unexpected_unit"}
    rule = rules.get(type(error), "bad_json")
    return Reject(rule, line, None, str(error), text[:RAW_LIMIT].decode(errors="replace"))


def _tabulate(rows: list[dict[str, Any]], source: Source) -> Batch:
    """Give records as a table, every value as its JSON text."""
    headers = dict.fromkeys(name for row in rows for name in row)
    columns = find_columns(headers, source)
    schema = dict.fromkeys([LINE, *columns.names], pl.String)
    lines = b"\n".join(map(orjson.dumps, rows))
    frame = pl.read_ndjson(lines, schema=schema) if rows else pl.DataFrame(schema=schema)
    return columns.make_batch(frame)
