"""When a record was true: from texts to UTC instants, or a reason why not. Never invented."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import Final

import polars as pl

from tasks.extract.cells import Distinct
from tasks.extract.declaration import TextRule, TimeRule

_CONTINUATION: Final = re.compile(r"_\d{13}_[1-9]\d*\.")
"""A later part of one Airbyte sync (`2025_09_21_1758483200407_1.csv`) starts on no known day."""

_BACKWARDS: Final = timedelta(hours=1)
"""A clock that goes back by more has begun a new day; by less, it is the autumn hour, or late."""


class UndatedError(Exception):
    """The object offers no date; the text says what was looked for."""


@dataclass(frozen=True)
class DayHint:
    """What is known of an object beside its rows: its key, and the day an operator declared."""

    key: str
    first_day: date | None = None


def resolve_instants(frame: pl.DataFrame, rule: TimeRule, hint: DayHint) -> pl.DataFrame:
    """Add `at` (UTC; null: unreadable) and `is_nonexistent` (a local time the clocks skipped).

    Rows stand in the order of the object; a row that is blank and has no time separates days.

    Raises:
        UndatedError: the object offers no date; today and Airbyte's clock are never used.
    """
    if rule.instant and _is_filled(frame, "@instant"):
        local = _choose(frame["@instant"], rule.instant)
    elif rule.date and _is_filled(frame, "@date"):
        local = _read_days(frame["@date"], rule.date, rule.zone).cast(pl.Datetime("us"))
        if rule.clock and _is_filled(frame, "@clock"):
            local += _read_clock(frame["@clock"], rule.clock)
    elif rule.clock and _is_filled(frame, "@clock"):
        clock = _read_clock(frame["@clock"], rule.clock)
        local = _find_days(frame, clock, rule, hint).cast(pl.Datetime("us")) + clock
    else:
        msg = "no column of times is filled"
        raise UndatedError(msg)
    return _localise(frame.with_columns(local.alias("at")), rule)


def _is_filled(frame: pl.DataFrame, role: str) -> bool:
    return role in frame.columns and frame[role].count() > 0


def _choose(texts: pl.Series, rule: TextRule) -> pl.Series:
    """Read texts by the one format that reads most of them, the first of equals."""
    clean = texts.str.strip_chars()
    return max((_parse(clean, format_) for format_ in rule.formats), key=pl.Series.count)


def _parse(texts: pl.Series, format_: str) -> pl.Series:
    has_time = "%H" in format_ or "%I" in format_
    if format_.endswith("z"):
        return texts.str.to_datetime(format_, time_unit="us", time_zone="UTC", strict=False)
    if has_time and "%d" in format_:
        return texts.str.to_datetime(format_, time_unit="us", strict=False)
    return (texts.str.to_time if has_time else texts.str.to_date)(format_, strict=False)


def _read_days(texts: pl.Series, rule: TextRule, zone: str) -> pl.Series:
    distinct = Distinct.of(texts)
    read = _choose(distinct.texts, rule)
    if isinstance(read.dtype, pl.Datetime) and read.dtype.time_zone:
        read = read.dt.convert_time_zone(zone)
    return distinct.gather(read.dt.date() if read.dtype != pl.Date else read)


def _read_clock(texts: pl.Series, rule: TextRule) -> pl.Series:
    """Give the time since midnight; a workbook's time without a date is of 1899-12-31."""
    distinct = Distinct.of(texts)
    read = _choose(distinct.texts, rule)
    clock = read if read.dtype == pl.Time else read.dt.time()
    return distinct.gather((clock.cast(pl.Int64) // 1000).cast(pl.Duration("us")))


def _find_days(frame: pl.DataFrame, clock: pl.Series, rule: TimeRule, hint: DayHint) -> pl.Series:
    if rule.sheets and _is_filled(frame, "@sheet"):
        days = _read_sheets(frame["@sheet"].unique(maintain_order=True), rule.sheets)
        if days is not None:
            return frame["@sheet"].replace_strict(days, return_dtype=pl.Date)
    first = hint.first_day or _find_first_day(rule, hint.key)
    if first is None:
        msg = (
            "the records have a time of day and no date; land it under first_day=YYYY-MM-DD/, or "
            "declare the day under time.first_days"
        )
        raise UndatedError(msg)
    return pl.Series([first]).new_from_index(0, len(clock)) + _count_days(frame, clock)


def _read_sheets(names: pl.Series, formats: tuple[str, ...]) -> dict[str, date] | None:
    """Give the day of each sheet, under the only format that makes them consecutive days.

    None when the names are no dates at all.
    """
    readings = [names.str.to_date(format_, strict=False) for format_ in formats]
    dated = [days for days in readings if days.null_count() == 0]
    right = [days for days in dated if (days.diff().drop_nulls() == timedelta(days=1)).all()]
    if dated and not right:
        msg = f"sheets {', '.join(names)} are no consecutive days under {', '.join(formats)}"
        raise UndatedError(msg)
    return dict(zip(names, right[0], strict=True)) if right else None


def _find_first_day(rule: TimeRule, key: str) -> date | None:
    if _CONTINUATION.search(key):
        return None
    for place in rule.path:
        if found := re.search(place.pattern, key):
            day = pl.Series([found[1]]).str.to_date(place.format, strict=False)[0]
            if day is not None:
                return day
    globs = sorted(rule.first_days, key=len, reverse=True)
    return next((rule.first_days[g] for g in globs if fnmatchcase(key, g)), None)


def _count_days(frame: pl.DataFrame, clock: pl.Series) -> pl.Series:
    """Count the days begun before each row: at a separating row, or when the clock goes back."""
    is_separator = frame["is_blank"] & clock.is_null()
    rows = pl.DataFrame({"clock": clock, "separators": is_separator.cum_sum()})
    rows = rows.with_columns(separators=pl.when(pl.col("clock").is_not_null()).then("separators"))
    before = rows.select(pl.all().forward_fill().shift(1))
    went_back = before["clock"] - rows["clock"] > _BACKWARDS
    separated = rows["separators"] > before["separators"]
    begun = (went_back | separated).fill_null(value=False)
    return (begun.cum_sum().cast(pl.Int64) * 86_400_000_000).cast(pl.Duration("us"))


def _localise(frame: pl.DataFrame, rule: TimeRule) -> pl.DataFrame:
    local = frame["at"]
    if isinstance(local.dtype, pl.Datetime) and local.dtype.time_zone:
        return frame.with_columns(is_nonexistent=pl.lit(value=False))
    fold = "earliest" if rule.ambiguous == "by_order" else rule.ambiguous
    at = _to_utc(local, rule.zone, fold)
    if rule.ambiguous == "by_order":
        at = _take_second_fold(local, at, rule.zone)
    return frame.with_columns(
        at.alias("at"), (local.is_not_null() & at.is_null()).alias("is_nonexistent")
    )


def _to_utc(local: pl.Series, zone: str, fold: str) -> pl.Series:
    zoned = local.dt.replace_time_zone(zone, ambiguous=fold, non_existent="null")  # ty: ignore
    return zoned.dt.convert_time_zone("UTC")


def _take_second_fold(local: pl.Series, at: pl.Series, zone: str) -> pl.Series:
    """Take the second autumn hour for the rows after the clock has gone back within it."""
    later = _to_utc(local, zone, "latest")
    rows = pl.DataFrame({"local": local, "at": at, "later": later})
    repeated = pl.when(pl.col("later") > pl.col("at")).then("local")
    reached = repeated.cum_max().shift(1).forward_fill().over(pl.col("local").dt.date())
    is_second = (pl.col("later") > pl.col("at")) & (pl.col("local") < reached)
    return rows.select(pl.when(is_second).then("later").otherwise("at").alias("at"))["at"]
