"""Tables of the page, by great-tables: only what is marked as markup is markup.

Cells are texts that great-tables escapes; a column of nothing but `Markup` passes as it is. Its own
style sheet is left out, since the page has one for light, dark and paper.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl
from great_tables import GT
from markupsafe import Markup, escape

from tasks.common.contracts import MARKET_ZONE
from tasks.report.document import Change, DemandDay, Problem, Series
from tasks.report.summary import DEMAND

NOTHING: Final = "\N{EN DASH}"
_SYMBOLS: Final = {
    "degC": "°C",
    "m s-1": "m/s",
    "degree": "°",
    "W m-2": "W/m²",
    "1": "",
    "code": "",
}
_TOP_MEMBERS: Final = 3

Cells = Mapping[str, Sequence[str]]


def tabulate_demand(days: Sequence[DemandDay], names: Mapping[str, str]) -> Markup:
    """Give minimum, maximum and energy of every local day."""
    low = min((day.minimum_mw for day in days), default=0)
    high = max((day.maximum_mw for day in days), default=1)
    columns = {
        "series": [names[day.series_id] for day in days],
        "day": [f"{day.on:%a} {day.on.day} {day.on:%b}" for day in days],
        "hours": [f"{day.hours:g}" for day in days],
        "minimum, MW": [f"{day.minimum_mw:,.0f}" for day in days],
        "maximum, MW": [f"{day.maximum_mw:,.0f}" for day in days],
        "energy, MWh": [f"{day.energy_mwh:,.0f}" for day in days],
        "from minimum to maximum": [_draw_range(day, low, high) for day in days],
    }
    if len(set(columns["series"])) == 1:
        del columns["series"]
    if set(columns["hours"]) == {"24"}:
        del columns["hours"]
    return _write_table("demand", columns, texts=("series", "day"))


def tabulate_series(
    series: Sequence[Series], names: Mapping[str, Markup], trends: Mapping[str, Markup]
) -> Markup:
    """Give one row a series, in the order of the report, troubled ones first."""
    seen = {"MASE, by week": [trends.get(one.series_id, escape(NOTHING)) for one in series]}
    return _write_table(
        "series",
        {
            "series": [names[one.series_id] for one in series],
            "status": [badge(one.status) for one in series],
            "skill": [percent(one.skill) for one in series],
            "error (MAE)": [figure(one.mae, one.unit) for one in series],
            "in 80, 95 %": [_describe_coverage(one) for one in series],
            **(seen if trends else {}),
            "newest": [age(one.freshness_h) for one in series],
            "measured": [_describe_presence(one) for one in series],
            "gaps": [f"{one.gaps:,}" for one in series],
            "longest": [age(one.longest_gap_h) if one.gaps else NOTHING for one in series],
            "what is published, and why": [_describe_members(one) for one in series],
        },
        texts=("series", "status", "what is published, and why"),
    )


def tabulate_changes(changes: Sequence[Change], names: Mapping[str, Markup]) -> Markup:
    """Give one row a series that moved, most moved first."""
    return _write_table(
        "changes",
        {
            "series": [names.get(one.series_id, escape(one.series_id)) for one in changes],
            "moved by": [figure(one.mean_size, one.unit or "") for one in changes],
            "on average": [figure(one.mean_move, one.unit or "", sign="+") for one in changes],
            "of its usual error": [percent(one.relative) for one in changes],
            "cause": [one.cause or NOTHING for one in changes],
            "why": [one.detail or NOTHING for one in changes],
        },
        texts=("series", "cause", "why"),
    )


def tabulate_problems(problems: Sequence[Problem]) -> Markup:
    """Give one row an object that lost records, worst first."""
    return _write_table(
        "problems",
        {
            "object": [one.key for one in problems],
            "source": [one.source or NOTHING for one in problems],
            "rejected": [f"{one.rejected:,}" for one in problems],
            "why": [one.reason or ", ".join(sorted(one.rules)) for one in problems],
        },
        texts=("object", "source", "why"),
    )


def pool_scores(scores: pl.DataFrame, series: pl.DataFrame) -> pl.DataFrame:
    """Average SCORES over the series of a variable, each by its points.

    Gives one row per variable, lead and issue time, sorted by them with demand first. Demand has
    every bucket; weather has one, of the three that do not overlap.
    """
    is_demand = pl.col("variable") == DEMAND
    rows = scores.join(series.select("series_id", "variable", "unit"), on="series_id").filter(
        is_demand | (pl.col("bucket") != "next week")
    )
    weigh = pl.col("points").cast(pl.Float64)
    means = [
        ((pl.col(name) * weigh).sum() / weigh.filter(pl.col(name).is_not_null()).sum())
        .fill_nan(None)
        .alias(name)
        for name in ("mae", "wmape", "mase", "bias", "coverage80", "coverage95", "brier")
    ]
    lead = pl.when(is_demand).then(pl.col("bucket").cast(pl.String)).otherwise(pl.lit("D+1 to 7"))
    return (
        rows.with_columns(lead=lead)
        .group_by("variable", "unit", "lead", "issue_at")
        .agg(*means, series=pl.col("series_id").n_unique())
        .sort(~is_demand, "variable", "lead", "issue_at")
    )


def tabulate_scores(rows: Sequence[Mapping[str, Any]]) -> Markup:
    """Give one row a variable and lead bucket: rows of `pool_scores`, each with its `trend`."""
    columns = {
        "forecast of": [row["variable"] for row in rows],
        "lead": [row["lead"] for row in rows],
        "error (MAE)": [figure(row["mae"], row["unit"]) for row in rows],
        "wMAPE": [_tell_share(row) for row in rows],
        "MASE": [figure(row["mase"]) for row in rows],
        "bias": [figure(row["bias"], row["unit"], sign="+") for row in rows],
        "in 80 %": [percent(row["coverage80"]) for row in rows],
        "in 95 %": [percent(row["coverage95"]) for row in rows],
        "MASE, by week": [row["trend"] for row in rows],
        "issued": [f"{row['issue_at'].astimezone(MARKET_ZONE):%d %b}" for row in rows],
        "series": [f"{row['series']}" for row in rows],
    }
    return _write_table("scores", columns, texts=("lead",))


def _tell_share(row: Mapping[str, Any]) -> str:
    """Give the wMAPE; of rain, which has none, the Brier score of its chance."""
    return percent(row["wmape"], 1) if row["brier"] is None else f"Brier {row['brier']:.2f}"


def badge(word: str) -> Markup:
    """Give a word of the closed lists (a status, a state) as a coloured pill."""
    return Markup('<span class="pill {0}">{0}</span>').format(word)


def percent(share: float | None, digits: int = 0) -> str:
    """Give a share as percent."""
    return NOTHING if share is None else f"{100 * share:.{digits}f} %"


def figure(number: float | None, unit: str = "", *, sign: str = "") -> str:
    """Give a number with its unit, three digits or so."""
    if number is None:
        return NOTHING
    digits = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2
    return f"{number:{sign},.{digits}f} {symbol(unit)}".strip()


def symbol(unit: str) -> str:
    """Give a unit as people write it."""
    return _SYMBOLS.get(unit, unit)


def age(hours: float | None) -> str:
    """Give an age in the unit that fits it."""
    if hours is None:
        return NOTHING
    if hours < 1:
        return f"{60 * hours:.0f} min"
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} d"


def moment(at: datetime) -> str:
    """Give an instant on the clock of France."""
    local = at.astimezone(MARKET_ZONE)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M}"


def _describe_coverage(one: Series) -> str:
    if one.coverage80 is None or one.coverage95 is None:
        return NOTHING
    return f"{100 * one.coverage80:.0f}, {percent(one.coverage95)}"


def _describe_presence(one: Series) -> str:
    return percent(one.present / one.expected) if one.expected else NOTHING


def _describe_members(one: Series) -> Markup:
    """Name what is published, the heaviest members of a combination, and the reason."""
    best = sorted(one.members, key=lambda member: -member.weight)[:_TOP_MEMBERS]
    weights = ", ".join(f"{member.name} {member.weight:.0%}" for member in best if member.weight)
    published = weights if one.published == "combination" else one.published or "nothing"
    return Markup("{} <small>{}</small>").format(published, one.reason)


def _draw_range(day: DemandDay, low: float, high: float) -> Markup:
    start, end = (
        2 + 216 * (value - low) / ((high - low) or 1) for value in (day.minimum_mw, day.maximum_mw)
    )
    return Markup(
        '<svg class="range" viewBox="0 0 220 12" aria-hidden="true">'
        '<path class="grid" d="M2 6h216"/><path class="fc" d="M{:.1f} 6H{:.1f}"/></svg>'
    ).format(start, end)


def _write_table(name: str, columns: Cells, *, texts: Sequence[str]) -> Markup:
    """Write a table with a header for every column, and for every row its first cell."""
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    table = (
        GT(frame, rowname_col=next(iter(columns)), id=f"t-{name}")
        .tab_stubhead(next(iter(columns)))
        .cols_align("right")
        .cols_align("left", columns=[one for one in texts if one in columns])
    )
    markup = [
        name for name, cells in columns.items() if all(isinstance(one, Markup) for one in cells)
    ]
    table = table.fmt(lambda cell: cell, columns=markup)
    written = table.as_raw_html()
    return Markup(written[written.index("<table") : written.rindex("</table>")] + "</table>")  # noqa: S704
