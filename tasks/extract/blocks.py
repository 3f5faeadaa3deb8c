"""Blocks of whole lines out of a stream of bytes, with the physical number of each line."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import polars as pl

from tasks.common.contracts import RAW_LIMIT

BLOCK_BYTES: Final = 16 * 1024 * 1024
"""Enough for Polars to use every core, little enough to keep memory flat."""

_TAIL_BYTES: Final = 64 * 1024


class Reject(NamedTuple):
    """A record that could not be read: rule, physical line from 1, reason, original text."""

    rule: str
    line: int
    reason: str
    raw: str


@dataclass(frozen=True)
class Batch:
    """Records as texts: one String column per role that was found, and `line`.

    `unknown` names the columns nobody declared: the source has changed.
    """

    frame: pl.DataFrame
    rejects: tuple[Reject, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """Whole lines; `is_cut`: the first characters of one line beyond the limit."""

    first_line: int
    body: bytes
    is_cut: bool = False


def reject_long_line(line: int, head: bytes, limit_bytes: int) -> Reject:
    """Tell of a line beyond the limit."""
    reason = f"longer than {limit_bytes >> 20} MiB (MAX_LINE_MIB)"
    return Reject("line_too_long", line, reason, head[:RAW_LIMIT].decode(errors="replace"))


def split_blocks(chunks: Iterable[bytes | memoryview], limit_bytes: int) -> Iterator[Block]:
    """Cut a stream at line ends; a line beyond the limit is given up without being held."""
    line, parts, size, head = 1, [], 0, None
    for piece in _slice(chunks):
        if head is not None:
            end = bytes(piece).find(b"\n")
            if end < 0:
                continue
            yield Block(line, head, is_cut=True)
            line, head, piece = line + 1, None, piece[end + 1 :]  # noqa: PLW2901
        parts, size = [*parts, piece], size + len(piece)
        if size < BLOCK_BYTES:
            continue
        cut = _find_last_line_end(piece)
        if cut:
            block = Block(line, b"".join([*parts[:-1], piece[:cut]]))
            yield block
            line, parts, size = line + block.body.count(b"\n"), [piece[cut:]], len(piece) - cut
        if size > limit_bytes:
            head, parts, size = b"".join(parts)[:RAW_LIMIT], [], 0
    if head is not None:
        yield Block(line, head, is_cut=True)
    if size:
        yield Block(line, b"".join(parts))


def drop_long_lines(block: Block, limit_bytes: int) -> tuple[Block, tuple[Reject, ...]]:
    """Empty the lines beyond the limit, so that the others keep their numbers."""
    if block.is_cut:
        return Block(block.first_line, b""), (
            reject_long_line(block.first_line, block.body, limit_bytes),
        )
    if len(block.body) <= limit_bytes:
        return block, ()
    lines = block.body.split(b"\n")
    rejects = tuple(
        reject_long_line(number, line, limit_bytes)
        for number, line in enumerate(lines, block.first_line)
        if len(line) > limit_bytes
    )
    short = (b"" if len(line) > limit_bytes else line for line in lines)
    return Block(block.first_line, b"\n".join(short)), rejects


def _slice(chunks: Iterable[bytes | memoryview]) -> Iterator[memoryview]:
    for chunk in chunks:
        view = memoryview(chunk)
        yield from (view[at : at + BLOCK_BYTES] for at in range(0, len(view), BLOCK_BYTES))


def _find_last_line_end(piece: memoryview) -> int:
    """Give the position after the last line end, 0 without one; look near the end first."""
    near = max(0, len(piece) - _TAIL_BYTES)
    found = bytes(piece[near:]).rfind(b"\n")
    return near + found + 1 if found >= 0 else bytes(piece[:near]).rfind(b"\n") + 1
