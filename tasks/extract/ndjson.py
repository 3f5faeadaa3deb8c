"""JSON, one record a line or one document: fast where it is clean, exact where it is not.

Polars refuses a whole file for one bad line, whatever `ignore_errors` says (pola-rs/polars#13768).
So a stream is read in blocks, by Polars with every leaf declared a text; only a block it refuses
is read line by line, and a bad line costs itself.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from itertools import chain
from typing import Any, Final

import numpy as np
import polars as pl

from tasks.extract.blocks import (
    Batch,
    Block,
    Limits,
    cut_at_line_ends,
    drop_long_lines,
    split_blocks,
)
from tasks.extract.columns import LINE, Columns, find_columns, list_roles
from tasks.extract.declaration import Source
from tasks.extract.envelope import DATA, NoRecordError, Record, find_step, parse_json, read_values

_SAMPLE_LINES: Final = 20
_OPENER: Final = re.compile(rb'"%s":\s*\{' % DATA.encode())
_FLAT: Final = b'"%s":0,' % DATA.encode()
_PIECE_BYTES: Final = 2 << 20
"""Lines edited at once: little enough to stay in the processor's cache."""


def read_json(chunks: Iterable[bytes], source: Source, limits: Limits) -> Iterator[Batch]:
    """Read lines, or one document that spans several."""
    document, rest = _take_document(chunks, limits.line_bytes)
    if document is not None:
        yield read_values(enumerate(document, 1), source)
    for whole in split_blocks(rest, limits):
        block, rejects = drop_long_lines(whole, limits.line_bytes)
        batch = _read_block(block, source) or _read_lines(block, source)
        yield batch._replace(rejects=[*batch.rejects, *rejects])


def _take_document(
    chunks: Iterable[bytes], limit_bytes: int
) -> tuple[list[Any] | None, Iterable[bytes]]:
    """Give the values of the one document the whole is (within the limit), else the stream."""
    stream = iter(chunks)
    taken = [next(stream, b"").removeprefix(b"\xef\xbb\xbf")]
    with suppress(ValueError):
        if isinstance(parse_json(BytesIO(taken[0].lstrip()).readline()), dict):
            return None, chain(taken, stream)
    while sum(map(len, taken)) <= limit_bytes and (chunk := next(stream, None)) is not None:
        taken.append(chunk)
    if sum(map(len, taken)) <= limit_bytes:
        with suppress(ValueError):
            document = parse_json(b"".join(taken))
            return (document if isinstance(document, list) else [document]), ()
    return None, chain(taken, stream)


def _read_lines(block: Block, source: Source) -> Batch:
    lines = enumerate(block.body.split(b"\n"), block.first_line)
    return read_values(((number, line) for number, line in lines if line.strip()), source)


def _read_block(block: Block, source: Source) -> Batch | None:
    """Read a block at once; None when it must be read line by line."""
    if source.records and b'"%s"' % source.records.first.encode() in block.body:
        return None
    with suppress(ValueError):
        steps, columns = _find_shape(block.body, source)
        for read in (_read_flattened, _read_nested):
            with suppress(NoRecordError, pl.exceptions.PolarsError):
                frame = read(block, columns.names, steps)
                _check_empty(frame, block, steps)
                return columns.make_batch(frame)
    return None


def _read_flattened(block: Block, names: list[str], steps: tuple[str, ...]) -> pl.DataFrame:
    """Read Airbyte's lines as if they did not nest: Polars reads flat objects twice as fast.

    Raises:
        NoRecordError: they are written otherwise.
    """
    first = block.body[: block.body.find(b"\n") + 1]
    opener = _OPENER.search(first)
    if steps != (DATA,) or not opener:
        raise NoRecordError
    # Another name beside the data would be taken for one of the data's.
    if not all(name.startswith("_airbyte_") for name in parse_json(first)):
        raise NoRecordError
    body = block.body if block.body.endswith(b"\n") else block.body + b"\n"
    pieces = cut_at_line_ends(body, _PIECE_BYTES)
    flat, counts = zip(*(_flatten(piece, opener[0]) for piece in pieces if piece), strict=True)
    frame = pl.scan_ndjson(list(flat), schema=dict.fromkeys(names, pl.String)).collect()
    if frame.height < sum(counts):
        raise NoRecordError
    return frame.with_row_index(LINE, block.first_line)


def _flatten(body: bytes, opener: bytes) -> tuple[bytes, int]:
    """Turn `"_airbyte_data": {...}}` into `"_airbyte_data":0,...} ` on every line; count them.

    Each line opens a brace less and closes its last one less. So it is valid now if it was valid
    and its data came last; else Polars refuses it.

    Raises:
        NoRecordError: a line does not end with a brace.
    """
    text = np.frombuffer(bytearray(body.replace(opener, _FLAT)), np.uint8)
    braces = np.flatnonzero(text == ord("\n")) - 1
    if (text[braces] != ord("}")).any():
        raise NoRecordError
    text[braces] = ord(" ")
    return text.tobytes(), len(braces)


def _read_nested(block: Block, names: list[str], steps: tuple[str, ...]) -> pl.DataFrame:
    """Read lines with every leaf declared a text: no drift of types can then refuse a block.

    Raises:
        NoRecordError: there are not as many records as lines that are not empty.
    """
    schema: dict[str, Any] = {n: pl.String for n in names if not n.startswith("_airbyte_")}
    for step in reversed(steps):
        schema = {step: pl.Struct(schema)}
    schema |= {name: pl.String for name in names if name.startswith("_airbyte_")}
    frame = pl.read_ndjson(block.body, schema=schema)
    for step in steps:
        frame = frame.unnest(step)
    lines = enumerate(block.body.split(b"\n"), block.first_line)
    numbers = [number for number, line in lines if line and not line.isspace()]
    if len(numbers) != frame.height:
        raise NoRecordError
    return frame.with_columns(pl.Series(LINE, numbers))


def _check_empty(frame: pl.DataFrame, block: Block, steps: tuple[str, ...]) -> None:
    """Look again at lines of which nothing was found: they may nest otherwise.

    Raises:
        NoRecordError: one does.
    """
    names = [name for name in frame.columns if name != LINE and not name.startswith("_airbyte_")]
    if all(frame[name].null_count() for name in names):
        nothing = pl.all_horizontal(pl.lit(value=True), pl.col(names).is_null())
        lines = block.body.split(b"\n")
        for number in frame.filter(nothing)[LINE]:
            if _descend(parse_json(lines[number - block.first_line]))[0] != steps:
                raise NoRecordError


def _find_shape(body: bytes, source: Source) -> tuple[tuple[str, ...], Columns]:
    """Find how the first lines nest: the steps down to the data, and the columns.

    Every declared name of a variable not seen there is looked for too, since it may come later.

    Raises:
        ValueError: they differ, hold JSON in texts, or are none.
    """
    lines = body[: 1 << 20].split(b"\n", _SAMPLE_LINES)[:_SAMPLE_LINES]
    outlines = [_descend(parse_json(line)) for line in lines if line.strip()]
    (steps,) = {steps for steps, _ in outlines}
    headers = dict.fromkeys(name for _, names in outlines for name in names)
    columns = find_columns(headers, source)
    known, roles = columns.found.keys() & source.fields.keys(), list_roles(source)
    if source.records and not known:
        raise NoRecordError
    late = (roles[role] for role in source.fields if known and role not in known)
    known = find_columns([*headers, *chain.from_iterable(late)], source)
    return steps, replace(known, unknown=columns.unknown)


def _descend(record: Any) -> tuple[tuple[str, ...], list[str]]:  # noqa: ANN401
    """Give the steps down to the data, and Airbyte's columns and the data's."""
    steps: list[str] = []
    inner: Record = record
    while isinstance(inner, dict) and (step := find_step(inner)):
        steps.append(step)
        inner = inner[step]
    if not isinstance(record, dict) or not isinstance(inner, dict):
        msg = "no plain nesting of objects"
        raise NoRecordError(msg)
    airbyte = [name for name in record if name.startswith("_airbyte_") and name not in steps]
    return tuple(steps), [*airbyte, *inner]
