"""What the words mean: variables, units, flags, and the frames that cross from step to step.

Frames are wide up to the processed layer (one row per station and instant, one column per
variable) and long from the history on (one row per series and instant). Every instant is UTC.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal
from zoneinfo import ZoneInfo

import polars as pl

from tasks.common.errors import ConfigurationError

Statistic = Literal["mean", "vector_mean", "sum", "max", "last"]

WET_MM: Final = 1.0
"""A wet day, as the European Climate Assessment counts them (RR1)."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of a dimension: base value = (value - zero) * factor."""

    dimension: str
    factor: float = 1.0
    zero: float = 0.0


UNITS: Final[dict[str, Unit]] = {
    "degC": Unit("temperature"),
    "degF": Unit("temperature", 5 / 9, 32.0),
    "K": Unit("temperature", 1.0, 273.15),
    "m s-1": Unit("speed"),
    "km h-1": Unit("speed", 1 / 3.6),
    "mph": Unit("speed", 0.44704),
    "kt": Unit("speed", 1852 / 3600),
    "hPa": Unit("pressure"),
    "mbar": Unit("pressure"),
    "Pa": Unit("pressure", 0.01),
    "inHg": Unit("pressure", 33.8639),
    "mm": Unit("length"),
    "cm": Unit("length", 10.0),
    "m": Unit("length", 1000.0),
    "km": Unit("length", 1_000_000.0),
    "inch": Unit("length", 25.4),
    "mm h-1": Unit("precipitation rate"),
    "inch h-1": Unit("precipitation rate", 25.4),
    "MW": Unit("power"),
    "kW": Unit("power", 0.001),
    "GW": Unit("power", 1000.0),
    "W m-2": Unit("irradiance"),
    "degree": Unit("angle"),
    "%": Unit("ratio", 0.01),
    "1": Unit("ratio"),
    "okta": Unit("ratio", 0.125),
    "code": Unit("code"),
}
"""Exact factors: mph and inch by definition (1959 yard), inHg at 0 degC (NIST SP 811), 0.1 Pa."""


def convert_factor(source_unit: str, target_unit: str) -> tuple[float, float]:
    """Give (slope, intercept) such that target = slope * source + intercept.

    Raises:
        ConfigurationError: a unit is unknown, or the two measure different things.
    """
    for name in (unit for unit in (source_unit, target_unit) if unit not in UNITS):
        msg = f"Unknown unit {name!r}: use one of {', '.join(UNITS)}."
        raise ConfigurationError(msg)
    source, target = UNITS[source_unit], UNITS[target_unit]
    if source.dimension != target.dimension:
        msg = (
            f"Unit {source_unit!r} measures {source.dimension}, but {target_unit!r} measures "
            f"{target.dimension}: declare a unit of the same dimension."
        )
        raise ConfigurationError(msg)
    slope = source.factor / target.factor
    return slope, target.zero - source.zero * slope


@dataclass(frozen=True, slots=True)
class Variable:
    """One measured quantity.

    Attributes:
        unit: canonical unit, a key of UNITS; every step after transform uses it.
        statistic: how finer steps become one hour.
        low: smallest value that is physically possible at the surface, in `unit`.
        high: largest such value.
        max_step: largest credible change within one hour, in `unit`; None: not judged.
        frozen_hours: a constant run this long is a stuck sensor; None: may stand still.
        frozen_at: values at which standing still is natural (no wind, no rain, saturation).
        forecast: whether a forecast is made of it.
    """

    unit: str
    statistic: Statistic
    low: float
    high: float
    max_step: float | None = None
    frozen_hours: float | None = None
    frozen_at: tuple[float, ...] = ()
    forecast: bool = False


TEMPERATURES_AHEAD: Final = {n: f"air_temperature_daily_mean_forecast_{n}d" for n in range(1, 17)}
"""Forecast means of the day so many days after the stamped one, told once that was over."""

VARIABLES: Final[dict[str, Variable]] = {
    "air_temperature": Variable("degC", "mean", -40, 50, 12, 12, forecast=True),
    "air_temperature_daily_minimum": Variable("degC", "mean", -40, 50),
    "air_temperature_daily_maximum": Variable("degC", "mean", -40, 50),
    "air_temperature_daily_mean": Variable("degC", "mean", -40, 50, forecast=True),
    **dict.fromkeys(TEMPERATURES_AHEAD.values(), Variable("degC", "mean", -40, 50)),
    "dew_point_temperature": Variable("degC", "mean", -50, 40, 12, 12, forecast=True),
    "relative_humidity": Variable("%", "mean", 0, 100, 60, 24, (100.0,), forecast=True),
    "wind_speed": Variable("m s-1", "mean", 0, 75, 25, 24, (0.0,), forecast=True),
    "wind_speed_of_gust": Variable("m s-1", "max", 0, 110, 40, 24, (0.0,), forecast=True),
    "wind_from_direction": Variable("degree", "vector_mean", 0, 360, None, 18, forecast=True),
    "air_pressure_at_mean_sea_level": Variable("hPa", "mean", 920, 1070, 12, 12, forecast=True),
    "precipitation_increment": Variable("mm", "sum", 0, 120),
    "precipitation_amount_daily": Variable("mm", "sum", 0, 500, forecast=True),
    "precipitation_amount_1h": Variable("mm", "max", 0, 200),
    "precipitation_amount_3h": Variable("mm", "max", 0, 400),
    "lwe_precipitation_rate": Variable("mm h-1", "mean", 0, 600),
    "surface_downwelling_shortwave_flux_in_air": Variable("W m-2", "mean", 0, 1400),
    "ultraviolet_index": Variable("1", "max", 0, 16),
    "visibility_in_air": Variable("m", "mean", 0, 100_000),
    "cloud_area_fraction": Variable("1", "mean", 0, 1.125),
    "surface_snow_thickness": Variable("m", "mean", 0, 10),
    "present_weather_code": Variable("code", "last", 0, 99),
    "electricity_demand": Variable("MW", "mean", 1, 150_000, forecast=True),
    "electricity_demand_forecast_day_ahead": Variable("MW", "mean", 1, 150_000),
    "electricity_demand_forecast_intraday": Variable("MW", "mean", 1, 150_000),
}
"""CF standard names where CF has one. Bounds hold for the surface in western Europe, generously:
a value outside them is an instrument's or a parser's fault, never weather. Sky obscured is
9 oktas (WMO code 2700), hence 1.125."""


class Flag(IntEnum):
    """QARTOD primary flags (IOOS, Manual for Real-Time Quality Control)."""

    PASS = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


MARKET_ZONE: Final = ZoneInfo("Europe/Paris")
"""Local days, ISO weeks and holidays are those of this clock."""

MANIFESTS: Final = "processed/v1/_manifests/"
"""Where readers of the processed layer begin."""

INSTANT: Final = pl.Datetime("us", "UTC")  # in every frame

READING_KEYS: Final = {
    "station_id": pl.String,  # network:id
    "at": INSTANT,
    "line": pl.UInt32,  # physical line of the object, or row of the sheet, from 1
    "maturity": pl.UInt8,  # rank of the vintage, higher is more final
    "generation": pl.Int64,  # Airbyte generation id, 0 where there is none
    "extracted_at": INSTANT,  # Airbyte's extraction, else the object's modification time
}
"""READINGS: one row per station and instant of one object; then one Float64 column per variable
in the source's declared unit (null: not measured or not readable)."""

OBSERVATION_KEYS: Final = {
    "station_id": pl.String,
    "at": INSTANT,
    "rev": pl.String,  # orders two versions of one observation; higher wins in any order of arrival
    "maturity": pl.UInt8,
    "source_id": pl.String,
    "source_key": pl.String,
    "line": pl.UInt32,
    "extracted_at": INSTANT,
}
"""OBSERVATIONS: one row per station and instant, sorted by both; then per variable `x` in its
canonical unit, `x__raw` as it was delivered (source's unit) and `x__flag` (UInt8, `Flag`).
`x__raw` is left out where it says what `x` says: canonical unit, no value refused."""

HISTORY: Final = pl.Schema({"series_id": pl.String, "at": INSTANT, "value": pl.Float64})
"""HISTORY: one row per series and step on a regular UTC grid, labelled by the step's start,
sorted by both; a null value is a gap. Only values flagged PASS or NOT_EVALUATED enter."""

POINTS: Final = pl.Schema(
    {
        "series_id": pl.String,
        "at": INSTANT,
        "value": pl.Float64,
        "lower80": pl.Float64,
        "upper80": pl.Float64,
        "lower95": pl.Float64,
        "upper95": pl.Float64,
        "probability": pl.Float64,  # of a wet day; null for all that is not rain
    }
)
"""POINTS: one row per series and valid time (start of the step), sorted by both. The bounds of a
direction go clockwise from the lower to the upper one, through north if need be."""

QUARANTINE: Final = pl.Schema(
    {
        "rule": pl.String,
        "key": pl.String,
        "etag": pl.String,
        "source_id": pl.String,
        "line": pl.UInt32,  # null: the whole object
        "column": pl.String,  # null: the whole row
        "reason": pl.String,
        "raw": pl.String,  # the original text, at most RAW_LIMIT characters
    }
)
"""QUARANTINE: one row per rejected row, cell or object."""

RAW_LIMIT: Final = 2000
"""Characters of an original line that quarantine keeps."""

PRECEDENCE: Final = ("maturity", "generation", "extracted_at", "line")
"""Which of two readings of one station and instant is kept: the greatest by these, in order."""


def keep_latest(frame: pl.DataFrame, order: tuple[str, ...] = PRECEDENCE) -> pl.DataFrame:
    """Keep one row per station and instant, the greatest by `order`, sorted by station and time.

    A null in `order` ranks lowest. The number dropped is the difference of the heights.
    """
    # Sorting is costly, and objects mostly come sorted and do not overlap.
    station, at = pl.col("station_id").to_physical(), pl.col("at")
    later = (station > station.shift(1)) | ((station == station.shift(1)) & (at > at.shift(1)))
    if frame.select(later.sum()).item() >= frame.height - 1:
        return frame
    keys = ("station_id", "at")
    ordered = frame.sort([*keys, *order], nulls_last=False)
    same_as_next = pl.all_horizontal(pl.col(key).eq_missing(pl.col(key).shift(-1)) for key in keys)
    return ordered.filter(~same_as_next)


def variables_of(frame: pl.DataFrame | pl.LazyFrame) -> list[str]:
    """Name the variables a wide frame holds, in the order of VARIABLES."""
    columns = frame.collect_schema()
    return [name for name in VARIABLES if name in columns]


def series_id(station_id: str, variable: str) -> str:
    """Name a series: `network:station:variable`."""
    return f"{station_id}:{variable}"
