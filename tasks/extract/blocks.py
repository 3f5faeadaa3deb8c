"""Batches of records, and blocks of whole lines with their physical numbers to make them of."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import polars as pl

from tasks.common.contracts import RAW_LIMIT


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
    rejects: Sequence[Reject] = ()
    unknown: tuple[str, ...] = ()
    stations: Sequence[dict[str, Any]] = ()


class Block(NamedTuple):
    """Whole lines; `is_cut`: only the head of one line beyond the limit."""

    first_line: int
    body: bytes
    is_cut: bool = False


def split_blocks(chunks: Iterable[bytes], limits: Limits) -> Iterator[Block]:
    """Cut a stream into blocks that end at a line end, and number their first lines.

    A chunk that is one block is given as it is, uncopied and uncounted.
    """
    line, before = 1, b""
    for body, is_cut in _hold_lines(chunks, limits):
        line += before.count(b"\n")
        yield Block(line, body, is_cut)
        before = b"\n" if is_cut else body


def _hold_lines(chunks: Iterable[bytes], limits: Limits) -> Iterator[tuple[bytes, bool]]:
    """Give whole lines; of one beyond the limit, which is never held, the head (True)."""
    rest, stream = b"", iter(chunks)
    for chunk in stream:
        *whole, rest = cut_at_line_ends(rest + chunk, limits.block_bytes)
        yield from ((body, False) for body in whole)
        if len(rest) > limits.line_bytes:
            yield rest[:RAW_LIMIT], True
            ends = (one.partition(b"\n") for one in stream)
            rest = next((after for _, end, after in ends if end), b"")
    if rest:
        yield rest, False


def cut_at_line_ends(body: bytes, size: int) -> Iterator[bytes]:
    """Give pieces of whole lines, each as large as fits, else of one line; last what has no end."""
    at = 0
    while end := body.rfind(b"\n", at, at + size) + 1 or body.find(b"\n", at + size) + 1:
        yield body[at:end]
        at = end
    yield body[at:]


def drop_long_lines(block: Block, line_bytes: int) -> tuple[Block, list[Reject]]:
    """Empty the lines beyond the limit, so that the others keep their numbers."""
    if not block.is_cut and len(block.body) <= line_bytes:
        return block, []
    lines = dict(enumerate(block.body.split(b"\n"), block.first_line))
    long = {n: line for n, line in lines.items() if block.is_cut or len(line) > line_bytes}
    body = b"\n".join((lines | dict.fromkeys(long, b"")).values())
    rejects = [reject_long_line(number, line, line_bytes) for number, line in long.items()]
    return Block(block.first_line, body), rejects


def reject_long_line(line: int, head: bytes, line_bytes: int) -> Reject:
    """Tell of a line beyond the limit."""
    reason = f"longer than {line_bytes >> 20} MiB (MAX_LINE_MIB)"
    return Reject("line_too_long", line, None, reason, head[:RAW_LIMIT].decode(errors="replace"))
