"""Invented electricity demand of Hauts-de-France, and the generation beside it, in MW.

Level, day types, and the -136 MW per degC of winter working days follow what RTE's public figures
of the region show; the numbers themselves are drawn.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Final

import holidays
import numpy as np
import polars as pl

from deployments.local.climate import (
    REGION_LATITUDE,
    REGION_LONGITUDE,
    Array,
    Grid,
    solar_elevation,
)

ZONE: Final = "Europe/Paris"

_HEADER: Final = {
    "thermal": "Thermique", "nuclear": "Nucléaire", "wind": "Eolien",
    "solar": "Solaire", "hydro": "Hydraulique", "pumped": "Pompage", "biomass": "Bioénergies",
    "exchange": "Ech. physiques",
}  # fmt: skip
_FOOTER: Final = "RTE ne pourra répondre de ces valeurs : une simulation, faite pour être lue.\n\n"

_WORKING: Final = {
    0: 0.985, 2: 0.915, 4.25: 0.848, 6: 0.91, 7.5: 1.045, 9: 1.068, 11: 1.073, 13: 1.09, 14.5: 1.05,
    16.25: 1.01, 18: 1.035, 19.25: 1.085, 20.5: 1.035, 21.5: 0.975, 22.5: 0.972, 24: 0.985,
}  # fmt: skip
_SUNDAY: Final = {
    0: 1.1, 2: 1.0, 4.5: 0.9, 6.5: 0.895, 8: 0.93, 10: 1.01, 13: 1.105, 14.5: 1.01, 16.5: 0.955,
    18: 1.0, 19.5: 1.075, 20.5: 1.063, 21.5: 1.03, 22.5: 1.035, 24: 1.045,
}  # fmt: skip
"""Share of the day's mean by local hour: turning points, straight in between."""

_WEEK: Final = {1: 0.985, 2: 1.0, 3: 1.008, 4: 1.014, 5: 1.0, 6: 0.912, 7: 0.862}
"""Level of a day by ISO weekday, against a mean working day."""

_HOLIDAY: Final = 0.845
_BRIDGE: Final = 0.94


def simulate_load(region: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    """Simulate demand and generation, one row per half-hour of `region`, labelled by its start.

    Columns: at (UTC), then the columns of eCO2mix by plain names, whole MW; exchange is what the
    region takes from its neighbours: demand less generation.
    """
    local = region.select(pl.col("at").dt.replace_time_zone("UTC").dt.convert_time_zone(ZONE))["at"]
    level, shape = _day_levels(local), _day_shapes(local)
    warmth = grid.smooth((region["calm"] + region["swing"]).to_numpy(), 14)
    weather = 142 * np.clip(15.5 - warmth, 0, None) + 26 * np.clip(warmth - 20, 0, None)
    day = local.dt.ordinal_day().to_numpy()
    base = 5290 + 380 * np.cos(2 * np.pi * (day - 18) / 365.25)
    base *= 1 - 0.085 * np.exp(-(((day - 225) / 13) ** 2)) - 0.05 * (np.abs(day - 182) > 174)
    drift = 1 + 0.012 * grid.draw("load drift", 90) + 0.009 * grid.draw("load", 6)
    demand = (base * shape + weather * (0.55 + 0.45 * shape)) * level
    demand *= drift + 0.003 * grid.draw("meter")
    parts = {"demand": demand, **_simulate_generation(region, grid, demand)}
    frame = pl.DataFrame({"at": local.dt.convert_time_zone("UTC"), **parts})
    whole = frame.with_columns(pl.exclude("at").round().cast(pl.Int32))
    return whole.with_columns(
        exchange=pl.col("demand") - pl.sum_horizontal(pl.exclude("at", "demand"))
    )


def _day_levels(local: pl.Series) -> Array:
    """Level of each step's local day: weekday, public holiday, bridge day beside a weekend."""
    days = local.dt.date()
    years = range(days[0].year, days[-1].year + 2)
    off = pl.Series(list(holidays.country_holidays("FR", years=years)), dtype=pl.Date).implode()
    frame = days.to_frame("on").with_columns(
        weekday=pl.col("on").dt.weekday(), off=pl.col("on").is_in(off)
    )
    after, before = (pl.col("on").dt.offset_by(by).is_in(off) for by in ("-1d", "1d"))
    bridge = (pl.col("weekday").eq(5) & after) | (pl.col("weekday").eq(1) & before)
    usual = pl.col("weekday").replace_strict(_WEEK, return_dtype=pl.Float64)
    level = (
        pl.when("off").then(pl.min_horizontal(usual, pl.lit(_HOLIDAY)))
        .when(bridge).then(usual * _BRIDGE).otherwise(usual)
    )  # fmt: skip
    return frame.select(level).to_series().to_numpy()


def _day_shapes(local: pl.Series) -> Array:
    """Share of each local half-hour in its day; Saturday lies between working day and Sunday."""
    hour = (local.dt.hour() + local.dt.minute() / 60).to_numpy()
    weekday = local.dt.weekday().to_numpy()
    rest = np.select([weekday == 7, weekday == 6], [1.0, 0.45], 0.0)
    winter = np.cos(2 * np.pi * (local.dt.ordinal_day().to_numpy() - 18) / 365.25)
    lamps = 0.022 * winter * np.exp(-(((hour - 18.8) / 1.3) ** 2))
    noon = -0.018 * winter * np.exp(-(((hour - 13.5) / 2.5) ** 2))
    return (1 - rest) * _follow(_WORKING, hour) + rest * _follow(_SUNDAY, hour) + lamps + noon


def _follow(points: Mapping[float, float], hour: Array) -> Array:
    return np.interp(hour, list(points), list(points.values()))


def _simulate_generation(region: pl.DataFrame, grid: Grid, demand: Array) -> dict[str, Array]:
    """Simulate the region's plants; wind and sun follow its weather."""
    speed = np.hypot(region["east"].to_numpy(), region["north"].to_numpy())
    sun = solar_elevation(region["at"].to_numpy(), REGION_LATITUDE, REGION_LONGITUDE)
    reactors = np.clip(np.round(4.1 + 1.1 * grid.draw("reactors", 400)), 2, 6)
    gas = 1000 + 350 * grid.draw("gas", 30) + 0.25 * (demand - demand.mean())
    return {
        "thermal": np.clip(gas, 60, None),
        "nuclear": 905 * reactors + 6 * grid.draw("nuclear"),
        "wind": 4000 / (1 + np.exp(-(speed - 8) / 1.7)),
        "solar": 150 * sun * (1 - 0.7 * region["cloud"].to_numpy() ** 2),
        "hydro": np.clip(1.3 + grid.draw("hydro", 60), 0, None),
        "pumped": np.zeros_like(speed),
        "biomass": 120 + 9 * grid.draw("biomass", 40),
    }


def to_eco2mix_rows(
    load: pl.DataFrame, days: tuple[date, date], until: datetime, odd: Mapping[str, str]
) -> pl.DataFrame:
    """Render the 96 quarter-hours of each local day, values on the half-hours over by `until`.

    As in RTE's files, the hour that spring skips is there all the same (02:00 copies 03:00, 02:30
    copies 01:30) and the one that autumn repeats is there once. `odd` replaces the demand of some
    local times ("2026-03-11 10:00") by a text. Adds `at` (null: no such local time) and `fate`
    (kept, blank, or rejected); then the file's columns as String.
    """
    first, last = (datetime.combine(day, time()) for day in days)
    end = last + timedelta(days=1)
    local = pl.datetime_range(first, end, "15m", closed="left", eager=True, time_unit="us")
    by = pl.when(pl.col("local").dt.minute() == 0).then(pl.lit("1h")).otherwise(pl.lit("-1h"))
    real, copied = _to_utc(pl.col("local")), _to_utc(pl.col("local").dt.offset_by(by))
    rows = local.to_frame("local").with_columns(at=real, shown=real.fill_null(copied))
    known = load.filter(pl.col("at") <= until - timedelta(minutes=30)).rename({"at": "shown"})
    joined = rows.join(known, on="shown", how="left", maintain_order="left")
    stamp = pl.col("local").dt.strftime("%Y-%m-%d %H:%M")
    blank = pl.col("demand").is_null() | stamp.is_in(list(odd))
    fate = pl.when(pl.col("at").is_null()).then(pl.lit("rejected")).otherwise(pl.lit("kept"))
    return joined.select(
        "at",
        fate=pl.when(blank).then(pl.lit("blank")).otherwise(fate),
        Date=stamp.str.slice(0, 10),
        Heures=stamp.str.slice(11),
        Consommation=stamp.replace_strict(odd, default=pl.col("demand").cast(pl.String)),
        **{label: pl.col(name).cast(pl.String) for name, label in _HEADER.items()},
    )


def _to_utc(local: pl.Expr) -> pl.Expr:
    real = local.dt.replace_time_zone(ZONE, ambiguous="earliest", non_existent="null")
    return real.dt.convert_time_zone("UTC")


def render_eco2mix(rows: pl.DataFrame, nature: str) -> bytes:
    """Render tab-separated Latin-1: a tab ends each row, a footer and an empty line the file."""
    table = rows.drop("at", "fate").select(
        pl.lit("Hauts-de-France").alias("Périmètre"),
        pl.lit(nature).alias("Nature"),
        pl.all(),
        pl.lit("").alias(""),
    )
    text = table.write_csv(separator="\t", quote_style="never")
    return (text + _FOOTER).encode("latin-1")
