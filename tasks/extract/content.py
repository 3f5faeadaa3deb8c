"""From the bytes of an object to batches of records: the content tells the format, not the name."""

from collections import deque
from collections.abc import Iterator
from itertools import chain

from tasks.common.objects import decompress_chunks
from tasks.extract.blocks import Batch, Limits
from tasks.extract.declaration import Source
from tasks.extract.delimited import read_delimited
from tasks.extract.ndjson import read_json
from tasks.extract.workbook import OLE, ZIP, open_zip, read_workbook


def read_batches(key: str, body: bytes, source: Source, limits: Limits) -> Iterator[Batch]:
    """Give the records of an object, of JSON lines a bounded number at a time.

    Raises:
        CorruptObjectError, OversizedObjectError: the object cannot be read as a whole.
    """
    chunks = decompress_chunks(body, key=key, max_bytes=limits.object_bytes)
    first = next(chunks, b"")
    if not isinstance(first, bytes):  # views of a plain body: all are checked, none is copied
        deque(chunks, maxlen=0)
        first = body
    head, stream = first[:4096], chain([first], map(bytes, chunks))
    if _looks_like_json(head):
        yield from read_json(stream, source, limits)
        return
    whole = b"".join(stream)
    inner = open_zip(whole, limits) if head.startswith(ZIP) else None
    if head.startswith((ZIP, OLE)) and inner is None:
        yield from read_workbook(whole, source)
    else:
        yield read_delimited(whole if inner is None else inner, source, limits)


def _looks_like_json(head: bytes) -> bool:
    """Tell JSON from a table, even when its first lines are damaged."""
    lines = head.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 5)[:5]
    return lines[0].startswith(b"[") or any(line.startswith(b"{") for line in lines)
