from datetime import timedelta

import numpy as np
import polars as pl

from tasks.common.contracts import VARIABLES
from tasks.forecast.history import clean_history, hide_outliers
from tests.unit.forecast.series import AS_OF, give_hours


def test_a_step_that_is_not_over_is_not_known():
    days = pl.DataFrame({"at": [AS_OF.replace(hour=0)], "value": [12.0]})
    bounds = VARIABLES["air_temperature_daily_mean"]
    kept = clean_history(days, variable=bounds, step=timedelta(days=1), as_of=AS_OF)
    assert kept.is_empty()


def test_a_feed_that_ends_in_rubbish_is_as_old_as_what_came_before():
    at = give_hours(20)
    values = np.tile(np.arange(1.0, 25.0), 20)
    values[[100, *range(-30, 0)]] = 9000
    frame = pl.DataFrame({"at": at, "value": values})
    bounds = VARIABLES["electricity_demand"]
    kept = clean_history(frame, variable=bounds, step=timedelta(hours=1), as_of=AS_OF)
    assert kept["at"][-1] == AS_OF - timedelta(hours=31)
    assert np.flatnonzero(np.isnan(hide_outliers(kept["value"].to_numpy()))).tolist() == [100]


def test_a_series_that_hardly_moves_has_no_outliers():
    values = np.array([5.0] * 99 + [6.0])
    assert hide_outliers(values).tolist() == values.tolist()
