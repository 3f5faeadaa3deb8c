"""A Parquet file as JSON lines, made by a process of its own.

Of a damaged file a thread of Polars may panic, and that ends its process, whatever is caught; but
one damaged object must stop no other. So this file is run as a script, too.
"""

import io
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from tasks.common.errors import CorruptObjectError, OversizedObjectError

PARQUET: Final = b"PAR1"
"""Its first bytes."""

_ROOT: Final = Path(__file__).parents[2]
_PART_ROWS: Final = 20_000
_CHUNK_BYTES: Final = 1 << 20
_PATIENCE_S: Final = 600
"""A table of 2 GB takes a tenth of it; a thread that panicked may leave others waiting."""


def read_parquet(body: bytes, max_bytes: int) -> Iterator[bytes]:
    """Give the table as chunks of JSON lines, a row each, in their order.

    Typed dates and times are told as ISO 8601; what is not finite, as null.

    Raises:
        OversizedObjectError: the lines would be more than `max_bytes`.
        CorruptObjectError: it is no readable Parquet file.
    """
    command = [sys.executable, "-m", __name__, str(max_bytes)]
    with tempfile.TemporaryFile() as lines:
        try:
            subprocess.run(  # noqa: S603 - this very file
                command,
                input=body,
                stdout=lines,
                stderr=subprocess.DEVNULL,
                cwd=_ROOT,
                timeout=_PATIENCE_S,
                check=True,
            )
        except subprocess.SubprocessError as error:
            if lines.seek(0, io.SEEK_END) >= max_bytes:
                msg = f"It holds more than {max_bytes} bytes of JSON lines: raise MAX_OBJECT_MIB."
                raise OversizedObjectError(msg) from error
            msg = "No readable Parquet file; land it again."
            raise CorruptObjectError(msg) from error
        lines.seek(0)
        yield from iter(lambda: lines.read(_CHUNK_BYTES), b"")


def main(max_bytes: int) -> None:
    """Write the table of the standard input as JSON lines, part by part."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))
    table = pl.scan_parquet(io.BytesIO(sys.stdin.buffer.read()))
    readable = table.with_columns(pl.col(pl.Binary).cast(pl.String))
    for at in range(0, table.select(pl.len()).collect().item(), _PART_ROWS):
        readable.slice(at, _PART_ROWS).collect().write_ndjson(sys.stdout.buffer)


if __name__ == "__main__":
    main(int(sys.argv[1]))
