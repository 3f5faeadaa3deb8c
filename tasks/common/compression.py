"""Compressed content, unpacked piece by piece and within bounds, whatever its name says."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from backports import zstd

from tasks.common import errors

_CHUNK: Final = 8 * 1024 * 1024


def decompress_chunks(body: bytes | BinaryIO, *, key: str, max_bytes: int) -> Iterator[bytes]:
    """Give an object's content in pieces of 8 MiB: gz or zstd, of many members, or plain.

    The content tells which, not the name. Plain bytes are given as they are, in one piece.

    Raises:
        OversizedObjectError: there is more than `max_bytes`; memory stays flat until then.
        CorruptObjectError: it is damaged or cut short.
    """
    size = 0
    try:
        for piece in _cut(body):
            size += len(piece)
            if size > max_bytes:
                msg = f"Object {key!r} holds more than {max_bytes} bytes: raise MAX_OBJECT_MIB."
                raise errors.OversizedObjectError(msg)
            yield piece
    except (EOFError, OSError, zlib.error, zstd.ZstdError) as error:
        msg = f"Object {key!r} cannot be decompressed ({error}): have it landed anew."
        raise errors.CorruptObjectError(msg) from error


def _cut(body: bytes | BinaryIO) -> Iterator[bytes]:
    stream = io.BytesIO(body) if isinstance(body, bytes) else body
    head = stream.read(4)
    stream.seek(0)
    if head.startswith(b"\x1f\x8b"):
        content = gzip.GzipFile(fileobj=stream)
    elif re.match(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", head):  # a frame, one to skip
        content = zstd.ZstdFile(stream)
    elif isinstance(body, bytes):
        yield from [body] if body else ()
        return
    else:
        content = stream
    with content:
        yield from iter(lambda: content.read(_CHUNK), b"")
