"""From the bytes of an object to batches of records: the content tells the format, not the name."""

import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import Final

import fastexcel
import polars as pl

from tasks.common.compression import decompress_chunks
from tasks.common.contracts import RAW_LIMIT
from tasks.common.errors import CorruptObjectError, OversizedObjectError
from tasks.extract.blocks import Batch, Limits, Reject
from tasks.extract.columns import LINE, Columns, find_columns
from tasks.extract.declaration import Source
from tasks.extract.delimited import read_delimited
from tasks.extract.ndjson import read_json
from tasks.extract.parquet import PARQUET, read_parquet

ZIP: Final = b"PK\x03\x04"
OLE: Final = b"\xd0\xcf\x11\xe0"
"""First bytes of .xlsx (a zip) and of true .xls (RTE's `.xls` are tab-separated text)."""

_MOST_CELLS, _MOST_COLUMNS, _TITLE_ROWS = 20_000_000, 500, 5
_REFERENCE: Final = re.compile(rb"""\br=["']([A-Z]{0,3})(\d{1,7})["']""")
"""Where a row or a cell of a sheet stands: `<row r="2">`, `<c r="XFD1048576">`."""

_DAMAGES: Final = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError),
    *(ValueError, NotImplementedError, RuntimeError),
)
"""What `zipfile` and its decompressors raise for damaged, encrypted or exotic archives."""


def read_batches(key: str, body: bytes, source: Source, limits: Limits) -> Iterator[Batch]:
    """Give the records of an object, of JSON lines a bounded number at a time.

    Raises:
        CorruptObjectError, OversizedObjectError: the object cannot be read as a whole.
    """
    chunks = decompress_chunks(body, key=key, max_bytes=limits.object_bytes)
    first = next(chunks, b"")
    head, stream = first[:4096], chain([first], chunks)
    if _looks_like_json(head):
        yield from read_json(stream, source, limits)
        return
    whole = b"".join(stream)
    if head.startswith(PARQUET):
        yield from read_json(read_parquet(whole, limits.object_bytes), source, limits)
        return
    inner = open_zip(whole, limits) if head.startswith(ZIP) else None
    if head.startswith((ZIP, OLE)) and inner is None:
        yield from read_workbook(whole, source)
    else:
        yield read_delimited(whole if inner is None else inner, source, limits)


def _looks_like_json(head: bytes) -> bool:
    """Tell JSON from a table, even when its first lines are damaged."""
    lines = head.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 5)[:5]
    return lines[0].startswith(b"[") or any(line.startswith(b"{") for line in lines)


def read_workbook(body: bytes, source: Source) -> Iterator[Batch]:
    """Read every sheet; `line` is its row, from 1. Without a declared variable, rows are rejected.

    Blank rows stay, since they separate days; nothing is inferred, since times without a date
    come as 1899-12-31 00:04:00 and numbers carry their unit as text.

    Raises:
        CorruptObjectError: it cannot be opened.
    """
    try:
        sheets = pl.read_excel(
            io.BytesIO(body),
            sheet_id=0,
            has_header=False,
            infer_schema_length=0,
            drop_empty_rows=False,
            raise_if_empty=False,
        )
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError) as error:
        msg = f"No readable workbook ({error}); land it again."
        raise CorruptObjectError(msg) from error
    for name, sheet in sheets.items():
        numbered = sheet.with_row_index(LINE, 1)
        for at, header in enumerate(sheet.head(_TITLE_ROWS).rows()):
            columns = find_columns(filter(None, header), source)
            if columns.found.keys() & source.fields.keys():
                yield _read_sheet(name, numbered[at + 1 :], header, columns)
                break
        else:
            yield Batch(pl.DataFrame(schema={"line": pl.UInt32}), _reject_sheet(name, numbered))


def _read_sheet(
    name: str, rows: pl.DataFrame, header: tuple[str | None, ...], columns: Columns
) -> Batch:
    """Name the columns of a sheet by its header; of two of one name, the first counts."""
    places = {text: at for at, text in reversed([*enumerate(header, 1)]) if text}
    named = rows.select(LINE, *(rows[:, at].alias(text) for text, at in places.items()))
    batch = columns.make_batch(named)
    return batch._replace(frame=batch.frame.with_columns(pl.lit(name).alias("@sheet")))


def _reject_sheet(name: str, numbered: pl.DataFrame) -> list[Reject]:
    """Reject every row that holds something, below the first, which ought to be the header."""
    texts = pl.exclude(LINE)
    filled = numbered.filter(pl.any_horizontal(pl.lit(value=False), texts.is_not_null()))
    if filled.is_empty():
        return []
    header = ", ".join(filter(None, filled.drop(LINE).row(0)))
    reason = f"sheet {name!r}: none of its columns is a declared variable: {header}"[:RAW_LIMIT]
    raw = pl.struct(texts).struct.json_encode().str.head(RAW_LIMIT).alias("raw")
    told = filled[1:].select(LINE, raw).iter_rows()
    return [Reject("no_known_column", line, None, reason, text) for line, text in told]


def open_zip(body: bytes, limits: Limits) -> bytes | None:
    """Give the one file of a plain zip; None when the zip is a workbook of a bearable size.

    Raises:
        OversizedObjectError: its declared content is beyond the bound.
        CorruptObjectError: it is damaged, or holds several files.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > limits.object_bytes:
                msg = f"Unzips to {size} bytes, more than {limits.object_bytes} (MAX_OBJECT_MIB)."
                raise OversizedObjectError(msg)
            if "[Content_Types].xml" in archive.namelist():
                for name in archive.namelist():
                    _check_sheet(name, archive.read(name) if name.endswith(".xml") else b"")
                return None
            (member,) = archive.infolist()
            return archive.read(member)
    except _DAMAGES as error:
        msg = f"No readable zip of one file ({error}); land it again."
        raise CorruptObjectError(msg) from error


def _check_sheet(name: str, xml: bytes) -> None:
    """Refuse a sheet that would be spread out beyond memory: one cell far off is enough.

    Raises:
        OversizedObjectError: it has too many columns, or rows times columns.
    """
    rows = max((int(found[2]) for found in _REFERENCE.finditer(xml)), default=0)
    letters = {found[1] for found in _REFERENCE.finditer(xml)}
    columns = max(map(_number_column, letters), default=0)
    if columns > _MOST_COLUMNS or rows * columns > _MOST_CELLS:
        msg = (
            f"Sheet {name!r} spans {rows} rows and {columns} columns, more than {_MOST_COLUMNS} "
            f"columns or {_MOST_CELLS} cells; delete what lies outside its table."
        )
        raise OversizedObjectError(msg)


def _number_column(letters: bytes) -> int:
    """Give the number of a column: A is 1, XFD 16384."""
    return sum((letter - 64) * 26**at for at, letter in enumerate(reversed(letters)))
