"""What will be fitted, and what will not be: decided before any process starts."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final

import numpy as np
import polars as pl

from tasks.common.contracts import INSTANT, MARKET_ZONE, VARIABLES
from tasks.common.errors import ConfigurationError
from tasks.common.results import Transformed
from tasks.common.settings import Settings
from tasks.forecast.backtest import Frame, Job, cut_window, find_windows
from tasks.forecast.days import find_horizon_end
from tasks.forecast.failures import MEMBER_ERRORS, tell_failure
from tasks.forecast.history import (
    LOOKBACK_DAYS,
    Bounds,
    build_train,
    clean_history,
    list_steps,
)
from tasks.forecast.members import applicable_members, choose_members, tell_kind
from tasks.forecast.train import Kind, Train, give_nothing
from tasks.forecast.weather import Weather, describe_weather, find_weather, settle_supply

HOUR: Final = timedelta(hours=1)
NO_FRAME: Final = Frame(0, 0, 1)


@dataclass(frozen=True)
class Horizon:
    """From the issue time to the end of the last local day, and the limits of age."""

    as_of: datetime
    end: datetime
    stale_after: timedelta
    withhold_after: timedelta

    @property
    def issued_on(self) -> date:
        """Give the local day of the issue time."""
        return self.as_of.astimezone(MARKET_ZONE).date()

    @staticmethod
    def of(as_of: datetime, horizon_days: int, settings: Settings) -> "Horizon":
        """Build it from the operator's words."""
        return Horizon(
            as_of.astimezone(UTC),
            find_horizon_end(as_of, horizon_days),
            timedelta(hours=settings.stale_after_hours),
            timedelta(days=settings.withhold_after_days),
        )


@dataclass(frozen=True)
class SeriesPlan:
    """One series made ready.

    Attributes:
        bounds: physically possible values, and their unit.
        train: all that is known at as_of, outliers too, perhaps nothing, and the future to the
            horizon's end.
        targets: instants to publish.
        windows: numbers of the backtest's windows.
        temperature: where that of the future comes from, for what depends on it.
        withheld: why no forecast is made.
        stale: why its forecast is labelled.
    """

    series_id: str
    bounds: Bounds
    kind: Kind
    train: Train
    targets: pl.Series = field(default_factory=lambda: pl.Series("at", [], INSTANT))
    frame: Frame = NO_FRAME
    windows: tuple[int, ...] = ()
    first_at: datetime | None = None
    newest_at: datetime | None = None
    temperature: str | None = None
    withheld: str | None = None
    stale: str | None = None

    def list_members(self) -> list[tuple[int, str]]:
        """List its work, (window, member): every applicable member, now and in each window."""
        if self.withheld:
            return []
        cuts = {window: cut_window(self.train, self.frame, window) for window in (0, *self.windows)}
        return [
            (window, name)
            for window, cut in cuts.items()
            for name in applicable_members(self.kind, cut)
        ]

    def make_job(self, window: int, member: str) -> Job:
        """Make one work item, with no more of the past than its member looks at."""
        cut = cut_window(self.train, self.frame, window)
        days = choose_members(self.kind, cut.step)[member].fits_days
        train = cut.take_last(days) if days else cut
        return Job(self.series_id, window, member, self.kind, train, self.frame.lead)


def plan_series(transformed: Transformed, *, horizon: Horizon, pattern: str) -> list[SeriesPlan]:
    """Plan every series that can be forecast and matches, sorted by id.

    Raises:
        ConfigurationError: a pattern other than `*` matches none of them.
    """
    wanted = [name for name, variable in VARIABLES.items() if variable.forecast]
    known = transformed.series.filter(pl.col("variable").is_in(wanted)).sort("series_id")
    rows = [row for row in known.iter_rows(named=True) if fnmatchcase(row["series_id"], pattern)]
    if not rows and pattern != "*":
        listed = ", ".join(known["series_id"].head(8)) or "none"
        msg = f"No series that can be forecast matches {pattern!r}: choose among {listed}."
        raise ConfigurationError(msg)
    history = transformed.history.partition_by("series_id", as_dict=True)
    nothing = transformed.history.clear()
    weather = find_weather(transformed, as_of=horizon.as_of)
    return [
        _plan_any(row, history.get((row["series_id"],), nothing), horizon, weather) for row in rows
    ]


def list_jobs(plans: Iterable[SeriesPlan], *, fitted: bool) -> list[tuple[SeriesPlan, int, str]]:
    """List the work that fits a model, or that only copies, as arguments of `make_job`.

    Members of most value first, for all series; the longest series first among them.
    """
    ranked = []
    for plan in plans:
        members = choose_members(plan.kind, plan.train.step)
        places = {name: place for place, name in enumerate(members)}
        for window, name in plan.list_members():
            if bool(members[name].fits_days) == fitted:
                rank = (places[name], -len(plan.train.values), plan.series_id, window)
                ranked.append((rank, (plan, window, name)))
    return [job for _, job in sorted(ranked, key=lambda pair: pair[0])]


def _plan_any(
    row: dict[str, Any], history: pl.DataFrame, horizon: Horizon, weather: Weather
) -> SeriesPlan:
    """Plan a series; one that cannot be planned costs only itself."""
    try:
        return _plan_one(row, history, horizon, weather)
    except MEMBER_ERRORS as error:
        reason = f"its history could not be prepared ({tell_failure(error)})"
        return _plan_nothing(row, HOUR, reason)


def _plan_nothing(row: dict[str, Any], step: timedelta, reason: str) -> SeriesPlan:
    bounds, kind = Bounds.of(row["variable"]), tell_kind(row["variable"])
    return SeriesPlan(row["series_id"], bounds, kind, give_nothing(step), withheld=reason)


def _plan_one(
    row: dict[str, Any], history: pl.DataFrame, horizon: Horizon, weather: Weather
) -> SeriesPlan:
    name, bounds = row["series_id"], Bounds.of(row["variable"])
    step = timedelta(minutes=int(row["step_minutes"]))
    known = clean_history(history, bounds=bounds, step=step, as_of=horizon.as_of)
    if known.is_empty():
        reason = f"no credible value in the {LOOKBACK_DAYS} days before the issue time"
        return _plan_nothing(row, step, reason)
    kind, newest = tell_kind(row["variable"]), known["at"][-1]
    future = list_steps(newest, step=step, end=horizon.end)
    train = build_train(known, step=step, future=future, kind=kind)
    targets = future.filter(future >= horizon.as_of)
    frame = Frame.weekly(len(targets), len(future) - len(targets), train.steps_per_day)
    windows = choose_windows(train, kind, frame)
    found = weather.choose(name, train.clock) if kind == "demand" else None
    train = settle_supply(replace(train, weather=found), frame, windows)
    age = horizon.as_of - newest - step
    planned = SeriesPlan(
        name, bounds, kind, train, targets, frame, windows,
        first_at=known["at"][0], newest_at=newest,
        temperature=describe_weather(train.weather, found, horizon.issued_on),
        stale=_tell_age(age, horizon.stale_after),
    )  # fmt: skip
    old = _tell_age(age, horizon.withhold_after)
    return replace(planned, withheld=old or withhold_for_values(train, planned.windows))


def choose_windows(train: Train, kind: Kind, frame: Frame) -> tuple[int, ...]:
    """Prefer windows that the dearest fitted member can tell, if there are two; else naives."""
    if not frame.targets:
        return ()
    members = choose_members(kind, train.step).values()
    fitted = sorted({m.needs_days for m in members if m.fits_days}, reverse=True)
    for least in (*fitted, min(m.needs_days for m in members)):
        found = find_windows(train.values, frame, least=least * train.steps_per_day)
        if len(found) > 1:
            return found
    return found


def _tell_age(age: timedelta, limit: timedelta) -> str | None:
    if age <= limit:
        return None
    told, allowed = (
        f"{hours:.0f} h" if hours < 96 else f"{hours / 24:.0f} days"
        for hours in (age / HOUR, limit / HOUR)
    )
    return f"the newest value is {told} old at the issue time, more than {allowed}"


def withhold_for_values(train: Train, windows: tuple[int, ...]) -> str | None:
    """Say why values forbid a forecast, if they do."""
    values = train.values[np.isfinite(train.values)]
    if not windows:
        return (
            f"{len(values)} values over {train.days:.1f} days hold no past window of the "
            "forecast's own length to judge it by; it needs more history"
        )
    if np.ptp(values) == 0:
        return f"all {len(values)} values are {values[0]:g}; a stuck sensor has no future"
    return None
