"""The report of a migration: whole for a reader, in pieces for the memory."""

import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import polars as pl
import pytest
from pydantic_core import to_json

from tasks.common.accounts import WriteCounts
from tasks.common.migration import Item, Migrated, Plan, open_account, pack
from tasks.common.settings import Settings
from tasks.report.migration import MigrationReport, encode_migration, summarise_migration
from tasks.report.statement import describe_migration, tabulate_objects

NOW = datetime(2026, 11, 18, 21, tzinfo=UTC)


def report(count: int, *, done: int | None = None, failure: str = "") -> MigrationReport:
    """Report so many objects, of which the first are loaded, 64 in a batch."""
    items = [Item(f"processed/{n:06d}.json", "older", f"e{n}", 900, NOW, "") for n in range(count)]
    plan = Plan("lake", "lake", "m-1", NOW, "load", True, tuple(items), (), pl.DataFrame())
    told: dict[str, Any] = {"rows": WriteCounts(3, inserted=3), "stations": {"wu:A": (3, 3)}}
    told |= {"first_at": NOW, "last_at": NOW, "checksum": "0" * 32, "checksum_stored": "0" * 32}
    loaded = (
        replace(open_account(item, "loaded"), **told, sha256=f"{n:064x}")
        for n, item in enumerate(items[:done])
    )
    packs = [pack(batch) for batch in iter(lambda: [*islice(loaded, 64)], [])]
    return summarise_migration(Migrated(plan, packs, 1.0, failure), Settings())


@pytest.mark.parametrize("count", [0, 1, 130])
def test_the_pieces_of_a_report_are_its_json(count: int):
    whole = report(count)
    assert b"".join(encode_migration(whole)) == to_json(whole, indent=1)


def test_objects_whose_turn_did_not_come_stand_in_their_place():
    broken = report(130, done=64, failure="it was told to stop")
    assert [one.fate for one in broken.objects] == ["loaded"] * 64 + ["left"] * 66
    assert [one.key for one in broken.objects] == [f"processed/{n:06d}.json" for n in range(130)]


def test_a_run_that_left_objects_has_failed_whether_or_not_its_error_has_words():
    broken = report(130, done=64)
    assert (broken.state, broken.fates["left"]) == ("FAILED", 66)
    assert broken.reasons == ["the run broke off with 66 objects left"]


def measure_telling(count: int) -> int:
    """Give the bytes that telling a report takes at most, beside the report itself."""
    whole = report(count)
    tracemalloc.start()
    written = sum(map(len, encode_migration(whole)))
    shown = [*describe_migration(whole), *tabulate_objects(whole, rows=30)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert written > 500 * count
    assert len(shown) < 40
    return peak


def test_memory_does_not_grow_with_the_objects_that_are_told():
    assert measure_telling(2_000) < 1.1 * measure_telling(200)
