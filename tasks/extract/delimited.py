"""Delimited text: CSV and TSV in the dialects that exports and spreadsheets produce."""

import csv
from fnmatch import fnmatchcase
from typing import Final

import polars as pl

from tasks.common.contracts import RAW_LIMIT
from tasks.extract.blocks import Batch, Reject, reject_long_line
from tasks.extract.columns import find_columns
from tasks.extract.declaration import Source
from tasks.extract.envelope import DATA, LINE, name_roles
from tasks.extract.ndjson import Stations, read_values

_QUOTE: Final = '"'


def read_delimited(body: bytes, source: Source, *, limit_bytes: int, stations: Stations) -> Batch:
    """Read one table; empty lines and declared footers are no records."""
    lines, long = _list_lines(body, source, limit_bytes)
    if lines.is_empty():
        return Batch(pl.DataFrame(schema={"line": pl.UInt32}), long)
    separator = _find_separator(lines["text"][0], source)
    lines, ragged = _drop_ragged(lines, separator)
    frame = _parse(lines, separator)
    rejects = long + ragged
    if source.records or DATA in frame.columns:
        values = ((row.pop(LINE), row) for row in frame.iter_rows(named=True))
        batch = read_values(values, source, stations)
        return Batch(batch.frame, batch.rejects + rejects, batch.unknown)
    columns = find_columns([name for name in frame.columns if name != LINE], source)
    return Batch(name_roles(frame, columns, pl.col(LINE)), rejects, columns.unknown)


def _list_lines(
    body: bytes, source: Source, limit_bytes: int
) -> tuple[pl.DataFrame, tuple[Reject, ...]]:
    """Give the lines that hold something, with their numbers, and those beyond the limit."""
    texts = pl.Series("text", _decode(body).split("\n")).str.strip_suffix("\r")
    lines = texts.to_frame().with_row_index(LINE, offset=1).filter(pl.col("text") != "")
    for pattern in source.footer:
        stem = pattern.partition("*")[0]
        near = lines.filter(pl.col("text").str.starts_with(stem))
        footer = [n for n, text in near.iter_rows() if fnmatchcase(text, pattern)]
        lines = lines.filter(~pl.col(LINE).is_in(footer))
    is_long = pl.col("text").str.len_bytes() > limit_bytes
    long = lines.filter(is_long).with_columns(pl.col("text").str.head(RAW_LIMIT))
    rejects = (reject_long_line(n, text.encode(), limit_bytes) for n, text in long.iter_rows())
    return lines.filter(~is_long), tuple(rejects)


def _decode(body: bytes) -> str:
    """Decode UTF-8 or UTF-16 as the bytes say, else Windows-1252, ISO-8859-1's letters in it."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", errors="replace")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")


def _find_separator(header: str, source: Source) -> str:
    """Choose the separator under which most declared columns are found in the header."""

    def count_found(separator: str) -> int:
        return len(find_columns(_split(header, separator), source).found)

    return max(source.separators, key=count_found)


def _split(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def _drop_ragged(lines: pl.DataFrame, separator: str) -> tuple[pl.DataFrame, tuple[Reject, ...]]:
    """Take out lines with more cells than the header: nobody knows which cell is which."""
    count = pl.col("text").str.count_matches(separator, literal=True)
    allowed = lines["text"][0].count(separator)
    is_ragged = (count > allowed) & ~pl.col("text").str.contains(_QUOTE, literal=True)
    reason = f"more cells than the header's {allowed + 1}"
    rejects = tuple(
        Reject("too_many_cells", line, reason, text[:RAW_LIMIT])
        for line, text in lines.filter(is_ragged).iter_rows()
    )
    return lines.filter(~is_ragged), rejects


def _parse(lines: pl.DataFrame, separator: str) -> pl.DataFrame:
    """Parse into columns of texts; a stray quote that breaks the table counts as a letter."""
    text = "\n".join(lines["text"]).encode()
    quote = _QUOTE if _QUOTE.encode() in text else None
    try:
        frame = _read_csv(text, separator, quote)
    except pl.exceptions.PolarsError:
        frame = _read_csv(text, separator, None)
    rows = lines[LINE][1:]
    # A quoted line end makes fewer rows than lines: then rows are counted.
    counted = pl.int_range(2, frame.height + 2, eager=True)
    return frame.with_columns((rows if len(rows) == frame.height else counted).alias(LINE))


def _read_csv(text: bytes, separator: str, quote: str | None) -> pl.DataFrame:
    return pl.read_csv(
        text,
        separator=separator,
        quote_char=quote,
        infer_schema=False,
        truncate_ragged_lines=True,
    )
