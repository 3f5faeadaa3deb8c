"""From texts to numbers, each distinct text read once.

Sensors repeat themselves: a million cells hold some thousand texts. So a column is dictionary
encoded, its distinct texts are read, and the results are gathered back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from tasks.common.contracts import RAW_LIMIT
from tasks.extract.declaration import FieldRule, Source

_BLANKS: Final = " \t\r\n\u00a0\u202f\ufeff"
_NUMBER: Final = (
    r"^([-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[-+]?[0-9]+)?)[ \t\x{a0}\x{202f}]*(\D.*)?$"
)
"""A number, then what may follow it (`56.8\\u00a0°F`, `0 w/m²`)."""

_NOT_FINITE: Final = r"^[-+]?(nan|inf|infinity)\b"

_POINTS: Final = "n nne ne ene e ese se sse s ssw sw wsw w wnw nw nnw"
COMPASS: Final = {point: at * 22.5 for at, point in enumerate(_POINTS.split())} | {
    word: at * 90.0 for at, word in enumerate(("north", "east", "south", "west"))
}
"""Sixteen points in degrees; Weather Underground spells the cardinal ones out."""

CELLS: Final = pl.Schema(
    {"rule": pl.String, "line": pl.UInt32, "column": pl.String, "raw": pl.String}
)
"""One row per cell that could not be read."""


@dataclass(frozen=True)
class Distinct:
    """A column of texts as codes into its distinct texts (nulls stay null)."""

    codes: pl.Series
    texts: pl.Series

    @classmethod
    def of(cls, column: pl.Series) -> "Distinct":
        """Encode a column of texts."""
        encoded = column.cast(pl.Categorical(pl.Categories.random()))
        distinct = encoded.unique().drop_nulls()
        # A fresh set of categories numbers its texts from 0 on, so code = position.
        texts = distinct.cast(pl.String).gather(distinct.to_physical().arg_sort())
        return cls(encoded.to_physical(), texts)

    def map(self, read: Callable[[str], object], dtype: pl.DataType) -> pl.Series:
        """Apply `read` to each distinct text and give the whole column."""
        return self.gather(pl.Series([read(text) for text in self.texts], dtype=dtype))

    def gather(self, results: pl.Series) -> pl.Series:
        """Give the whole column from one result per distinct text."""
        return results.gather(self.codes)


def read_numbers(frame: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Replace each variable's text by its number; what is missing or unreadable is null.

    Two columns are added: `is_blank` (the record delivered no value) and `is_faulty` (it
    delivered one that could not be read). The second frame is CELLS.
    """
    columns: list[pl.Series] = []
    faults = [CELLS.to_frame()]
    faulty = pl.repeat(value=False, n=frame.height, eager=True)
    for name in [name for name in source.fields if name in frame.columns]:
        distinct = Distinct.of(frame[name])
        read = _read_texts(distinct.texts, source.fields[name], source)
        columns.append(distinct.gather(read["value"]).alias(name))
        if read["rule"].count():
            rules = distinct.gather(read["rule"])
            faulty |= rules.is_not_null()
            faults.append(_list_faults(frame, name, rules))
    blank = pl.all_horizontal(pl.col(c.name).is_null() for c in columns) & ~pl.col("is_faulty")
    typed = frame.with_columns(*columns, faulty.alias("is_faulty")).with_columns(is_blank=blank)
    return typed, pl.concat(faults)


def _read_texts(texts: pl.Series, rule: FieldRule, source: Source) -> pl.DataFrame:
    """Give `value` and `rule` (null: readable or missing) of each distinct text."""
    missing = [text.casefold() for text in source.missing]
    clean = texts.str.strip_chars(_BLANKS).str.to_lowercase()
    if rule.decode == "compass16":
        value = clean.replace_strict(COMPASS, default=None, return_dtype=pl.Float64)
        verdict = pl.when(pl.col("value").is_null()).then(pl.lit("not_a_number"))
        return _drop_missing(pl.DataFrame({"text": clean, "value": value}), verdict, missing)
    if source.decimal_comma:
        clean = clean.str.replace(r"^([-+]?[0-9]*),([0-9]+)", "$1.$2")
    parts = clean.str.extract_groups(_NUMBER)
    frame = pl.DataFrame(
        {
            "text": clean,
            "value": parts.struct.field("1").cast(pl.Float64),
            "suffix": parts.struct.field("2").str.strip_chars(_BLANKS).fill_null(""),
        }
    )
    return _drop_missing(frame, _judge_number(rule), missing)


def _judge_number(rule: FieldRule) -> pl.Expr:
    allowed = ["", *(suffix.casefold() for suffix in rule.suffixes)]
    stray = ~pl.col("suffix").is_in(allowed) if rule.suffixes else pl.lit(value=False)
    return (
        pl.when(pl.col("text").str.contains(_NOT_FINITE) | pl.col("value").is_infinite())
        .then(pl.lit("not_finite"))
        .when(pl.col("value").is_null())
        .then(pl.lit("not_a_number"))
        .when(stray)
        .then(pl.lit("unexpected_suffix"))
    )


def _drop_missing(frame: pl.DataFrame, verdict: pl.Expr, missing: list[str]) -> pl.DataFrame:
    judged = frame.with_columns(rule=pl.when(~pl.col("text").is_in(missing)).then(verdict))
    is_value = ~pl.col("text").is_in(missing) & pl.col("rule").is_null()
    return judged.select("rule", value=pl.when(is_value).then("value"))


def _list_faults(frame: pl.DataFrame, name: str, rules: pl.Series) -> pl.DataFrame:
    faulty = rules.is_not_null()
    rows = frame.filter(faulty)
    return rows.select(
        rule=rules.filter(faulty),
        line="line",
        column=pl.lit(name),
        raw=pl.col(name).str.head(RAW_LIMIT),
    )


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
