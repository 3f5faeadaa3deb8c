"""Words and tables for terminals and markdown, which take no orders from what is written there."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from tasks.common.contracts import MARKET_ZONE


def plain(text: str) -> str:
    """Give foreign text without what a terminal would obey, such as an escape."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def inert_text(text: str, style: str = "") -> Text:
    """Give one line for a terminal that is neither markup nor, by an escape, an order to it."""
    return Text(plain(text.replace("\n", "\ufffd")), style=style)


def fence(text: str) -> str:
    """Fence foreign text, so that no reader of markdown makes a link, a tag or a cell of it.

    Backticks and pipes become look-alikes: whether a backslash escapes a pipe, readers disagree.
    Escaping character by character would leave bare addresses, which many turn into links.

    >>> fence("[x](javascript:1) | `a`")
    "`[x](javascript:1) \u00a6 'a'`"
    """
    flat = " ".join(text.split()).replace("`", "'").replace("|", "\u00a6")
    return f"`{flat or '-'}`"


def tell_instant(at: datetime) -> str:
    """Give an instant on the clock of the market."""
    return f"{at.astimezone(MARKET_ZONE):%a %Y-%m-%d %H:%M} {MARKET_ZONE}"


def join_counts(counts: Mapping[str, int]) -> str:
    """Give names and numbers in one line, by name."""
    return ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items()))


def tabulate(
    headers: Sequence[str], rows: Iterable[Sequence[str | Text]], *, texts: Collection[str]
) -> Table:
    """Give a table for a terminal: columns of `texts` fold, those of numbers never do."""
    table = Table(box=None, header_style="underline", pad_edge=False, padding=(0, 2, 0, 0))
    table.show_header = any(headers)
    for header in headers:
        is_text = header in texts
        justify: JustifyMethod = "left" if is_text else "right"
        table.add_column(header, justify=justify, overflow="fold", no_wrap=not is_text)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else inert_text(cell) for cell in row))
    return table


def write_table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], *, texts: Collection[str]
) -> Iterator[str]:
    """Give the lines of a table in markdown; cells from outside come fenced."""
    sides = ["---" if header in texts else "--:" for header in headers]
    return (f"| {' | '.join(cells)} |" for cells in (headers, sides, *rows))
