"""One forecast from many: weights from the backtest, and the gate that keeps it honest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tasks.forecast.train import Values

POWER: Final = 6
"""Weights go as 1/MAE to this power where all windows rank the members alike."""
DOUBT: Final = 8
"""How much heavier the windows' disagreement weighs than its variance: it is told from a few."""

NAIVE_SHARES: Final = tuple(eighths / 8 for eighths in range(7))
"""How much of all weight the better naive is given, tried in turn."""

Forecasts = Mapping[str, Values]
"""Per member, windows x targets; NaN where the member could not tell."""
Average = Callable[[Forecasts, Mapping[str, float]], Values]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the backtest says.

    Attributes:
        published: `combination`, or the name of a naive.
        errors: signed errors of what is published, windows x targets, NaN where unknown; each
            window's weights come from the other windows.
        mae: mean absolute error of what is published; `combined_mae` of the combination.
        maes: mean absolute error of every member that was compared, all over the same points.
        weights: in what is published, by member, from all windows; their sum is 1.
    """

    published: str
    naive: str
    errors: Values
    mae: float
    naive_mae: float
    combined_mae: float | None
    maes: Mapping[str, float]
    weights: Mapping[str, float]


def compare_members(forecasts: Forecasts, truth: Values, naives: frozenset[str]) -> Forecasts:
    """Give the errors of the members that can be compared, all known at the same points.

    Those points are where the best known naive has an error: wherever the truth is known, unless
    gaps kept every naive silent there. Who does not know them all is left out: an error over
    calmer windows says nothing against one over all of them. Empty when no naive has an error.
    """
    errors = {name: member - truth for name, member in forecasts.items()}
    known = {name: np.isfinite(error) for name, error in errors.items()}
    points = max((known[name] for name in sorted(naives & set(known))), key=np.sum, default=None)
    if points is None or not points.any():
        return {}
    full = (name for name in errors if known[name][points].all())
    return {name: np.where(points, errors[name], np.nan) for name in full}


def weigh_members(errors: Forecasts) -> dict[str, float]:
    """Weigh members by a power of 1/MAE, normalised; their errors are known at the same points.

    The more the windows disagree about who is better, the nearer the power is to zero and the
    weights to equal ones: on load a week ahead, where the weather decides, equal weights are best
    (MASE 1.48 beside 1.63 by MAE^-4), on M4's hourly series MAE^-4 is (OWA 0.40 beside 0.70).
    """
    known = [np.isfinite(row).any() for row in next(iter(errors.values()))]
    maes = np.array([np.nanmean(np.abs(member[known]), axis=1) for member in errors.values()])
    # A member that never erred must not divide by zero, nor drown in rounding.
    logs = np.log(np.maximum(maes, max(1e-6 * maes.max(), 1e-12)))
    logs -= logs.mean(axis=0)
    means = logs.mean(axis=1)
    windows = logs.shape[1]
    noise = logs.var(axis=1, ddof=1).mean() / windows if windows > 1 else 0.0
    between = means.var()
    power = POWER * between / (between + DOUBT * noise) if between else 0.0
    raw = np.exp(-power * means)
    return dict(zip(errors, (raw / raw.sum()).tolist(), strict=True))


def combine(forecasts: Forecasts, weights: Mapping[str, float]) -> Values:
    """Average those members that have a weight; NaN where one of them is."""
    return np.sum([weight * forecasts[name] for name, weight in weights.items()], axis=0)


def judge_backtest(
    forecasts: Forecasts,
    truth: Values,
    naives: frozenset[str],
    *,
    average: Average = combine,
) -> Judgement | None:
    """Choose what to publish: the combination only when it beat the better naive.

    Everything is compared over the same points. A combination needs a member that is no naive,
    and two windows: one fits its weights, the other judges them. One that loses is given to the
    naive by eighths until it wins, before it is given up: half a naive is a better guess than a
    whole one (on weather a week ahead a MASE of 1.07 beside 1.17). None when no naive has a known
    error.

    Args:
        forecasts: of every member.
        truth: windows x targets, NaN unknown.
        naives: the members to beat; a combination holds only what is given to the better one.
        average: makes one error of many, as it will make one forecast.
    """
    errors = compare_members(forecasts, truth, naives)
    maes = {name: _measure_mae(member) for name, member in errors.items()}
    ranked = sorted((maes[name], name) for name in naives & set(errors))
    if not ranked:
        return None
    naive_mae, naive = ranked[0]
    told = Judgement(naive, naive, errors[naive], naive_mae, naive_mae, None, maes, {naive: 1.0})
    pool = {name: member for name, member in errors.items() if name not in naives}
    if not pool or np.isfinite(errors[naive]).any(axis=1).sum() < 2:
        return told
    weights, windows = weigh_members(pool), range(len(errors[naive]))
    # Each window is combined by weights that it had no part in.
    others = [weigh_members({n: np.delete(e, w, axis=0) for n, e in pool.items()}) for w in windows]
    parts = [{name: member[w] for name, member in errors.items()} for w in windows]
    for share in NAIVE_SHARES:
        leant = (_lean(by, naive, share) for by in others)
        combined = np.stack([average(*both) for both in zip(parts, leant, strict=True)])
        mae = _measure_mae(combined)
        told = replace(told, combined_mae=told.combined_mae or mae)
        if mae < naive_mae:
            ours = _lean(weights, naive, share)
            return Judgement("combination", naive, combined, mae, naive_mae, mae, maes, ours)
    return told


def _lean(weights: Mapping[str, float], naive: str, share: float) -> dict[str, float]:
    """Move a share of all weight to the naive."""
    kept = {name: (1 - share) * weight for name, weight in weights.items()}
    return kept | {naive: kept.get(naive, 0.0) + share} if share else kept


def _measure_mae(errors: Values) -> float:
    return float(np.nanmean(np.abs(errors)))
