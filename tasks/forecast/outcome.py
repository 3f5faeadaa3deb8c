"""How one series ended, in words and figures."""

from array import array
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from tasks.common.accounts import Member, SeriesOutcome, SeriesStatus
from tasks.forecast.backtest import Fit
from tasks.forecast.combine import Forecasts, Judgement
from tasks.forecast.history import hide_outliers
from tasks.forecast.intervals import Scale, measure_coverage
from tasks.forecast.plan import SeriesPlan

HEADLINE: Final = "prophet"
"""The member that explains the forecast by its terms."""

Windows = Mapping[int, Mapping[str, Fit]]
"""Fits of one series by window, 0 is the forecast itself, and by member."""


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
        temperature=plan.temperature,
        windows=len(plan.windows),
        seconds=sum(member.seconds for member in members),
    )


def describe_judged(
    plan: SeriesPlan, judgement: Judgement, windows: Windows, *, ahead: Forecasts, scale: Scale
) -> SeriesOutcome:
    """Describe a published series: stale when its newest value is old, whatever else it is."""
    members = describe_members(windows, judgement, ahead)
    day = plan.train.steps_per_day
    coverage80, coverage95 = measure_coverage(judgement.errors, scale, day=day)
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
        components=_explain_headline(windows),
    )


def _explain_headline(windows: Windows) -> dict[str, tuple[float, ...]]:
    fit = windows.get(0, {}).get(HEADLINE)
    terms = fit.components if fit else {}
    return {name: tuple(term.tolist()) for name, term in terms.items()}


def describe_members(
    windows: Windows, judgement: Judgement | None, ahead: Forecasts
) -> tuple[Member, ...]:
    """Describe every member that was applicable to the forecast itself, in the table's order."""
    maes, weights = (judgement.maes, judgement.weights) if judgement else ({}, {})
    ordered = [fits for _, fits in sorted(windows.items())]
    described = []
    for name in ordered[0] if ordered else ():
        fits = [fits[name] for fits in ordered if name in fits]
        seconds = sum(fit.seconds for fit in fits)
        failure = next((fit.failure for fit in fits if fit.failure), None)
        own = array("d", ahead.get(name, ()))  # a tuple takes four times the memory
        told = maes.get(name), weights.get(name, 0.0), seconds, failure, own
        described.append(Member(name, *told))
    return tuple(described)


def _explain(plan: SeriesPlan, judgement: Judgement, members: tuple[Member, ...]) -> str:
    unit, naive = plan.bounds.unit, judgement.naive
    naive_mae = f"{judgement.naive_mae:.4g} {unit}"
    failures: dict[str, list[str]] = {}
    for member in members:
        if member.failure:
            failures.setdefault(member.failure, []).append(member.name)
    failed = "; ".join(f"{', '.join(names)}: {why}" for why, names in failures.items())
    if judgement.published == "combination":
        won = f"The combination's error of {judgement.mae:.4g} {unit} beat {naive}'s {naive_mae}"
        return f"{won}, without {failed}" if failed else won
    if judgement.combined_mae is not None:
        lost = f"The combination's error of {judgement.combined_mae:.4g} {unit}"
        why = f"{lost} did not beat {naive}'s {naive_mae}"
    elif failed:
        why = f"No model could be judged ({failed})"
    else:
        why = f"{plan.train.days:.0f} days of values are too few to judge a model by two windows"
    return f"{why}, so {naive} is published"
