"""A RunReport for eyes: markdown for Prefect's artifact, tables for the terminal."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from tasks.report.document import Collection, Problem, RunReport, Series
from tasks.report.migration import MigrationReport
from tasks.report.outturn import HEADERS, describe_moves, list_outturns
from tasks.report.text import fence, inert_text, join_counts, tabulate, tell_instant, write_table

MOST_ROWS: Final = 30
"""Series, or objects of a migration, that a terminal shows."""

_STATE_STYLE: Final = {"COMPLETED": "bold green", "DEGRADED": "bold yellow", "FAILED": "bold red"}
_STATUS_STYLE: Final = {"model": "green", "fallback": "yellow", "stale": "red", "withheld": "red"}

_DEMAND: Final = ("series", "day", "minimum MW", "maximum MW", "energy MWh")
_SERIES: Final = ("series", "status", "skill", "80/95", "MAE", "data", "age h")
"""skill, share inside the intervals and MAE: of the backtest; data: share of steps present."""
_TEXTS: Final = ("series", "day", "status", "object", "why")

Rows = Sequence[tuple[str, ...]]


def render_terminal(report: RunReport) -> RenderableType:
    """Give the summary for a terminal of 100 columns, and the first 30 series."""
    parts = [render_verdict(report), *map(inert_text, _describe_lines(report))]
    for title, headers, cells in _list_sections(report, scores=12):
        parts += [Text(f"\n{title}"), tabulate(headers, cells, texts=_TEXTS)]
    shown = (_style_cells(one) for one in report.series[:MOST_ROWS])
    parts += [Text("\nSeries, troubled ones first"), tabulate(_SERIES, shown, texts=_TEXTS)]
    if (more := len(report.series) - MOST_ROWS) > 0:
        parts.append(Text(f"... and {more} more series, in the JSON."))
    if report.page_key:
        parts += [Text(), inert_text(f"Page: {report.input.output}/{report.page_key}")]
    return Group(*parts)


def render_verdict(report: RunReport | MigrationReport) -> RenderableType:
    """Give the verdict alone, one line in all."""
    return inert_text(report.verdict, _STATE_STYLE[report.state])


def render_markdown(report: RunReport, page: str | None = None) -> str:
    """Give the summary as markdown, with a link to `page`; text from outside is fenced."""
    why = report.verdict.removeprefix(f"{report.state}: ")
    lines = [f"# {report.state}", "", fence(why), ""]
    lines += [f"[The page of this run](<{page}>)", ""] if page else []
    lines += [f"- {fence(line)}" for line in _describe_lines(report)]
    for title, headers, rows in _list_sections(report, scores=60):
        lines += ["", f"## {title}", "", *_write(headers, rows)]
    series = [(*_list_cells(one), fence(one.reason)) for one in report.series[:60]]
    lines += ["", "## Series", "", *_write((*_SERIES, "why"), series)]
    if problems := report.input.problems:
        lost = [(one.key, f"{one.rejected}", fence(_tell_problem(one))) for one in problems]
        lines += ["", "## Rejected", "", *_write(("object", "rejected", "why"), lost)]
    return "\n".join(lines) + "\n"


def _write(headers: Sequence[str], rows: Rows) -> Iterator[str]:
    """Write a table whose first column comes from outside."""
    fenced = ((fence(first), *rest) for first, *rest in rows)
    return write_table(headers, fenced, texts=_TEXTS)


def _list_sections(
    report: RunReport, *, scores: int
) -> Iterator[tuple[str, tuple[str, ...], Rows]]:
    """Give title, headers and rows of what only some runs have."""
    if report.demand_next_week:
        yield "Demand, next ISO week (local days)", _DEMAND, _list_days(report)
    if report.scorecard:
        told = list_outturns(report.scorecard)[:scores]
        yield "The last weeks' forecasts against what happened", HEADERS, told


def _list_days(report: RunReport) -> Rows:
    return [
        (
            *(day.series_id, f"{day.on:%a %Y-%m-%d}"),
            *(f"{size:,.0f}" for size in (day.minimum_mw, day.maximum_mw, day.energy_mwh)),
        )
        for day in report.demand_next_week
    ]


def tabulate_for_prefect(report: RunReport) -> list[dict[str, str]]:
    """Give one row per series for Prefect's table artifact, troubled ones first.

    Its cells are rendered as markdown, so they are fenced as there.
    """
    rows = [dict(zip(_SERIES, _list_cells(series), strict=True)) for series in report.series]
    return [row | {"series": fence(row["series"])} for row in rows]


def _style_cells(series: Series) -> list[Text]:
    cells = [inert_text(cell) for cell in _list_cells(series)]
    cells[1].stylize(_STATUS_STYLE[series.status])
    return cells


def _list_cells(series: Series) -> tuple[str, ...]:
    present = 100 * series.present / series.expected if series.expected else 0.0
    return (
        series.series_id,
        series.status,
        _percent(series.skill),
        f"{_percent(series.coverage80)}/{_percent(series.coverage95)}",
        f"{_figure(series.mae)} {series.unit}",
        f"{present:.0f}%",
        _figure(series.freshness_h),
    )


def _describe_lines(report: RunReport) -> Iterator[str]:
    """Give the run in sentences."""
    given, records = report.input, report.input.records
    issued, end = tell_instant(report.issue_at), tell_instant(report.horizon_end)
    yield f"Run {report.run_id}, issued {issued}, forecasts until {end}."
    yield (
        f"Read {records.read:,} records: {records.kept:,} kept, {records.blank:,} blank, "
        f"{records.duplicate:,} duplicate, {sum(records.rejected.values()):,} rejected"
        + (f" ({join_counts(records.rejected)})" if records.rejected else "")
        + "."
    )
    yield f"Objects in {given.lake}: {join_counts(given.objects)}."
    if given.cells:
        yield f"Unreadable values in kept records: {join_counts(given.cells)}."
    for problem in given.problems[:3]:
        yield f"Quarantine: {problem.key}: {_tell_problem(problem)}"
    yield _describe_fits(report)
    told = dict.fromkeys(one.temperature for one in report.series if one.temperature)
    yield from (f"Temperature of demand: {one}." for one in told)
    yield from describe_moves(report.changes)
    yield _describe_place(report)
    yield describe_durations(report)
    if not report.scorecard:
        yield "Nothing published before can be judged yet."
    for note in report.mongodb.notes:
        yield f"Note: {note}"


def _tell_problem(problem: Problem) -> str:
    return problem.reason or join_counts(problem.rules)


def _describe_fits(report: RunReport) -> str:
    """Tell what was fitted, and which members the combinations are made of."""
    combined = [one for one in report.series if one.published == "combination"]
    shares: dict[str, float] = {}
    for member in (member for one in combined for member in one.members):
        shares[member.name] = shares.get(member.name, 0.0) + member.weight / len(combined)
    best = sorted(shares.items(), key=lambda share: -share[1])[:5]
    made = join_counts(report.fits) or "none"
    ranked = ", ".join(f"{name} {share:.0%}" for name, share in best)
    weights = f"; weights over {len(combined)} series: {ranked}" if ranked else ""
    return f"Fits: {made}, in {report.forecast_seconds:.0f} s{weights}."


def describe_durations(report: RunReport) -> str:
    """Tell what each step took."""
    told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in report.seconds.items())
    return f"Took {sum(report.seconds.values()):.0f} s: {told}."


def _describe_place(report: RunReport) -> str:
    place = report.mongodb.database
    if report.dry_run:
        return "Dry run: nothing was written, neither to the lake nor to MongoDB."
    written = ", ".join(
        f"{name} {describe_counts(counts)}" for name, counts in report.mongodb.collections.items()
    )
    verb = "Published" if report.mongodb.published else "Stored, not published,"
    return f"{verb} in {place}: {written}."


def describe_counts(counts: Collection) -> str:
    """Tell what changed; if nothing did, how much is the same, if anything is."""
    told = {"new": counts.inserted, "changed": counts.modified, "older": counts.duplicate}
    told |= {"refused": counts.rejected}
    changed = [f"{number:,} {word}" for word, number in told.items() if number]
    same = f"{counts.unchanged:,} unchanged" if counts.unchanged else "none"
    return " ".join(changed) or same


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}%"


def _figure(number: float | None) -> str:
    if number is None:
        return "-"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.2f}"
