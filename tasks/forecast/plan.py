"""What will be fitted, and what will not be: decided before any process starts."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final

import numpy as np
import polars as pl

from tasks.common.contracts import INSTANT, VARIABLES
from tasks.common.errors import ConfigurationError
from tasks.common.results import Transformed
from tasks.common.settings import Settings
from tasks.forecast.backtest import Job, cut_window, find_windows
from tasks.forecast.days import find_horizon_end
from tasks.forecast.failures import MEMBER_ERRORS, tell_failure
from tasks.forecast.history import LOOKBACK_DAYS, build_train, clean_history, list_steps
from tasks.forecast.members import choose_members, tell_kind
from tasks.forecast.train import Kind, Train, give_nothing

HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Horizon:
    """From the issue time to the end of the last local day, and the limits of age."""

    as_of: datetime
    end: datetime
    stale_after: timedelta
    withhold_after: timedelta

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
        train: all that is known at as_of, outliers too, perhaps nothing, and the future to the
            horizon's end.
        targets: instants to publish.
        lead: steps between the last value and the first target.
        windows: numbers of the backtest's windows.
        withheld: why no forecast is made.
        stale: why its forecast is labelled.
    """

    series_id: str
    variable: str
    kind: Kind
    train: Train
    targets: pl.Series = field(default_factory=lambda: pl.Series("at", [], INSTANT))
    lead: int = 0
    windows: tuple[int, ...] = ()
    first_at: datetime | None = None
    newest_at: datetime | None = None
    withheld: str | None = None
    stale: str | None = None

    @property
    def jobs(self) -> list[Job]:
        """List its work items: the forecast itself and each window of the backtest."""
        if self.withheld:
            return []
        sizes = {"targets": len(self.targets), "lead": self.lead}
        cuts = {w: cut_window(self.train, number=w, **sizes) for w in (0, *self.windows)}
        return [Job(self.series_id, w, self.kind, cut, self.lead) for w, cut in cuts.items()]


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
    ids = {row["series_id"] for row in rows}
    parts = transformed.history.filter(pl.col("series_id").is_in(ids)).partition_by("series_id")
    histories = {part["series_id"][0]: part for part in parts}
    nothing = transformed.history.clear()
    return [_plan_any(row, histories.get(row["series_id"], nothing), horizon) for row in rows]


def order_jobs(plans: Iterable[SeriesPlan]) -> list[Job]:
    """List all work items, the dearest first."""
    jobs = [job for plan in plans for job in plan.jobs]
    return sorted(jobs, key=lambda job: (-job.cost, job.series_id, job.window))


def _plan_any(row: dict[str, Any], history: pl.DataFrame, horizon: Horizon) -> SeriesPlan:
    """Plan a series; one that cannot be planned costs only itself."""
    try:
        return _plan_one(row, history, horizon)
    except MEMBER_ERRORS as error:
        name, variable = row["series_id"], row["variable"]
        reason = f"its history could not be prepared ({tell_failure(error)})"
        return SeriesPlan(name, variable, tell_kind(variable), give_nothing(HOUR), withheld=reason)


def _plan_one(row: dict[str, Any], history: pl.DataFrame, horizon: Horizon) -> SeriesPlan:
    name, variable = row["series_id"], row["variable"]
    kind = tell_kind(variable)
    step = timedelta(minutes=int(row["step_minutes"]))
    known = clean_history(history, variable=VARIABLES[variable], step=step, as_of=horizon.as_of)
    if known.is_empty():
        reason = f"no credible value in the {LOOKBACK_DAYS} days before the issue time"
        return SeriesPlan(name, variable, kind, give_nothing(step), withheld=reason)
    first, newest = known["at"][0], known["at"][-1]
    future = list_steps(newest, step=step, end=horizon.end)
    train = build_train(known, step=step, future=future, kind=kind)
    targets = future.filter(future >= horizon.as_of)
    lead = len(future) - len(targets)
    windows = _choose_windows(train, kind, targets=len(targets), lead=lead)
    stale, old = (
        _tell_age(horizon.as_of - newest - step, limit)
        for limit in (horizon.stale_after, horizon.withhold_after)
    )
    withheld = old or _withhold_for_values(train, windows)
    return SeriesPlan(
        name, variable, kind, train, targets, lead, windows, first, newest, withheld, stale
    )


def _choose_windows(train: Train, kind: Kind, *, targets: int, lead: int) -> tuple[int, ...]:
    """Prefer windows that the dearest fitted member can tell, if there are two; else naives."""
    if not targets:
        return ()
    members = choose_members(kind, train.step).values()
    fitted = sorted((m.needs_days for m in members if m.fits_days), reverse=True)
    for least in (*fitted, min(m.needs_days for m in members)):
        found = find_windows(
            train.values, targets=targets, lead=lead, least=least * train.steps_per_day
        )
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


def _withhold_for_values(train: Train, windows: tuple[int, ...]) -> str | None:
    values = train.values[np.isfinite(train.values)]
    if not windows:
        return (
            f"{len(values)} values over {train.days:.1f} days hold no past window of the "
            "forecast's own length to judge it by; it needs more history"
        )
    if np.ptp(values) == 0:
        return f"all {len(values)} values are {values[0]:g}; a stuck sensor has no future"
    return None
