"""Which charts a page shows of a run, and in what words they are told to those who cannot see."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Final

import polars as pl
from markupsafe import Markup

from tasks.common.contracts import POINTS
from tasks.common.results import Forecasted, Transformed
from tasks.report.charts import NARROW, SMALL, WIDE, Picture, Span, draw_forecast
from tasks.report.document import RunReport, Series
from tasks.report.summary import DEMAND, find_next_week
from tasks.report.tables import figure, moment, symbol

_MOST_CHARTS: Final = 80
_MOST_DEMAND_CHARTS: Final = 3


@dataclass(frozen=True)
class Card:
    """A series as the page shows it: `anchor` is the id of its place on the page."""

    anchor: str
    series: Series
    place: str
    chart: Markup


@dataclass(frozen=True)
class Group:
    """The cards of one variable, whose unit is written as people write it."""

    name: str
    unit: str
    cards: Sequence[Card]


@dataclass(frozen=True)
class Gallery:
    """Frames of a run by series, and the names of its stations."""

    report: RunReport
    places: Mapping[str, str]
    history: Mapping[str, pl.DataFrame]
    points: Mapping[str, pl.DataFrame]
    earlier: Mapping[str, pl.DataFrame]

    def picture(self, series: Series, *, marked: bool = False) -> Picture:
        """Gather what a chart of a series shows."""
        empty = POINTS.to_frame()
        return Picture(
            history=self.history.get(series.series_id, empty),
            points=self.points.get(series.series_id, empty),
            earlier=self.earlier.get(series.series_id, empty),
            turns=series.unit == "degree",
            marked=self._find_next_week() if marked else None,
        )

    def _find_next_week(self) -> tuple[datetime, datetime, str] | None:
        monday, sunday_night = find_next_week(self.report.issue_at)
        end = min(sunday_night, self.report.horizon_end)
        name = f"ISO week {monday.isocalendar().week}"
        return (monday, end, name) if monday < end else None


def open_gallery(report: RunReport, transformed: Transformed, forecasted: Forecasted) -> Gallery:
    """Sort the frames of a run by series; of what was published before, the newest issue time."""
    since = report.issue_at - timedelta(days=40)
    earlier = forecasted.scored.earlier.points.filter(pl.col("issue_at") < report.issue_at)
    return Gallery(
        report,
        _name_places(transformed),
        _split(transformed.history.filter(pl.col("at") >= since)),
        _split(forecasted.points),
        _split(earlier.filter(pl.col("issue_at") == pl.col("issue_at").max())),
    )


def draw_demand(gallery: Gallery) -> Iterator[tuple[str, Markup, Markup]]:
    """Draw demand with its next ISO week set off: its name, a wide chart, and a narrow one."""
    issue, end = gallery.report.issue_at, gallery.report.horizon_end
    found = (one for one in gallery.report.series if one.variable == DEMAND)
    for series in islice(found, _MOST_DEMAND_CHARTS):
        name = gallery.places[series.series_id]
        picture, told = gallery.picture(series, marked=True), _tell(series, gallery)
        wide, narrow = (
            draw_forecast(picture, Span(issue - timedelta(days=days), issue, end), size, title=told)
            for days, size in ((7, WIDE), (4, NARROW))
        )
        yield name, Markup(wide), Markup(narrow)  # noqa: S704 (titles are escaped)


def hang_groups(gallery: Gallery) -> list[Group]:
    """Draw the first 80 series, demand before weather, by variable; troubled ones first in each."""
    cards = [
        _hang(one, gallery, f"s{n}") for n, one in enumerate(gallery.report.series[:_MOST_CHARTS])
    ]
    cards.sort(key=lambda card: (card.series.variable != DEMAND, card.series.variable))
    groups = groupby(cards, key=lambda card: (card.series.variable, card.series.unit))
    return [Group(label(name), symbol(unit), list(found)) for (name, unit), found in groups]


def label(variable: str) -> str:
    """Give a variable's name in words.

    >>> label("air_pressure_at_mean_sea_level")
    'Air pressure at mean sea level'
    """
    return variable.replace("_", " ").capitalize()


def _hang(series: Series, gallery: Gallery, anchor: str) -> Card:
    issue, end = gallery.report.issue_at, gallery.report.horizon_end
    back = min(max((end - issue) * 1.25, timedelta(days=3)), timedelta(days=40))
    span, told = Span(issue - back, issue, end), _tell(series, gallery)
    chart = draw_forecast(gallery.picture(series), span, SMALL, title=told)
    return Card(anchor, series, gallery.places[series.series_id], Markup(chart))  # noqa: S704 (its title is escaped)


def _tell(series: Series, gallery: Gallery) -> str:
    """Tell a chart in one sentence."""
    name = f"{label(series.variable)}, {gallery.places[series.series_id]}"
    points = gallery.points.get(series.series_id)
    if points is None or points["value"].drop_nulls().is_empty():
        return f"{name}: no forecast. {series.reason}"
    low, high = (getattr(points["value"], side)() for side in ("min", "max"))
    return (
        f"{name}: forecast between {figure(low, series.unit)} and {figure(high, series.unit)} "
        f"until {moment(gallery.report.horizon_end)}."
    )


def _name_places(transformed: Transformed) -> dict[str, str]:
    """Name every series by its station: its name, or its id where it has none."""
    series = transformed.series.select("series_id", "station_id")
    named = series.join(transformed.stations.select("station_id", "name"), "station_id", "left")
    return {row[0]: (row[2] or "").strip() or row[1] for row in named.iter_rows()}


def _split(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    parts = frame.partition_by("series_id", as_dict=True)
    return {str(key[0]): part for key, part in parts.items()}
