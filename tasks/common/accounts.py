"""Counts that must close, what a step took, how a series ended, and the verdict on a run.

The words of the verdict stand in MongoDB, in the report, in the Prefect state and in the exit
code.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import datetime
from functools import wraps
from operator import add
from time import perf_counter
from typing import Final, Literal, ParamSpec, TypeVar

from tasks.common.errors import UnbalancedCountsError
from tasks.common.settings import Settings

SeriesStatus = Literal["model", "fallback", "stale", "withheld"]
RunState = Literal["COMPLETED", "DEGRADED", "FAILED"]

EXIT_CODES: Final[Mapping[RunState, int]] = {"COMPLETED": 0, "DEGRADED": 3, "FAILED": 1}
"""2 is kept for wrong usage and configuration."""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A result with what its step took; no hash and no name depends on it."""

    seconds: float = 0.0


P = ParamSpec("P")
R = TypeVar("R", bound=Timed | None)


def timed(step: Callable[P, R]) -> Callable[P, R]:
    """Give a step whose result carries the seconds it took, beside any that are in it already."""

    @wraps(step)
    def measure(*args: P.args, **kwargs: P.kwargs) -> R:
        started = perf_counter()
        made = step(*args, **kwargs)
        return made and replace(made, seconds=made.seconds + perf_counter() - started)

    return measure


def check_closes(where: str, received: int, accounted: int) -> None:
    """Hold the law of every count: what came in is what is accounted for.

    Raises:
        UnbalancedCountsError: it is not.
    """
    if received != accounted:
        msg = (
            f"The counts of {where} do not close: {received} came in, {accounted} are accounted "
            "for; this is a fault of the pipeline, report it with the run's JSON."
        )
        raise UnbalancedCountsError(msg)


@dataclass(frozen=True)
class Tally:
    """Counts of records (a station at an instant) at the edge.

    Guarantees nothing by itself: `check` raises when read differs from the sum of the rest.
    """

    read: int = 0
    kept: int = 0
    blank: int = 0
    duplicate: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: "Tally") -> "Tally":
        """Add field by field; rejections by rule."""
        rules = sorted({*self.rejected, *other.rejected})
        return Tally(
            *map(add, (self.read, self.kept), (other.read, other.kept)),
            *map(add, (self.blank, self.duplicate), (other.blank, other.duplicate)),
            {rule: self.rejected.get(rule, 0) + other.rejected.get(rule, 0) for rule in rules},
        )

    def check(self, where: str) -> "Tally":
        """Return itself when it closes.

        Raises:
            UnbalancedCountsError: read is not kept + blank + duplicate + rejected.
        """
        accounted = self.kept + self.blank + self.duplicate + sum(self.rejected.values())
        check_closes(where, self.read, accounted)
        return self


@dataclass(frozen=True, slots=True)
class WriteCounts:
    """What MongoDB made of the documents it was given; compared with it, what it has of them.

    missing and altered are found by comparing alone: nothing stands there, or another content.
    """

    received: int = 0
    inserted: int = 0
    modified: int = 0
    unchanged: int = 0
    duplicate: int = 0
    rejected: int = 0
    missing: int = 0
    altered: int = 0

    def __add__(self, other: "WriteCounts") -> "WriteCounts":
        """Add field by field."""
        return WriteCounts(*map(add, astuple(self), astuple(other)))

    def __str__(self) -> str:
        """Tell what there is: `received 46, inserted 46`."""
        return ", ".join(f"{name} {n:,}" for name, n in asdict(self).items() if n) or "nothing"

    def check(self, where: str) -> "WriteCounts":
        """Return itself when it closes.

        Raises:
            UnbalancedCountsError: received is not the sum of the rest.
        """
        accounted = sum(astuple(self)) - self.received
        check_closes(where, self.received, accounted)
        return self


@dataclass(frozen=True)
class Member:
    """One method's part in one series: `mae` in the backtest, `weight` in the combination.

    `values` is what it forecasts by itself, one per point; empty where it could not.
    """

    name: str
    mae: float | None
    weight: float
    seconds: float
    failure: str | None = None
    values: Sequence[float] = ()


@dataclass(frozen=True)
class SeriesOutcome:
    """How one series ended, and why, in words.

    Attributes:
        skill: 1 - MAE of the published method / MAE of the better naive, in the backtest.
        naive: name of the better naive.
        coverage80: share of the backtest's truths inside the 80 % interval, leave-one-window-out,
            before the correction.
        correction80: what the published past made the half width be multiplied by; 1 is nothing.
        temperature: where the temperatures of the future came from, for what depends on them.
        components: terms of the headline model by name, one value per point; their sum is its
            forecast, in its own scale (log(1 + x) for wind).
    """

    series_id: str
    status: SeriesStatus
    reason: str
    members: tuple[Member, ...] = ()
    published: str | None = None
    naive: str | None = None
    mae: float | None = None
    naive_mae: float | None = None
    skill: float | None = None
    coverage80: float | None = None
    coverage95: float | None = None
    trained_rows: int = 0
    trained_from: datetime | None = None
    trained_to: datetime | None = None
    windows: int = 0
    seconds: float = 0.0
    components: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    correction80: float | None = None
    correction95: float | None = None
    temperature: str | None = None


@dataclass(frozen=True)
class Verdict:
    """How a run ended, and why: one sentence a reason, none for COMPLETED."""

    state: RunState
    reasons: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Give the verdict in one sentence."""
        return f"{self.state}: " + ("; ".join(self.reasons) or "every budget was kept") + "."


def is_troubled(outcome: SeriesOutcome) -> bool:
    """Tell whether a series counts against the budget.

    The honesty gate's fallback does not: the naive was simply better. A fallback because a
    member failed does, and so does whatever is published where most models failed: all members but
    the naives, which say so by their names.
    """
    models = [member for member in outcome.members if not member.name.startswith("naive")]
    lost = sum(member.failure is not None for member in models)
    return (
        outcome.status in ("stale", "withheld")
        or (outcome.status == "fallback" and any(one.failure for one in outcome.members))
        or 2 * lost > len(models)
    )


def judge_run(tally: Tally, outcomes: tuple[SeriesOutcome, ...], settings: Settings) -> Verdict:
    """Hold a run against the budget of the settings.

    FAILED when not one series could be published; DEGRADED when the share of rejected records
    exceeds `max_rejected_percent` or that of troubled series `max_degraded_series_percent`.
    """
    if not any(outcome.published for outcome in outcomes):
        return Verdict("FAILED", (_explain_nothing(outcomes),))
    reasons = []
    rejected = 100 * sum(tally.rejected.values()) / tally.read if tally.read else 0.0
    if rejected > settings.max_rejected_percent:
        reasons.append(
            f"{rejected:.2f} % of {tally.read} records were rejected "
            f"(budget {settings.max_rejected_percent:g} %)"
        )
    troubled = [outcome.series_id for outcome in outcomes if is_troubled(outcome)]
    share = 100 * len(troubled) / len(outcomes)
    if share > settings.max_degraded_series_percent:
        reasons.append(
            f"{len(troubled)} of {len(outcomes)} series are stale, withheld or without most models "
            f"(budget {settings.max_degraded_series_percent:g} %), first {troubled[0]}"
        )
    return Verdict("DEGRADED" if reasons else "COMPLETED", tuple(reasons))


def _explain_nothing(outcomes: tuple[SeriesOutcome, ...]) -> str:
    if not outcomes:
        return "no series has values before the issue time, so nothing was published"
    first = outcomes[0]
    return f"none of {len(outcomes)} series could be published, first {first.series_id}: " + (
        first.reason.rstrip(".")
    )
