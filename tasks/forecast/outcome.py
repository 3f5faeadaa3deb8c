"""How one series ended, in words and figures."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tasks.common.contracts import VARIABLES
from tasks.common.results import Member, SeriesOutcome, SeriesStatus
from tasks.forecast.backtest import Fit, JobResult
from tasks.forecast.combine import Judgement
from tasks.forecast.intervals import Scale, measure_coverage
from tasks.forecast.members import choose_members
from tasks.forecast.plan import SeriesPlan

Results = Mapping[int, JobResult]
"""By window: 0 is the forecast itself."""


def describe_withheld(
    plan: SeriesPlan, reason: str, members: tuple[Member, ...] = ()
) -> SeriesOutcome:
    """Describe a series without a forecast."""
    known = plan.train.values if plan.train else np.empty(0)
    return SeriesOutcome(
        series_id=plan.series_id,
        status="withheld",
        reason=reason,
        members=members,
        trained_rows=int(np.isfinite(known).sum()),
        trained_from=plan.first_at,
        trained_to=plan.newest_at,
        windows=len(plan.windows),
    )


def describe_judged(
    plan: SeriesPlan, judgement: Judgement, results: Results, *, scale: Scale
) -> SeriesOutcome:
    """Describe a published series: stale when its newest value is old, whatever else it is."""
    members = describe_members(results, judgement)
    status, reason = _explain(plan, judgement, members)
    coverage80, coverage95 = measure_coverage(judgement.errors, scale)
    better = judgement.mae < judgement.naive_mae
    return replace(
        describe_withheld(plan, reason, members),
        status=status,
        published=judgement.published,
        naive=judgement.naive,
        mae=judgement.mae,
        naive_mae=judgement.naive_mae,
        skill=1 - judgement.mae / judgement.naive_mae if better else 0.0,
        coverage80=coverage80,
        coverage95=coverage95,
        seconds=sum(member.seconds for member in members),
    )


def describe_members(results: Results, judgement: Judgement | None = None) -> tuple[Member, ...]:
    """Describe every member that was applicable to the forecast itself, in the table's order."""
    ordered = sorted(results.items())
    names = ordered[0][1].fits if ordered else {}
    described = []
    for name in names:
        fits = [result.fits[name] for _, result in ordered if name in result.fits]
        described.append(
            Member(
                name=name,
                mae=judgement.maes.get(name) if judgement else None,
                weight=judgement.weights.get(name, 0.0) if judgement else 0.0,
                seconds=sum(fit.seconds for fit in fits),
                failure=next((text for text in map(_tell_failure, fits) if text), None),
            )
        )
    return tuple(described)


def _tell_failure(fit: Fit) -> str | None:
    if fit.values is None or np.isfinite(fit.values).all():
        return fit.failure
    missing = int((~np.isfinite(fit.values)).sum())
    return f"no finite value at {missing} of {len(fit.values)} steps"


def _explain(
    plan: SeriesPlan, judgement: Judgement, members: tuple[Member, ...]
) -> tuple[SeriesStatus, str]:
    unit = VARIABLES[plan.variable].unit
    naive, naive_mae = judgement.naive, f"{judgement.naive_mae:.4g} {unit}"
    status: SeriesStatus = "fallback"
    if judgement.published == "combination":
        status = "model"
        reason = f"The combination's error of {judgement.mae:.4g} {unit} beat {naive}'s {naive_mae}"
    elif judgement.combined_mae is not None:
        lost = f"The combination's error of {judgement.combined_mae:.4g} {unit}"
        reason = f"{lost} did not beat {naive}'s {naive_mae}, so {naive} is published"
    else:
        reason = f"{_explain_missing(plan, members)}, so {naive} is published"
    reason += f" ({len(plan.windows)} past windows)."
    if plan.stale:
        return "stale", f"Stale: {plan.stale}. {reason}"
    return status, reason


def _explain_missing(plan: SeriesPlan, members: tuple[Member, ...]) -> str:
    """Say why there is no combination."""
    failed = [f"{member.name}: {member.failure}" for member in members if member.failure]
    if failed:
        return f"No model could be judged ({'; '.join(failed)})"
    days = plan.train.days if plan.train else 0.0
    step = plan.train.step if plan.train else None
    needs = choose_members(plan.kind, step)["prophet"].needs_days if step else 0
    return (
        f"{days:.0f} days of values are too few to judge a model twice over the forecast's "
        f"length (Prophet trains on at least {needs} days)"
    )
