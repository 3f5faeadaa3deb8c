"""Stored forecasts for eyes: a table of values, and how they came about."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tasks.common.contracts import MARKET_ZONE

Stored = Mapping[str, Any]

_BOUNDS: Final = ("value", "lower80", "upper80", "lower95", "upper95")
_HEADERS: Final = ("value", "80 % from", "to", "95 % from", "to")


def render_forecasts(run: Stored, documents: Iterable[Stored]) -> RenderableType:
    """Give one table per series, in 100 columns: local time, UTC, value and both intervals."""
    return Group(Text(_describe_run(run)), *(part for one in documents for part in _render(one)))


def _describe_run(run: Stored) -> str:
    published = run.get("published_at")
    told = f"published {tell_instant(published)}" if published else "never given to readers"
    return f"Run {run['_id']} ({run['verdict']}), issued {tell_instant(run['issue_at'])}, {told}."


def tell_instant(at: datetime) -> str:
    """Give an instant on the clock of the market."""
    return f"{at.astimezone(MARKET_ZONE):%a %Y-%m-%d %H:%M} {MARKET_ZONE}"


def _render(document: Stored) -> Iterator[RenderableType]:
    name = plain(f"\n{document['series_id']}, {document['unit']}: {document['status']}")
    yield Text(name, style="bold")
    yield Text(plain(" ".join(filter(None, [document["reason"], document.get("licence")]))))
    if document["valid_at"]:
        yield _tabulate(document)


def _tabulate(document: Stored) -> Table:
    chance = document.get("probability")
    table = _open_table(str(MARKET_ZONE), "UTC")
    for header in (*_HEADERS, *(["wet"] if chance else [])):
        table.add_column(header, justify="right", no_wrap=True)
    columns = [document[name] for name in _BOUNDS]
    greatest = max(abs(value) for column in columns for value in column)
    digits = 0 if greatest >= 1000 else 1 if greatest >= 100 else 2
    for number, at in enumerate(document["valid_at"]):
        values = [f"{column[number]:,.{digits}f}" for column in columns]
        times = (f"{at.astimezone(MARKET_ZONE):%a %Y-%m-%d %H:%M}", f"{at:%Y-%m-%d %H:%M}Z")
        table.add_row(*times, *values, *([f"{chance[number]:.0%}"] if chance else []))
    return table


def render_explanation(told: Mapping[str, Any]) -> RenderableType:
    """Give an explanation, as `explain_forecast` composes it, in blocks of names and values."""
    parts: list[RenderableType] = []
    for title, block in told.items():
        table = _open_table("", "", shows_header=False)
        for name, value in _flatten(block):
            table.add_row(Text(plain(f"  {name}")), _tell(value))
        parts += [Text(f"\n{title}" if parts else title, style="bold"), table]
    return Group(*parts)


def _flatten(block: Any) -> Iterator[tuple[str, object]]:  # noqa: ANN401 - as BSON nests
    """Give one line a name: of a row that has a name, all else it says; of a mapping, its own."""
    if isinstance(block, list):
        for row in block:
            said = (f"{name} {_tell(value)}" for name, value in row.items() if name != "name")
            yield row["name"], ", ".join(said)
        return
    for name, value in block.items():
        if isinstance(value, Mapping):
            yield from ((f"{name} {inner}", one) for inner, one in value.items())
        else:
            yield name, "; ".join(value) if isinstance(value, list) else value


def _open_table(*headers: str, shows_header: bool = True) -> Table:
    style: dict[str, Any] = {"header_style": "underline", "padding": (0, 2, 0, 0)}
    table = Table(box=None, pad_edge=False, show_header=shows_header, **style)
    for header in headers:
        table.add_column(header, overflow="fold")
    return table


def _tell(value: object) -> Text:
    if value is None or value == "":
        return Text("-", style="dim")
    if isinstance(value, datetime):
        return Text(f"{value:%Y-%m-%d %H:%M}Z, {tell_instant(value)}")
    return Text(f"{value:,.6g}" if isinstance(value, float) else plain(str(value)))


def plain(text: str) -> str:
    """Give foreign text without what a terminal would obey, such as an escape."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
