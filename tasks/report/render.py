"""A RunReport for eyes: markdown for Prefect's artifact, tables for the terminal."""

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tasks.common.contracts import MARKET_ZONE
from tasks.report import outturn
from tasks.report.document import Collection, RunReport, Series
from tasks.report.migration import MigrationReport

STATE_STYLE = {"COMPLETED": "bold green", "DEGRADED": "bold yellow", "FAILED": "bold red"}
_STATUS_STYLE = {"model": "green", "fallback": "yellow", "stale": "red", "withheld": "red"}


def render_terminal(report: RunReport, *, rows: int = 30) -> RenderableType:
    """Give the summary for a terminal of 100 columns; `rows` bounds the table of series."""
    parts: list[RenderableType] = [
        render_verdict(report),
        *map(inert_text, _describe_lines(report)),
    ]
    if report.demand_next_week:
        parts += [Text("\nDemand, next ISO week (local days)"), _tabulate_demand(report)]
    if report.scorecard:
        parts += [
            Text("\nThe last weeks' forecasts against what happened"),
            _tabulate_scores(report),
        ]
    parts += [Text("\nSeries, troubled ones first"), _tabulate_series(report.series[:rows])]
    if len(report.series) > rows:
        parts.append(Text(f"... and {len(report.series) - rows} more series, in the JSON."))
    if report.page_key:
        parts += [Text(), inert_text(f"Page: {report.input.output}/{report.page_key}")]
    return Group(*parts)


def render_verdict(report: RunReport | MigrationReport) -> RenderableType:
    """Give the verdict alone, one line in all."""
    return inert_text(report.verdict, STATE_STYLE[report.state])


def render_markdown(report: RunReport, page: str | None = None) -> str:
    """Give the summary as markdown, with a link to `page`; text from outside is fenced."""
    lines = [f"# {report.state}", "", fence(report.verdict), ""]
    lines += [f"[The page of this run](<{page}>)", ""] if page else []
    lines += [f"- {fence(line)}" for line in _describe_lines(report)]
    if report.demand_next_week:
        lines += ["", "## Demand, next ISO week", "", *_write_demand(report)]
    if report.scorecard:
        lines += ["", "## The last weeks' forecasts against what happened", ""]
        lines += _write_scores(report)
    lines += ["", "## Series", "", *_write_series(report.series[:60])]
    if report.input.problems:
        lines += ["", "## Rejected", "", "| object | rejected | why |", "|---|---|---|"]
        lines += [
            f"| {fence(problem.key)} | {problem.rejected} | "
            f"{fence(problem.reason or join_counts(problem.rules))} |"
            for problem in report.input.problems
        ]
    return "\n".join(lines) + "\n"


def tabulate_for_prefect(report: RunReport) -> list[dict[str, str]]:
    """Give one row per series for Prefect's table artifact, troubled ones first.

    Its cells are rendered as markdown, so they are fenced as there.
    """
    rows = [dict(zip(_HEADERS, _cells(series), strict=True)) for series in report.series]
    return [row | {"series": fence(row["series"])} for row in rows]


_HEADERS = ("series", "status", "skill", "80/95", "MAE", "data", "age h")
"""skill, share inside the intervals and MAE: of the backtest; data: share of steps present."""


def _cells(series: Series) -> tuple[str, ...]:
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
    issued = report.issue_at.astimezone(MARKET_ZONE)
    end = report.horizon_end.astimezone(MARKET_ZONE)
    yield (
        f"Run {report.run_id}, issued {issued:%a %Y-%m-%d %H:%M} {MARKET_ZONE}, "
        f"forecasts until {end:%a %Y-%m-%d %H:%M}."
    )
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
        why = problem.reason or join_counts(problem.rules)
        yield f"Quarantine: {problem.key}: {why}"
    yield _describe_fits(report)
    yield from outturn.describe_moves(report.changes)
    yield _describe_place(report)
    for note in report.mongodb.notes:
        yield f"Note: {note}"


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
    """Tell what changed; if nothing did, how much is the same."""
    told = {"new": counts.inserted, "changed": counts.modified, "older": counts.duplicate}
    told |= {"refused": counts.rejected}
    changed = [f"{number:,} {word}" for word, number in told.items() if number]
    return " ".join(changed) or f"{counts.unchanged:,} unchanged"


def _tabulate_series(series: Iterable[Series]) -> Table:
    table = Table(box=None, header_style="underline", pad_edge=False, padding=(0, 2, 0, 0))
    for header in _HEADERS:
        text = header in ("series", "status")
        table.add_column(
            header, justify="left" if text else "right", overflow="fold", no_wrap=not text
        )
    for one in series:
        cells = [inert_text(cell) for cell in _cells(one)]
        cells[1].stylize(_STATUS_STYLE[one.status])
        table.add_row(*cells)
    return table


def _tabulate_demand(report: RunReport) -> Table:
    table = Table(box=None, header_style="underline", pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("series", "day", "minimum MW", "maximum MW", "energy MWh"):
        table.add_column(header, justify="right" if header[-1] in "Wh" else "left")
    for day in report.demand_next_week:
        table.add_row(
            inert_text(day.series_id),
            f"{day.on:%a %Y-%m-%d}",
            f"{day.minimum_mw:,.0f}",
            f"{day.maximum_mw:,.0f}",
            f"{day.energy_mwh:,.0f}",
        )
    return table


def _write_demand(report: RunReport) -> Iterator[str]:
    yield "| series | day | minimum MW | maximum MW | energy MWh |"
    yield "|---|---|--:|--:|--:|"
    for day in report.demand_next_week:
        yield (
            f"| {fence(day.series_id)} | {day.on:%a %Y-%m-%d} | {day.minimum_mw:,.0f} "
            f"| {day.maximum_mw:,.0f} | {day.energy_mwh:,.0f} |"
        )


def _tabulate_scores(report: RunReport, rows: int = 12) -> Table:
    table = Table(box=None, header_style="underline", pad_edge=False, padding=(0, 2, 0, 0))
    for header in outturn.HEADERS:
        is_name = header == "series"
        table.add_column(header, justify="left" if is_name else "right", no_wrap=not is_name)
    for cells in outturn.list_outturns(report.scorecard)[:rows]:
        table.add_row(*map(inert_text, cells))
    return table


def _write_scores(report: RunReport, rows: int = 60) -> Iterator[str]:
    yield "| " + " | ".join(outturn.HEADERS) + " |"
    yield "|---" + "|--:" * (len(outturn.HEADERS) - 1) + "|"
    for first, *rest in outturn.list_outturns(report.scorecard)[:rows]:
        yield f"| {fence(first)} | " + " | ".join(rest) + " |"


def _write_series(series: Iterable[Series]) -> Iterator[str]:
    yield "| " + " | ".join(_HEADERS) + " | why |"
    yield "|" + "---|" * (len(_HEADERS) + 1)
    for one in series:
        first, *rest = _cells(one)
        yield f"| {fence(first)} | " + " | ".join(rest) + f" | {fence(one.reason)} |"


def join_counts(counts: dict[str, int]) -> str:
    """Give names and numbers in one line, by name."""
    return ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items()))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}%"


def _figure(number: float | None) -> str:
    if number is None:
        return "-"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.2f}"


def inert_text(text: str, style: str = "") -> Text:
    """Give text for a terminal that is neither markup nor, by an escape, an order to it."""
    shown = (letter if letter.isprintable() else "\ufffd" for letter in text)
    return Text("".join(shown), style=style)


def fence(text: str) -> str:
    """Fence foreign text, so that no reader of markdown makes a link, a tag or a cell of it.

    Backticks and pipes become look-alikes: whether a backslash escapes a pipe, readers disagree.
    Escaping character by character would leave bare addresses, which many turn into links.

    >>> fence("[x](javascript:1) | `a`")
    "`[x](javascript:1) \u00a6 'a'`"
    """
    flat = " ".join(text.split()).replace("`", "'").replace("|", "\u00a6")
    return f"`{flat or '-'}`"
