"""How much a few origins say: ours' figures when the same origins are drawn again and again.

Series of one origin share its weather and err together, so origins are drawn, not cases: Efron's
bootstrap, percentile ranges. Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993),
chapters 8 and 13.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from tests.bench.scores import Score

DRAWS: Final = 4000
TAILS: Final = (0.025, 0.975)


def measure_ranges(
    cases: Iterable[tuple[str, Mapping[str, Score]]], *, ours: str, prophet: str, naive: str
) -> dict[str, list[float]]:
    """Give the range that holds 95 % of the draws, of both MASE ratios and both coverages.

    Each case of the three methods counts once; empty when these come from fewer than two origins.

    Args:
        cases: id and scores by method; what follows `@` in an id is its origin, else the whole.
        ours: the method that is judged, by its name.
        prophet: the first it is held against.
        naive: the second.
    """
    sums: dict[str, np.ndarray] = {}
    for case_id, scores in cases:
        if {ours, prophet, naive} <= scores.keys():
            own = scores[ours]
            errors = (own.mase, scores[prophet].mase, scores[naive].mase)
            row = np.array([*errors, own.coverage80, own.coverage95, 1])
            if math.isfinite(row.sum()):
                origin = case_id.rpartition("@")[2]
                sums[origin] = sums.get(origin, 0) + row
    if len(sums) < 2:
        return {}
    drawn = np.random.default_rng(1).integers(len(sums), size=(DRAWS, len(sums)))
    own, theirs, copied, inner, outer, count = np.array(list(sums.values()))[drawn].sum(axis=1).T
    figures = {
        "mase_over_prophet": own / theirs,
        "mase_over_better_naive": own / copied,
        "coverage80": inner / count,
        "coverage95": outer / count,
    }
    return {name: np.quantile(values, TAILS).tolist() for name, values in figures.items()}
