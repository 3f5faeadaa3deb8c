"""Intervals that cover: conformal, from the backtest's own errors, the first day by itself.

Prophet's own 80 % intervals cover 60 to 68 % of the truth; these were measured at 78 to 89.
A few windows may be calm ones: a naive's errors over a whole year tell by how much to widen.
"""

import math
from statistics import NormalDist
from typing import Final

import numpy as np
import polars as pl

from tasks.forecast.train import Values

LEVELS: Final = (0.80, 0.95)
INFLATIONS: Final = (1.03, 1.1)
"""By level: errors of neighbouring hours depend on each other, so few windows hold less than they
count, and of large errors the least."""
OWN: Final = 0.25
"""Share of what each window's rank is on average beside the rank among all errors, which the worst
of few windows decides alone: at 95 % a 2 % better interval score. A half is better still, but then
weekly series, of 13 steps, are covered too little."""

SCALES: Final = (1.0, 3.0)
"""Limits of the correction for calm windows; stormy ones are never narrowed, as storms last."""
TRUST: Final = 0.5
"""Power of the year's errors over the windows': a year is another season too. On 49 origins of
regional demand 0 covers some 74 and 91 %, 1 some 85 and 97, 0.5 81 and 96."""

CORRECTIONS: Final = (0.8, 1.25)
"""Limits of what the published past may make of the next intervals."""
LEAST_ISSUES: Final = 4
PRIOR_ISSUES: Final = 24
"""Errors of one issue time go together, so a share of few issue times says little. On 44 Wednesdays
of regional demand a correction with 24 costs a point of coverage, one with 4 more than two."""

Scale = tuple[float, float]
"""Factors of the half widths at 80 and 95 %."""
UNCHANGED: Final[Scale] = (1.0, 1.0)


def measure_scale(recent: Values, year: Values) -> Scale:
    """Compare a naive's errors in the backtest's windows with those over a year.

    (1, 1) unless the year holds at least four times as many windows: fewer tell nothing new, and
    as the factor only widens, their noise would.
    """
    if len(year) < 4 * len(recent):
        return 1.0, 1.0
    then, now = ([_rank(np.abs(e), level) for level in LEVELS] for e in (year, recent))
    ratios = [a / b if b else 1.0 for a, b in zip(then, now, strict=True)]
    inner, outer = (float(np.clip(ratio**TRUST, *SCALES)) for ratio in ratios)
    return inner, outer


def measure_radii(errors: Values, scale: Scale = (1.0, 1.0), *, day: int = 1) -> Values:
    """Give half widths from errors (windows x targets, NaN unknown): 2 levels x targets.

    The first day, of so many steps, and the rest are measured apart; two halves where a day is one
    step or all there is. A part in which nothing is known takes the errors of all targets. 95 % is
    never below 80 %, the later part never narrower.
    """
    sizes, targets = np.abs(errors), errors.shape[1]
    first = day if 1 < day < targets else math.ceil(targets / 2)
    factors = zip(LEVELS, scale, INFLATIONS, strict=True)
    rows = [_measure_level(sizes, level, first) * k * more for level, k, more in factors]
    return np.maximum.accumulate(rows, axis=0)


def measure_coverage(
    errors: Values, scale: Scale = (1.0, 1.0), *, day: int = 1
) -> tuple[float | None, float | None]:
    """Give the shares of errors within 80 and 95 %, each window judged by the others' radii.

    None when there is only one window.
    """
    inside = [np.empty((len(LEVELS), 0), dtype=bool)]
    for window, own in enumerate(np.abs(errors)):
        others = np.delete(errors, window, axis=0)
        if np.isfinite(others).any():
            inside.append((own <= measure_radii(others, scale, day=day))[:, np.isfinite(own)])
    told = np.concatenate(inside, axis=1)
    return (float(told[0].mean()), float(told[1].mean())) if told.size else (None, None)


def _measure_level(sizes: Values, level: float, first: int) -> Values:
    whole = _measure_part(sizes, level)
    early, late = (_measure_part(p, level, whole) for p in (sizes[:, :first], sizes[:, first:]))
    return np.where(np.arange(sizes.shape[1]) < first, early, max(early, late))


def _measure_part(sizes: Values, level: float, otherwise: float = 0.0) -> float:
    each = [_rank(window, level) for window in sizes if np.isfinite(window).any()]
    return (1 - OWN) * _rank(sizes, level) + OWN * float(np.mean(each)) if each else otherwise


def _rank(sizes: Values, level: float) -> float:
    """Give the error of rank ceil((n + 1) * level) among n known ones, without interpolation."""
    known = np.sort(sizes[np.isfinite(sizes)])
    if not known.size:
        return 0.0
    return float(known[min(known.size, math.ceil((known.size + 1) * level)) - 1])


def measure_corrections(scores: pl.DataFrame) -> dict[str, Scale]:
    """Give, by series, the factors by which what was published before corrects the next intervals.

    Series of fewer than `LEAST_ISSUES` issue times have none. Each bucket of SCORES counts by its
    points. What is judged are the intervals without their own correction, so that a correction
    that worked is not taken back, and one that did not is not added to.

    Args:
        scores: SCORES of earlier issue times, as far as they are known at this one.
    """
    hits = (  # whole numbers: their sum does not depend on its order
        (pl.col(f"uncorrected{level}") * pl.col("points")).round().cast(pl.Int64).sum()
        for level in ("80", "95")
    )
    points, issues = pl.col("points").sum(), pl.col("issue_at").n_unique()
    told = scores.group_by("series_id").agg(issues, *(hit / points for hit in hits))
    return {
        name: (
            correct_width(inner, level=LEVELS[0], issues=count),
            correct_width(outer, level=LEVELS[1], issues=count),
        )
        for name, count, inner, outer in told.iter_rows()
        if count >= LEAST_ISSUES
    }


def correct_width(covered: float, *, level: float, issues: int) -> float:
    """Give the factor that would make a covered share the nominal one, were errors normal.

    The share is believed as if `PRIOR_ISSUES` more issue times had covered just what they should;
    within `CORRECTIONS` whatever it says.

    >>> correct_width(0.8, level=0.8, issues=12), round(correct_width(0.7, level=0.8, issues=12), 3)
    (1.0, 1.075)
    """
    believed = (issues * covered + PRIOR_ISSUES * level) / (issues + PRIOR_ISSUES)
    if math.isclose(believed, level):
        return 1.0
    needed, had = (NormalDist().inv_cdf((1 + share) / 2) for share in (level, believed))
    return float(np.clip(needed / had, *CORRECTIONS))
