"""Charts of a run: history, the forecast in its bands, and what was forecast before.

No text from outside ever reaches matplotlib. Equal data give equal bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from markupsafe import Markup
from numpy.typing import NDArray

from tasks.common.contracts import MARKET_ZONE
from tasks.report.drawing import Size, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TURN: Final = 360.0

Floats = NDArray[np.float64]

SMALL: Final = Size(320, 124, 36, 6)
WIDE: Final = Size(1080, 300, 48, 26)
NARROW: Final = Size(350, 230, 40, 6)


@dataclass(frozen=True)
class Span:
    """The time a chart shows: from before the issue time to the end of the horizon, in UTC."""

    start: datetime
    issue: datetime
    end: datetime

    def place(self, instant: datetime) -> float:
        """Give an instant as hours after the issue time."""
        return (instant - self.issue) / timedelta(hours=1)

    def cut(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Keep the rows of the span."""
        return frame.filter(pl.col("at").is_between(self.start, self.end, closed="left"))

    def list_midnights(self, every_days: int) -> list[datetime]:
        """List local midnights: every day's, or Mondays' for multiples of 7, inside the span."""
        first = self.start.astimezone(MARKET_ZONE).date()
        days = (first + timedelta(days=n) for n in range((self.end - self.start).days + 2))
        kept = (day for day in days if (day.toordinal() - 1) % every_days == 0)
        instants = (datetime.combine(day, time(), MARKET_ZONE) for day in kept)
        return [at for at in instants if self.start <= at <= self.end]


@dataclass(frozen=True)
class Picture:
    """What one chart shows: rows of `at` and value, of the forecast with its bounds.

    Attributes:
        history: HISTORY of the series.
        points: POINTS of the series; none where it was withheld.
        earlier: what was published before for the same time, `at` and `value`.
        turns: whether values are directions, that go through north.
        marked: time to be set off, and its name.
    """

    history: pl.DataFrame
    points: pl.DataFrame
    earlier: pl.DataFrame
    turns: bool = False
    marked: tuple[datetime, datetime, str] | None = None


def draw_forecast(picture: Picture, span: Span, size: Size, *, title: str) -> str:
    """Draw history, what was forecast before, and the forecast in its 80 and 95 % bands."""
    history, points, earlier = (
        span.cut(frame) for frame in (picture.history, picture.points, picture.earlier)
    )
    with drawn(size, title) as (axes, svg):
        axes.set_xlim(span.place(span.start), span.place(span.end))
        if picture.turns:
            axes.set(ylim=(0, _TURN), yticks=(0, 90, 180, 270, _TURN))
        else:
            _set_heights(axes, history, points, earlier)
        axes.grid(visible=True)
        if picture.marked:
            _mark(axes, picture.marked, span)
        for share in ("95", "80"):
            edges = (points[f"{side}{share}"].to_numpy() for side in ("lower", "upper"))
            _fill(axes, _hours(points, span), *edges, name=f"b{share}", turns=picture.turns)
        axes.axvline(0, gid="c-now")
        for name, frame in (("last", earlier), ("hist", history), ("fc", points)):
            values = frame["value"].to_numpy()
            shown = _break_at_north(values) if picture.turns else values
            axes.plot(_hours(frame, span), shown, gid=f"c-{name}")
        _label_days(axes, span, size)
    return svg.getvalue()


def draw_trend(values: Sequence[float | None], *, title: str) -> Markup:
    """Draw one figure a week from zero up, the newest as a dot, beside a line at one."""
    known = [(number, value) for number, value in enumerate(values) if value is not None]
    top, step = max([1.0, *(value for _, value in known)]) * 1.1, 138 / max(len(values) - 1, 1)
    dots = [f"{4 + step * number:.1f} {31 - 28 * value / top:.1f}" for number, value in known]
    line, newest = ("M" + "L".join(dots), f"M{dots[-1]}h0") if dots else ("", "")
    return Markup(
        '<svg role="img" viewBox="0 0 150 34"><title>{}</title><path class="grid" d="M3 31h144"/>'
        '<path class="now" d="M3 {:.1f}h144"/><path class="fc" d="{}"/>'
        '<path class="fc dot" d="{}"/></svg>'
    ).format(title, 31 - 28 / top, line, newest)


def _set_heights(axes: "Axes", history: pl.DataFrame, *others: pl.DataFrame) -> None:
    """Make room for all values and the 95 % band; without any, for nothing in particular."""
    columns = ("value", "lower95", "upper95")
    found = [frame[name] for frame in (history, *others) for name in columns if name in frame]
    values = np.concatenate([column.drop_nulls().to_numpy() for column in found])
    low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
    room = 0.04 * (high - low) or 0.5
    axes.set_ylim(low - room, high + room)


def _hours(frame: pl.DataFrame, span: Span) -> Floats:
    return (frame["at"] - span.issue).dt.total_seconds().to_numpy() / 3600


def _fill(
    axes: "Axes", hours: Floats, lower: Floats, upper: Floats, *, name: str, turns: bool
) -> None:
    """Fill between two bounds; a direction's go clockwise and may pass north within an hour."""
    if not hours.size:
        return
    if not turns:
        edge = np.concatenate([lower, upper[::-1]])
        axes.fill(np.concatenate([hours, hours[::-1]]), edge, gid=f"c-{name}")
        return
    width, turned = np.diff(hours).min() if hours.size > 1 else 1.0, lower > upper
    to_north = (lower, np.where(turned, _TURN, upper), np.ones_like(turned))
    from_north = (0 * lower, upper, turned)
    for below, above, kept in (to_north, from_north):
        for run in _list_runs(kept):
            steps = np.repeat(hours[run], 2) + np.tile([0.0, width], hours[run].size)
            edges = np.repeat(below[run], 2), np.repeat(above[run], 2)[::-1]
            outline = np.concatenate([steps, steps[::-1]])
            axes.fill(outline, np.concatenate(edges), gid=f"c-{name}")


def _list_runs(kept: NDArray[np.bool_]) -> Iterator[slice]:
    """List the unbroken stretches of what is kept."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]]).astype(np.int8)))
    return (slice(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True))


def _break_at_north(values: Floats) -> Floats:
    """Leave out the step where a direction passes north, which would cross the whole chart."""
    jumps = np.abs(np.diff(values, prepend=values[:1])) > _TURN / 2
    return np.where(jumps, np.nan, values)


def _mark(axes: "Axes", marked: tuple[datetime, datetime, str], span: Span) -> None:
    start, end = (max(span.place(at), span.place(span.start)) for at in marked[:2])
    low, high = axes.get_ylim()
    axes.fill([start, end, end, start], [low, low, high, high], gid="c-week", zorder=0)
    axes.annotate(
        marked[2], (start, high), (5, -11), textcoords="offset points", gid="c-note", size=11
    )


def _label_days(axes: "Axes", span: Span, size: Size) -> None:
    """Label local days under their noon, or Mondays at their midnight where days are narrow."""
    days = (span.end - span.start).days
    if days <= size.daily_labels:
        midnights = span.list_midnights(1)
        axes.set_xticks([span.place(at) for at in midnights], [""] * len(midnights))
        noons = [(one, (span.place(one) + span.place(two)) / 2) for one, two in pairwise(midnights)]
        axes.set_xticks(
            [at for _, at in noons], [f"{day:%a} {day.day}" for day, _ in noons], minor=True
        )
    else:
        midnights = span.list_midnights(7 * (1 + days // 50))
        labels = [f"{at.day} {at:%b}" for at in midnights]
        axes.set_xticks([span.place(at) for at in midnights], labels)
    for line in (*axes.get_xgridlines(), *axes.get_ygridlines()):
        line.set_gid("c-grid")
