"""One run as one HTML file: no script, no reference to anywhere else, readable on paper.

Pure: equal results give equal bytes. Names from outside reach the page only through jinja2's
autoescape or great-tables' own; charts hold none but their escaped titles.
"""

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from pathlib import Path, PurePosixPath
from statistics import median
from typing import Final, NamedTuple

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from tasks.common.results import Forecasted, Transformed
from tasks.report import tables
from tasks.report.charts import draw_trend
from tasks.report.document import RunReport, Score
from tasks.report.gallery import Gallery, Group, draw_demand, hang_groups, label, open_gallery
from tasks.report.render import describe_counts, describe_durations
from tasks.report.text import join_counts

_MOST_ROWS: Final = 500
_FOLDER: Final = Path(__file__).parent

EUR_PER_VCPU_HOUR: Final = (0.04048 + 2 * 0.004445) * 1.2 * 0.92
"""Fargate, Linux x86, us-east-1, 1 April 2026: 0.04048 USD a vCPU-hour and 0.004445 USD a GB-hour,
2 GB a vCPU; Paris taken as 1.2 times that, a dollar as 0.92 EUR (docs/how-to/scale-out.md)."""


class Tile(NamedTuple):
    """A figure that stands at the top: what, how much, and what to know of it."""

    name: str
    figure: str
    note: str


def render_page(report: RunReport, transformed: Transformed, forecasted: Forecasted) -> str:
    """Give the page of a run, whatever became of it; at most 80 charts and 500 rows of series."""
    gallery = open_gallery(report, transformed, forecasted)
    groups = hang_groups(gallery)
    names = _link_series(gallery, groups)
    vcpu_seconds = sum(one.seconds for one in report.series)
    return _open_template().render(
        report=report,
        issued_utc=f"{report.issue_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        tiles=list(_list_tiles(report)),
        demand_charts=list(draw_demand(gallery)),
        demand_table=tables.tabulate_demand(report.demand_next_week, gallery.places),
        scores_table=_tabulate_scores(forecasted.scored.scores, transformed.series),
        groups=groups,
        shown=sum(len(group.cards) for group in groups),
        series_table=tables.tabulate_series(
            report.series[:_MOST_ROWS], names, _draw_trends(report.scorecard)
        ),
        changes_table=tables.tabulate_changes(report.changes.series, names),
        most_rows=_MOST_ROWS,
        problems_table=tables.tabulate_problems(report.input.problems),
        quarantine=_find_quarantine(report),
        commands=_give_commands(report),
        durations=describe_durations(report),
        vcpu_seconds=vcpu_seconds,
        eur=vcpu_seconds / 3600 * EUR_PER_VCPU_HOUR,
        licences=_list_licences(transformed),
    )


def _open_template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = (tables.figure, tables.percent, tables.moment, tables.badge)
    environment.filters |= {one.__name__: one for one in (*shown, join_counts, describe_counts)}
    return environment.get_template("page.html.j2")


def _list_tiles(report: RunReport) -> Iterator[Tile]:
    if days := report.demand_next_week:
        peak = max(days, key=lambda day: day.maximum_mw)
        yield Tile("Peak next week", f"{peak.maximum_mw:,.0f} MW", f"on {peak.on:%a %d %b}")
        energy = sum(day.energy_mwh for day in days) / 1000
        yield Tile("Energy next week", f"{energy:,.0f} GWh", f"{len(days)} local days")
    statuses = [one.status for one in report.series]
    yield Tile("Series", f"{len(statuses):,}", join_counts(Counter(map(str, statuses))) or "none")
    if skills := [one.skill for one in report.series if one.skill is not None]:
        yield Tile("Skill, median", tables.percent(median(skills)), "over the better naive")
    if ages := [one.freshness_h for one in report.series if one.freshness_h is not None]:
        yield Tile("Oldest data", tables.age(max(ages)), "at the issue time")
    records = report.input.records
    lost = sum(records.rejected.values())
    yield Tile("Records rejected", f"{lost:,}", f"of {records.read:,} read")


def _link_series(gallery: Gallery, groups: list[Group]) -> dict[str, Markup]:
    """Name every series, linked to its chart where there is one."""
    name, link = Markup("<bdi>{}</bdi> <small>{}</small>"), Markup('<a href="#{}">{}</a>')
    names = {
        one.series_id: name.format(gallery.places[one.series_id], label(one.variable))
        for one in gallery.report.series
    }
    anchors = {card.series.series_id: card.anchor for group in groups for card in group.cards}
    return names | {key: link.format(anchor, names[key]) for key, anchor in anchors.items()}


def _tabulate_scores(scores: pl.DataFrame, series: pl.DataFrame) -> Markup | None:
    """Give the newest scores of demand by lead bucket, of weather over the next seven days."""
    rows = []
    for weeks in tables.pool_scores(scores, series).partition_by("variable", "lead"):
        newest, mase = weeks.row(-1, named=True), weeks["mase"].to_list()
        told = f"MASE of {len(mase)} issue times, the newest {tables.figure(mase[-1])}"
        trend = draw_trend(mase, title=told)
        rows.append(newest | {"variable": label(newest["variable"]), "trend": trend})
    return tables.tabulate_scores(rows) if rows else None


def _draw_trends(scorecard: Iterable[Score]) -> dict[str, Markup]:
    """Draw how every series turned out week by week, at the farthest lead that can be judged."""
    farthest = {score.series_id: score for score in scorecard}  # nearest bucket first
    return {
        name: draw_trend(
            score.trend,
            title=f"MASE of {score.bucket} over {score.issues} issue times, "
            f"the newest {tables.figure(score.latest.mase)}",
        )
        for name, score in farthest.items()
    }


def _find_quarantine(report: RunReport) -> str | None:
    """Give the key of what this run rejected, line by line; it is named like the manifest."""
    if not (report.input.quarantined and report.input.manifest_key):
        return None
    return f"quarantine/{PurePosixPath(report.input.manifest_key).stem}.jsonl.zst"


def _give_commands(report: RunReport) -> Mapping[str, str]:
    """Give what to type: to try the worst object again, and to run the same week again."""
    python = ".venv/bin/python -m"
    commands = {}
    if report.input.problems:
        worst = report.input.problems[0]
        place = f"{report.input.lake.rstrip('/')}/{worst.key}"
        source = f" --source {shlex.quote(worst.source)}" if worst.source else ""
        fetched = f"aws s3 cp {shlex.quote(place)} ./object && " if "://" in place else ""
        file = "./object" if fetched else shlex.quote(place)
        try_again = f"{fetched}{python} tasks.extract {file}{source}"
        commands["Read the first of them again, writing nothing"] = try_again
    lake, issued = shlex.quote(report.input.lake), report.issue_at.isoformat()
    again = f"{python} flows.forecast --lake {lake} --as-of {issued}"
    return commands | {"Run the same week again, once it is mended": again}


def _list_licences(transformed: Transformed) -> list[str]:
    named = transformed.series.select("series_id", "licence").drop_nulls()
    pairs = {(name.partition(":")[0], text) for name, text in named.iter_rows() if text.strip()}
    return [f"{network}: {text}" for network, text in sorted(pairs)]
