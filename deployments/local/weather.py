"""Invented weather of Hauts-de-France: one region in half-hours, and six stations that read it.

Noise is drawn per calendar week from (seed, name, week), so that two lakes of one seed tell the
same past, whatever their `as_of`.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final
from zlib import crc32

import numpy as np
import polars as pl

Array = np.ndarray


@dataclass(frozen=True)
class Station:
    """A weather station of our own invention, where there might be one.

    Attributes:
        elevation: metres.
        minutes: its native step: 5 for Weather Underground's, 10 for InfoClimat's private
            stations, 60 for its airports.
        wind: share of the region's wind that reaches it.
    """

    network: str
    id: str
    name: str
    latitude: float
    longitude: float
    elevation: int
    minutes: int
    wind: float

    @property
    def key(self) -> str:
        """Give its id in every frame: network and id."""
        return f"{self.network}:{self.id}"


PLAIN: Final = Station("infoclimat", "00731", "Wavrechéhem", 50.655, 2.731, 18, 10, 0.3)
BEACH: Final = Station("infoclimat", "000W3", "Brequin-Plage", 50.948, 2.104, 6, 10, 0.7)
HILL: Final = Station("infoclimat", "STATIC0412", "Mont-Ternesse", 50.402, 2.388, 132, 10, 0.5)
AIRPORT: Final = Station("infoclimat", "07994", "Lesquéant-Aérodrome", 50.552, 3.064, 46, 60, 1.0)
GARDEN: Final = Station("wunderground", "IVILLE947", "Ville-en-Weppes", 50.611, 2.949, 24, 5, 0.35)
ROOF: Final = Station("wunderground", "IARTOI883", "Artoisel", 50.318, 2.806, 68, 5, 0.4)
STATIONS: Final = (PLAIN, BEACH, HILL, AIRPORT, GARDEN, ROOF)


@dataclass(frozen=True)
class Grid:
    """Half-hours of whole weeks (datetime64[us], UTC), and the noise that belongs to them."""

    seed: int
    at: Array

    @classmethod
    def cover(cls, seed: int, first_on: date, last_on: date) -> "Grid":
        """Give the fewest whole weeks that hold both days, UTC."""
        first, last = np.datetime64(first_on, "W"), np.datetime64(last_on, "W") + 1
        return cls(seed, np.arange(first, last, np.timedelta64(30, "m")).astype("datetime64[us]"))

    def draw(self, name: str, hours: float) -> Array:
        """Draw noise of mean 0, deviation about 1 and memory `hours`, its corners rounded."""
        weeks, label = self.at[::336].astype("datetime64[W]").astype(int), crc32(name.encode())
        drawn = (np.random.default_rng((self.seed, label, week)) for week in weeks)
        noise = np.concatenate([week.standard_normal(336) for week in drawn])
        gain = 1 - np.exp(-0.5 / hours)
        noise[1:] *= np.sqrt((2 - gain) / gain)
        return smooth(smooth(noise, hours), hours / 12)


def smooth(values: Array, hours: float) -> Array:
    """Give the exponential mean of the past half-hours, with memory `hours`."""
    gain = float(1 - np.exp(-0.5 / hours))
    return pl.Series(values).ewm_mean(alpha=gain, adjust=False).to_numpy()


def simulate_region(grid: Grid) -> dict[str, Array]:
    """Simulate what all stations share, by half-hours.

    air (degC), spread (dew-point depression, degC, above 0), pressure (hPa), east and north (wind
    components, m s-1), cloud (0 to 1), rain (mm h-1), flux (W m-2).
    """
    at, high = grid.at, grid.draw("pressure", 70)
    hour = (at - at.astype("datetime64[D]")) / np.timedelta64(1, "h")
    day = (at - at.astype("datetime64[Y]")) / np.timedelta64(1, "D")
    season = np.cos(2 * np.pi * (day - 201) / 365.25)
    cloud = 1 / (1 + np.exp(1.1 * high - 1.5 * grid.draw("cloud", 16) - 0.5 + 0.4 * season))
    swing = (3.0 + 1.9 * season) * (1.25 - 0.9 * cloud) * np.cos(np.pi * (hour - 14.6) / 12)
    wet = np.clip(0.7 * grid.draw("rain", 4) + 1.5 * cloud - 0.35 * high - 2.0, 0, None)
    moist = 3.1 + 0.6 * swing + 1.2 * grid.draw("spread", 20) - 1.6 * cloud - wet
    tilt = np.radians(23.44) * np.cos(2 * np.pi * (day - 172) / 365.25)
    sun = 0.77 * np.sin(tilt) - 0.63 * np.cos(tilt) * np.cos(np.pi * (hour + 0.2) / 12)  # 50.5 N
    return {
        "air": 11.0 + 7.0 * season + 2.9 * grid.draw("air mass", 110) + swing,
        "spread": 0.1 + np.log1p(np.exp(moist)),
        "pressure": 1016.5 + 9.5 * high,
        "east": 2.2 - 1.0 * high + 3.2 * grid.draw("east", 24),
        "north": 1.4 + 3.0 * grid.draw("north", 24),
        "cloud": cloud,
        "rain": 2.0 * wet**1.3,
        "flux": 1080 * np.clip(sun, 0, None) ** 1.15 * (1 - 0.75 * cloud**2),
    }


def observe_weather(
    region: dict[str, Array], station: Station, grid: Grid, first_on: date
) -> pl.DataFrame:
    """Simulate what a perfect instrument of one station reads, from a day's midnight UTC on.

    Columns: at (UTC), then variables by their canonical names and units, `rain` (mm of the step
    before `at`) and `cloud` (0 to 1). Dew point never exceeds temperature.
    """
    # Weather Underground's tables begin at four past the hour.
    phase = np.timedelta64(4 * (station.minutes == 5), "m")
    at = np.arange(np.datetime64(first_on, "us"), grid.at[-1], np.timedelta64(station.minutes, "m"))
    known, wanted = grid.at.astype(int), (at + phase).astype(int)
    local = {name: grid.draw(f"{station.id} {name}", 3) for name in ("local air", "local wind")}
    values = {name: np.interp(wanted, known, column) for name, column in (region | local).items()}
    air = values["air"] + 0.0065 * (50 - station.elevation) + 0.35 * values["local air"]
    wind = station.wind * np.hypot(values["east"], values["north"])
    wind *= np.exp(0.3 * values["local wind"])
    columns = {
        "at": at + phase,
        "air_temperature": air,
        "dew_point_temperature": air - values["spread"],
        "relative_humidity": 100 * np.exp(-0.065 * values["spread"]),
        "air_pressure_at_mean_sea_level": values["pressure"],
        "wind_speed": wind,
        # InfoClimat's private stations report none.
        "wind_speed_of_gust": wind * (np.nan if station.minutes == 10 else 1.5),
        "wind_from_direction": 180 + np.degrees(np.arctan2(values["east"], values["north"])),
        "surface_downwelling_shortwave_flux_in_air": values["flux"],
        "rain": values["rain"] * station.minutes / 60,
        "cloud": values["cloud"],
    }
    frame = pl.DataFrame(columns).fill_nan(None)
    return frame.with_columns(pl.col("at").dt.replace_time_zone("UTC"))
