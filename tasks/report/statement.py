"""A MigrationReport for eyes: sentences, and one line per object, troubled ones first."""

from collections.abc import Iterator
from dataclasses import asdict
from heapq import nsmallest
from itertools import islice

from rich.console import Group, RenderableType
from rich.text import Text

from tasks.common.migration import Account
from tasks.report.migration import MigrationReport
from tasks.report.render import MOST_ROWS, render_verdict
from tasks.report.text import inert_text, join_counts, tabulate

_HEADERS = ("object", "fate", "read", "new", "changed", "same", "duplicate", "rejected")
_COMPARED = ("missing", "altered")


def render_migration(report: MigrationReport) -> RenderableType:
    """Give the summary for a terminal of 100 columns, and the first 30 objects."""
    told = tabulate_objects(report, rows=MOST_ROWS)
    headers = [*told[0]] if told else _HEADERS
    table = tabulate(headers, (tuple(row.values()) for row in told), texts=_HEADERS[:2])
    parts: list[RenderableType] = [render_verdict(report)]
    parts += map(inert_text, describe_migration(report))
    if (count := len(report.objects)) > MOST_ROWS:
        parts.append(Text(f"The first {MOST_ROWS} of {count} objects; the JSON has all."))
    return Group(*parts, table)


def tabulate_objects(report: MigrationReport, *, rows: int) -> list[dict[str, str]]:
    """Give one row per object, not more than so many."""
    calm = ("planned", "known", "loaded", "verified")
    ranked = nsmallest(rows, report.objects, key=lambda one: one.fate in calm)
    untold = ("new", "changed") if report.mode == "verify" else _COMPARED
    cells = (zip(_HEADERS + _COMPARED, _list_cells(one), strict=True) for one in ranked)
    return [{name: told for name, told in row if name not in untold} for row in cells]


def _list_cells(one: Account) -> tuple[str, ...]:
    cells = [f"{count:,}" for count in asdict(one.rows).values()]
    if one.fate == "planned":
        cells[0] = f"{one.expected_rows:,}" if one.kind == "parquet" else f"~{one.estimated_rows:,}"
    return one.key, one.fate, *cells


def describe_migration(report: MigrationReport) -> Iterator[str]:
    """Give the run in sentences; of many alike the first, the counts have all."""
    size = sum(one.size for one in report.objects) / 1e6
    fates = join_counts(report.fates) or "nothing to do"
    yield f"{len(report.objects)} objects of {report.source}, {size:,.1f} MB: {fates}."
    if report.mode == "dry run":
        rows = f"{report.expected_rows:,} rows of Parquet and ~{report.estimated_rows:,} of JSON"
        seconds = report.estimated_seconds
        yield f"Dry run, nothing was written: {rows} are due, ~{seconds:,.0f} s."
        return
    counted = asdict(report.rows).items()
    counts = join_counts({name: n for name, n in counted if n or name not in _COMPARED})
    yield f"{report.mode.capitalize()} in {report.seconds:.1f} s, {report.database}: {counts}."
    if imperial := sum(one.imperial for one in report.objects):
        yield f"{imperial:,} records were imperial under metric labels and were converted."
    yield from report.duplicates[:3]
    troubled = (one for one in report.objects if one.reason)
    yield from (f"{one.fate.capitalize()}: {one.reason}" for one in islice(troubled, 30))
    yield from (f"Of no known form, left alone: {key}" for key in report.ignored[:3])
