"""Batches of records, and blocks of whole lines with their physical numbers to make them of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from tasks.common.contracts import RAW_LIMIT


class Limits(NamedTuple):
    """Bounds of what is read: bytes of a decompressed object, bytes of one line."""

    object_bytes: int
    line_bytes: int


class RefusedError(Exception):
    """An object of which nothing may be used, by a rule and with a reason."""

    def __init__(self, rule: str, reason: str) -> None:
        """Carry the rule beside the reason."""
        super().__init__(reason)
        self.rule = rule


class Reject(NamedTuple):
    """What could not be read: a cell, or (without a column) a record, or (nor line) an object."""

    rule: str
    line: int | None
    column: str | None
    reason: str
    raw: str | None


class Batch(NamedTuple):
    """Records as texts: one String column per role that was found, and `line` (UInt32).

    `unknown` names columns that nobody declared: the source has changed. `stations` are those
    the object describes, in its own words.
    """

    frame: pl.DataFrame
    rejects: list[Reject] = []  # noqa: RUF012 - never changed in place
    unknown: tuple[str, ...] = ()
    stations: list[dict[str, Any]] = []  # noqa: RUF012


@dataclass(frozen=True)
class Block:
    """Whole lines and how many line ends; `is_cut`: only the head of one line beyond the limit."""

    first_line: int
    body: bytes
    ends: int
    is_cut: bool = False


def split_blocks(chunks: Iterable[bytes | memoryview], line_bytes: int) -> Iterator[Block]:
    """Give a block per chunk, cut at its last line end.

    A line beyond the limit is given up without being held.
    """
    line, parts = 1, list[bytes | memoryview]()
    stream = iter(chunks)
    for chunk in stream:
        if cut := bytes(chunk).rfind(b"\n") + 1:
            body = b"".join([*parts, chunk[:cut]])
            yield Block(line, body, ends := body.count(b"\n"))
            line, parts = line + ends, [chunk[cut:]]
        elif sum(map(len, parts)) + len(chunk) > line_bytes:
            yield Block(line, b"".join([*parts, chunk[:RAW_LIMIT]])[:RAW_LIMIT], 1, is_cut=True)
            line, parts = line + 1, _skip_line(stream)
        else:
            parts.append(chunk)
    if rest := b"".join(parts):
        yield Block(line, rest, rest.count(b"\n"))


def _skip_line(stream: Iterator[bytes | memoryview]) -> list[bytes | memoryview]:
    for chunk in stream:
        if (end := bytes(chunk).find(b"\n")) >= 0:
            return [chunk[end + 1 :]]
    return []


def drop_long_lines(block: Block, line_bytes: int) -> tuple[Block, list[Reject]]:
    """Empty the lines beyond the limit, so that the others keep their numbers."""
    if not block.is_cut and len(block.body) <= line_bytes:
        return block, []
    lines = dict(enumerate(block.body.split(b"\n"), block.first_line))
    long = {n: line for n, line in lines.items() if block.is_cut or len(line) > line_bytes}
    body = b"\n".join((lines | dict.fromkeys(long, b"")).values())
    rejects = [reject_long_line(number, line, line_bytes) for number, line in long.items()]
    return Block(block.first_line, body, block.ends), rejects


def reject_long_line(line: int, head: bytes, line_bytes: int) -> Reject:
    """Tell of a line beyond the limit."""
    reason = f"longer than {line_bytes >> 20} MiB (MAX_LINE_MIB)"
    return Reject("line_too_long", line, None, reason, head[:RAW_LIMIT].decode(errors="replace"))
