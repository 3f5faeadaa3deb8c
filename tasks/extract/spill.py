"""Readings on disk: one Arrow file per object and month, in a folder that ends with the process."""

import atexit
import shutil
import tempfile
from pathlib import Path

import polars as pl

from tasks.common.results import Part


def make_scratch() -> Path:
    """Make a folder that is removed when the process ends."""
    scratch = Path(tempfile.mkdtemp(prefix="forecast-pipeline-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return scratch


def spill_readings(
    readings: pl.DataFrame, folder: Path, *, source_id: str, key: str
) -> tuple[Part, ...]:
    """Write READINGS of one object, one file per UTC month; columns without a value are left out.

    `folder` is the object's own, and is made.
    """
    if readings.is_empty():
        return ()
    folder.mkdir(parents=True)
    filled = readings.select(column for column in readings if column.null_count() < len(column))
    months = filled["at"].dt.year() * 100 + filled["at"].dt.month()
    split = filled.with_columns(months.alias("month")).partition_by(
        "month", as_dict=True, include_key=False
    )
    parts = []
    for (number,), frame in split.items():
        month = f"{number // 100}-{number % 100:02d}"
        path = folder / f"{month}.arrow"
        frame.write_ipc(path)
        parts.append(Part(source_id, month, key, path, frame.height))
    return tuple(parts)
