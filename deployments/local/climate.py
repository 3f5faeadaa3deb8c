"""Invented weather of Hauts-de-France: one region, and stations that share its days.

Everything is drawn per calendar week from (seed, name, week), so that two lakes of one seed tell
the same past, whatever their `as_of`.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final
from zlib import crc32

import numpy as np
import polars as pl

Array = np.ndarray
FIRST_MONDAY: Final = np.datetime64("1970-01-05")
REGION_LONGITUDE: Final = 2.8
REGION_LATITUDE: Final = 50.6


@dataclass(frozen=True)
class Station:
    """A weather station of our own invention.

    Attributes:
        minutes: its native step.
        phase: minute of its first reading of an hour.
        shelter: how much of the open wind reaches it, 0 to 1.
        coast: how much the sea takes off its daily temperature swing, 0 to 1.
    """

    network: str
    id: str
    name: str
    latitude: float
    longitude: float
    elevation_m: int
    minutes: int
    phase: int = 0
    shelter: float = 0.5
    coast: float = 0.0

    @property
    def key(self) -> str:
        """Give its id in every frame: network and id."""
        return f"{self.network}:{self.id}"


@dataclass(frozen=True)
class Grid:
    """Whole weeks of equal steps from a Monday 00:00 UTC, and the noise that belongs to them."""

    seed: int
    week: int  # Mondays since FIRST_MONDAY
    weeks: int
    minutes: int
    phase: int = 0

    @classmethod
    def cover(
        cls, seed: int, first_on: date, last_on: date, minutes: int, phase: int = 0
    ) -> "Grid":
        """Give the fewest whole weeks that hold both days."""
        week, last = (
            int((np.datetime64(on) - FIRST_MONDAY).astype(int)) // 7 for on in (first_on, last_on)
        )
        return cls(seed, week, last - week + 1, minutes, phase)

    @property
    def at(self) -> Array:
        """Instants as datetime64[us], UTC."""
        start = (FIRST_MONDAY + 7 * self.week).astype("datetime64[us]") + np.timedelta64(
            self.phase, "m"
        )
        return start + np.arange(self.weeks * 10080 // self.minutes) * np.timedelta64(
            self.minutes, "m"
        )

    def draw(self, name: str, hours: float = 0.0, smooth_hours: float = 0.0) -> Array:
        """Draw a stationary AR(1) of mean 0, deviation 1 and memory `hours` (0: white noise).

        `smooth_hours` rounds its corners off, at the price of a little deviation.
        """
        label, count = crc32(name.encode()), 10080 // self.minutes
        weeks = range(self.week, self.week + self.weeks)
        noise = np.concatenate(
            [
                np.random.default_rng([self.seed, label, week]).standard_normal(count)
                for week in weeks
            ]
        )
        if hours:
            gain = 1 - np.exp(-self.minutes / 60 / hours)
            noise *= np.sqrt((2 - gain) / gain)
            noise[0] *= np.sqrt(gain / (2 - gain))
            noise = self.smooth(noise, hours)
        return self.smooth(noise, smooth_hours) if smooth_hours else noise

    def smooth(self, values: Array, hours: float) -> Array:
        """Give the exponential mean of the past, with memory `hours`."""
        gain = float(1 - np.exp(-self.minutes / 60 / hours))
        return pl.Series(values).ewm_mean(alpha=gain, adjust=False).to_numpy().copy()


def solar_elevation(at: Array, latitude: float, longitude: float) -> Array:
    """Give the sine of the sun's elevation, 0 at night (equation of time left out)."""
    hours = day_hour(at) + longitude / 15
    tilt = np.radians(-23.44) * np.cos(2 * np.pi * (year_day(at) + 10) / 365.25)
    phi = np.radians(latitude)
    height = np.sin(phi) * np.sin(tilt) - np.cos(phi) * np.cos(tilt) * np.cos(np.pi * hours / 12)
    return np.clip(height, 0, None)


def year_day(at: Array) -> Array:
    """Give the day of the year from 0, with its fraction."""
    return (at - at.astype("datetime64[Y]")) / np.timedelta64(1, "D")


def day_hour(at: Array) -> Array:
    """Give the hour of the day from 0, with its fraction."""
    return (at - at.astype("datetime64[D]")) / np.timedelta64(1, "h")


def simulate_region(grid: Grid) -> pl.DataFrame:
    """Simulate what all stations share, one row per step of `grid`.

    Columns: at; calm (temperature without its daily swing, degC), swing (degC), spread (dew-point
    depression, degC, above 0), pressure (hPa), east and north (wind components, m s-1), cloud
    (0 to 1), rain (mm h-1).
    """
    at, high = grid.at, grid.draw("pressure", 70, 6)
    hour = day_hour(at) + REGION_LONGITUDE / 15
    season = np.cos(2 * np.pi * (year_day(at) - 201) / 365.25)
    cloud = 1 / (1 + np.exp(1.1 * high - 1.5 * grid.draw("cloud", 16, 2) - 0.5 + 0.4 * season))
    swing = (3.0 + 1.9 * season) * (1.25 - 0.9 * cloud)
    swing *= np.cos(np.pi * (hour - 14.8) / 12) + 0.15 * np.cos(np.pi * (hour - 14) / 6)
    wet = 0.7 * grid.draw("rain", 4, 0.5) + 1.5 * (cloud - 0.5) - 0.35 * high
    moist = (
        2.3 + 0.4 * season + 0.6 * swing + 1.2 * grid.draw("spread", 20, 2) - 1.6 * (cloud - 0.5)
    )
    return pl.DataFrame(
        {
            "at": at,
            "calm": 11.0
            + 7.0 * season
            + 2.9 * grid.draw("air mass", 110, 5)
            + grid.draw("front", 14, 2),
            "swing": swing,
            "spread": 0.1 + np.log1p(np.exp(moist - 0.8 * (wet > 1.25))),
            "pressure": 1016.5 + 9.5 * high + 0.5 * np.cos(np.pi * (hour - 10) / 6),
            "east": 2.2 - 1.0 * high + 3.2 * grid.draw("east", 24, 3),
            "north": 1.4 + 3.0 * grid.draw("north", 24, 3),
            "cloud": cloud,
            "rain": 2.0 * np.clip(wet - 1.25, 0, None) ** 1.3,
        }
    )


def simulate_station(region: pl.DataFrame, station: Station, grid: Grid) -> pl.DataFrame:
    """Simulate what a perfect instrument of one station reads, one row per step of `grid`.

    Weather comes from the west: a station one degree further east meets it an hour later.
    Columns: at, then variables by their canonical names and units, `rain` (mm of the step before
    `at`) and `cloud` (0 to 1). Dew point never exceeds temperature; humidity follows from both.
    """
    at = grid.at
    lag = np.timedelta64(int(3600 * (station.longitude - REGION_LONGITUDE)), "s")
    known, wanted = region["at"].to_numpy().astype("int64"), (at - lag).astype("int64")
    shared = {
        name: np.interp(wanted, known, region[name].to_numpy()) for name in region.columns[1:]
    }

    def local(name: str, hours: float = 0.0) -> Array:
        return grid.draw(f"{station.id} {name}", hours)

    air = shared["calm"] + (1 - 0.5 * station.coast) * shared["swing"]
    air += (
        0.0065 * (50 - station.elevation_m) + 0.35 * local("air", 4) + 0.04 * local("thermometer")
    )
    dew = air - shared["spread"] * np.exp(0.12 * local("dew", 6))
    lift = 1 + 0.25 * np.cos(np.pi * (day_hour(at) - 14) / 12)
    wind = np.hypot(shared["east"], shared["north"]) * station.shelter * lift
    wind *= np.exp(0.3 * local("turbulence", 0.3))
    turn = np.degrees(np.arctan2(shared["east"], shared["north"])) + 180 + 14 * local("vane", 0.5)
    sun = solar_elevation(at, station.latitude, station.longitude)
    flux = 1080 * sun**1.15 * (1 - 0.75 * shared["cloud"] ** 2) * np.exp(0.06 * local("haze", 0.4))
    rain = shared["rain"] * np.exp(0.5 * local("shower", 0.5)) * grid.minutes / 60
    return pl.DataFrame(
        {
            "at": pl.Series(at).dt.replace_time_zone("UTC"),
            "air_temperature": air,
            "dew_point_temperature": dew,
            "relative_humidity": 100 * np.exp(_magnus(dew) - _magnus(air)),
            "air_pressure_at_mean_sea_level": shared["pressure"] + 0.05 * local("barometer", 3),
            "wind_speed": wind,
            "wind_speed_of_gust": wind * (1.45 + 0.12 * np.abs(local("gust"))),
            "wind_from_direction": turn % 360,
            "surface_downwelling_shortwave_flux_in_air": flux,
            "rain": rain,
            "cloud": shared["cloud"],
        }
    )


def _magnus(celsius: Array) -> Array:
    """Give the logarithm of saturation vapour pressure, up to a constant (Alduchov 1996)."""
    return 17.625 * celsius / (243.04 + celsius)
