"""Documents of one shape as BSON, thousands at a time, each encoded once.

Where values are equally long, documents have the same bytes but for the values: columns are
copied into the places of one template. Source: bsonspec.org, version 1.1.
"""

import gc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, Final

import bson
import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars import selectors as cs

from tasks.common.mongo import Document

Version = tuple[str, str]
"""`rev` and `hash`: of two documents of one name the one with the greater is right."""

Bson = bytes | memoryview

Encoded = tuple[str, Version, Bson, Bson]
"""Name and version of a document, its BSON, and that of its `_id`, `rev` and `hash` alone."""

BATCH_DOCUMENTS: Final = 5000
"""Larger batches are not faster, and memory stays bounded."""

Column = NDArray[np.generic]
Block = NDArray[np.uint8]
"""One document a row, each as long as the others."""

_TYPES: Final = {"f8": b"\x01", "S": b"\x02", "M8": b"\x09", "i4": b"\x10"}


@contextmanager
def uncollected() -> Generator[None]:
    """Keep the collector of cycles away: a batch makes many objects and no cycle.

    It would look through all that is imported every few batches, a tenth of the cost of loading.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def hash_content(content: Bson) -> str:
    """Hash the BSON of what a document says."""
    return blake2b(content, digest_size=16).hexdigest()


@uncollected()
def encode_table(rows: pl.DataFrame, describe: Callable[[Document], Document]) -> list[Encoded]:
    """Give a document of every row, those of one shape together.

    Args:
        rows: `_id`, `rev`, and what documents are made of: texts, numbers and naive instants to
            the millisecond; integers of 32 bits.
        describe: makes the content of documents of one shape from leaves of `encode_rows` by
            column; null where all of them are.
    """
    shape = (cs.string().str.len_bytes(), (cs.float() | cs.datetime()).is_null())
    done: list[Encoded] = []
    for _, alike in rows.group_by(*shape, maintain_order=True):
        told = {name: _to_column(alike[name]) for name in alike.columns}
        content = encode_rows(describe(told), alike.height)
        hashes = [hash_content(row) for row in _split(content)]
        name = encode_rows({"_id": told["_id"]}, alike.height)
        told |= {"hash": np.array(hashes, "S32")}
        version = encode_rows({key: told[key] for key in ("rev", "hash")}, alike.height)
        versions = zip(alike["rev"].to_list(), hashes, strict=True)
        bodies, stamps = _join(name, content, version), _join(name, version)
        done += zip(alike["_id"].to_list(), versions, bodies, stamps, strict=True)
    return done


def _to_column(values: pl.Series) -> Column | str | None:
    """Give values, all null or none, texts equally long, as a leaf of `encode_rows`."""
    if values.null_count():
        return None
    if values.dtype == pl.String:
        texts = values.cast(pl.Binary).to_list()
        return np.array(texts, f"S{len(texts[0])}") if texts[0] else ""
    return (values.cast(pl.Int32) if values.dtype.is_integer() else values).to_numpy()


def encode_rows(document: Document, height: int) -> Block:
    """Give the BSON of documents that differ in leaves which are columns, as `bson.encode` would.

    Args:
        document: its leaves are columns (of float64, int32, datetime64[ms] or bytes of UTF-8)
            or what all documents say.
        height: how many values a column has.
    """
    columns: dict[int, Column] = {}
    template = _lay_out(document, columns, 0)
    places = {
        "names": [str(offset) for offset in columns],
        "formats": [column.dtype for column in columns.values()],
        "offsets": list(columns),
        "itemsize": len(template),
    }
    block = np.frombuffer(bytearray(template * height), np.uint8)
    fields: NDArray[Any] = block.view(np.dtype(places))
    for offset, column in columns.items():
        fields[str(offset)] = column
    return block.reshape(height, -1)


def _lay_out(document: Document, columns: dict[int, Column], start: int) -> bytes:
    """Give the bytes with zeros where columns go, and enter these by their offset."""
    told = bytearray(4)
    for key, value in document.items():
        name = key.encode() + b"\0"
        if isinstance(value, dict):
            told += b"\x03" + name
            told += _lay_out(value, columns, start + len(told))
        elif isinstance(value, np.ndarray):
            kind, size = value.dtype.kind, value.dtype.itemsize
            told += _TYPES["S" if kind == "S" else f"{kind}{size}"] + name
            told += (size + 1).to_bytes(4, "little") if kind == "S" else b""
            columns[start + len(told)] = value
            told += bytes(size + 1 if kind == "S" else size)
        else:
            told += bson.encode({key: value})[4:-1]
    told += b"\0"
    return len(told).to_bytes(4, "little") + bytes(told[4:])


def _join(*blocks: Block) -> list[memoryview]:
    """Give documents that say what those of all blocks say, in this order."""
    height, width = len(blocks[0]), sum(block.shape[1] - 5 for block in blocks) + 5
    size = np.full((height, 1), width, np.int32).view(np.uint8)
    end = np.zeros((height, 1), np.uint8)
    return _split(np.hstack([size, *(block[:, 4:-1] for block in blocks), end]))


def _split(block: Block) -> list[memoryview]:
    told, width = block.reshape(-1).data, block.shape[1]
    return [told[start : start + width] for start in range(0, len(told), width)]
