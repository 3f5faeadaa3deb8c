"""Delimited text: CSV and TSV in the dialects that exports and spreadsheets produce."""

import csv
from fnmatch import fnmatchcase
from typing import Final

import polars as pl

from tasks.common.contracts import RAW_LIMIT
from tasks.extract.blocks import Batch, Limits, Reject, reject_long_line
from tasks.extract.columns import find_columns
from tasks.extract.declaration import Source
from tasks.extract.envelope import DATA, LINE, name_roles, read_values

_QUOTE: Final = '"'


def read_delimited(body: bytes, source: Source, limits: Limits) -> Batch:
    """Read one table; empty lines and declared footers are no records."""
    lines, rejects = _list_lines(body, source, limits.line_bytes)
    if not lines:
        return Batch(pl.DataFrame(schema={"line": pl.UInt32}), rejects)
    separator = max(source.separators, key=lambda one: _count_found(lines[0][1], one, source))
    lines, ragged = _drop_ragged(lines, separator)
    frame = _parse(lines, separator)
    if source.records or DATA in frame.columns:
        batch = read_values(((row.pop(LINE), row) for row in frame.iter_rows(named=True)), source)
    else:
        columns = find_columns([name for name in frame.columns if name != LINE], source)
        batch = Batch(name_roles(frame, columns), unknown=columns.unknown)
    return batch._replace(rejects=batch.rejects + rejects + ragged)


Lines = list[tuple[int, str]]
"""Physical number and text of each line."""


def _list_lines(body: bytes, source: Source, line_bytes: int) -> tuple[Lines, list[Reject]]:
    """Give the lines that hold something, and reject those beyond the limit."""
    texts = (text.removesuffix("\r") for text in _decode(body).split("\n"))
    lines = [(number, text) for number, text in enumerate(texts, 1) if text]
    for pattern in source.footer:
        lines = [one for one in lines if not fnmatchcase(one[1], pattern)]
    rejects = [
        reject_long_line(number, text[:RAW_LIMIT].encode(), line_bytes)
        for number, text in lines
        if len(text) > line_bytes
    ]
    return [one for one in lines if len(one[1]) <= line_bytes], rejects


def _decode(body: bytes) -> str:
    """Decode UTF-8 or UTF-16 as the bytes say, else Windows-1252, ISO-8859-1's letters in it."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", errors="replace")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")


def _count_found(header: str, separator: str, source: Source) -> int:
    return len(find_columns(next(csv.reader([header], delimiter=separator)), source).found)


def _drop_ragged(lines: Lines, separator: str) -> tuple[Lines, list[Reject]]:
    """Take out lines with more cells than the header: nobody knows which cell is which."""
    most = lines[0][1].count(separator)
    reason = f"more cells than the {most + 1} of the header"
    ragged = {n: t for n, t in lines if t.count(separator) > most and _QUOTE not in t}
    rejects = [Reject("too_many_cells", n, None, reason, t[:RAW_LIMIT]) for n, t in ragged.items()]
    return [one for one in lines if one[0] not in ragged], rejects


def _parse(lines: Lines, separator: str) -> pl.DataFrame:
    """Parse into columns of texts; a stray quote that breaks the table counts as a letter."""
    text = "\n".join(text for _, text in lines).encode()
    try:
        frame = _read_csv(text, separator, _QUOTE)
    except pl.exceptions.PolarsError:
        frame = _read_csv(text, separator, None)
    numbers = [number for number, _ in lines[1:]]
    if len(numbers) != frame.height:  # a quoted line end: then rows are counted, not lines
        numbers = list(range(2, frame.height + 2))
    return frame.with_columns(pl.Series(LINE, numbers, dtype=pl.UInt32))


def _read_csv(text: bytes, separator: str, quote: str | None) -> pl.DataFrame:
    return pl.read_csv(
        text,
        separator=separator,
        quote_char=quote,
        infer_schema=False,
        truncate_ragged_lines=True,
    )
