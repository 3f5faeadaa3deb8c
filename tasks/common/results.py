"""What crosses from step to step: frozen results of frames and counts that must close."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Literal

import polars as pl

from tasks.common.accounts import SeriesOutcome, Tally, Timed, WriteCounts
from tasks.common.scores import Scored


@dataclass(frozen=True)
class SourceFacts:
    """What later steps need to know of one declared source.

    Attributes:
        id: name of the source, its file's stem.
        network: first part of its station ids.
        revision: raised by hand when the meaning of its values changes; part of `rev`.
        step: native step of its observations.
        units: declared unit per variable, as delivered.
        label: whether a time stamp marks the start or the end of its step.
        licence: attribution to publish with every series.
    """

    id: str
    network: str
    revision: int
    step: timedelta
    units: Mapping[str, str]
    label: Literal["start", "end"] = "start"
    licence: str = ""


@dataclass(frozen=True)
class ObjectOutcome:
    """What became of one listed object. `status` known: read by an earlier run, not read again."""

    key: str
    etag: str
    size: int
    sha256: str | None
    source_id: str | None
    source_hash: str | None  # hash of the source's declaration: a new one is read again
    status: Literal["read", "quarantined", "unmatched", "known"]
    tally: Tally = field(default_factory=Tally)
    reason: str | None = None


@dataclass(frozen=True)
class Part:
    """Readings of one object in one month: an Arrow IPC file in the scratch folder."""

    source_id: str
    month: str  # YYYY-MM of `at` in UTC
    key: str
    path: Path
    rows: int


@dataclass(frozen=True)
class Extracted(Timed):
    """What extract found: READINGS spilled by source and month, so that memory stays flat.

    Attributes:
        as_of: the run's reference instant (issue time); nothing later may train a model.
        stations: one row per station: station_id, network, name, latitude, longitude,
            elevation_m, licence (all String but the three Float64; nulls where unknown).
        quarantine: QUARANTINE rows of this run.
        cells: values (not records) that were unreadable, by rule.
        scratch: folder of the parts; removed when the process ends.
    """

    as_of: datetime
    lake: str
    output: str
    sources: Mapping[str, SourceFacts]
    parts: tuple[Part, ...]
    objects: tuple[ObjectOutcome, ...]
    stations: pl.DataFrame
    quarantine: pl.DataFrame
    cells: Mapping[str, int]
    scratch: Path
    dry_run: bool = False

    @property
    def tally(self) -> Tally:
        """Sum over the objects read by this run."""
        return sum((outcome.tally for outcome in self.objects), Tally())


@dataclass(frozen=True)
class ProcessedFile:
    """One immutable Parquet file of the processed layer, as its manifest names it.

    Attributes:
        withdrawn: objects that were read anew since: rows with such a `source_key` count no more.
        is_void: whether no row counts any more. Both are told by later manifests, not its own.
    """

    key: str
    size: int
    sha256: str
    rows: int
    source_id: str
    month: str
    first_at: datetime
    last_at: datetime
    withdrawn: tuple[str, ...] = ()
    is_void: bool = False

    @property
    def entry(self) -> str:
        """Name it in the ledger of what MongoDB holds: anew whenever more of it is withdrawn."""
        entry = f"{self.key}|{self.sha256}"
        if not self.withdrawn:
            return entry
        return f"{entry}|{sha256(json.dumps(self.withdrawn).encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Transformed(Timed):
    """One trusted history, and how good it is.

    Attributes:
        history: HISTORY, all series with data before `as_of`; hourly, or daily for daily sources.
        series: one row per series: series_id, station_id, variable, unit, step_minutes (of the
            history), native_step_minutes, expected, present, gaps, longest_gap_h, first_at,
            newest_at, freshness_h, suspect, failed, licence.
        gaps: series_id, start_at, steps: every gap on the native grid.
        stations: as extracted.
        files: every file of the processed layer, this run's included.
        tally: the run's counts of records, duplicates between objects included.
        week: the same for all objects that any run of the ISO week (Paris) read, each by its
            newest reading; the verdict is made of it, so a repetition changes no verdict.
        observations: rows written to the processed layer by this run.
        input_hash: sha256 over the history; equal input gives an equal hash.
        sequence: that of the newest manifest it was made of; 0: there is none.
    """

    as_of: datetime
    history: pl.DataFrame
    series: pl.DataFrame
    gaps: pl.DataFrame
    stations: pl.DataFrame
    files: tuple[ProcessedFile, ...]
    manifest_key: str | None
    tally: Tally
    observations: int
    input_hash: str
    output: str
    dry_run: bool = False
    week: Tally = field(default_factory=Tally)
    sequence: int = 0


@dataclass(frozen=True)
class Forecasted(Timed):
    """All forecasts of one issue time.

    Attributes:
        points: POINTS of every series that is published.
        outcomes: one per series of the history, sorted by series_id.
        config_hash: hash of everything but the data that decides the numbers.
        pattern: which series were wanted; readers are only given runs of all, `*`.
        fits: how many fits were copied, recalled from earlier runs, fitted, or left when the
            deadline came.
        scored: how earlier runs turned out; it corrected the intervals.
        configuration: what `config_hash` is the hash of: `model` (code and libraries), and what
            was set and asked for.
    """

    as_of: datetime
    horizon_end: datetime
    points: pl.DataFrame
    outcomes: tuple[SeriesOutcome, ...]
    config_hash: str
    pattern: str = "*"
    fits: Mapping[str, int] = field(default_factory=dict)
    scored: Scored = field(default_factory=Scored)
    configuration: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Written(Timed):
    """Where the run stands in MongoDB.

    Attributes:
        run_id: ISO week, hash of the configuration, and hash of input and issue time.
        counts: per collection.
        published: whether `current` points to this run now.
        previous_run_id: what `current` pointed to before.
        database: host and database, never a password.
        notes: sentences an operator should read (a station moved, an older run not republished).
    """

    run_id: str
    counts: Mapping[str, WriteCounts]
    published: bool
    previous_run_id: str | None
    database: str
    notes: tuple[str, ...] = ()
