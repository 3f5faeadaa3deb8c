"""Records out of whatever Airbyte wrapped them in, as a table of texts.

Known wrappers: destination-s3 from 1.0.0 (`_airbyte_raw_id, _airbyte_extracted_at,
_airbyte_generation_id, _airbyte_meta, _airbyte_data`) and before (`_airbyte_ab_id,
_airbyte_emitted_at`); data nested, flattened to the root, or as JSON in a text; `{id, raw_data}`.
Source: https://docs.airbyte.com/integrations/destinations/s3
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson
import polars as pl

from tasks.extract.blocks import Batch, Reject
from tasks.extract.columns import STATION_KEY, Columns, find_columns
from tasks.extract.declaration import Source

DATA: Final = "_airbyte_data"
META: Final = "_airbyte_meta"
_WRAPPER: Final = {"id", "raw_data"}
LINE: Final = "@line"

Record = Mapping[str, Any]


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
        raise ValueError(str(error)) from None
    return parsed


def open_envelope(record: object) -> dict[str, Any]:
    """Give the record itself, Airbyte's own columns beside its data.

    Raises:
        ValueError: there is no JSON object inside.
    """
    outer = _open_text(record)
    airbyte = {name: value for name, value in outer.items() if name.startswith("_airbyte_")}
    airbyte.pop(DATA, None)
    if isinstance(airbyte.get(META), Mapping):
        airbyte[META] = airbyte[META].get("changes")
    inner = _open_text(outer[DATA]) if DATA in outer else outer
    if {name for name in inner if name not in airbyte} == _WRAPPER:
        inner = _open_text(inner["raw_data"])
    return {**inner, **airbyte}


def _open_text(value: object) -> Record:
    opened = parse_json(value) if isinstance(value, str | bytes) else value
    if not isinstance(opened, Mapping):
        msg = f"a JSON {type(opened).__name__} where an object is expected"
        raise ValueError(msg)  # noqa: TRY004 - a fault of the text, as a JSON error is
    return opened


def list_records(payload: Record, source: Source) -> Iterator[Record]:
    """Give the records of one opened envelope: itself, or those at the declared path.

    Raises:
        ValueError: the path leads nowhere.
    """
    rule = source.records
    if rule is None:
        yield payload
        return
    airbyte = {name: value for name, value in payload.items() if name.startswith("_airbyte_")}
    found = _follow(payload, rule.path)
    by_station = found.items() if isinstance(found, Mapping) else [(None, found)]
    for station, rows in by_station:
        if station not in rule.ignore:
            for row in rows:
                yield {STATION_KEY: station, **row, **airbyte}


def list_stations(payload: Record, source: Source) -> list[dict[str, Any]]:
    """Give the stations an answer describes, as it describes them."""
    rule = source.records
    if rule is None or rule.stations is None:
        return []
    found = _follow(payload, rule.stations, default=())
    return [dict(station) for station in found if isinstance(station, Mapping)]


def _follow(payload: Record, path: str, default: object = None) -> Any:  # noqa: ANN401
    found: Any = payload
    for step in path.split("."):
        found = parse_json(found) if isinstance(found, str) else found
        found = found.get(step, default) if isinstance(found, Mapping) else default
    found = parse_json(found) if isinstance(found, str) else found
    if found is None:
        msg = f"no records at {path!r}"
        raise ValueError(msg)
    return found


def tabulate(
    records: Iterable[tuple[int, Record]], source: Source, rejects: Iterable[Reject] = ()
) -> Batch:
    """Give a batch from records with their line numbers; every value as its JSON text."""
    rows = [{LINE: line, **record} for line, record in records]
    headers = dict.fromkeys(name for row in rows for name in row if name != LINE)
    columns = find_columns(headers, source)
    lines = b"\n".join(map(orjson.dumps, rows))
    names = [name for found in columns.found.values() for name in found]
    schema = {LINE: pl.UInt32} | dict.fromkeys(names, pl.String)
    frame = pl.read_ndjson(lines, schema=schema) if rows else pl.DataFrame(schema=schema)
    return Batch(name_roles(frame, columns, pl.col(LINE)), tuple(rejects), columns.unknown)


def name_roles(frame: pl.DataFrame, columns: Columns, line: pl.Expr) -> pl.DataFrame:
    """Rename columns to the roles they play; of several for one role, the first non-null."""
    roles = [pl.coalesce(headers).alias(role) for role, headers in columns.found.items()]
    return frame.select(*roles, line.cast(pl.UInt32).alias("line"))
