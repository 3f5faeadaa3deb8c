"""Workbooks: every sheet one after the other, each cell as its text."""

import io
import zipfile
from collections.abc import Iterator
from typing import Final

import fastexcel
import polars as pl

from tasks.common.errors import CorruptObjectError, OversizedObjectError
from tasks.extract.blocks import Batch
from tasks.extract.columns import find_columns
from tasks.extract.declaration import Source
from tasks.extract.envelope import LINE, name_roles

ZIP: Final = b"PK\x03\x04"
OLE: Final = b"\xd0\xcf\x11\xe0"
"""First bytes of .xlsx (a zip) and of true .xls (RTE's `.xls` are tab-separated text)."""

_SHEET: Final = "_ab_sheet_name"
_CONTENTS: Final = "[Content_Types].xml"


def read_workbook(body: bytes, source: Source, *, key: str) -> Iterator[Batch]:
    """Read every sheet that has a declared column; `line` is the row of the sheet, from 1.

    Blank rows stay, since they separate days; nothing is inferred, since times without a date
    come as 1899-12-31 00:04:00 and numbers carry their unit as text.

    Raises:
        CorruptObjectError: it cannot be opened.
    """
    for name, sheet in _open_sheets(body, key).items():
        columns = find_columns(sheet.columns, source)
        if not columns.has_values(source):
            continue
        row = pl.int_range(2, sheet.height + 2, eager=True).alias(LINE)
        frame = name_roles(sheet.with_columns(row), columns, pl.col(LINE))
        if "@sheet" not in columns.found:
            frame = frame.with_columns(pl.lit(name).alias("@sheet"))
        yield Batch(frame, (), columns.unknown)


def _open_sheets(body: bytes, key: str) -> dict[str, pl.DataFrame]:
    try:
        return pl.read_excel(
            io.BytesIO(body),
            sheet_id=0,
            infer_schema_length=0,
            drop_empty_rows=False,
            raise_if_empty=False,
        )
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError) as error:
        msg = f"Object {key!r} is no readable workbook ({error}); land it again."
        raise CorruptObjectError(msg) from error


def open_zip(body: bytes, *, key: str, max_bytes: int) -> bytes | None:
    """Give the one file of a plain zip; None when the zip is a workbook of a bearable size.

    Raises:
        OversizedObjectError: its declared content is beyond the bound.
        CorruptObjectError: it is damaged, or holds several files.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if size > max_bytes:
                msg = (
                    f"Object {key!r} unzips to {size} bytes, more than the {max_bytes} of "
                    "MAX_OBJECT_MIB; raise the setting if that is right."
                )
                raise OversizedObjectError(msg)
            if _CONTENTS in archive.namelist():
                return None
            (member,) = members
            return archive.read(member)
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        msg = f"Object {key!r} is no readable zip of one file ({error}); land it again."
        raise CorruptObjectError(msg) from error
