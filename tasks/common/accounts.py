"""The verdict on a run: counts and series held against the declared budget.

The same words stand in MongoDB, in the report, in the Prefect state and in the exit code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tasks.common.results import RunState, SeriesOutcome, Tally
from tasks.common.settings import Settings

EXIT_CODES: Final[Mapping[RunState, int]] = {"COMPLETED": 0, "DEGRADED": 3, "FAILED": 1}
"""2 is kept for wrong usage and configuration."""


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
    member failed does.
    """
    failed = any(member.failure for member in outcome.members)
    return outcome.status in ("stale", "withheld") or (outcome.status == "fallback" and failed)


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
            f"{len(troubled)} of {len(outcomes)} series are stale, withheld or without a model "
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
