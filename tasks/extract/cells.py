"""From texts to numbers: most at once, the others word by word.

Sensors write a column as they wrote its first cell. So what follows the first number is cut off
everywhere and the rest cast by Polars; only a text that is then no finite number is judged alone.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import polars as pl

from tasks.common.contracts import RAW_LIMIT
from tasks.extract.blocks import Reject
from tasks.extract.declaration import FieldRule, Source

_NUMBER: Final = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(?:\s*([^\d\s.,:_+-]\D*))?")
"""A number, then a text without digits: `56.8\\u00a0°f`, `0 w/m²`; not `1.2.3`, `18,92`, `0x1f`."""

_NOT_FINITE: Final = re.compile(r"[-+]?(nan|inf|infinity)\b")
_POINTS: Final = "n nne ne ene e ese se sse s ssw sw wsw w wnw nw nnw"
_COMPASS: Final = {point: at * 22.5 for at, point in enumerate(_POINTS.split())} | {
    word: at * 90.0 for at, word in enumerate(("north", "east", "south", "west"))
}
"""Sixteen points in degrees; Weather Underground spells the cardinal ones out."""

REASONS: Final = {
    "not_a_number": "the cell is no number",
    "not_finite": "the cell is not finite",
    "unexpected_suffix": "the cell ends with an undeclared text, so its unit is in doubt",
}
"""Why a cell was rejected."""


class Cell(NamedTuple):
    """A number, or null because it is missing (no rule) or breaks a rule."""

    value: float | None = None
    rule: str | None = None


def map_column(
    column: pl.Series, read: Callable[[str], object], dtype: pl.DataType | type[pl.DataType]
) -> pl.Series:
    """Apply a function to a column of texts, once per distinct text; null stays null."""
    distinct = column.drop_nulls().unique()
    results = pl.Series([read(text) for text in distinct], dtype=dtype)
    return column.replace_strict(distinct, results, default=None, return_dtype=dtype)


def read_cells(frame: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, list[Reject]]:
    """Replace each variable's text by its number; what is missing or unreadable is null.

    Two columns are added: `is_blank` (the record delivered no value) and `is_faulty` (it
    delivered one that could not be read). Each such cell is rejected.
    """
    names = [name for name in source.fields if name in frame.columns]
    firsts = frame.select(pl.col(names).drop_nulls().first()).row(0) if names else ()
    likely = [_cast_texts(name, first, source) for name, first in zip(names, firsts, strict=True)]
    values = frame.select(likely)
    finite = values.select(pl.all().is_finite().sum())
    rules = []
    for name in names:
        if finite[name].item() < frame[name].count():
            exact, rule = _read_doubtful(frame[name], values[name], source)
            values = values.with_columns(exact)
            rules += [rule] if rule.count() else []
    is_faulty = pl.any_horizontal(pl.lit(value=False), *(rule.is_not_null() for rule in rules))
    no_value = pl.all_horizontal(pl.lit(value=True), pl.col(names).is_null())
    typed = frame.with_columns(*values, is_faulty=is_faulty)
    typed = typed.with_columns(is_blank=no_value & ~pl.col("is_faulty"))
    return typed, [reject for rule in rules for reject in _list_faults(frame, rule)]


def _cast_texts(name: str, first: str | None, source: Source) -> pl.Expr:
    """Read texts that are written like the first one; the others become null or not finite."""
    rule = source.fields[name]
    if rule.decode == "compass16" or any(map(_NUMBER.fullmatch, source.missing)):
        return pl.repeat(None, pl.len(), dtype=pl.Float64).alias(name)
    tail = (first or "").lstrip("+-.0123456789")
    is_declared = tail.strip().casefold() in map(str.casefold, rule.suffixes)
    bare = pl.col(name).str.strip_suffix(tail if is_declared else "")
    return bare.cast(pl.Float64, strict=False)


def _read_doubtful(
    texts: pl.Series, values: pl.Series, source: Source
) -> tuple[pl.Series, pl.Series]:
    """Give all values and the rules broken: each text that is not finite yet is read by itself."""
    distinct = texts.filter(~values.is_finite().fill_null(value=False)).drop_nulls().unique()
    cells = [_read_text(text, source, source.fields[texts.name]) for text in distinct]
    exact, rules = zip(*cells, strict=True)
    return (
        texts.replace_strict(distinct, exact, default=values, return_dtype=pl.Float64),
        texts.replace_strict(distinct, rules, default=None, return_dtype=pl.String),
    )


def _read_text(text: str, source: Source, rule: FieldRule) -> Cell:
    clean = text.strip().casefold()
    if clean in map(str.casefold, source.missing):
        return Cell()
    if rule.decode == "compass16":
        direction = _COMPASS.get(clean)
        return Cell(direction, None if direction is not None else "not_a_number")
    comma = source.decimal_comma and clean.count(",") == 1
    return read_number(clean.replace(",", ".") if comma else clean, rule.suffixes)


def read_number(text: str, suffixes: tuple[str, ...] = ()) -> Cell:
    """Read a folded text of a number and what follows it.

    >>> read_number("29.75\u00a0in", ("in",)), read_number("13 °c", ("°F",)).rule
    (Cell(value=29.75, rule=None), 'unexpected_suffix')
    """
    found = _NUMBER.fullmatch(text)
    if not found:
        return Cell(rule="not_finite" if _NOT_FINITE.match(text) else "not_a_number")
    if not math.isfinite(value := float(found[1])):
        return Cell(rule="not_finite")
    suffix = (found[2] or "").strip()
    if suffix and suffix not in map(str.casefold, suffixes):
        return Cell(rule="unexpected_suffix")
    return Cell(value)


def _list_faults(frame: pl.DataFrame, rules: pl.Series) -> Iterator[Reject]:
    cells = frame.select("line", raw=rules.name, rule=rules).drop_nulls("rule")
    for line, raw, rule in cells.iter_rows():
        yield Reject(rule, line, rules.name, REASONS[rule], raw[:RAW_LIMIT])


def decode_counters(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Replace totals that start anew at any hour by their increments; a first total has none.

    Rows are sorted by station and instant. A total below the one before has begun at zero.
    """
    names = [name for name, rule in source.fields.items() if rule.decode == "resetting_counter"]
    return frame.with_columns(_take_increment(name) for name in names if name in frame.columns)


def _take_increment(name: str) -> pl.Expr:
    total = pl.col(name)
    before = total.forward_fill().shift(1).over("station_id")
    increment = pl.when(total >= before).then(total - before).otherwise(total)
    return pl.when(before.is_not_null()).then(increment.round(6)).alias(name)
