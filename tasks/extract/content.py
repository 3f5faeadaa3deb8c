"""From the bytes of an object to batches of records: the content tells the format, not the name."""

import io
import lzma
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Final

import fastexcel
import polars as pl

from tasks.common.errors import CorruptObjectError, OversizedObjectError
from tasks.common.objects import decompress_chunks
from tasks.extract.blocks import Batch, Limits
from tasks.extract.columns import find_columns
from tasks.extract.declaration import Source
from tasks.extract.delimited import read_delimited
from tasks.extract.envelope import LINE, name_roles
from tasks.extract.ndjson import read_json

ZIP: Final = b"PK\x03\x04"
OLE: Final = b"\xd0\xcf\x11\xe0"
"""First bytes of .xlsx (a zip) and of true .xls (RTE's `.xls` are tab-separated text)."""

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
    if not isinstance(first, bytes):  # views of a plain body: all are checked, none is copied
        deque(chunks, maxlen=0)
        first = body
    head, stream = first[:4096], chain([first], map(bytes, chunks))
    if _looks_like_json(head):
        yield from read_json(stream, source, limits)
        return
    whole = b"".join(stream)
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
    """Read every sheet that has a declared variable; `line` is the row of the sheet, from 1.

    Blank rows stay, since they separate days; nothing is inferred, since times without a date
    come as 1899-12-31 00:04:00 and numbers carry their unit as text.

    Raises:
        CorruptObjectError: it cannot be opened.
    """
    try:
        sheets = pl.read_excel(
            io.BytesIO(body),
            sheet_id=0,
            infer_schema_length=0,
            drop_empty_rows=False,
            raise_if_empty=False,
        )
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError) as error:
        msg = f"No readable workbook ({error}); land it again."
        raise CorruptObjectError(msg) from error
    for name, sheet in sheets.items():
        columns = find_columns(sheet.columns, source)
        if columns.found.keys() & source.fields.keys():
            row = pl.int_range(2, sheet.height + 2, eager=True).alias(LINE)
            frame = name_roles(sheet.with_columns(row), columns)
            yield Batch(frame.with_columns(pl.lit(name).alias("@sheet")), unknown=columns.unknown)


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
                return None
            (member,) = archive.infolist()
            return archive.read(member)
    except _DAMAGES as error:
        msg = f"No readable zip of one file ({error}); land it again."
        raise CorruptObjectError(msg) from error
