"""What may drive demand: temperatures measured near it, and forecasts of them that were landed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

import numpy as np
import polars as pl

from tasks.common.contracts import MARKET_ZONE, TEMPERATURES_AHEAD
from tasks.common.results import Transformed
from tasks.forecast.backtest import Frame, cut_window
from tasks.forecast.train import Clock, Dates, Supply, Temperature, Train

FULL_DAY: Final = 20
"""Hours of a day whose mean is the day's."""
NEARLY: Final = 0.9


@dataclass(frozen=True, slots=True)
class Weather:
    """Temperatures that were known at an issue time.

    Attributes:
        measured: the area or network that measured it, `32` or `infoclimat`, and the temperature.
        supplied: what was forecast, by area.
    """

    measured: Sequence[tuple[str, Temperature]]
    supplied: Mapping[str, Supply]

    def choose(self, series_id: str, clock: Clock) -> Temperature | None:
        """Choose that of the series' own area unless another knows many more of its days.

        Forecasts are only taken of the own area: a wrong one could not be told.
        """
        days = np.unique(clock.astype("datetime64[D]"))
        known = [(int(np.isin(days, t.days).sum()), area, t) for area, t in self.measured]
        most = max((count for count, *_ in known), default=0)
        if most < len(days) / 2:
            return None
        own = series_id.split(":")[1]
        good = [one for one in known if one[0] >= NEARLY * most]
        best = min(good, key=lambda one: (one[1] != own, one[1] == "", -one[0]))[2]
        supply = self.supplied.get(own)
        return best if supply is None else replace(best, supply=supply)


def find_weather(transformed: Transformed, *, as_of: datetime) -> Weather:
    """Find daily means by area, the mean of all hourly stations, and forecasts by area.

    Only days that were over at `as_of`, on the market's clock.
    """
    kinds = transformed.series.select("series_id", "variable")
    # A daily step's UTC midnight lies on its local date.
    local = pl.col("at").dt.convert_time_zone(str(MARKET_ZONE)).dt.date()
    known = transformed.history.join(kinds, on="series_id").drop_nulls("value")
    over = known.with_columns(day=local, area=pl.col("series_id").str.split(":").list.get(1))
    over = over.filter(pl.col("day") < as_of.astimezone(MARKET_ZONE).date())
    return Weather(_list_measured(over), _find_supplies(over))


def settle_supply(train: Train, frame: Frame, windows: Iterable[int]) -> Train:
    """Leave forecasts out unless every past window had one: both are to be judged alike."""
    cuts = (cut_window(train, frame, window).weather for window in windows)
    if train.weather is None or all(known and known.supply for known in cuts):
        return train
    return replace(train, weather=replace(train.weather, supply=None))


def describe_weather(
    used: Temperature | None, found: Temperature | None, today: date
) -> str | None:
    """Say where the temperatures come from that a forecast stands on; None: it needs none.

    Forecasts that were found and are not used, or are old, are told so.
    """
    if used is None or found is None:
        return None
    told, supply = f"measured until {used.days[-1]}, then", found.supply
    if supply is None:
        return f"{told} the normal of the season"
    if used.supply is None:
        few = f"{supply.station} has forecast it since {supply.days[0]}, too few weeks to be judged"
        return f"{told} the normal of the season ({few})"
    told = f"{told} as {supply.station} forecast after {supply.days[-1]}"
    age = (today - supply.days[-1].item()).days - 1
    return f"{told}, {age} days ago" if age > 1 else told


def _list_measured(over: pl.DataFrame) -> list[tuple[str, Temperature]]:
    # Sorted, or the last bits of a mean differ from run to run.
    mean = pl.col("value").sort().mean()
    daily = over.filter(variable="air_temperature_daily_mean")
    areas = [(area, part) for (area,), part in daily.partition_by("area", as_dict=True).items()]
    hourly = over.filter(variable="air_temperature").group_by("series_id", "day")
    means = hourly.agg(mean, hours=pl.len()).filter(pl.col("hours") >= FULL_DAY)
    found = []
    for area, part in [*sorted(areas, key=lambda one: one[0]), ("", means)]:
        days = part.group_by("day").agg(mean).sort("day")
        if days.height:
            found.append((area, Temperature(_take_dates(days["day"]), days["value"].to_numpy())))
    return found


def _find_supplies(over: pl.DataFrame) -> dict[str, Supply]:
    """Give each area its forecasts; of two who tell them, those of the longer record."""
    leads = {name: lead for lead, name in TEMPERATURES_AHEAD.items()}
    told = over.filter(pl.col("variable").is_in(list(leads))).with_columns(
        station=pl.col("series_id").str.replace(r":[^:]*$", ""),
        lead=pl.col("variable").replace_strict(leads, default=0, return_dtype=pl.Int64),
    )
    stations = told.partition_by("area", "station", as_dict=True).items()
    found: dict[str, Supply] = {}
    for (area, station), part in sorted(stations, key=lambda one: (one[1].height, one[0])):
        days = part["day"].unique().sort()
        values = np.full((len(days), len(leads)), np.nan)
        values[days.search_sorted(part["day"]), part["lead"] - 1] = part["value"]
        found[area] = Supply(station, _take_dates(days), values)
    return found


def _take_dates(days: pl.Series) -> Dates:
    return days.to_numpy().astype("datetime64[D]")
