"""The report of a run as data; `python -m tasks.report.document` prints its JSON schema.

The published copy is docs/reference/report.schema.json; a law test keeps them equal.
"""

import json
import sys
from datetime import date, datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from tasks.common.accounts import RunState, SeriesStatus

SCHEMA_VERSION: Final = 1
"""Raised when a reader of version n could misread a report of version n + 1."""


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Records(_Document):
    """Counts of records (a station at an instant): read = kept + blank + duplicate + rejected."""

    read: int
    kept: int
    blank: int
    duplicate: int
    rejected: dict[str, int] = Field(description="Rejected records by rule.")


class Problem(_Document):
    """One object that lost records, or was not read at all."""

    key: str
    source: str | None
    rejected: int
    rules: dict[str, int]
    reason: str | None


class Input(_Document):
    """What was read, and where the rest went."""

    lake: str
    output: str
    objects: dict[str, int] = Field(
        description="Objects by fate: read, known (by an earlier run), quarantined, unmatched."
    )
    records: Records
    cells: dict[str, int] = Field(description="Unreadable values in kept records, by rule.")
    observations: int = Field(description="Rows this run added to the processed layer.")
    manifest_key: str | None
    quarantined: int = Field(description="Rows, cells and objects this run put to quarantine.")
    problems: list[Problem] = Field(description="Worst objects first, at most 20.")


class SeriesMember(_Document):
    """One method's part in a series."""

    name: str
    mae: float | None
    weight: float
    seconds: float
    failure: str | None


class Series(_Document):
    """One series: how good its data are, how it was forecast, and how good that was in backtest."""

    series_id: str
    variable: str
    unit: str
    status: SeriesStatus
    reason: str
    published: str | None = Field(description="Method whose points stand in MongoDB.")
    naive: str | None = Field(description="The better naive.")
    mae: float | None
    naive_mae: float | None
    skill: float | None = Field(description="1 - mae / naive_mae over the backtest.")
    coverage80: float | None
    coverage95: float | None
    correction80: float | None = Field(
        description="What the published past made the interval's half width be multiplied by."
    )
    correction95: float | None
    trained_from: datetime | None
    trained_to: datetime | None
    trained_rows: int
    temperature: str | None = Field(
        default=None, description="Of demand: which temperatures its future stands on; null: none."
    )
    seconds: float
    expected: int = Field(description="Steps on the native grid, first to newest value.")
    present: int
    gaps: int = Field(description="Missing steps on the native grid.")
    longest_gap_h: float
    newest_at: datetime | None
    freshness_h: float | None = Field(description="Age of the newest value at the issue time.")
    suspect: int
    failed: int
    members: list[SeriesMember]


class DemandDay(_Document):
    """One local day (Europe/Paris) of a demand forecast, as ENTSO-E 6.1.C counts it."""

    series_id: str
    on: date
    hours: float = Field(description="23 or 25 when the clocks change.")
    minimum_mw: float
    maximum_mw: float
    energy_mwh: float


class Figures(_Document):
    """How good a forecast turned out, in the series' unit or as shares from 0 to 1; mean values."""

    mae: float
    wmape: float | None = Field(
        description="Sum of errors over sum of values; null: no origin, or rain."
    )
    mase: float | None = Field(description="mae over that of a copy of the day before.")
    bias: float = Field(description="Forecast - truth: above 0 is too high.")
    pinball: float
    coverage80: float
    coverage95: float
    uncorrected80: float = Field(description="coverage80 of the interval without correction.")
    uncorrected95: float
    width80: float
    width95: float
    brier: float | None = Field(
        default=None, description="(chance of a wet day - whether it was one)^2; null: not rain."
    )


class Score(_Document):
    """What readers were given for one series so far ahead, against what has happened since."""

    series_id: str
    unit: str
    bucket: str = Field(description="Local days after the issue: D+1, D+2, D+3-7 or next week.")
    issue_at: datetime = Field(description="The latest issue time that can be told.")
    run_id: str
    points: int = Field(description="Steps of it that were measured.")
    latest: Figures
    issues: int = Field(description="Issue times of the last twelve weeks that can be told.")
    mean: Figures = Field(description="Mean over these issue times.")
    trend: list[float | None] = Field(
        default=[], description="mase by issue time, oldest first; the last is that of `latest`."
    )


class Change(_Document):
    """How far one series moved since the last run, for the dates that both forecast."""

    series_id: str
    unit: str | None
    shared: int | None = Field(description="Instants that both runs forecast; null: it is gone.")
    mean_move: float | None = Field(description="Mean of value now - value before, in `unit`.")
    mean_size: float | None = Field(description="Mean of its absolute value, in `unit`.")
    relative: float | None = Field(description="mean_size over the error of the backtest.")
    parts: dict[str, float] = Field(description="mean_size of what each cause did, in `unit`.")
    cause: str | None = Field(
        description="model, configuration, restated, calendar or data; null: not looked for."
    )
    detail: str | None


class Changes(_Document):
    """What moved since the last run that readers were given."""

    since_run_id: str | None
    since_issue_at: datetime | None
    reason: str | None = Field(description="Why nothing is compared.")
    changed: list[str] = Field(description="What is set, declared or programmed otherwise since.")
    series: list[Change] = Field(description="Those whose cause is known, most moved first.")


class Collection(_Document):
    """What MongoDB made of one collection's documents."""

    received: int
    inserted: int
    modified: int
    unchanged: int
    duplicate: int
    rejected: int


class Publication(_Document):
    """Where the run stands in MongoDB."""

    database: str
    published: bool = Field(description="Whether `current` points to this run.")
    previous_run_id: str | None
    collections: dict[str, Collection]
    notes: list[str]


class RunReport(_Document):
    """One run of forecast_pipeline, whole."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    state: RunState
    verdict: str = Field(description="The state and its reasons in one sentence.")
    reasons: list[str]
    issue_at: datetime = Field(description="Issue time: nothing later trained a model.")
    horizon_end: datetime
    dry_run: bool
    environment: str
    cluster: str
    git_sha: str
    image: str | None = Field(
        default=None, description="Container image and its digest, as far as they are known."
    )
    versions: dict[str, str]
    input: Input
    fits: dict[str, int] = Field(
        description="Fits by how they came about: copied, recalled from earlier runs, fitted, left."
    )
    forecast_seconds: float
    seconds: dict[str, float] = Field(
        default={}, description="What each step took, in the order they ran; not the report itself."
    )
    series: list[Series] = Field(description="Troubled series first, then fallbacks, then by name.")
    demand_next_week: list[DemandDay] = Field(description="Next ISO week, Monday to Sunday.")
    scorecard: list[Score] = Field(description="By series and bucket, nearest bucket first.")
    changes: Changes
    mongodb: Publication
    page_key: str | None = Field(
        default=None, description="The page of this report, in `input.output`; null: a dry run."
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(RunReport.model_json_schema(mode="serialization"), indent=1) + "\n")
