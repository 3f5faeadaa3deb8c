"""When a record was true: from texts to UTC instants, or a reason why not. Never invented."""

import re
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import Final

import numpy as np
import polars as pl

from tasks.extract.blocks import RefusedError
from tasks.extract.declaration import TimeRule
from tasks.extract.identity import Origin
from tasks.extract.words import parse_times

YEARS: Final = (1900, 2199)
"""First and last year of which records are read."""

_CONTINUATION: Final = re.compile(r"_\d{13}_[1-9]\d*\.")
"""A later part of one Airbyte sync (`2025_09_21_1758483200407_1.csv`) starts on no known day."""

_BACKWARDS: Final = timedelta(hours=1)
"""A clock that goes back by more has begun a new day; by less, it is the autumn hour, or late."""

_REPEATED: Final = timedelta(minutes=20)
"""Within the autumn hour, a clock that goes back by as much is in it for the second time."""


def resolve_instants(frame: pl.DataFrame, rule: TimeRule, origin: Origin) -> pl.DataFrame:
    """Add `at` (UTC; null: unreadable) and `is_nonexistent` (a local time the clocks skipped).

    A time outside `YEARS` is unreadable. A date alone is its midnight, if no clock is declared.

    Rows stand in the order of the object; a row that is blank and has no time separates days.

    Raises:
        RefusedError: undated; the object offers no date, or no time of day where one is declared;
            neither today nor Airbyte's clock nor midnight is put in its place.
    """
    filled = {role for role in frame.columns if role.startswith("@") and frame[role].count()}
    if rule.instant and "@instant" in filled:
        return _localise(frame, _choose(frame["@instant"], rule.instant.formats), rule)
    clock = None
    if rule.clock and "@clock" in filled:
        clock = _read_clock(frame["@clock"], rule.clock.formats)
    elif rule.clock:
        wanted = ", ".join(rule.clock.columns)
        msg = f"no column of the time of day is filled; one of {wanted} is declared"
        raise RefusedError("undated", msg)
    if rule.date and "@date" in filled:
        days = _read_days(frame["@date"], rule.date.formats, rule.zone)
    elif clock is not None and "@sheet" in filled and (found := _read_sheets(frame, rule)):
        days = frame["@sheet"].replace_strict(found, return_dtype=pl.Date)
    elif clock is not None:
        days = _find_first_day(rule, origin) + _count_days(frame, clock)
    else:
        raise RefusedError("undated", "no column of times is filled")
    midnight = days.cast(pl.Datetime("us"))
    return _localise(frame, midnight if clock is None else midnight + clock, rule)


def _choose(texts: pl.Series, formats: tuple[str, ...]) -> pl.Series:
    """Read texts by the one format that reads most of them.

    Of formats that read as many, that one under which they lie closest together, as a week of
    01/10/2024, 02/10/2024 is of October, not of every month; then the first declared.
    """
    clean = texts.str.strip_chars()
    sample = clean.filter(clean.is_not_null()).head(1)
    readings = [parse_times(clean, formats[0])]
    for format_ in formats[1:]:
        is_read = any(times.null_count() == texts.null_count() for times in readings)
        # What cannot read one of them reads fewer than what reads all.
        if not (is_read and parse_times(sample, format_).null_count()):
            readings.append(parse_times(clean, format_))
    most = max(map(pl.Series.count, readings))
    rivals = [times for times in readings if times.count() == most]
    if most == 0 or len(rivals) == 1:
        return rivals[0]
    return min(rivals, key=lambda times: np.ptp(times.drop_nulls().to_physical().to_numpy()))


def _read_days(texts: pl.Series, formats: tuple[str, ...], zone: str) -> pl.Series:
    days = _choose(texts, formats)
    if days.dtype == pl.Datetime("us", "UTC"):
        days = days.dt.convert_time_zone(zone)
    return days.cast(pl.Date)


def _read_clock(texts: pl.Series, formats: tuple[str, ...]) -> pl.Series:
    """Give the time since midnight; a workbook's time without a date is of 1899-12-31."""
    clock = _choose(texts, formats)
    return (clock if clock.dtype == pl.Time else clock.dt.time()).cast(pl.Duration("us"))


def _read_sheets(frame: pl.DataFrame, rule: TimeRule) -> dict[str, date] | None:
    """Give the day of each sheet, under the format that makes them consecutive days, in any order.

    None when the names are no dates at all.
    """
    names = frame["@sheet"].unique(maintain_order=True)
    readings = [_clip(names.str.to_date(format_, strict=False)) for format_ in rule.sheets]
    dated = [days for days in readings if days.null_count() == 0]
    for days in dated:
        if (days.sort().diff().drop_nulls() == timedelta(days=1)).all():
            return dict(zip(names, days, strict=True))
    if dated:
        shown = f"{', '.join(names)} are no consecutive days under {', '.join(rule.sheets)}"
        msg = f"the sheets {shown}"
        raise RefusedError("undated", msg)
    return None


def _find_first_day(rule: TimeRule, origin: Origin) -> pl.Series:
    """Give the declared day of the first record: by the operator, in the key, by a glob."""
    days = [origin.first_day]
    if not _CONTINUATION.search(origin.key):
        named = ((re.search(pattern, origin.key), form) for pattern, form in rule.path.items())
        days += [
            _clip(parse_times(pl.Series([found[1]]), form))[0] for found, form in named if found
        ]
        globs = sorted(rule.first_days, key=len, reverse=True)
        days += [rule.first_days[glob] for glob in globs if fnmatchcase(origin.key, glob)]
    day = next((day for day in days if day is not None), None)
    if day is None:
        msg = (
            "the records have a time of day and no date; land it under first_day=YYYY-MM-DD/, or "
            "declare the day under time.first_days"
        )
        raise RefusedError("undated", msg)
    return pl.Series([day], dtype=pl.Datetime("us"))


def _count_days(frame: pl.DataFrame, clock: pl.Series) -> pl.Series:
    """Count the days begun before each row: at a separating row, or when the clock goes back."""
    separators = (frame["is_blank"] & clock.is_null()).cum_sum()
    rows = pl.DataFrame({"clock": clock, "separators": separators}).with_columns(
        separators=pl.when(pl.col("clock").is_not_null()).then("separators")
    )
    before = rows.select(pl.all().forward_fill().shift(1))
    went_back = before["clock"] - rows["clock"] > _BACKWARDS
    begun = (went_back | (rows["separators"] > before["separators"])).fill_null(value=False)
    return (begun.cum_sum().cast(pl.Int64) * 86_400_000_000).cast(pl.Duration("us"))


def _clip(times: pl.Series) -> pl.Series:
    """Empty what no record is of, and Python may not hold: 0001-01-01 stands for "unknown"."""
    is_possible = times.dt.year().is_between(*YEARS)
    return times.zip_with(is_possible, pl.Series([None], dtype=times.dtype))


def _localise(frame: pl.DataFrame, times: pl.Series, rule: TimeRule) -> pl.DataFrame:
    local = _clip(times)
    if local.dtype == pl.Datetime("us", "UTC"):
        return frame.with_columns(local.alias("at"), is_nonexistent=pl.lit(value=False))
    at = local.dt.replace_time_zone(rule.zone, ambiguous="null", non_existent="null")
    at = at.dt.convert_time_zone("UTC")
    if at.null_count() > local.null_count():
        at = _choose_folds(local, at, rule)
    skipped = local.is_not_null() & at.is_null()
    return frame.with_columns(at.alias("at"), skipped.alias("is_nonexistent"))


def _choose_folds(local: pl.Series, at: pl.Series, rule: TimeRule) -> pl.Series:
    """Fill in the local times that autumn repeats; those that spring skips stay null."""
    earliest, latest = (
        pl.col("local").dt.replace_time_zone(rule.zone, ambiguous=fold, non_existent="null")
        for fold in ("earliest", "latest")
    )
    rows = pl.DataFrame({"local": local}).with_row_index().filter(at.is_null())
    repeated = rows.with_columns(earliest=earliest, latest=latest).drop_nulls()
    went_back = pl.col("local").shift(1) - pl.col("local") >= _REPEATED
    begun = went_back.fill_null(value=False).cum_sum().over(pl.col("local").dt.date()) > 0
    is_second = begun if rule.ambiguous == "by_order" else pl.lit(rule.ambiguous == "latest")
    chosen = repeated.select(pl.when(is_second).then("latest").otherwise("earliest")).to_series()
    return at.scatter(repeated["index"], chosen.dt.convert_time_zone("UTC"))
