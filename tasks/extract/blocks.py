"""Batches of records, and blocks of whole lines with their physical numbers to make them of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import polars as pl

from tasks.common.contracts import RAW_LIMIT

BLOCK_BYTES: Final = 16 << 20
"""Enough for Polars to use every core, little enough to keep memory flat."""


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
    """A record that could not be read: rule, physical line from 1, reason, original text."""

    rule: str
    line: int
    reason: str
    raw: str


class Batch(NamedTuple):
    """Records as texts: one String column per role that was found, and `line` (UInt32).

    `unknown` names columns that nobody declared: the source has changed. `stations` are those
    the object describes, in its own words.
    """

    frame: pl.DataFrame
    rejects: tuple[Reject, ...] = ()
    unknown: tuple[str, ...] = ()
    stations: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Block:
    """Whole lines and how many line ends; `is_cut`: only the head of one line beyond the limit."""

    first_line: int
    body: bytes
    ends: int
    is_cut: bool = False


def split_blocks(chunks: Iterable[bytes | memoryview], line_bytes: int) -> Iterator[Block]:
    """Cut a stream at line ends; a line beyond the limit is given up without being held."""
    line, parts = 1, list[memoryview]()
    stream = _slice(chunks)
    for piece in stream:
        parts.append(piece)
        size = sum(map(len, parts))
        if size < BLOCK_BYTES and len(piece) < size:
            continue
        if cut := bytes(piece).rfind(b"\n") + 1:
            body = b"".join([*parts[:-1], piece[:cut]])
            yield Block(line, body, ends := body.count(b"\n"))
            line, parts = line + ends, [piece[cut:]]
        elif size > line_bytes:
            yield Block(line, b"".join(parts)[:RAW_LIMIT], 1, is_cut=True)
            line, parts = line + 1, _skip_line(stream)
    if rest := b"".join(parts):
        yield Block(line, rest, rest.count(b"\n"))


def _skip_line(stream: Iterator[memoryview]) -> list[memoryview]:
    for piece in stream:
        if (end := bytes(piece).find(b"\n")) >= 0:
            return [piece[end + 1 :]]
    return []


def _slice(chunks: Iterable[bytes | memoryview]) -> Iterator[memoryview]:
    for chunk in chunks:
        view = memoryview(chunk)
        yield from (view[at : at + BLOCK_BYTES] for at in range(0, len(view), BLOCK_BYTES))


def drop_long_lines(block: Block, line_bytes: int) -> tuple[Block, tuple[Reject, ...]]:
    """Empty the lines beyond the limit, so that the others keep their numbers."""
    if not block.is_cut and len(block.body) <= line_bytes:
        return block, ()
    lines = block.body.split(b"\n")
    rejects = tuple(
        reject_long_line(number, line, line_bytes)
        for number, line in enumerate(lines, block.first_line)
        if block.is_cut or len(line) > line_bytes
    )
    gone = {reject.line - block.first_line for reject in rejects}
    body = b"\n".join(b"" if at in gone else line for at, line in enumerate(lines))
    return Block(block.first_line, body, block.ends), rejects


def reject_long_line(line: int, head: bytes, line_bytes: int) -> Reject:
    """Tell of a line beyond the limit."""
    reason = f"longer than {line_bytes >> 20} MiB (MAX_LINE_MIB)"
    return Reject("line_too_long", line, reason, head[:RAW_LIMIT].decode(errors="replace"))
