from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from tasks.forecast.history import Bounds, clean_history, hide_outliers
from tasks.forecast.naives import Lag, repeat_lag
from tasks.forecast.temperature import measure_degrees
from tasks.forecast.train import Temperature, Train
from tests.unit.forecast.series import AS_OF, give_days, give_hours, give_transformed, plan_here

HOUR = timedelta(hours=1)


def test_a_step_that_is_not_over_is_not_known():
    days = pl.DataFrame({"at": [AS_OF.replace(hour=0)], "value": [12.0]})
    bounds = Bounds.of("air_temperature_daily_mean")
    kept = clean_history(days, bounds=bounds, step=timedelta(days=1), as_of=AS_OF)
    assert kept.is_empty()


def test_what_is_impossible_is_not_known():
    frame = pl.DataFrame({"at": give_hours(1), "value": [1.0, -5.0, np.nan, np.inf, *[2.0] * 20]})
    bounds = Bounds.of("electricity_demand")
    kept = clean_history(frame, bounds=bounds, step=HOUR, as_of=AS_OF)
    assert kept["value"].to_list() == [1.0] + [2.0] * 20


def test_a_feed_that_ends_in_rubbish_is_as_old_as_what_came_before():
    values = np.tile(np.arange(1.0, 25.0), 20)
    values[[100, *range(-30, 0)]] = 9000
    frame = pl.DataFrame({"at": give_hours(20), "value": values})
    bounds = Bounds.of("electricity_demand")
    kept = clean_history(frame, bounds=bounds, step=HOUR, as_of=AS_OF)
    assert kept["at"][-1] == AS_OF - timedelta(hours=31)
    assert np.flatnonzero(np.isnan(hide_outliers(kept["value"].to_numpy()))).tolist() == [100]


def test_a_series_that_hardly_moves_has_no_outliers():
    values = np.array([5.0] * 99 + [6.0])
    assert hide_outliers(values).tolist() == values.tolist()


def test_a_storm_in_a_dry_country_is_no_outlier():
    drawn = np.random.default_rng(0)
    rain = np.where(drawn.random(1000) < 0.3, 0.2 + drawn.gamma(0.8, 7, 1000), 0)
    assert hide_outliers(rain).tolist() == rain.tolist()
    assert rain.max() > 20 * np.quantile(rain, 0.75) > 0


def give_days_around_the_autumn_change() -> Train:
    """Plan days of demand, known since summer, that tell their own weekday (1..7)."""
    as_of = datetime(2024, 10, 30, 21, tzinfo=UTC)  # a Wednesday, three days after the change
    at = give_days(130, until=as_of)
    days = pl.DataFrame({"at": at, "value": at.dt.weekday().cast(pl.Float64)})
    transformed = give_transformed(
        {"t:32:electricity_demand": days}, as_of=as_of, step_minutes=1440
    )
    return plan_here(transformed)[0].train


def test_a_day_of_demand_repeats_its_weekday_across_a_change_of_the_clocks():
    said = repeat_lag(give_days_around_the_autumn_change(), Lag(7, retry_days=7))
    assert said.tolist() == [3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7]


def test_a_day_of_demand_has_the_temperature_of_that_day():
    train = give_days_around_the_autumn_change()
    days = train.clock.astype("datetime64[D]")
    cold = np.where(np.arange(len(days)) % 2, 0.0, 10.0)
    told = measure_degrees(Temperature(days, cold), train.clock)
    assert told["heating"].tolist() == (16 - cold).tolist()
