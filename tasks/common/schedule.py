"""When the weekly run is issued: Wednesdays at 22:00 on the clocks of France.

Apart from the flow, so that who asks for the state of the forecast needs no Prefect.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from tasks.common.contracts import MARKET_ZONE
from tasks.common.errors import ConfigurationError

WEEKDAY: Final = 2
ISSUED: Final = time(22)
"""As flows.forecast.WEEKLY says; a test keeps them equal."""


def find_due(now: datetime) -> datetime:
    """Give the last instant at which a weekly run was due."""
    today = now.astimezone(MARKET_ZONE).date()
    last = today - timedelta(days=(today.weekday() - WEEKDAY) % 7)
    due = datetime.combine(last, ISSUED, MARKET_ZONE)
    return due if due <= now.astimezone(UTC) else due - timedelta(weeks=1)


def list_issue_times(first_on: date, weeks: int) -> list[datetime]:
    """List Wednesdays at 22:00 on the clocks of France, from this day on.

    >>> [at.isoformat() for at in list_issue_times(date(2019, 3, 27), 2)]
    ['2019-03-27T22:00:00+01:00', '2019-04-03T22:00:00+02:00']

    Raises:
        ConfigurationError: the last one is still to come, or the first one is far off.
    """
    if not 1970 <= first_on.year <= 2200:
        raise ConfigurationError(f"{first_on} is far off: begin on a day between 1970 and 2200.")
    first = first_on + timedelta(days=(WEEKDAY - first_on.weekday()) % 7)
    start = datetime.combine(first, ISSUED, MARKET_ZONE)
    times = [start + timedelta(weeks=week) for week in range(weeks)]
    if times[-1] > datetime.now(UTC):
        msg = (
            f"{weeks} weeks from {first_on} end on {times[-1]:%Y-%m-%d}, which is still to come: "
            "ask for fewer weeks, or for an earlier first one."
        )
        raise ConfigurationError(msg)
    return times
