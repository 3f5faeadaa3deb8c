"""JSON, one record a line or one document: fast where it is clean, exact where it is not.

Polars refuses a whole file for one bad line, whatever `ignore_errors` says (pola-rs/polars#13768).
So a stream is read in blocks, by Polars with every leaf declared a text; only a block it refuses
is read line by line, and a bad line costs itself.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final, NamedTuple

import polars as pl

from tasks.extract.blocks import Batch, Block, Limits, drop_long_lines, split_blocks
from tasks.extract.columns import Columns, find_columns, list_roles
from tasks.extract.declaration import Source
from tasks.extract.envelope import (
    LINE,
    META,
    NoRecordError,
    Record,
    find_step,
    name_roles,
    parse_json,
    read_values,
)

_SAMPLE_LINES: Final = 20

Chunks = Iterable[bytes | memoryview]


class Shape(NamedTuple):
    """How the lines of a block nest: steps down to the data, and the columns found."""

    steps: tuple[str, ...]
    columns: Columns


def read_json(chunks: Chunks, source: Source, limits: Limits) -> Iterator[Batch]:
    """Read lines, or one document that spans several."""
    document, rest = _take_document(chunks, limits.line_bytes)
    if document is not None:
        yield read_values(enumerate(document, 1), source)
    for whole in split_blocks(rest, limits):
        block, rejects = drop_long_lines(whole, limits.line_bytes)
        batch = _read_block(block, source) or _read_lines(block, source)
        yield batch._replace(rejects=batch.rejects + rejects)


def _take_document(chunks: Chunks, limit_bytes: int) -> tuple[list[Any] | None, Chunks]:
    """Give the values of the one document the whole is (within the limit), else the stream."""
    stream = iter(chunks)
    taken = [bytes(next(stream, b"")).removeprefix(b"\xef\xbb\xbf")]
    if _starts_with_object(taken[0]):
        return None, chain(taken, stream)
    while sum(map(len, taken)) <= limit_bytes and (chunk := next(stream, None)) is not None:
        taken.append(bytes(chunk))
    try:
        document = parse_json(b"".join(taken)) if sum(map(len, taken)) <= limit_bytes else None
    except ValueError:
        document = None
    if document is None:
        return None, chain(taken, stream)
    return (document if isinstance(document, list) else [document]), ()


def _starts_with_object(head: bytes) -> bool:
    start = len(head) - len(head.lstrip())
    end = head.find(b"\n", start)
    try:
        return isinstance(parse_json(head[start : end if end >= 0 else None]), dict)
    except ValueError:
        return False


def _read_lines(block: Block, source: Source) -> Batch:
    lines = enumerate(block.body.split(b"\n"), block.first_line)
    return read_values(((number, line) for number, line in lines if line.strip()), source)


def _read_block(block: Block, source: Source) -> Batch | None:
    """Read a block at once; None when it must be read line by line."""
    try:
        shape = _find_shape(block.body, source)
        frame = pl.read_ndjson(block.body, schema=_give_schema(shape))
    except (ValueError, pl.exceptions.PolarsError):
        return None
    numbers = _number_lines(block, frame.height)
    if source.records or len(numbers) != frame.height:
        return None
    for step in shape.steps:
        frame = frame.unnest(step)
    if META in frame.columns:
        frame = frame.with_columns(pl.col(META).struct.field("changes").alias(META))
    named = name_roles(frame.with_columns(numbers), shape.columns)
    return Batch(named, unknown=shape.columns.unknown)


def _number_lines(block: Block, height: int) -> pl.Series:
    """Give the physical number of each line that is not empty."""
    if height == block.ends + (not block.body.endswith(b"\n")):
        return pl.int_range(block.first_line, block.first_line + height, eager=True).alias(LINE)
    lines = enumerate(block.body.split(b"\n"), block.first_line)
    return pl.Series(LINE, [number for number, line in lines if line.strip()])


def _find_shape(body: bytes, source: Source) -> Shape:
    """Find how the first lines nest.

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
    late = (roles[role] for role in source.fields if known and role not in known)
    found = find_columns([*headers, *chain.from_iterable(late)], source).found
    return Shape(steps, Columns(found, columns.unknown))


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


def _give_schema(shape: Shape) -> dict[str, Any]:
    """Declare every leaf a text: no drift of types can then refuse a block."""
    schema: dict[str, Any] = {
        name: pl.String for name in shape.columns.names if not name.startswith("_airbyte_")
    }
    for step in reversed(shape.steps):
        schema = {step: pl.Struct(schema)}
    airbyte = [name for name in shape.columns.names if name.startswith("_airbyte_")]
    changes = pl.Struct({"changes": pl.String})
    return schema | {name: changes if name == META else pl.String for name in airbyte}
