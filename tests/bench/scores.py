"""M4's scores, by M4's own definitions.

Source: the competition's R code, github.com/Mcompetitions/M4-methods, `Benchmarks and Evaluation.R`
(smape_cal, mase_cal, SeasonalityTest, Benchmarks). On gaps, which M4 has none of: an unknown truth
is not scored, and Naive2 sees them interpolated.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

CRITICAL: Final = 1.645
"""Of the normal distribution at 90 %, two-sided: M4's test of seasonality."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one method says of one case: one value per step of the horizon, in the series' unit.

    Attributes:
        lower80: and the other bounds; NaN where the method has no interval.
        cpu_s: CPU seconds that it took, children included.
    """

    values: Values
    lower80: Values
    upper80: Values
    lower95: Values
    upper95: Values
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Score:
    """How good one answer was; NaN where it cannot be told.

    Attributes:
        smape: percent, 0 to 200.
        mape: percent.
        mase: in units of the scale, see `measure_scale`; so are both widths.
        coverage80: share of the known truth inside the interval, 0 to 1.
    """

    smape: float
    mape: float
    mase: float
    coverage80: float
    coverage95: float
    width80: float
    width95: float
    cpu_s: float


def score_answer(answer: Answer, *, truth: Values, scale: float) -> Score:
    """Score one answer over the steps whose truth is known."""
    error = np.abs(answer.values - truth)
    inner, outer = (answer.lower80, answer.upper80), (answer.lower95, answer.upper95)
    return Score(
        smape=measure_smape(answer.values, truth),
        mape=_mean(100 * _divide(error, np.abs(truth))),
        mase=_mean(error) / scale,
        coverage80=measure_coverage(truth, *inner),
        coverage95=measure_coverage(truth, *outer),
        width80=_mean(inner[1] - inner[0]) / scale,
        width95=_mean(outer[1] - outer[0]) / scale,
        cpu_s=answer.cpu_s,
    )


def measure_smape(values: Values, truth: Values) -> float:
    """Give the mean of 200 |y - f| / (|y| + |f|), percent; 0 where both are 0."""
    sizes = np.abs(truth) + np.abs(values)
    return _mean(np.where(sizes == 0, 0.0, 200 * _divide(np.abs(truth - values), sizes)))


def measure_scale(values: Values, season: int) -> float:
    """Give the mean absolute difference of training values `season` steps apart: MASE's unit.

    NaN when nothing is known or nothing ever changes.
    """
    return _mean(np.abs(values[season:] - values[:-season])) or math.nan


def measure_coverage(truth: Values, lower: Values, upper: Values) -> float:
    """Give the share of the known truth within the bounds; NaN without bounds."""
    known = np.isfinite(truth) & np.isfinite(lower) & np.isfinite(upper)
    inside = (lower <= truth) & (truth <= upper)
    return _mean(np.where(known, inside, np.nan))


def predict_naive2(values: Values, *, season: int, steps: int) -> Values:
    """Repeat the last value, seasonally adjusted where the test finds a season: M4's Naive2.

    A season of a series that is not positive everywhere is added, not multiplied: M4 has none.
    """
    known = fill_gaps(values)
    figure, remove, restore = np.zeros(season), np.subtract, np.add
    if is_seasonal(known, season):
        if known.min() > 0:
            remove, restore = np.divide, np.multiply
        figure = find_figure(known, season, remove=remove)
    last = remove(known[-1], figure[(len(known) - 1) % season])
    return restore(last, figure[(len(known) + np.arange(steps)) % season])


def is_seasonal(values: Values, season: int) -> bool:
    """Test at 90 % whether the autocorrelation at one season is more than chance.

    Never with fewer than three seasons; nor where R's `acf` does not reach: it stops at
    10 log10(n) lags, and M4's code takes the missing answer for no.
    """
    rows = len(values)
    if season < 2 or rows < 3 * season or season > math.floor(10 * math.log10(rows)):
        return False
    centred = values - values.mean()
    if not centred.any():
        return False
    lags = np.array([centred[lag:] @ centred[:-lag] for lag in range(1, season + 1)])
    acf = lags / (centred @ centred)
    limit = CRITICAL / math.sqrt(rows) * math.sqrt(1 + 2 * float(acf[:-1] @ acf[:-1]))
    return bool(abs(acf[-1]) > limit)


def find_figure(
    values: Values, season: int, *, remove: Callable[[Values, Values], Values] = np.divide
) -> Values:
    """Give the seasonal figure of R's classical `decompose`, one entry per place of the season.

    The trend is a centred moving average over one season, its ends halved when it is even.
    """
    weights = np.ones(season)
    if season % 2 == 0:
        weights = np.concatenate([[0.5], np.ones(season - 1), [0.5]])
    half = len(weights) // 2
    detrended = np.full(len(values), np.nan)
    trend = np.convolve(values, weights / season, mode="valid")
    detrended[half : len(values) - half] = remove(values[half : len(values) - half], trend)
    figure = np.array([np.nanmean(detrended[place::season]) for place in range(season)])
    return remove(figure, figure.mean())


def fill_gaps(values: Values) -> Values:
    """Interpolate gaps linearly; before the first and after the last value it is repeated."""
    known = np.flatnonzero(np.isfinite(values))
    return np.interp(np.arange(len(values)), known, values[known])


def average(scores: Iterable[Score], name: str) -> float:
    """Average one score over series, those that have it; NaN when none has."""
    return _mean(np.array([getattr(score, name) for score in scores], dtype=float))


def measure_owa(scores: list[Score], naive2: list[Score]) -> float:
    """Give M4's overall weighted average over the same series as Naive2's: 1 is as good.

    The mean of two ratios of averages, not an average of ratios.
    """
    ratios = [average(scores, name) / average(naive2, name) for name in ("smape", "mase")]
    return sum(ratios) / 2


def _divide(above: Values, below: Values) -> Values:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below != 0)


def _mean(values: Values) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan
