"""Delimited text: CSV and TSV in the dialects that exports and spreadsheets produce."""

import re
from fnmatch import fnmatchcase
from io import BytesIO, TextIOWrapper
from typing import Final

import polars as pl

from tasks.common.contracts import RAW_LIMIT
from tasks.common.errors import OversizedObjectError
from tasks.extract.blocks import Batch, Limits, RefusedError, Reject, reject_long_line
from tasks.extract.columns import LINE, find_columns
from tasks.extract.declaration import Source
from tasks.extract.envelope import DATA, read_values

_QUOTE: Final = '"'

MOST_BYTES: Final = 256 << 20
"""Largest table, decompressed: unlike JSON lines, a table is held whole."""

MOST_CELLS: Final = 64 << 20
"""Cells of the largest table, however short they are; a line counts for 16 at least."""


def read_delimited(body: bytes, source: Source, limits: Limits) -> Batch:
    """Read one table; empty lines and declared footers are no records, every other line is one.

    Raises:
        OversizedObjectError: the table is beyond what is held in memory.
        RefusedError: bad_utf8; it is JSON in another encoding.
    """
    lines, rejects = _list_lines(body, source, limits.line_bytes)
    if not lines:
        return Batch(pl.DataFrame(schema={"line": pl.UInt32}), rejects)
    if lines[0][1].startswith(("{", "[")):
        raise RefusedError("bad_utf8", "it is JSON in UTF-16; deliver it in UTF-8")
    separator = max(source.separators, key=lambda one: _count_found(lines[0][1], one, source))
    _check_cells(len(lines), lines[0][1].count(separator) + 1)
    lines, ragged = _drop_ragged(lines, separator)
    frame = _parse(lines, separator)
    if DATA in frame.columns or (source.records and source.records.first in frame.columns):
        batch = read_values(((row.pop(LINE), row) for row in frame.iter_rows(named=True)), source)
    else:
        batch = find_columns(frame.columns, source).make_batch(frame)
    return batch._replace(rejects=[*batch.rejects, *rejects, *ragged])


Lines = list[tuple[int, str]]
"""Physical number and text of each line."""


def _list_lines(body: bytes, source: Source, line_bytes: int) -> tuple[Lines, list[Reject]]:
    """Give the lines that hold something, and reject those beyond the limit."""
    if len(body) > MOST_BYTES:
        msg = f"a table of more than {MOST_BYTES >> 20} MiB; deliver it in parts"
        raise OversizedObjectError(msg)
    _check_cells(max(body.count(b"\n"), body.count(b"\r")))
    numbered = enumerate(_open_text(body), 1)
    lines = [(number, text) for number, line in numbered if (text := line.rstrip("\n"))]
    for pattern in source.footer:
        lines = [one for one in lines if not fnmatchcase(one[1], pattern)]
    rejects = [
        reject_long_line(number, text[:RAW_LIMIT].encode(), line_bytes)
        for number, text in lines
        if len(text) > line_bytes
    ]
    return [one for one in lines if len(one[1]) <= line_bytes], rejects


def _open_text(body: bytes) -> TextIOWrapper:
    """Decode UTF-8 or UTF-16 as the bytes say, else Windows-1252, ISO-8859-1's letters in it.

    A line may end in CR LF, LF, or CR alone.
    """
    encoding = "utf-16"
    if not body.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            body.decode(encoding := "utf-8-sig")
        except UnicodeDecodeError:
            encoding = "cp1252"
    return TextIOWrapper(BytesIO(body), encoding, errors="replace", newline=None)


def _count_found(header: str, separator: str, source: Source) -> int:
    cells = (cell.strip(_QUOTE) for cell in header.split(separator))
    return len(find_columns(cells, source).found)


def _check_cells(lines: int, width: int = 1) -> None:
    """Bound the table by its cells: a million short lines are little text and much memory."""
    if max(lines, 1024) * max(width, 16) > MOST_CELLS:
        msg = f"a table of more than {MOST_CELLS >> 20} Mi cells; deliver it in parts"
        raise OversizedObjectError(msg)


def _drop_ragged(lines: Lines, separator: str) -> tuple[Lines, list[Reject]]:
    """Take out lines of which nobody knows which cell is which.

    They have more cells than the header, or another number of them and a quote that closes
    nowhere or in the middle of a cell. Such quotes elsewhere are letters; a record is a line.
    """
    most, kept, rejects = lines[0][1].count(separator), Lines(), list[Reject]()
    cell = rf'(?:"(?:[^"]|"")*+"|[^"{re.escape(separator)}]*+)'
    quoted = re.compile(f"{cell}(?:{re.escape(separator)}{cell})*+")
    for number, text in lines:
        count = text.count(separator)
        if _QUOTE in text and quoted.fullmatch(text):
            kept.append((number, text))
        elif count > most or (_QUOTE in text and count < most):
            rule = "bad_row" if _QUOTE in text else "too_many_cells"
            reason = f"{count + 1} cells, and {most + 1} in the header"
            rejects.append(Reject(rule, number, None, reason, text[:RAW_LIMIT]))
        else:
            kept.append((number, _spell_quotes(text, separator)))
    return kept, rejects


def _spell_quotes(text: str, separator: str) -> str:
    """Write quotes that are letters as CSV writes them."""
    if _QUOTE not in text:
        return text
    return separator.join(f'"{cell.replace(_QUOTE, _QUOTE * 2)}"' for cell in text.split(separator))


def _parse(lines: Lines, separator: str) -> pl.DataFrame:
    """Parse into columns of texts, and the number of each line."""
    frame = pl.read_csv(
        "\n".join(text for _, text in lines).encode(),
        separator=separator,
        infer_schema=False,
        truncate_ragged_lines=True,
    )
    numbers = [number for number, _ in lines[1:]]
    return frame.with_columns(pl.Series(LINE, numbers, dtype=pl.UInt32))
