"""JSON, one record a line or one document: fast where it is clean, exact where it is not.

Polars refuses a whole file for one bad line, whatever `ignore_errors` says (pola-rs/polars#13768).
So a stream is read in blocks, by Polars with every leaf declared a text; only a block it refuses
is read line by line, and a bad line costs itself.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final, NamedTuple

import orjson
import polars as pl

from tasks.common.contracts import RAW_LIMIT
from tasks.extract.blocks import Batch, Block, Reject, drop_long_lines, split_blocks
from tasks.extract.columns import Columns, find_columns, list_roles
from tasks.extract.declaration import Source
from tasks.extract.envelope import (
    DATA,
    META,
    Record,
    list_records,
    list_stations,
    name_roles,
    open_envelope,
    parse_json,
    tabulate,
)

_SAMPLE_LINES: Final = 20
_SAMPLE_PLACES: Final = 5

Stations = list[dict[str, Any]]


class Shape(NamedTuple):
    """How the lines of a block nest: steps down to the data, and the columns at both levels."""

    steps: tuple[str, ...]
    columns: Columns


def read_json(
    chunks: Iterable[bytes | memoryview], source: Source, *, limit_bytes: int, stations: Stations
) -> Iterator[Batch]:
    """Read lines, or one document that spans several; `stations` collects what it describes."""
    document, rest = _take_document(chunks, limit_bytes)
    if document is not None:
        numbered = enumerate(document if isinstance(document, list) else [document], 1)
        yield read_values(numbered, source, stations)
        return
    for whole in split_blocks(rest, limit_bytes):
        block, rejects = drop_long_lines(whole, limit_bytes)
        batch = None if source.records else _read_block(block, source)
        batch = batch or _read_lines(block, source, stations)
        yield Batch(batch.frame, batch.rejects + rejects, batch.unknown)


def _take_document(
    chunks: Iterable[bytes | memoryview], limit_bytes: int
) -> tuple[Any, Iterable[bytes | memoryview]]:
    """Give the document if the whole is one (within the limit), and the stream as it was."""
    stream = iter(chunks)
    taken = [bytes(next(stream, b"")).removeprefix(b"\xef\xbb\xbf")]
    start = len(taken[0]) - len(taken[0].lstrip())
    end = taken[0].find(b"\n", start)
    if _is_object(taken[0][start : end if end >= 0 else None]):
        return None, chain(taken, stream)
    size = len(taken[0])
    while size <= limit_bytes and (chunk := next(stream, None)) is not None:
        taken.append(bytes(chunk))
        size += len(chunk)
    if size > limit_bytes:
        return None, chain(taken, stream)
    try:
        return parse_json(b"".join(taken)), ()
    except ValueError:
        return None, taken


def _is_object(line: bytes) -> bool:
    try:
        return line.startswith(b"{") and isinstance(parse_json(line), dict)
    except ValueError:
        return False


def _read_block(block: Block, source: Source) -> Batch | None:
    """Read a block at once; None when it must be read line by line."""
    shape = _find_shape(_sample(block.body), source)
    if shape is None:
        return None
    try:
        frame = pl.read_ndjson(block.body, schema=_give_schema(shape))
    except pl.exceptions.PolarsError:
        return None
    lines = _number_lines(block, frame.height)
    if lines is None:
        return None
    data = pl.col(shape.steps[0]) if shape.steps else None
    for step in shape.steps[1:]:
        data = data.struct.field(step) if data is not None else None
    if data is not None:
        frame = frame.with_columns(data.struct.unnest()).drop(shape.steps[0])
    if META in frame.columns:
        frame = frame.with_columns(pl.col(META).struct.field("changes").alias(META))
    named = name_roles(frame.with_columns(lines), shape.columns, pl.col("@line"))
    return Batch(named, (), shape.columns.unknown)


def _sample(body: bytes) -> list[bytes]:
    """Take the first lines and some from the rest, to see columns that appear late."""
    lines = body[: 1 << 20].split(b"\n", _SAMPLE_LINES)[:_SAMPLE_LINES]
    for place in range(1, _SAMPLE_PLACES + 1):
        start = body.rfind(b"\n", 0, len(body) * place // _SAMPLE_PLACES - 1) + 1
        end = body.find(b"\n", start)
        lines.append(body[start : end if end >= 0 else len(body)])
    return [line for line in lines if line.strip()]


def _find_shape(lines: list[bytes], source: Source) -> Shape | None:
    """Find how the sampled lines nest; None when they differ or hold JSON in texts."""
    shapes: set[tuple[str, ...]] = set()
    headers: dict[str, None] = {}
    for line in lines:
        try:
            steps, outer, inner = _descend(parse_json(line))
        except ValueError:
            return None
        shapes.add(steps)
        airbyte = (name for name in outer if name.startswith("_airbyte_") and name not in steps)
        headers |= dict.fromkeys([*airbyte, *inner])
    if len(shapes) != 1:
        return None
    columns = find_columns(headers, source)
    late = [
        name
        for role in source.fields
        if role not in columns.found
        for name in list_roles(source)[role]
    ]
    found = find_columns([*headers, *late], source).found
    return Shape(shapes.pop(), Columns(found, columns.unknown))


def _descend(record: object) -> tuple[tuple[str, ...], Record, Record]:
    """Give the steps to the data, the outer object and the data.

    Raises:
        ValueError: the data is not a JSON object at every step.
    """
    steps: list[str] = []
    inner = record
    while isinstance(inner, dict) and (step := _find_step(inner)):
        steps.append(step)
        inner = inner[step]
    if not isinstance(record, dict) or not isinstance(inner, dict):
        msg = "no plain nesting of objects"
        raise ValueError(msg)  # noqa: TRY004 - a fault of the text, as a JSON error is
    return tuple(steps), record, inner


def _find_step(record: Record) -> str | None:
    if DATA in record:
        return DATA
    inner = {name for name in record if not name.startswith("_airbyte_")}
    return "raw_data" if inner == {"id", "raw_data"} else None


def _give_schema(shape: Shape) -> dict[str, pl.DataType]:
    """Declare every leaf a text: no drift of types can then refuse a block."""
    names = [name for found in shape.columns.found.values() for name in found]
    inner = {name: pl.String() for name in names if not name.startswith("_airbyte_")}
    outer: dict[str, pl.DataType] = {
        name: pl.Struct({"changes": pl.String}) if name == META else pl.String()
        for name in names
        if name.startswith("_airbyte_")
    }
    for step in reversed(shape.steps):
        inner = {step: pl.Struct(inner)}
    return outer | inner


def _number_lines(block: Block, height: int) -> pl.Series | None:
    """Give the physical line of each record; None when they cannot be told."""
    ends = block.body.count(b"\n")
    if height == ends + (not block.body.endswith(b"\n")):
        numbers = pl.int_range(block.first_line, block.first_line + height, eager=True)
        return numbers.alias("@line")
    lines = enumerate(block.body.split(b"\n"), block.first_line)
    filled = [number for number, line in lines if line.strip()]
    return pl.Series("@line", filled) if len(filled) == height else None


def _read_lines(block: Block, source: Source, stations: Stations) -> Batch:
    """Read line by line; a line that is no JSON object is rejected alone."""
    lines = enumerate(block.body.split(b"\n"), block.first_line)
    return read_values(((number, line) for number, line in lines if line.strip()), source, stations)


def read_values(values: Iterable[tuple[int, object]], source: Source, stations: Stations) -> Batch:
    """Read records one by one; what is no JSON object, or lacks the declared path, is rejected."""
    records: list[tuple[int, Record]] = []
    rejects: list[Reject] = []
    for number, value in values:
        try:
            payload = open_envelope(value)
            records += [(number, record) for record in list_records(payload, source)]
            stations += list_stations(payload, source)
        except ValueError as error:
            rejects.append(_reject(number, value, error))
    return tabulate(records, source, rejects)


def _reject(number: int, value: object, error: ValueError) -> Reject:
    text = value if isinstance(value, bytes) else orjson.dumps(value)
    rule = "bad_utf8" if isinstance(error, UnicodeDecodeError) else "bad_json"
    return Reject(rule, number, str(error), text[:RAW_LIMIT].decode(errors="replace"))
