"""What was published is held against what happened, bucket by bucket, and against nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from tasks.common.results import Transformed
from tasks.common.scores import SCORES, UNSCORED
from tasks.report.scorecard import score_earlier
from tests.unit.report.forecasts_of_the_past import (
    AS_OF,
    DEMAND,
    RAIN,
    TEMPERATURE,
    WEEK,
    WIND,
    forecast_all,
    give_history,
)


def drop_truth(history: Transformed, first: datetime, hours: int) -> Transformed:
    gone = pl.col("at").is_between(first, first + timedelta(hours=hours), closed="left")
    value = pl.when(~gone).then("value").alias("value")
    return replace(history, history=history.history.with_columns(value))


def buckets(scores: pl.DataFrame) -> dict[str, int]:
    return dict(scores.select(pl.col("bucket").cast(pl.String), "points").iter_rows())


def test_nothing_published_gives_no_score():
    assert score_earlier(UNSCORED.earlier, give_history()).scores.equals(SCORES.to_frame())


def test_a_week_later_all_but_next_week_can_be_told():
    # Two hours of the seventh day are still to come at 22:00.
    history = give_history()
    scores = score_earlier(forecast_all(history, issued=[AS_OF - WEEK]), history).scores
    assert buckets(scores) == {"D+1": 24, "D+2": 24, "D+3-7": 118}


def test_two_weeks_later_next_week_can_be_told_from_monday_to_sunday():
    history = give_history()
    scores = score_earlier(forecast_all(history, issued=[AS_OF - 2 * WEEK]), history).scores
    # Issued on 23 October: the clocks go back on Sunday the 27th, and the week after has 168 hours.
    assert buckets(scores) == {"D+1": 24, "D+2": 24, "D+3-7": 121, "next week": 168}


@pytest.mark.parametrize(
    ("issue_at", "days", "last"),
    [
        (datetime(2019, 10, 21, 8, tzinfo=UTC), 13, "next week"),  # a Monday: D+7 to D+13
        (datetime(2019, 10, 27, 20, tzinfo=UTC), 7, "next week"),  # a Sunday: D+1 to D+7
        (datetime(2019, 10, 21, 8, tzinfo=UTC), 12, "D+3-7"),  # it ends on Saturday
        (datetime(2019, 10, 21, 8, tzinfo=UTC), 6, "D+2"),
    ],
)
def test_a_bucket_the_forecast_does_not_reach_to_the_end_of_is_not_told(
    issue_at: datetime, days: int, last: str
):
    history = give_history()
    scores = score_earlier(forecast_all(history, issued=[issue_at], days=days), history).scores
    assert list(buckets(scores))[-1] == last


@pytest.mark.parametrize(("gap_h", "told"), [(6, True), (7, False)])
def test_a_bucket_of_which_too_little_was_measured_is_not_told(gap_h: int, *, told: bool):
    history = give_history()
    earlier = forecast_all(history, issued=[AS_OF - 2 * WEEK])
    first_day = datetime(2019, 10, 23, 22, tzinfo=UTC)
    scores = score_earlier(earlier, drop_truth(history, first_day, gap_h)).scores
    assert ("D+1" in buckets(scores)) is told


def test_a_bucket_that_has_mostly_happened_is_told_and_one_that_has_not_is_not():
    history = give_history(as_of=datetime(2019, 11, 7, 22, tzinfo=UTC))  # one hour to midnight
    assert "D+1" in buckets(score_earlier(forecast_all(history, issued=[AS_OF]), history).scores)
    history = give_history(as_of=datetime(2019, 11, 7, 21, tzinfo=UTC))
    assert score_earlier(forecast_all(history, issued=[AS_OF]), history).scores.is_empty()


def test_nothing_after_the_issue_time_counts():
    later = give_history(as_of=AS_OF + WEEK)
    earlier = forecast_all(later, issued=[AS_OF - WEEK, AS_OF - 2 * WEEK])
    known = later.history.filter(pl.col("at") < AS_OF)
    poisoned = later.history.with_columns(
        value=pl.when(pl.col("at") < AS_OF).then("value").otherwise(99999.0)
    )
    at_issue = [
        score_earlier(earlier, replace(later, as_of=AS_OF, history=frame)).scores
        for frame in (known, poisoned)
    ]
    assert at_issue[0].equals(at_issue[1])


def test_a_direction_is_off_by_the_shorter_way_round():
    history = give_history([WIND])
    earlier = forecast_all(history, issued=[AS_OF - 2 * WEEK], off=25.0, radius=15.0)
    scores = score_earlier(earlier, history).scores
    assert scores["mae"].to_list() == pytest.approx([25.0] * 4)
    assert scores["bias"].to_list() == pytest.approx([25.0] * 4)
    assert set(scores["wmape"]) == {None}
    assert scores.select("coverage80", "coverage95", "width80", "width95").row(0) == pytest.approx(
        (0.0, 1.0, 30.0, 60.0)
    )


def test_zero_degrees_are_no_origin_for_a_share():
    history = give_history([DEMAND, TEMPERATURE])
    scores = score_earlier(forecast_all(history, issued=[AS_OF - 2 * WEEK]), history).scores
    assert scores.filter(series_id=TEMPERATURE)["wmape"].null_count() == 4
    assert scores.filter(series_id=DEMAND)["wmape"].to_list() == pytest.approx(
        [2 / 6000] * 4, rel=0.01
    )


@pytest.mark.parametrize(
    ("correction", "uncorrected"), [(1.0, (1.0, 1.0)), (1.25, (0.0, 1.0)), (0.8, (1.0, 1.0))]
)
def test_the_interval_is_also_judged_without_its_correction(
    correction: float, uncorrected: tuple[float, float]
):
    history = give_history()
    earlier = forecast_all(
        history, issued=[AS_OF - 2 * WEEK], off=2.0, radius=2.1, correction=correction
    )
    scores = score_earlier(earlier, history).scores
    assert set(scores["coverage80"]) == {1.0}
    assert set(scores.select("uncorrected80", "uncorrected95").iter_rows()) == {uncorrected}


def test_a_series_that_is_gone_and_one_that_was_not_forecast_cost_no_other():
    history = give_history([DEMAND, TEMPERATURE])
    earlier = forecast_all(history, issued=[AS_OF - 2 * WEEK])
    gone = replace(history, series=history.series.filter(series_id=DEMAND))
    assert set(score_earlier(earlier, gone).scores["series_id"]) == {DEMAND}


def test_every_metric_is_what_a_plain_sum_says():
    history = give_history([DEMAND])
    issue_at = AS_OF - 2 * WEEK
    earlier = forecast_all(history, issued=[issue_at], off=0.0, radius=1.3)
    drawn = np.random.default_rng(2).normal(0, 1.5, earlier.points.height)
    names = ("value", "lower80", "upper80", "lower95", "upper95")
    points = earlier.points.with_columns(pl.col(name) + pl.Series(drawn) for name in names)
    scores = score_earlier(replace(earlier, points=points), history).scores
    told = scores.filter(pl.col("bucket") == "D+2").row(0, named=True)

    first = datetime(2019, 10, 24, 22, tzinfo=UTC)  # Friday the 25th begins in Paris
    day = points.filter(pl.col("at").is_between(first, first + timedelta(hours=23)))
    truth = dict(history.history.select("at", "value").iter_rows())
    y = np.array([truth[at] for at in day["at"]])
    value, lower80, upper80, lower95, upper95 = (day[name].to_numpy() for name in names)
    past = [at for at in truth if issue_at - timedelta(days=365) <= at < issue_at]
    naive = np.mean([abs(truth[at] - truth[at - timedelta(days=1)]) for at in past])
    quantiles = zip((0.5, 0.1, 0.9, 0.025, 0.975), (day[n].to_numpy() for n in names), strict=True)
    pinball = [np.maximum(q * (y - x), (q - 1) * (y - x)).mean() for q, x in quantiles]
    mae = np.abs(y - value).mean()
    expected = {
        "points": 24,
        "mae": mae,
        "wmape": np.abs(y - value).sum() / np.abs(y).sum(),
        "mase": mae / naive,
        "bias": (value - y).mean(),
        "pinball": np.mean(pinball),
        "coverage80": ((lower80 <= y) & (y <= upper80)).mean(),
        "coverage95": ((lower95 <= y) & (y <= upper95)).mean(),
        "width80": 2.6,
        "width95": 5.2,
    }
    assert {name: told[name] for name in expected} == pytest.approx(expected)


def test_the_chance_of_rain_is_scored_and_its_amount_is_no_share():
    history = give_history(names=(RAIN, DEMAND))
    earlier = forecast_all(history, issued=[AS_OF - WEEK])
    is_rain = pl.col("series_id") == RAIN
    chance = earlier.points.with_columns(probability=pl.when(is_rain).then(0.3))
    scores = score_earlier(replace(earlier, points=chance), history).scores
    first = datetime(2019, 10, 30, 23, tzinfo=UTC)
    day = pl.col("at").is_between(first, first + timedelta(days=1), closed="left")
    truth = history.history.filter(day, series_id=RAIN)["value"].to_numpy()
    demand, rain = (scores.row(by_predicate=by, named=True) for by in (
        (pl.col("series_id") == DEMAND) & (pl.col("bucket") == "D+1"),
        is_rain & (pl.col("bucket") == "D+1"),
    ))  # fmt: skip
    assert rain["brier"] == pytest.approx(np.mean((0.3 - (truth >= 1)) ** 2))
    assert (demand["brier"], rain["wmape"], demand["wmape"] is None) == (None, None, False)
