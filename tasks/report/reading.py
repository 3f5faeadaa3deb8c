"""Stored forecasts for eyes: a table of values, and how they came about."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from tasks.common.contracts import MARKET_ZONE
from tasks.common.scores import QUANTILES
from tasks.report.text import plain, tabulate, tell_instant

Stored = Mapping[str, Any]

_CLOCKS: Final = (str(MARKET_ZONE), "UTC")
_HEADERS: Final = ("value", "80 % from", "to", "95 % from", "to")


def render_forecasts(run: Stored, documents: Iterable[Stored]) -> RenderableType:
    """Give one table per series, in 100 columns: local time, UTC, value and both intervals."""
    return Group(
        Text(plain(_describe_run(run))), *(part for one in documents for part in _render(one))
    )


def _describe_run(run: Stored) -> str:
    published = run.get("published_at")
    told = f"published {tell_instant(published)}" if published else "never given to readers"
    return f"Run {run['_id']} ({run['verdict']}), issued {tell_instant(run['issue_at'])}, {told}."


def _render(document: Stored) -> Iterator[RenderableType]:
    name = plain(f"\n{document['series_id']}, {document['unit']}: {document['status']}")
    yield Text(name, style="bold")
    yield Text(plain(" ".join(filter(None, [document["reason"], document.get("licence")]))))
    if document["valid_at"]:
        headers = (*_CLOCKS, *_HEADERS, *(["wet"] if document.get("probability") else []))
        yield tabulate(headers, _list_steps(document), texts=_CLOCKS)


def _list_steps(document: Stored) -> Iterator[tuple[str, ...]]:
    chance, columns = document.get("probability"), [document[name] for name in QUANTILES]
    greatest = max(abs(value) for column in columns for value in column)
    digits = 0 if greatest >= 1000 else 1 if greatest >= 100 else 2
    for number, at in enumerate(document["valid_at"]):
        values = [f"{column[number]:,.{digits}f}" for column in columns]
        times = (f"{at.astimezone(MARKET_ZONE):%a %Y-%m-%d %H:%M}", f"{at:%Y-%m-%d %H:%M}Z")
        yield (*times, *values, *([f"{chance[number]:.0%}"] if chance else []))


def render_explanation(told: Mapping[str, Any]) -> RenderableType:
    """Give an explanation, as `explain_forecast` composes it, in blocks of names and values."""
    parts: list[RenderableType] = []
    for title, block in told.items():
        rows = ((f"  {name}", _tell(value)) for name, value in _flatten(block))
        table = tabulate(("", ""), rows, texts=("",))
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


def _tell(value: object) -> Text:
    if value is None or value == "":
        return Text("-", style="dim")
    if isinstance(value, datetime):
        return Text(f"{value:%Y-%m-%d %H:%M}Z, {tell_instant(value)}")
    return Text(f"{value:,.6g}" if isinstance(value, float) else plain(str(value)))
