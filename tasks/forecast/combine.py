"""One forecast from many: weights from the backtest, and the gate that keeps it honest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tasks.forecast.train import Values

NAIVE_SHARES: Final = (0.0, 0.25, 0.5, 0.75)
"""How much of all weight the better naive is given, tried in turn."""

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
    other judges them. One that loses is given to the naive by quarters until it wins, before it
    is given up: half a naive is a better guess than a whole one, as three windows are few (on
    demand the error fell from 5.5 to 5.3 %). None when no naive has a known error.
    """
    errors = {name: member - truth for name, member in forecasts.items()}
    maes = {name: measure_mae(member) for name, member in errors.items()}
    twice = {n: e for n, e in errors.items() if np.isfinite(e).any(axis=1).sum() > 1}
    judged = twice if naives & set(twice) else errors
    ranked = sorted((mae, name) for name in naives & set(judged) if (mae := maes[name]) is not None)
    if not ranked:
        return None
    naive_mae, naive = ranked[0]
    told = Judgement(naive, naive, errors[naive], naive_mae, naive_mae, None, maes, {naive: 1.0})
    if naive not in twice or not set(twice) - naives:
        return told
    entered = {name: forecasts[name] for name in twice}
    for share in NAIVE_SHARES:
        combined = _combine_windows(entered, twice, naive=naive, share=share) - truth
        mae = float(np.nanmean(np.abs(combined)))
        told = replace(told, combined_mae=told.combined_mae or mae)
        if mae < naive_mae:
            weights = _lean(weigh_members(twice), naive, share)
            won = replace(told, published="combination", errors=combined, mae=mae)
            return replace(won, combined_mae=mae, weights=weights)
    return told


def _combine_windows(
    forecasts: Forecasts, errors: Forecasts, *, naive: str, share: float
) -> Values:
    """Combine each window by weights that it had no part in."""
    rows = []
    for window in range(len(forecasts[naive])):
        others = {name: np.delete(member, window, axis=0) for name, member in errors.items()}
        members = {name: member[window] for name, member in forecasts.items()}
        rows.append(combine(members, _lean(weigh_members(others), naive, share)))
    return np.stack(rows)


def _lean(weights: Mapping[str, float], naive: str, share: float) -> dict[str, float]:
    """Move a share of all weight to the naive."""
    return {name: (1 - share) * w + share * (name == naive) for name, w in weights.items()}


def measure_mae(errors: Values) -> float | None:
    """Give the mean absolute error of what is known; None when nothing is."""
    known = errors[np.isfinite(errors)]
    return float(np.abs(known).mean()) if known.size else None
