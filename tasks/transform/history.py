"""History: from the files of the processed layer to one regular series per station and variable.

Month by month, so that memory holds one month of observations. Nothing at or after `as_of` is
looked at, not even to judge what came before: a month that is cut is flagged anew.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from itertools import groupby
from typing import Final

import polars as pl
from polars import selectors as cs

from tasks.common.contracts import HISTORY, Flag, keep_latest, variables_of
from tasks.common.results import ProcessedFile, SourceFacts
from tasks.transform.clean import flag_suspects
from tasks.transform.observations import ORDER
from tasks.transform.quality import GAPS, SERIES, measure_month, summarise_series
from tasks.transform.rain import sum_days
from tasks.transform.resample import DAY, HOUR, lay_grid, measure_steps, resample

LONG_MONTHS: Final = 61
"""Calendar months of demand and of daily values that are looked at, back from their source's
newest one before `as_of`: five years."""

SHORT_MONTHS: Final = 14
"""The same for finer weather: at least 400 days."""

Fetch = Callable[[ProcessedFile], bytes]
Month = tuple[pl.DataFrame, timedelta]
"""Observations of one month, sorted by station and instant, and the step their source declares."""

Measured = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]
"""Values on the grid, then what `measure_month` gives."""

_READERS: Final = 2
"""Months at work at once; each stays in memory."""


@dataclass(frozen=True)
class History:
    """HISTORY, SERIES (their licences still unknown) and GAPS."""

    frame: pl.DataFrame
    series: pl.DataFrame
    gaps: pl.DataFrame


def build_history(
    files: Iterable[ProcessedFile],
    fetch: Fetch,
    *,
    sources: Mapping[str, SourceFacts],
    as_of: datetime,
) -> History:
    """Build the history that was known at `as_of`, whatever the order and number of files.

    Series of sources whose step is a day are daily, all others hourly; a series that comes both
    ways is hourly. Hourly rain is there by the day too. Files of sources that are no longer
    declared are left out.
    """
    chosen = choose_files(files, sources, as_of)
    pieces: dict[str, pl.DataFrame] = {}
    series, gaps = [SERIES.to_frame()], [GAPS.to_frame()]
    for grid in (HOUR, DAY):
        mine = [file for file in chosen if _grid_of(sources[file.source_id].step) == grid]
        measured = _measure_months(mine, fetch, sources, as_of)
        if not measured:
            continue
        values, spans, holes = zip(*measured, strict=True)
        told, missing = summarise_series(pl.concat(spans), pl.concat(holes), as_of)
        told = told.filter(~pl.col("series_id").is_in(list(pieces)))
        pieces |= lay_grid(values, told, grid, as_of)
        minutes = pl.lit(grid // timedelta(minutes=1)).alias("step_minutes")
        series.append(told.with_columns(minutes, licence=pl.lit("")).select(SERIES.names()))
        if grid == HOUR:
            rain, rows = sum_days(pieces, series[-1])
            pieces |= rain
            series.append(rows)
        gaps.append(missing.join(told, on="series_id", how="semi"))
    frames = [HISTORY.to_frame(), *(pieces[name] for name in sorted(pieces))]
    return History(
        pl.concat(frames, rechunk=True),
        pl.concat(series).sort("series_id"),
        pl.concat(gaps).sort(GAPS.names()),
    )


def hash_history(history: pl.DataFrame) -> str:
    """Give the sha256 of HISTORY: ids with their row counts, then instants, then values."""
    digest = hashlib.sha256()
    counts = history.group_by("series_id", maintain_order=True).len()
    digest.update(json.dumps(counts.rows()).encode())
    digest.update(history["at"].to_physical().to_numpy().tobytes())
    digest.update(history["value"].fill_null(float("nan")).to_numpy().tobytes())
    return digest.hexdigest()


def choose_files(
    files: Iterable[ProcessedFile], sources: Mapping[str, SourceFacts], as_of: datetime
) -> list[ProcessedFile]:
    """Keep the files of declared sources that a history at `as_of` looks at, by month.

    The window ends with the newest month of the source, not with the clock: an archive that was
    landed late is looked at just the same.
    """
    counting = [file for file in files if file.source_id in sources and not file.is_void]
    known = [file for file in counting if file.first_at < as_of]
    newest = {file.source_id: file.month for file in sorted(known, key=lambda file: file.month)}
    kept = [
        file
        for file in known
        if _count_months(newest[file.source_id]) - _count_months(file.month)
        < _window_of(sources[file.source_id])
    ]
    return sorted(kept, key=lambda file: (file.month, file.source_id, file.key))


def _count_months(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:])


def _grid_of(step: timedelta) -> timedelta:
    return DAY if step >= DAY else HOUR


def _window_of(facts: SourceFacts) -> int:
    has_demand = any(name.startswith("electricity") for name in facts.units)
    return LONG_MONTHS if has_demand or facts.step >= DAY else SHORT_MONTHS


def _measure_months(
    files: list[ProcessedFile], fetch: Fetch, sources: Mapping[str, SourceFacts], as_of: datetime
) -> list[Measured]:
    """Give, month by month, values on the grid, what there is of each series, and its holes."""

    def measure(month: list[ProcessedFile]) -> list[Measured]:
        read: list[Month] = []
        for source_id, mine in groupby(month, key=lambda file: file.source_id):
            step = sources[source_id].step
            frame = _read_month(list(mine), fetch, as_of, step, alone=len(month) == 1)
            read.append((frame, step))
        told = [(f, step) for f, step in separate_stations(read) if f.height and variables_of(f)]
        return [_measure(frame, step) for frame, step in told]

    months = [list(month) for _, month in groupby(files, key=lambda file: file.month)]
    with ThreadPoolExecutor(_READERS) as pool:
        return [measured for month in pool.map(measure, months) for measured in month]


def _measure(frame: pl.DataFrame, declared: timedelta) -> Measured:
    steps = measure_steps(frame, declared)
    return resample(frame, steps, _grid_of(declared)), *measure_month(frame, steps)


def _read_month(
    files: list[ProcessedFile], fetch: Fetch, as_of: datetime, step: timedelta, *, alone: bool
) -> pl.DataFrame:
    """Give one source's month as it was known at `as_of`; of a daily source only whole days."""
    # Versions are read only where others may be about.
    skipped = {"maturity", "source_id", "extracted_at", *(ORDER if alone else ())}
    wanted = ~cs.by_name(skipped, require_all=False) & ~cs.ends_with("__raw")
    frames = [
        _scan_file(file, fetch(file))
        .select(wanted, file=pl.lit(place, pl.UInt32))
        .cast({cs.enum(): pl.String})
        .collect(engine="in-memory")
        for place, file in enumerate(files)
    ]
    frame = frames[0]
    if len(frames) > 1:
        frame = keep_latest(pl.concat(frames, how="diagonal"), (*ORDER, "file"))
        frame = frame.with_columns(cs.ends_with("__flag").fill_null(int(Flag.MISSING)))
    over = pl.col("at") + DAY <= as_of if step >= DAY else pl.col("at") < as_of
    known = frame.filter(over).with_columns(pl.col("station_id").set_sorted())
    untouched = len(files) == 1 and known.height == files[0].rows
    return known if untouched else flag_suspects(known)


def _scan_file(file: ProcessedFile, body: bytes) -> pl.LazyFrame:
    rows = pl.scan_parquet(BytesIO(body))
    withdrawn = pl.col("source_key").cast(pl.String).is_in(file.withdrawn)
    return rows.filter(~withdrawn) if file.withdrawn else rows


def separate_stations(months: list[Month]) -> list[Month]:
    """Give months without a common station: rows of stations that several sources tell of merge.

    Per variable the greatest version that delivered it counts, so two sources may complete each
    other at one instant.
    """
    stations = pl.concat([frame.select(pl.col("station_id").unique()) for frame, _ in months])
    shared = stations.filter(stations.is_duplicated())["station_id"].unique()
    if shared.is_empty():
        return months
    common = pl.col("station_id").is_in(shared.implode())
    merged = _merge_sources([frame.filter(common) for frame, _ in months])
    apart = [(frame.filter(~common), step) for frame, step in months]
    return [*apart, (merged, min(step for _, step in months))]


def _merge_sources(frames: list[pl.DataFrame]) -> pl.DataFrame:
    flags = cs.ends_with("__flag")
    return (
        pl.concat(frames, how="diagonal")
        .with_columns(pl.when(flags != Flag.MISSING).then(flags))
        .sort("station_id", "at", *ORDER, nulls_last=False)
        .group_by("station_id", "at", maintain_order=True)
        .agg(pl.all().drop_nulls().last())
        .with_columns(pl.col("station_id").set_sorted(), flags.fill_null(int(Flag.MISSING)))
    )
