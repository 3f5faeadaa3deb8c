"""What was published before against what has happened since.

utilsforecast computes the metrics; what a direction is off is told by the shorter way round.
"""

from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
from utilsforecast import losses

from tasks.common.contracts import INSTANT, MARKET_ZONE, VARIABLES, WET_MM
from tasks.common.results import Transformed
from tasks.common.scores import SCORES, Earlier, Scored

HAPPENED: Final = 0.95
"""Least share of a bucket's time that is over. Not all of it: two hours of the seventh day after
Wednesday 22:00 are still to come a week later, and would put its score off for another week."""
MEASURED: Final = 0.75
"""Least share of a bucket's forecast steps that were measured."""
DAY: Final = timedelta(days=1)
YEAR: Final = timedelta(days=365)
"""How much of what was known at the issue time MASE's scale is told by."""

METRICS: Final = tuple(SCORES)[5:]
"""Names of the metrics, in the order of SCORES."""

_TURN: Final = 360.0
_AT_ONCE: Final = 100
"""Series; memory stays flat however many there are."""
_DIGITS: Final = 10
"""Sums differ in their last bit by their order, and threads add in any."""
_QUANTILES: Final = {
    "lower95": 0.025,
    "lower80": 0.1,
    "value": 0.5,
    "upper80": 0.9,
    "upper95": 0.975,
}
_KEYS: Final = ("series_id", "issue_at")
_ANGULAR: Final = [name for name, variable in VARIABLES.items() if variable.unit == "degree"]
_WITH_ORIGIN: Final = [
    name
    for name, variable in VARIABLES.items()
    if variable.low >= 0 and variable.unit not in ("degree", "mm")
]
"""Variables of which a share makes sense: zero degrees Celsius is as arbitrary as north, and most
days have no rain to take a share of."""


def score_earlier(earlier: Earlier, transformed: Transformed) -> Scored:
    """Score every bucket of earlier forecasts that has happened and was measured.

    The truth is the history as this run knows it, as far as its steps were over at its issue time.
    The same forecasts and the same history give the same scores.
    """
    facts = transformed.series.select(
        "series_id", "variable", step=pl.duration(minutes=pl.col("step_minutes"))
    ).join(earlier.points, on="series_id", how="semi")
    history, as_of = transformed.history, transformed.as_of
    parts = [_score_some(some, earlier, history, as_of) for some in facts.iter_slices(_AT_ONCE)]
    scores = pl.concat([SCORES.to_frame(), *parts])
    return Scored(scores.sort(*_KEYS, "bucket"), earlier)


def _score_some(
    facts: pl.DataFrame, earlier: Earlier, history: pl.DataFrame, as_of: datetime
) -> pl.DataFrame:
    """Give SCORES, unsorted, of some series: series_id, variable, step."""
    known = history.join(facts, on="series_id").filter(pl.col("at") + pl.col("step") <= as_of)
    truth = known.select("series_id", "at", truth="value")
    told = earlier.points.join(facts, on="series_id")
    told = told.join(truth, on=["series_id", "at"], how="left")
    buckets = _cut_buckets(told, as_of)
    if buckets.is_empty():
        return SCORES.to_frame()
    scores = _measure(_unwrap(buckets)).join(_measure_scales(earlier, known), on=_KEYS, how="left")
    mase = pl.when(pl.col("scale") > 0).then(pl.col("mae") / pl.col("scale"))
    told = scores.with_columns(mase=mase).select(SCORES.names()).cast(dict(SCORES))
    return told.with_columns(pl.col(METRICS).round_sig_figs(_DIGITS))


def _cut_buckets(told: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """Give the measured points of all buckets that count; a point may be in two of them."""
    issued = pl.col("issue_at").dt.convert_time_zone(str(MARKET_ZONE)).dt.date()
    monday = 8 - issued.dt.weekday().cast(pl.Int64)
    spans = {"D+1": (1, 1), "D+2": (2, 1), "D+3-7": (3, 5), "next week": (monday, 7)}
    reach = (pl.col("at").max() + pl.col("step").first()).over(*_KEYS)
    over = pl.min_horizontal(pl.col("end"), pl.lit(as_of)) - pl.col("start")
    measured = pl.col("truth").is_not_null().mean().over(*_KEYS)
    told = told.with_columns(reach=reach)
    buckets = [
        told.with_columns(
            bucket=pl.lit(name),
            start=_find_midnight(issued, first),
            end=_find_midnight(issued, first + days),
        )
        .filter(
            pl.col("at").is_between("start", "end", closed="left"),
            pl.col("reach") >= pl.col("end"),
            over >= HAPPENED * (pl.col("end") - pl.col("start")),
        )
        .filter(measured >= MEASURED)
        for name, (first, days) in spans.items()
    ]
    return pl.concat(buckets).drop_nulls("truth")


def _find_midnight(day: pl.Expr, later: pl.Expr | int) -> pl.Expr:
    """Give the instant at which the local day so many days later begins."""
    begins = (day + pl.duration(days=later)).cast(pl.Datetime("us"))
    return begins.dt.replace_time_zone(str(MARKET_ZONE)).dt.convert_time_zone("UTC")


def _unwrap(points: pl.DataFrame) -> pl.DataFrame:
    """Put truth and bounds of a direction next to its value; tell the bounds without correction."""
    value, angular = pl.col("value"), pl.col("variable").is_in(_ANGULAR)

    def turn(by: pl.Expr) -> pl.Expr:
        return by % _TURN % _TURN  # -1e-15 % 360 is 360

    near = value + turn(pl.col("truth") - value + _TURN / 2) - _TURN / 2
    below = {name: value - turn(value - pl.col(name)) for name in ("lower80", "lower95")}
    above = {name: value + turn(pl.col(name) - value) for name in ("upper80", "upper95")}
    moved = {"truth": near} | below | above
    points = points.with_columns(
        pl.when(angular).then(expression).otherwise(pl.col(name)).alias(name)
        for name, expression in moved.items()
    )
    return points.with_columns(
        expression for level in ("80", "95") for expression in _take_back(level)
    )


def _take_back(level: str) -> list[pl.Expr]:
    """Give the bounds as they were before the correction.

    An interval is as wide to both sides; the narrower one was cut at what is physically possible,
    where no truth is beyond it.
    """
    value, lower, upper = pl.col("value"), pl.col(f"lower{level}"), pl.col(f"upper{level}")
    factor = pl.col(f"correction{level}")
    radius = pl.max_horizontal(value - lower, upper - value) / factor
    sides = {"lo": (lower, value - radius), "hi": (upper, value + radius)}
    named = []
    for side, (published, before) in sides.items():
        uncorrected = pl.when(factor == 1).then(published).otherwise(before)
        named.append(published.alias(f"published-{side}-{level}"))
        named.append(uncorrected.alias(f"uncorrected-{side}-{level}"))
    return named


def _measure(points: pl.DataFrame) -> pl.DataFrame:
    """Give all metrics but MASE, one row per series, issue time and bucket."""
    name = pl.concat_str("series_id", pl.col("issue_at").cast(pl.String), "bucket", separator="|")
    points = points.with_columns(name=name)
    scores = points.group_by("name").agg(
        pl.col("series_id", "issue_at", "run_id", "bucket", "variable").first(),
        points=pl.len(),
        width80=(pl.col("upper80") - pl.col("lower80")).mean(),
        width95=(pl.col("upper95") - pl.col("lower95")).mean(),
        brier=(pl.col("probability") - (pl.col("truth") >= WET_MM)).pow(2).mean(),
    )
    of = {"id_col": "name", "target_col": "truth"}
    quantiles = np.array(list(_QUANTILES.values()))
    tables = {
        "mae": losses.mae(points, ["value"], **of),
        "wmape": losses.wape(points, ["value"], **of),
        "bias": losses.bias(points, ["value"], **of),
        "pinball": losses.mqloss(points, {"value": list(_QUANTILES)}, quantiles, **of),
    }
    for level in (80, 95):
        tables[f"coverage{level}"] = losses.coverage(points, ["published"], level, **of)
        tables[f"uncorrected{level}"] = losses.coverage(points, ["uncorrected"], level, **of)
    for metric, table in tables.items():
        told = table.select("name", pl.last().alias(metric))
        scores = scores.join(told, on="name")
    has_origin = pl.col("variable").is_in(_WITH_ORIGIN)
    return scores.with_columns(wmape=pl.when(has_origin).then(pl.col("wmape").fill_nan(None)))


def _measure_scales(earlier: Earlier, known: pl.DataFrame) -> pl.DataFrame:
    """Give MASE's scale: how far a copy of the day before was off, in the year before the issue.

    Source: Hyndman and Koehler 2006, with M4's season for hourly series (24) and daily ones (1).
    """
    before = known.select("series_id", pl.col("at") + DAY, before="value")
    pairs = known.join(before, on=["series_id", "at"]).drop_nulls(["value", "before"])
    off = (pl.col("value") - pl.col("before")).abs()
    around = pl.min_horizontal(off, _TURN - off)
    naive = pairs.select(
        *("series_id", "at"),
        end=pl.col("at") + pl.col("step"),
        off=pl.when(pl.col("variable").is_in(_ANGULAR)).then(around).otherwise(off),
    )
    scales = [
        naive.filter(pl.col("at") >= run.issue_at - YEAR, pl.col("end") <= run.issue_at)
        .group_by("series_id")
        .agg(scale=pl.col("off").mean())
        .with_columns(issue_at=pl.lit(run.issue_at, INSTANT))
        for run in earlier.runs
    ]
    return pl.concat(scales)
