"""What one word of a declaration may be: a zone, a pattern, a separator, a format of times."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
from pydantic import AfterValidator, Field

from tasks.common.contracts import VARIABLES

_SAMPLE: Final = datetime(2001, 2, 3, 16, 5, tzinfo=UTC)
_READABLE: Final = (_SAMPLE, _SAMPLE.replace(tzinfo=None), _SAMPLE.date(), _SAMPLE.time())


def parse_times(texts: pl.Series, format_: str) -> pl.Series:
    """Give instants in UTC, local times, dates or times of day, as the format has it.

    Null is unreadable.
    """
    if format_.endswith("z"):
        return texts.str.to_datetime(format_, time_unit="us", time_zone="UTC", strict=False)
    has_time = "%H" in format_ or "%I" in format_
    if has_time and "%d" in format_:
        return texts.str.to_datetime(format_, time_unit="us", strict=False)
    return (texts.str.to_time if has_time else texts.str.to_date)(format_, strict=False)


def _check_format(format_: str) -> str:
    """Refuse a format by which a time that was written by it cannot be read again."""
    try:
        written = pl.Series([_SAMPLE]).dt.strftime(format_.replace("%#z", "%z"))
        is_readable = parse_times(written, format_)[0] in _READABLE
    except pl.exceptions.PolarsError:
        is_readable = False
    if not is_readable:
        msg = "is no strftime format of a date, a time of day, or both; write one like %Y-%m-%d"
        raise ValueError(msg)
    return format_


def _check_zone(name: str) -> str:
    """Refuse what either of Python and Polars does not know: `localtime`, `right/UTC`."""
    try:
        ZoneInfo(name)
        pl.Series([_SAMPLE]).dt.convert_time_zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, pl.exceptions.PolarsError):
        msg = "is no IANA time zone; write one like Europe/Paris or UTC"
        raise ValueError(msg) from None
    return name


def _check_one_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        msg = f"is no regular expression ({error})"
        raise ValueError(msg) from None
    if groups != 1:
        msg = f"has {groups} groups; put exactly one pair of parentheses around what is meant"
        raise ValueError(msg)
    return pattern


def _check_separator(text: str) -> str:
    if len(text) != 1 or not text.isascii() or text in '"\r\n':
        msg = "is no separator; write one ASCII character that is no quote and no line end"
        raise ValueError(msg)
    return text


def _check_json_path(path: str) -> str:
    try:
        pl.Series(["{}"]).str.json_path_match(path)
    except pl.exceptions.PolarsError:
        msg = "is no JSONPath; write one like $.temperature_2m_mean[0]"
        raise ValueError(msg) from None
    return path


def _check_variable(name: str) -> str:
    if name not in VARIABLES:
        msg = f"is no variable; use one of {', '.join(VARIABLES)}"
        raise ValueError(msg)
    return name


Zone = Annotated[str, AfterValidator(_check_zone)]
Capture = Annotated[str, AfterValidator(_check_one_group)]
Format = Annotated[str, AfterValidator(_check_format)]
Separator = Annotated[str, AfterValidator(_check_separator)]
JsonPath = Annotated[str, AfterValidator(_check_json_path)]
Variable = Annotated[str, AfterValidator(_check_variable)]
Names = Annotated[tuple[str, ...], Field(min_length=1)]
