"""Wednesday after Wednesday: what was known, and what then happened."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deployments.local.demo import fill_lake
from tasks.common.results import Transformed
from tests.bench.production import (
    Production,
    cut_history,
    plan_origins,
    read_lake,
)

AS_OF = datetime(2024, 5, 15, 20, tzinfo=UTC)
EARLIER = AS_OF - timedelta(weeks=2)
DEMAND = "rte:32:electricity_demand"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Production:
    folder = tmp_path_factory.mktemp("bench") / "lake"
    fill_lake(folder, as_of=AS_OF)
    return Production(str(folder), DEMAND, EARLIER.date(), weeks=1)


@pytest.fixture(scope="module")
def whole(lake: Production, tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    return read_lake(lake, tmp_path_factory.mktemp("late"), as_of=AS_OF)


def test_issue_times_are_wednesdays_at_ten_in_the_evening_in_france():
    times = Production("lake", "*", date(2019, 1, 9), weeks=49).issue_times
    assert times[0] == datetime(2019, 1, 9, 21, tzinfo=UTC)
    assert times[25] == datetime(2019, 7, 3, 20, tzinfo=UTC)
    assert (len(times), times[-1].date()) == (49, date(2019, 12, 11))


def test_the_first_wednesday_is_on_the_day_or_after_it():
    times = Production("lake", "*", date(2019, 1, 10), weeks=9, limit=2).issue_times
    assert [at.date() for at in times] == [date(2019, 1, 16), date(2019, 3, 13)]


def test_a_cut_history_is_the_one_that_would_have_been_built_then(
    lake: Production, whole: Transformed, tmp_path: Path
):
    then = read_lake(lake, tmp_path, as_of=EARLIER)
    cut = cut_history(whole, EARLIER)
    assert cut.series["series_id"].to_list() == then.series["series_id"].to_list()
    built = cut_history(then, EARLIER).history.drop_nulls()
    assert cut.history.drop_nulls().equals(built)
    assert built.height > 1000


def test_nothing_from_the_issue_time_on_is_planned_with(lake: Production, whole: Transformed):
    (origin,) = plan_origins(whole, EARLIER, lake)
    poisoned = whole.history.with_columns(
        value=pl.when(pl.col("at") < EARLIER).then("value").otherwise(49.0)
    )
    (other,) = plan_origins(replace(whole, history=poisoned), EARLIER, lake)
    assert np.array_equal(origin.plan.train.values, other.plan.train.values, equal_nan=True)
    assert set(other.truth) == {49.0}


def test_the_truth_is_what_the_later_history_says(lake: Production, whole: Transformed):
    (origin,) = plan_origins(whole, EARLIER, lake)
    later = whole.history.filter(series_id=DEMAND).filter(pl.col("at") >= EARLIER)
    assert origin.truth.tolist() == later["value"].head(len(origin.truth)).to_list()
    assert origin.plan.targets[0] == EARLIER
