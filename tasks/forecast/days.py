"""Kinds of day in France: working, Saturday, Sunday or holiday, bridge; and local midnights."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import holidays
import numpy as np
from numpy.typing import NDArray

from tasks.common.contracts import MARKET_ZONE
from tasks.forecast.train import DAY, Clock, Dates

TUESDAY, THURSDAY, SATURDAY, SUNDAY = 1, 3, 5, 6


def find_horizon_end(as_of: datetime, horizon_days: int) -> datetime:
    """Give the local midnight that ends the day `horizon_days` after as_of's, in UTC.

    >>> find_horizon_end(datetime.fromisoformat("2019-11-06T22:00+01:00"), 11).isoformat()
    '2019-11-17T23:00:00+00:00'
    """
    last = as_of.astimezone(MARKET_ZONE).date() + timedelta(days=horizon_days)
    midnight = datetime.combine(last + timedelta(days=1), datetime.min.time(), tzinfo=MARKET_ZONE)
    return midnight.astimezone(UTC)


@lru_cache(maxsize=64)
def list_holidays(year: int) -> tuple[date, ...]:
    """List the eleven national holidays of a year, sorted."""
    return tuple(sorted(holidays.country_holidays("FR", years=year)))


def find_holidays(clock: Clock) -> tuple[Dates, Dates]:
    """Give (holidays, bridge days) of the years that a clock touches and the next, sorted.

    A bridge is the Monday before a holiday on Tuesday, the Friday after one on Thursday.
    """
    years = range(_year(clock.min()), _year(clock.max()) + 2)
    off = np.array([day for year in years for day in list_holidays(year)], dtype="datetime64[D]")
    bridges = np.concatenate(
        [off[tell_weekday(off) == TUESDAY] - DAY, off[tell_weekday(off) == THURSDAY] + DAY]
    )
    return off, np.setdiff1d(bridges, off)


@lru_cache(maxsize=64)
def list_school_holidays(year: int) -> tuple[date, ...]:
    """List the days of a year without school in zone B, which Hauts-de-France is in, sorted."""
    zone = holidays.country_holidays("FR", subdiv="Zone B", categories=("school",), years=year)
    return tuple(sorted(zone))


def find_school_holidays(clock: Clock) -> Dates:
    """Give the school holidays of the years that a clock touches, sorted; known from 2017 on."""
    years = range(_year(clock.min()), _year(clock.max()) + 1)
    days = [day for year in years for day in list_school_holidays(year)]
    return np.array(days, dtype="datetime64[D]")


def tell_kinds_of_day(clock: Clock) -> dict[str, NDArray[np.bool_]]:
    """Tell for every step whether it lies on a working day, a Saturday, or a Sunday or holiday.

    Exactly one holds at each step.
    """
    day = clock.astype("datetime64[D]")
    off = np.isin(day, find_holidays(clock)[0])
    weekday = tell_weekday(day)
    return {
        "working": (weekday < SATURDAY) & ~off,
        "saturday": (weekday == SATURDAY) & ~off,
        "sunday": (weekday == SUNDAY) | off,
    }


def _year(instant: np.datetime64) -> int:
    return int(instant.astype("datetime64[Y]").astype(int)) + 1970


def tell_weekday(day: Dates) -> NDArray[np.int64]:
    """Give Monday 0 .. Sunday 6; 1970-01-01 was a Thursday."""
    return (day.astype("datetime64[D]").astype(np.int64) + 3) % 7
