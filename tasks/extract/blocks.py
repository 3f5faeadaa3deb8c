"""Batches of records, and blocks of whole lines with their physical numbers to make them of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import polars as pl

from tasks.common.contracts import RAW_LIMIT

_TAIL_BYTES: Final = 1 << 16


class Limits(NamedTuple):
    """Bounds of what is read, in bytes: a decompressed object, one line, one block of lines.

    A block is enough for Polars to use every core, and little enough to keep memory flat.
    """

    object_bytes: int
    line_bytes: int
    block_bytes: int = 16 << 20


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


def split_blocks(chunks: Iterable[bytes | memoryview], limits: Limits) -> Iterator[Block]:
    """Gather chunks into blocks that end at a line end.

    A line beyond the limit is given up without being held.
    """
    line, parts, cut = 1, list[bytes | memoryview](), 0
    stream = iter(chunks)
    for chunk in stream:
        end = _find_last_line_end(chunk)
        if cut and (not end or sum(map(len, parts)) >= limits.block_bytes):
            body = b"".join([*parts[:-1], parts[-1][:cut]])
            yield Block(line, body, ends := body.count(b"\n"))
            line, parts = line + ends, [parts[-1][cut:]]
        parts, cut = [*parts, chunk], end
        if not cut and sum(map(len, parts)) > limits.line_bytes:
            yield Block(line, b"".join(parts)[:RAW_LIMIT], 1, is_cut=True)
            line, parts = line + 1, [_skip_line(stream)]
            cut = _find_last_line_end(parts[0])
    if rest := b"".join(parts):
        yield Block(line, rest, rest.count(b"\n"))


def _find_last_line_end(chunk: bytes | memoryview) -> int:
    """Give the position after the last line end, 0 without one; look near the end first."""
    near = max(0, len(chunk) - _TAIL_BYTES)
    found = bytes(chunk[near:]).rfind(b"\n") + 1
    return near + found if found else bytes(chunk[:near]).rfind(b"\n") + 1


def _skip_line(stream: Iterator[bytes | memoryview]) -> bytes | memoryview:
    for chunk in stream:
        if (end := bytes(chunk).find(b"\n")) >= 0:
            return chunk[end + 1 :]
    return b""


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
