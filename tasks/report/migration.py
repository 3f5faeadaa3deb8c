"""The report of a migration as data; `python -m tasks.report.migration` prints its JSON schema.

The published copy is docs/reference/migration_report.schema.json; a law test keeps them equal.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from math import ceil
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic_core import to_json

from tasks.common.accounts import RunState, WriteCounts
from tasks.common.migration import Account, Fate, Item, Migrated, Mode, Plan, open_account, unpack
from tasks.common.settings import Settings, redact_uri

SCHEMA_VERSION: Final = 1
"""Raised when a reader of version n could misread a report of version n + 1."""

_ROWS_PER_SECOND: Final = 40_000
_SECONDS_AN_OBJECT: Final = 0.025
"""What loading lasts in one process on two cores: rows as `python -m tests.bench load` measures
them, and whatever an object costs besides, in 10,000 small ones."""
_RECORD_BYTES: Final = {False: 1200, True: 40}
"""What a record of the older system takes in JSON, not compressed and compressed, more or less."""

_WITHOUT_REASONS: Final[dict[Mode, str]] = {
    "load": "every row is accounted for",
    "verify": "MongoDB holds what the lake holds",
    "dry run": "this is the plan, nothing was written",
}


class Accounts:
    """An account of every object of a plan, in its order, also of those whose turn did not come.

    They are unpacked batch by batch whenever they are told, so that memory never holds them all.
    """

    def __init__(self, plan: Plan, packs: Iterable[bytes]) -> None:
        """Keep the plan and the packs of its first batches."""
        self._plan, self._packs = plan, tuple(packs)

    def __len__(self) -> int:
        """Give the number of objects."""
        return len(self._plan.items)

    def __iter__(self) -> Iterator[Account]:
        """Unpack one after another."""
        told = unpack(self._packs)
        left: Fate = "planned" if self._plan.mode == "dry run" else "left"
        for item in self._plan.items:
            fate = "known" if item.is_known else "refused" if item.reason else left
            account = None if item.is_known else next(told, None)
            yield account or replace(open_account(item, fate), estimated_rows=_estimate_rows(item))


class MigrationReport(BaseModel):
    """One run of s3_to_mongo_migration, whole."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    schema_version: int = SCHEMA_VERSION
    run_id: str
    state: RunState
    verdict: str = Field(description="The state and its reasons in one sentence.")
    reasons: list[str]
    started_at: datetime
    seconds: float
    expected_rows: int = Field(description="Rows of the files that were due, by their manifests.")
    estimated_rows: int = Field(description="Rows of the JSON that was due, judged by its size.")
    estimated_seconds: float = Field(description="What the plan took the load to last.")
    mode: Mode
    source: str
    output: str
    database: str
    write_concern: str
    environment: str
    git_sha: str
    versions: dict[str, str]
    fates: dict[str, int] = Field(description="Objects by fate.")
    rows: WriteCounts = Field(description="Sum over the objects.")
    error_rate: float = Field(description="Rejected over received, 0 to 1.")
    duplicates: list[str] = Field(description="Objects with the bytes of another, in sentences.")
    ignored: list[str] = Field(description="Objects below processed/ of no known form.")
    objects: Annotated[Accounts, PlainSerializer(list, return_type=list[Account])]


def summarise_migration(migrated: Migrated, settings: Settings) -> MigrationReport:
    """Put what became of every object into one report, with the verdict.

    FAILED: the run broke off, MongoDB holds something else, or no object could be read.
    DEGRADED: an object was refused, or more records rejected than `max_rejected_percent`.

    Raises:
        UnbalancedCountsError: records of an object, or of all, appeared or vanished.
    """
    plan, objects = migrated.plan, Accounts(migrated.plan, migrated.packs)
    rows = sum((one.rows.check(one.key) for one in objects), WriteCounts()).check("the migration")
    rate = rows.rejected / max(rows.received, 1)
    fates = Counter(one.fate for one in objects)
    reasons, state = _judge(migrated, objects, fates, rate, settings)
    return MigrationReport(
        run_id=plan.run,
        state=state,
        verdict=f"{state}: {'; '.join(reasons) or _WITHOUT_REASONS[plan.mode]}.",
        reasons=reasons,
        seconds=migrated.seconds,
        **_foresee([item for item in plan.items if not item.is_known]),
        source=redact_uri(plan.source),
        output=redact_uri(plan.output),
        **{name: getattr(plan, name) for name in ("started_at", "mode", "database")},
        write_concern="majority",
        **settings.model_dump(include={"environment", "git_sha"}),
        versions={name: version(name) for name in ("polars", "pymongo", "obstore", "prefect")},
        fates=dict(fates),
        rows=rows,
        error_rate=round(rate, 6),
        duplicates=_find_twins(objects),
        ignored=list(plan.ignored),
        objects=objects,
    )


def encode_migration(report: MigrationReport) -> Iterator[bytes]:
    """Give the report as JSON in pieces, object by object, that are never in memory together."""
    head = to_json(report.model_copy(update={"objects": ()}), indent=1)
    yield head.removesuffix(b"]\n}")
    for number, one in enumerate(report.objects):
        yield (b",\n  " if number else b"\n  ") + to_json(one, indent=1).replace(b"\n", b"\n  ")
    yield b"\n ]\n}" if report.objects else b"]\n}"


def _estimate_rows(item: Item) -> int | None:
    """Judge JSON by its size; None where a manifest tells, or nobody knows."""
    is_json = item.file is None and item.reason is None
    return ceil(item.size / _RECORD_BYTES[item.key.endswith((".gz", ".zst"))]) if is_json else None


def _foresee(due: list[Item]) -> dict[str, Any]:
    """Give the rows that are due, and the time that loading them is likely to take."""
    expected = sum(item.file.rows for item in due if item.file)
    estimated = sum(_estimate_rows(item) or 0 for item in due)
    seconds = round((expected + estimated) / _ROWS_PER_SECOND + _SECONDS_AN_OBJECT * len(due), 2)
    return {"expected_rows": expected, "estimated_rows": estimated, "estimated_seconds": seconds}


def _find_twins(objects: Iterable[Account]) -> list[str]:
    first: dict[str, str] = {}
    pairs = ((one.key, first.setdefault(one.sha256, one.key)) for one in objects if one.sha256)
    return [f"{key} has the same bytes as {known}." for key, known in pairs if key != known]


def _judge(
    migrated: Migrated, objects: Accounts, fates: Counter[Fate], rate: float, settings: Settings
) -> tuple[list[str], RunState]:
    reasons, first = [], {fate: next(one for one in objects if one.fate == fate) for fate in fates}
    if migrated.failure or fates["left"]:
        where = f"the run broke off with {fates['left']} objects left: " if fates["left"] else ""
        reasons.append((where + migrated.failure).rstrip(": ."))
    if differing := first.get("differs"):
        reasons.append(f"{fates['differs']} objects differ from MongoDB, first {differing.key}")
    if refused := first.get("refused"):
        why = (refused.reason or "").rstrip(".")
        reasons.append(f"{fates['refused']} of {len(objects)} objects were refused, first: {why}")
    if 100 * rate > settings.max_rejected_percent:
        budget = f"budget {settings.max_rejected_percent:g} %"
        reasons.append(f"{100 * rate:.2f} % of the records were rejected ({budget})")
    is_nothing = bool(refused) and fates["refused"] == len(objects)
    failed = bool(migrated.failure or fates["left"] or differing or is_nothing)
    return reasons, "FAILED" if failed else "DEGRADED" if reasons else "COMPLETED"


if __name__ == "__main__":
    schema = MigrationReport.model_json_schema(mode="serialization")
    sys.stdout.write(json.dumps(schema, indent=1) + "\n")
