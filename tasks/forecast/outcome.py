"""How one series ended, in words and figures."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tasks.common.accounts import Member, SeriesOutcome, SeriesStatus
from tasks.common.contracts import VARIABLES
from tasks.forecast.backtest import JobResult
from tasks.forecast.combine import Judgement
from tasks.forecast.history import hide_outliers
from tasks.forecast.intervals import Scale, measure_coverage
from tasks.forecast.plan import SeriesPlan

Results = Mapping[int, JobResult]
"""By window: 0 is the forecast itself."""


def describe_withheld(
    plan: SeriesPlan, reason: str, members: tuple[Member, ...] = ()
) -> SeriesOutcome:
    """Describe a series without a forecast."""
    return SeriesOutcome(
        series_id=plan.series_id,
        status="withheld",
        reason=f"Withheld: {reason}.",
        members=members,
        trained_rows=int(np.isfinite(hide_outliers(plan.train.values)).sum()),
        trained_from=plan.first_at,
        trained_to=plan.newest_at,
        windows=len(plan.windows),
        seconds=sum(member.seconds for member in members),
    )


def describe_judged(
    plan: SeriesPlan, judgement: Judgement, results: Results, *, scale: Scale
) -> SeriesOutcome:
    """Describe a published series: stale when its newest value is old, whatever else it is."""
    members = describe_members(results, judgement.maes, judgement.weights)
    coverage80, coverage95 = measure_coverage(judgement.errors, scale)
    reason = f"{_explain(plan, judgement, members)} ({len(plan.windows)} past windows)."
    status: SeriesStatus = "model" if judgement.published == "combination" else "fallback"
    return replace(
        describe_withheld(plan, "", members),
        status="stale" if plan.stale else status,
        reason=f"Stale: {plan.stale}. {reason}" if plan.stale else reason,
        published=judgement.published,
        naive=judgement.naive,
        mae=judgement.mae,
        naive_mae=judgement.naive_mae,
        skill=1 - judgement.mae / judgement.naive_mae if judgement.naive_mae else 0.0,
        coverage80=coverage80,
        coverage95=coverage95,
    )


def describe_members(
    results: Results, maes: Mapping[str, float | None], weights: Mapping[str, float]
) -> tuple[Member, ...]:
    """Describe every member that was applicable to the forecast itself, in the table's order."""
    ordered = [result.fits for _, result in sorted(results.items())]
    described = []
    for name in ordered[0]:
        fits = [fits[name] for fits in ordered if name in fits]
        seconds = sum(fit.seconds for fit in fits)
        failure = next((fit.failure for fit in fits if fit.failure), None)
        described.append(Member(name, maes.get(name), weights.get(name, 0.0), seconds, failure))
    return tuple(described)


def _explain(plan: SeriesPlan, judgement: Judgement, members: tuple[Member, ...]) -> str:
    unit, naive = VARIABLES[plan.variable].unit, judgement.naive
    naive_mae = f"{judgement.naive_mae:.4g} {unit}"
    if judgement.published == "combination":
        return f"The combination's error of {judgement.mae:.4g} {unit} beat {naive}'s {naive_mae}"
    failed = "; ".join(f"{member.name}: {member.failure}" for member in members if member.failure)
    if judgement.combined_mae is not None:
        lost = f"The combination's error of {judgement.combined_mae:.4g} {unit}"
        why = f"{lost} did not beat {naive}'s {naive_mae}"
    elif failed:
        why = f"No model could be judged ({failed})"
    else:
        why = f"{plan.train.days:.0f} days of values are too few to judge a model by two windows"
    return f"{why}, so {naive} is published"
