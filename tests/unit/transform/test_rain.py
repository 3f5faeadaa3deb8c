"""Rain by the day, from whatever of the hour there is."""

from datetime import UTC, datetime, timedelta

import polars as pl

from tasks.common.contracts import HISTORY
from tasks.transform.quality import SERIES
from tasks.transform.rain import sum_days

START = datetime(2024, 1, 1, 5, tzinfo=UTC)
DAILY = "a:b:precipitation_amount_daily"


def give_hours(variable: str, *, hours: int = 24 * 4, each: float = 0.5) -> pl.DataFrame:
    at = [START + timedelta(hours=hour) for hour in range(hours)]
    columns = {"series_id": f"a:b:{variable}", "at": at, "value": each}
    return pl.DataFrame(columns, schema=HISTORY)


def give_series(*variables: str) -> pl.DataFrame:
    rows = {
        "series_id": [f"a:b:{variable}" for variable in variables],
        "station_id": "a:b",
        "variable": list(variables),
        "unit": "mm",
        "step_minutes": 60,
    }
    unknown = {name: [None] * len(variables) for name in SERIES.names() if name not in rows}
    return pl.DataFrame(rows | unknown, schema_overrides=SERIES).select(SERIES.names())


def test_a_day_is_the_sum_of_its_hours_and_a_begun_one_is_left_out():
    hours = give_hours("precipitation_increment")
    daily, rows = sum_days({hours["series_id"][0]: hours}, give_series("precipitation_increment"))
    assert daily[DAILY]["value"].to_list() == [12.0, 12.0, 12.0]
    assert daily[DAILY]["at"][0] == datetime(2024, 1, 2, tzinfo=UTC)
    assert rows.select("series_id", "step_minutes").row(0) == (DAILY, 1440)


def test_a_day_that_lacks_an_hour_is_a_gap():
    hours = give_hours("precipitation_increment")
    lost = pl.col("at") == START + timedelta(days=2)
    holed = hours.with_columns(value=pl.when(~lost).then("value"))
    daily, _ = sum_days({hours["series_id"][0]: holed}, give_series("precipitation_increment"))
    assert daily[DAILY]["value"].to_list() == [12.0, None, 12.0]


def test_of_a_counter_and_an_amount_the_counter_is_summed():
    counter = give_hours("precipitation_increment")
    amount = give_hours("precipitation_amount_1h", each=9.0)
    pieces = {frame["series_id"][0]: frame for frame in (amount, counter)}
    told = give_series("precipitation_amount_1h", "precipitation_increment")
    daily, rows = sum_days(pieces, told)
    assert daily[DAILY]["value"][0] == 12.0
    assert rows.height == 1


def test_a_station_without_a_whole_day_has_no_daily_rain():
    hours = give_hours("precipitation_increment", hours=20)
    daily, rows = sum_days({hours["series_id"][0]: hours}, give_series("precipitation_increment"))
    assert daily == {}
    assert rows.is_empty()
