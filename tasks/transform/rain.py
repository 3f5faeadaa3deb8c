"""Rain by the day: what can be forecast of rain is a day's sum, not an hour's."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import polars as pl

DAILY: Final = "precipitation_amount_daily"
HOURLY: Final = ("precipitation_increment", "precipitation_amount_1h")
"""What it is summed from; of a station that gives both, the first."""
_HOURS: Final = 24
_DAY_MINUTES: Final = timedelta(days=1) // timedelta(minutes=1)


def sum_days(
    pieces: Mapping[str, pl.DataFrame], series: pl.DataFrame
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Give HISTORY of daily rain by series, and its rows of SERIES.

    A day is a UTC day; one that lacks an hour is null, and so is none at either end. What there
    is of the series (expected, gaps, freshness) is what there is of the finer one.

    Args:
        pieces: hourly HISTORY by series.
        series: their rows of SERIES.
    """
    ranked = {variable: place for place, variable in enumerate(HOURLY)}
    sources = (
        series.filter(pl.col("variable").is_in(HOURLY), pl.col("series_id").is_in(list(pieces)))
        .sort("station_id", pl.col("variable").replace_strict(ranked, return_dtype=pl.Int8))
        .unique("station_id", keep="first", maintain_order=True)
    )
    daily = {}
    for source, station in sources.select("series_id", "station_id").iter_rows():
        days = _sum_piece(pieces[source], f"{station}:{DAILY}")
        if days.height:
            daily[f"{station}:{DAILY}"] = days
    rows = sources.with_columns(
        series_id=pl.col("station_id") + f":{DAILY}",
        variable=pl.lit(DAILY),
        step_minutes=pl.lit(_DAY_MINUTES, pl.Int32),
    )
    return daily, rows.filter(pl.col("series_id").is_in(list(daily)))


def _sum_piece(hours: pl.DataFrame, name: str) -> pl.DataFrame:
    whole = pl.col("value").count() == _HOURS
    days = hours.group_by_dynamic("at", every="1d").agg(
        value=pl.when(whole).then(pl.col("value").sum())
    )
    known = days["value"].is_not_null().arg_true()
    cut = days[known[0] : known[-1] + 1] if len(known) else days.clear()
    return cut.select(series_id=pl.lit(name), at="at", value="value")
