"""From the bytes of an object to batches of records: the content tells the format, not the name."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from tasks.common.objects import decompress_chunks
from tasks.extract.blocks import Batch
from tasks.extract.declaration import Source
from tasks.extract.delimited import read_delimited
from tasks.extract.ndjson import Stations, read_json
from tasks.extract.workbook import OLE, ZIP, open_zip, read_workbook


@dataclass(frozen=True)
class Content:
    """One object's bytes, and the bounds within which they are read.

    Attributes:
        max_bytes: of the decompressed whole.
        limit_bytes: of one line.
        stations: collects those the object describes.
    """

    key: str
    body: bytes
    max_bytes: int
    limit_bytes: int
    stations: Stations = field(default_factory=list)

    def read_batches(self, source: Source) -> Iterator[Batch]:
        """Give the records of the object, a bounded number at a time.

        Raises:
            CorruptObjectError, OversizedObjectError: the object cannot be read as a whole.
        """
        chunks = decompress_chunks(self.body, key=self.key, max_bytes=self.max_bytes)
        first = next(chunks, b"")
        head = bytes(first[:4096])
        stream = chain([first], chunks)
        if head.startswith((ZIP, OLE)):
            yield from self._read_packed(b"".join(stream), source)
        elif _looks_like_json(head):
            yield from read_json(
                stream, source, limit_bytes=self.limit_bytes, stations=self.stations
            )
        else:
            yield self._read_table(b"".join(stream), source)

    def _read_packed(self, body: bytes, source: Source) -> Iterator[Batch]:
        inner = None
        if body.startswith(ZIP):
            inner = open_zip(body, key=self.key, max_bytes=self.max_bytes)
        if inner is None:
            yield from read_workbook(body, source, key=self.key)
        else:
            yield self._read_table(inner, source)

    def _read_table(self, body: bytes, source: Source) -> Batch:
        return read_delimited(body, source, limit_bytes=self.limit_bytes, stations=self.stations)


def _looks_like_json(head: bytes) -> bool:
    """Tell JSON from a table, even when its first lines are damaged."""
    lines = head.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 5)[:5]
    return lines[0].startswith(b"[") or any(line.startswith(b"{") for line in lines)
