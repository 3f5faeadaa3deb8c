"""From texts to numbers, each distinct text read once.

Sensors repeat themselves: a million cells hold some thousand texts. So columns are dictionary
encoded, their distinct texts are read, and the results are gathered back.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

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


Read = Callable[[str], Any]


def map_texts(columns: pl.DataFrame, reads: Mapping[str, Read], dtype: pl.DataType) -> pl.DataFrame:
    """Apply to each column its function, once per distinct text; null stays null."""
    encoded = columns.select(
        pl.col(name).cast(pl.Categorical(pl.Categories.random())) for name in reads
    )
    if encoded.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(reads, dtype))
    distinct = encoded.select(pl.all().unique().drop_nulls().implode())
    results = []
    for name, read in reads.items():
        texts = distinct[name][0]
        by_code = dict(zip(texts.to_physical(), map(read, texts.cast(pl.String)), strict=True))
        lookup = [by_code.get(code) for code in range(max(by_code, default=0) + 1)]
        codes = pl.col(name).to_physical()
        results.append(pl.lit(pl.Series(lookup, dtype=dtype)).gather(codes).alias(name))
    return encoded.select(results)


def map_column(column: pl.Series, read: Read, dtype: pl.DataType) -> pl.Series:
    """Apply a function to one column, once per distinct text; null stays null."""
    return map_texts(column.to_frame(), {column.name: read}, dtype).to_series()


class CellReader:
    """Reads the variables of one object's batches; remembers every text it has read."""

    def __init__(self, source: Source) -> None:
        """Stand ready for the variables of a source."""
        self._source = source
        self._missing = {text.casefold() for text in source.missing}
        self._known: dict[str, dict[str, Cell]] = {name: {} for name in source.fields}

    def read(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Reject]]:
        """Replace each variable's text by its number; what is missing or unreadable is null.

        Two columns are added: `is_blank` (the record delivered no value) and `is_faulty` (it
        delivered one that could not be read). Each such cell is rejected.
        """
        names = [name for name in self._known if name in frame.columns]
        values = map_texts(frame, {name: self._value_of(name) for name in names}, pl.Float64())
        faulty = [name for name in names if any(c.rule for c in self._known[name].values())]
        rules = map_texts(frame, {name: self._rule_of(name) for name in faulty}, pl.String())
        is_faulty = pl.any_horizontal(pl.lit(value=False), *(r.is_not_null() for r in rules))
        no_value = pl.all_horizontal(pl.lit(value=True), pl.col(names).is_null())
        typed = frame.with_columns(*values, is_faulty=is_faulty)
        typed = typed.with_columns(is_blank=no_value & ~pl.col("is_faulty"))
        return typed, [reject for rule in rules for reject in _list_faults(frame, rule)]

    def _value_of(self, name: str) -> Read:
        return lambda text: self._cell(name, text).value

    def _rule_of(self, name: str) -> Read:
        return lambda text: self._cell(name, text).rule

    def _cell(self, name: str, text: str) -> Cell:
        known = self._known[name]
        if text not in known:
            known[text] = self._read_text(text, self._source.fields[name])
        return known[text]

    def _read_text(self, text: str, rule: FieldRule) -> Cell:
        clean = text.strip().casefold()
        if clean in self._missing:
            return Cell()
        if rule.decode == "compass16":
            direction = _COMPASS.get(clean)
            return Cell(direction, None if direction is not None else "not_a_number")
        comma = self._source.decimal_comma and clean.count(",") == 1
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
