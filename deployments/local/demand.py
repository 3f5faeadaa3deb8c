"""Invented electricity demand of Hauts-de-France, as RTE's eCO2mix files tell it.

Level, day types, and the answer to cold follow what RTE's public figures of the region show; the
numbers themselves are drawn.
"""

from datetime import date, datetime, time, timedelta
from typing import Final

import holidays
import numpy as np
import polars as pl

from deployments.local.weather import Array, Grid, smooth
from tasks.common.contracts import MARKET_ZONE

ZONE: Final = MARKET_ZONE.key

_DAY: Final = {
    0: 0.985, 2: 0.915, 4.25: 0.848, 6: 0.91, 7.5: 1.045, 9: 1.068, 11: 1.073, 13: 1.09, 14.5: 1.05,
    16.25: 1.01, 18: 1.035, 19.25: 1.085, 20.5: 1.035, 21.5: 0.975, 22.5: 0.972, 24: 0.985,
}  # fmt: skip
"""Share of the day's mean by local hour: turning points, straight in between."""

_WEEK: Final = (0.985, 1.0, 1.008, 1.014, 1.0, 0.912, 0.862)
"""Level of a day, Monday first; a public holiday is a Sunday."""

_ODD_CELLS: Final = {"03-11 10:00": "ND", "06-03 15:00": "-", "09-22 04:30": ""}
"""Half-hours (month-day, local) whose demand is no number."""

_FOOTER: Final = "RTE ne pourra répondre de ces valeurs : une simulation, faite pour être lue.\n\n"


def simulate_load(region: dict[str, Array], grid: Grid) -> pl.DataFrame:
    """Simulate demand and generation in whole MW, one row per half-hour, labelled by its start.

    Columns: at (UTC), then those of eCO2mix; "Ech. physiques" is what the region takes from its
    neighbours: demand less generation.
    """
    at = pl.Series("at", grid.at).dt.replace_time_zone("UTC")
    local = at.dt.convert_time_zone(ZONE)
    years = range(local[0].year, local[-1].year + 1)
    off = local.dt.date().is_in(list(holidays.country_holidays("FR", years=years)))
    level = np.array(_WEEK)[np.where(off, 6, local.dt.weekday() - 1)]
    hour = (local.dt.hour() + local.dt.minute() / 60).to_numpy()
    warmth, speed = smooth(region["air"], 14), np.hypot(region["east"], region["north"])
    weather = 142 * np.clip(15.5 - warmth, 0, None) + 26 * np.clip(warmth - 20, 0, None)
    drift = 1 + 0.012 * grid.draw("load drift", 90) + 0.009 * grid.draw("load", 6)
    demand = (5290 + weather) * level * drift * np.interp(hour, list(_DAY), list(_DAY.values()))
    columns = {
        "Consommation": demand,
        "Thermique": 1000 + 200 * grid.draw("gas", 30) + 0.25 * (demand - 6000),
        "Nucléaire": 905 * np.clip(np.round(4.1 + 1.1 * grid.draw("reactors", 400)), 2, 6),
        "Eolien": 4000 / (1 + np.exp(-(speed - 8) / 1.7)),
        "Solaire": 0.14 * region["flux"],
        "Hydraulique": np.clip(1.3 + grid.draw("hydro", 60), 0, None),
        "Pompage": np.zeros_like(speed),
        "Bioénergies": 120 + 9 * grid.draw("biomass", 40),
    }
    columns["Ech. physiques"] = demand - sum(list(columns.values())[1:])
    return pl.DataFrame({"at": at, **columns}).with_columns(pl.exclude("at").round().cast(pl.Int32))


def render_eco2mix(load: pl.DataFrame, year: int, until: datetime) -> tuple[bytes, list[str]]:
    """Render a year's quarter-hours; values stand on the half-hours over by `until`.

    A whole year is definitive; the running one ends with the day of `until`.

    Returns:
        Tab-separated Latin-1: a tab ends each row, a footer and an empty line the file. And a
        label for each row: kept, blank, "cell without a number" or "hour that spring skips".
    """
    today = (until.astimezone(MARKET_ZONE) - timedelta(microseconds=1)).date()
    running, last_on = year == today.year, min(today, date(year, 12, 31))
    known = load.filter(pl.col("at") <= until - timedelta(minutes=30))
    stamp, value = pl.col("local").dt.strftime("%m-%d %H:%M"), pl.col("Consommation")
    rows = _list_quarters(date(year, 1, 1), last_on)
    rows = rows.join(known, on="at", how="left", maintain_order="left")
    labels = rows.select(
        pl.when(stamp.is_in(list(_ODD_CELLS))).then(pl.lit("cell without a number"))
        .when(value.is_null()).then(pl.lit("blank"))
        .when(pl.col("real").is_null()).then(pl.lit("hour that spring skips"))
        .otherwise(pl.lit("kept"))
    )  # fmt: skip
    table = rows.select(
        pl.lit("Hauts-de-France").alias("Périmètre"),
        pl.lit("Données temps réel" if running else "Données définitives").alias("Nature"),
        pl.col("local").dt.strftime("%Y-%m-%d").alias("Date"),
        pl.col("local").dt.strftime("%H:%M").alias("Heures"),
        stamp.replace_strict(_ODD_CELLS, default=value.cast(pl.String)).alias("Consommation"),
        *load.columns[2:],
        pl.lit("").alias(""),
    )
    text = table.write_csv(separator="\t", quote_style="never")
    return (text + _FOOTER).encode("latin-1"), labels.to_series().to_list()


def _list_quarters(first_on: date, last_on: date) -> pl.DataFrame:
    """List the 96 quarter-hours of each local day, and the instant whose values each shows.

    As in RTE's files, the hour that autumn repeats is there once, and the one that spring skips is
    there all the same: 02:00 shows 03:00, and 02:30 shows 01:30. `real` is null there.
    """
    start, end = (datetime.combine(day, time()) for day in (first_on, last_on + timedelta(days=1)))
    local = pl.datetime_range(start, end, "15m", closed="left", eager=True).alias("local")
    away = pl.when(local.dt.minute() == 0).then(pl.lit("1h")).otherwise(pl.lit("-1h"))
    rows = local.to_frame().with_columns(
        real=_to_utc(pl.col("local")), copied=_to_utc(pl.col("local").dt.offset_by(away))
    )
    return rows.with_columns(at=pl.coalesce("real", "copied"))


def _to_utc(local: pl.Expr) -> pl.Expr:
    real = local.dt.replace_time_zone(ZONE, ambiguous="earliest", non_existent="null")
    return real.dt.convert_time_zone("UTC")
