"""From texts to numbers, each distinct text read once.

Sensors repeat themselves: a million cells hold some thousand texts. So columns are dictionary
encoded, their distinct texts are read, and the results are gathered back.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator
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

_REMEMBERED: Final = 1 << 16
"""Texts that are remembered per variable."""

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


class Encoded(NamedTuple):
    """A column as codes, and its distinct texts by code (a code that is not used has none)."""

    codes: pl.Expr
    texts: list[str | None]

    def gather(self, results: Iterable[object], dtype: pl.DataType) -> pl.Expr:
        """Give the whole column from one result per text; null stays null."""
        return pl.lit(pl.Series(list(results), dtype=dtype)).gather(self.codes)


def encode(columns: pl.DataFrame, names: list[str]) -> tuple[pl.DataFrame, dict[str, Encoded]]:
    """Encode columns of texts; the expressions stand on the frame that is given back."""
    codes = columns.select(
        pl.col(name).cast(pl.Categorical(pl.Categories.random())) for name in names
    )
    distinct = codes.select(pl.all().unique().drop_nulls().implode()) if len(codes) else codes
    encoded = {}
    for name in names:
        texts = distinct[name][0] if len(codes) else distinct[name]
        by_code = dict(zip(texts.to_physical(), texts.cast(pl.String), strict=True))
        by_position = [by_code.get(code) for code in range(max(by_code, default=0) + 1)]
        encoded[name] = Encoded(pl.col(name).to_physical(), by_position)
    return codes, encoded


def map_column(column: pl.Series, read: Callable[[str], object], dtype: pl.DataType) -> pl.Series:
    """Apply a function to a column of texts, once per distinct text; null stays null."""
    codes, encoded = encode(column.to_frame(), [column.name])
    one = encoded[column.name]
    results = (None if text is None else read(text) for text in one.texts)
    return codes.select(one.gather(results, dtype).alias(column.name)).to_series()


class CellReader:
    """Reads the variables of one source's batches; remembers the texts it has read."""

    def __init__(self, source: Source) -> None:
        """Stand ready for the variables of a source."""
        self.source = source
        self._missing = {text.casefold() for text in source.missing}
        self._known: dict[str, dict[str, Cell]] = {name: {} for name in source.fields}

    def read(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Reject]]:
        """Replace each variable's text by its number; what is missing or unreadable is null.

        Two columns are added: `is_blank` (the record delivered no value) and `is_faulty` (it
        delivered one that could not be read). Each such cell is rejected.
        """
        names = [name for name in self._known if name in frame.columns]
        codes, encoded = encode(frame, names)
        values, rules = [], []
        for name, one in encoded.items():
            cells = [self._read_text(name, text) for text in one.texts]
            values.append(one.gather((c.value for c in cells), pl.Float64()).alias(name))
            if any(cell.rule for cell in cells):
                rules.append(one.gather((c.rule for c in cells), pl.String()).alias(name))
        broken = codes.select(rules)
        is_faulty = pl.any_horizontal(pl.lit(value=False), *(r.is_not_null() for r in broken))
        no_value = pl.all_horizontal(pl.lit(value=True), pl.col(names).is_null())
        typed = frame.with_columns(*codes.select(values), is_faulty=is_faulty)
        typed = typed.with_columns(is_blank=no_value & ~pl.col("is_faulty"))
        return typed, [reject for rule in broken for reject in _list_faults(frame, rule)]

    def _read_text(self, name: str, text: str | None) -> Cell:
        if text is None:
            return Cell()
        known = self._known[name]
        cell = known.get(text)
        if cell is None:
            if len(known) >= _REMEMBERED:
                known.clear()
            cell = known[text] = self._read_new(text, self.source.fields[name])
        return cell

    def _read_new(self, text: str, rule: FieldRule) -> Cell:
        clean = text.strip().casefold()
        if clean in self._missing:
            return Cell()
        if rule.decode == "compass16":
            direction = _COMPASS.get(clean)
            return Cell(direction, None if direction is not None else "not_a_number")
        comma = self.source.decimal_comma and clean.count(",") == 1
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
