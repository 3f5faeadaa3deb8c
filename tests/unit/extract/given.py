"""Objects as Airbyte, RTE and spreadsheets leave them, made up row by row."""

import io
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import xlsxwriter

from tasks.extract.blocks import Limits
from tasks.extract.catalogue import load_sources
from tasks.extract.content import read_batches
from tasks.extract.declaration import Source
from tasks.extract.identity import Origin
from tasks.extract.readings import ObjectReadings, read_object

LANDED_AT = datetime(2024, 10, 9, tzinfo=UTC)
KEY = "raw/wunderground/ITESTA12/first_day=2024-10-01/2024_10_08_1728345600000_0.jsonl"
MIB = 1 << 20
SOURCES = load_sources()

TABLE: dict[str, Any] = {
    "Time": "00:04:00",
    "Temperature": "56.2 °F",
    "Dew Point": "51.3 °F",
    "Humidity": "84 %",
    "Wind": "NNW",
    "Speed": "4.4 mph",
    "Gust": "10.9 mph",
    "Pressure": "29.75 in",
    "Precip. Rate.": "0.00 in",
    "Precip. Accum.": "0.19 in",
    "UV": 0,
    "Solar": "0 w/m²",
}
BLANK: dict[str, Any] = dict.fromkeys(TABLE)
ENVELOPE: dict[str, Any] = {
    "_airbyte_raw_id": "00000000-0000-4000-8000-000000000000",
    "_airbyte_extracted_at": 1745688139000,
    "_airbyte_meta": {"changes": [], "sync_id": 18},
    "_airbyte_generation_id": 1,
}


def row(time: str | None = "00:04:00", **values: object) -> dict[str, Any]:
    """One record of a daily table; `_` in a name stands for a blank."""
    return TABLE | {"Time": time} | {name.replace("_", " "): v for name, v in values.items()}


def line(data: Mapping[str, Any], **envelope: object) -> bytes:
    """One line as destination-s3 writes it."""
    record = ENVELOPE | envelope | {"_airbyte_data": data}
    return json.dumps(record, ensure_ascii=False).encode()


def lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(line(data) + b"\n" for data in rows)


def workbook(
    sheets: Mapping[str, list[list[Any]]], cells: Mapping[tuple[int, int], Any] | None = None
) -> bytes:
    """A native workbook: rows as given, times as text or numbers, and single cells."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(
        buffer, {"in_memory": True, "default_date_format": "hh:mm:ss"}
    ) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row_cells in enumerate(rows):
                sheet.write_row(number, 0, row_cells)
            for place, value in (cells or {}).items():
                sheet.write(*place, value)
    return buffer.getvalue()


def parquet(*records: Mapping[str, Any]) -> bytes:
    """A Parquet file with the types that the values have."""
    buffer = io.BytesIO()
    pl.DataFrame(list(records)).write_parquet(buffer)
    return buffer.getvalue()


def read(
    body: bytes,
    source: str | Source = "wunderground",
    *,
    key: str = KEY,
    first_day: date | None = None,
    line_mib: int = 64,
    object_mib: int = 64,
) -> ObjectReadings:
    """Read one object by a shipped source, or by a given one."""
    declared = SOURCES[source] if isinstance(source, str) else source
    origin = Origin(key, "etag", declared.id, LANDED_AT, first_day)
    batches = read_batches(key, body, declared, Limits(object_mib * MIB, line_mib * MIB))
    return read_object(batches, declared, origin)


def instants(readings: ObjectReadings) -> list[str]:
    return [f"{at:%Y-%m-%dT%H:%M}" for at in readings.frame["at"]]


def rules(readings: ObjectReadings) -> list[tuple[str, int | None, str | None]]:
    return readings.quarantine.select("rule", "line", "column").rows()


def values(readings: ObjectReadings, variable: str) -> list[float | None]:
    return readings.frame[variable].to_list()


def written(frame: pl.DataFrame) -> bytes:
    return frame.write_csv().encode()
