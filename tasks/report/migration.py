"""The report of a migration as data; `python -m tasks.report.migration` prints its JSON schema.

The published copy is docs/reference/migration_report.schema.json; a law test keeps them equal.
"""

import json
import sys
from collections import Counter
from datetime import datetime
from importlib.metadata import version
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from tasks.common.accounts import RunState, WriteCounts
from tasks.common.migration import Account, Item, Migrated, Mode, open_account
from tasks.common.settings import Settings, redact_uri

SCHEMA_VERSION: Final = 1
"""Raised when a reader of version n could misread a report of version n + 1."""

_ROWS_PER_SECOND: Final = 40_000
_SECONDS_AN_OBJECT: Final = 0.025
"""What loading lasts in one process on two cores: rows as `python -m tests.bench load` measures
them, and whatever an object costs besides, in 10,000 small ones."""

_JSON_BYTES_A_ROW: Final = 1200
_WITHOUT_REASONS: Final[dict[Mode, str]] = {
    "load": "every row is accounted for",
    "verify": "MongoDB holds what the lake holds",
    "dry run": "this is the plan, nothing was written",
}
_VERSIONS: Final = ("polars", "pymongo", "obstore", "prefect")


class MigrationReport(BaseModel):
    """One run of s3_to_mongo_migration, whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA_VERSION
    run_id: str
    state: RunState
    verdict: str = Field(description="The state and its reasons in one sentence.")
    reasons: list[str]
    started_at: datetime
    seconds: float
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
    objects: list[Account]


def summarise_migration(migrated: Migrated, settings: Settings) -> MigrationReport:
    """Put what became of every object into one report, with the verdict.

    FAILED: the run broke off, MongoDB holds something else, or no object could be read.
    DEGRADED: an object was refused, or more records rejected than `max_rejected_percent`.

    Raises:
        UnbalancedCountsError: records of an object, or of all, appeared or vanished.
    """
    plan, objects = migrated.plan, _account_for_all(migrated)
    rows = sum((one.rows.check(one.key) for one in objects), WriteCounts()).check("the migration")
    rate = rows.rejected / max(rows.received, 1)
    reasons, state = _judge(migrated, objects, rate, settings)
    return MigrationReport(
        run_id=plan.run,
        state=state,
        verdict=f"{state}: {'; '.join(reasons) or _WITHOUT_REASONS[plan.mode]}.",
        reasons=reasons,
        started_at=plan.started_at,
        seconds=migrated.seconds,
        estimated_seconds=_estimate_seconds([item for item in plan.items if not item.is_known]),
        mode=plan.mode,
        source=redact_uri(plan.source),
        output=redact_uri(plan.output),
        database=plan.database,
        write_concern="majority",
        **settings.model_dump(include={"environment", "git_sha"}),
        versions={name: version(name) for name in _VERSIONS},
        fates=dict(Counter(one.fate for one in objects)),
        rows=rows,
        error_rate=round(rate, 6),
        duplicates=_find_twins(objects),
        ignored=list(plan.ignored),
        objects=objects,
    )


def _account_for_all(migrated: Migrated) -> list[Account]:
    """Give an account of each object of the plan, also of those whose turn did not come."""
    done = {account.key: account for account in migrated.accounts}
    left = "planned" if migrated.plan.mode == "dry run" else "left"
    return [
        done.get(item.key) or open_account(item, "known" if item.is_known else left)
        for item in migrated.plan.items
    ]


def _estimate_seconds(items: list[Item]) -> float:
    """Give the time that loading is likely to take; the rows of JSON are taken from its size."""
    rows = sum(i.file.rows if i.file else i.size / _JSON_BYTES_A_ROW for i in items)
    return round(rows / _ROWS_PER_SECOND + _SECONDS_AN_OBJECT * len(items), 2)


def _find_twins(objects: list[Account]) -> list[str]:
    first: dict[str, str] = {}
    pairs = ((one.key, first.setdefault(one.sha256 or one.key, one.key)) for one in objects)
    return [f"{key} has the same bytes as {known}." for key, known in pairs if key != known]


def _judge(
    migrated: Migrated, objects: list[Account], rate: float, settings: Settings
) -> tuple[list[str], RunState]:
    refused, differing, left = (
        [one for one in objects if one.fate == fate] for fate in ("refused", "differs", "left")
    )
    reasons = []
    if migrated.failure:
        reasons.append(f"the run broke off with {len(left)} objects left: {migrated.failure}")
    if differing:
        reasons.append(f"{len(differing)} objects differ from MongoDB, first {differing[0].key}")
    if refused:
        why = (refused[0].reason or "").rstrip(".")
        reasons.append(f"{len(refused)} of {len(objects)} objects were refused, first: {why}")
    if 100 * rate > settings.max_rejected_percent:
        budget = f"budget {settings.max_rejected_percent:g} %"
        reasons.append(f"{100 * rate:.2f} % of the records were rejected ({budget})")
    is_nothing = bool(refused) and len(refused) == len(objects)
    failed = bool(migrated.failure or differing or is_nothing)
    return reasons, "FAILED" if failed else "DEGRADED" if reasons else "COMPLETED"


if __name__ == "__main__":
    schema = MigrationReport.model_json_schema(mode="serialization")
    sys.stdout.write(json.dumps(schema, indent=1) + "\n")
