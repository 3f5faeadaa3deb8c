"""One forecast from many: weights from the backtest, and the gate that keeps it honest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tasks.forecast.train import Values

Forecasts = Mapping[str, Values]
"""Per member, windows x targets; NaN where the member could not tell."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the backtest says.

    Attributes:
        published: `combination`, or the name of a naive.
        errors: signed errors of what is published, windows x targets, NaN where unknown; each
            window's weights come from the other windows.
        mae: mean absolute error of what is published; `combined_mae` of the combination.
        maes: mean absolute error per member, None where it has none.
        weights: in the combination, by member, from all windows; sum is 1 or none is there.
    """

    published: str
    naive: str
    errors: Values
    mae: float
    naive_mae: float
    combined_mae: float | None
    maes: Mapping[str, float | None]
    weights: Mapping[str, float]


def weigh_members(errors: Forecasts) -> dict[str, float]:
    """Weigh members by 1/MAE², normalised; one without any known error weighs nothing."""
    maes = {name: measure_mae(member) for name, member in errors.items()}
    known = {name: mae for name, mae in maes.items() if mae is not None}
    if not known:
        return dict.fromkeys(errors, 0.0)
    # A member that never erred must not divide by zero, nor drown in rounding.
    least = max(1e-6 * max(known.values()), 1e-12)
    raw = {name: max(mae, least) ** -2.0 for name, mae in known.items()}
    total = sum(raw.values())
    return {name: raw.get(name, 0.0) / total for name in errors}


def combine(forecasts: Forecasts, weights: Mapping[str, float]) -> Values:
    """Average the members by weight at each point, over those that are finite there."""
    stacked = np.stack([forecasts[name] for name in sorted(forecasts)])
    shape = (-1, *[1] * (stacked.ndim - 1))
    weighted = np.array([weights.get(name, 0.0) for name in sorted(forecasts)]).reshape(shape)
    known = np.isfinite(stacked)
    total = (weighted * known).sum(axis=0)
    summed = (weighted * np.where(known, stacked, 0.0)).sum(axis=0)
    return np.divide(summed, total, out=np.full(total.shape, np.nan), where=total > 0)


def judge_backtest(forecasts: Forecasts, truth: Values, naives: frozenset[str]) -> Judgement | None:
    """Choose what to publish: the combination only when it beat the better naive.

    A combination needs a member that is no naive, and two windows: one fits its weights, the
    other judges them. None when no naive has a known error.
    """
    errors = {name: member - truth for name, member in forecasts.items()}
    maes = {name: measure_mae(member) for name, member in errors.items()}
    ranked = sorted((mae, name) for name, mae in maes.items() if name in naives and mae is not None)
    if not ranked:
        return None
    naive_mae, naive = ranked[0]
    told = Judgement(naive, naive, errors[naive], naive_mae, naive_mae, None, maes, {naive: 1.0})
    twice = {n: e for n, e in errors.items() if np.isfinite(e).any(axis=1).sum() > 1}
    if not set(twice) - naives:
        return told
    combined = combine_windows({name: forecasts[name] for name in twice}, twice) - truth
    combined_mae = measure_mae(combined)
    if combined_mae is None or combined_mae >= naive_mae:
        return replace(told, combined_mae=combined_mae)
    return replace(
        told,
        published="combination",
        errors=combined,
        mae=combined_mae,
        combined_mae=combined_mae,
        weights=weigh_members(twice),
    )


def combine_windows(forecasts: Forecasts, errors: Forecasts) -> Values:
    """Combine each window by weights that it had no part in."""
    count = len(next(iter(forecasts.values())))
    rows = []
    for window in range(count):
        others = {name: np.delete(member, window, axis=0) for name, member in errors.items()}
        members = {name: member[window] for name, member in forecasts.items()}
        rows.append(combine(members, weigh_members(others)))
    return np.stack(rows)


def measure_mae(errors: Values) -> float | None:
    """Give the mean absolute error of what is known; None when nothing is."""
    known = errors[np.isfinite(errors)]
    return float(np.abs(known).mean()) if known.size else None
