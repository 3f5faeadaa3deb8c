"""Weather Underground's station tables: Airbyte's reading of them, and native workbooks.

Every row is local wall clock without a date: the date is the sheet's name, which Airbyte loses.
"""

import io
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from deployments.local.formats import Line
from deployments.local.load import ZONE

_WIND: Final = ("North", "NNE", "NE", "ENE", "East", "ESE", "SE", "SSE", "South", "SSW", "SW",
                "WSW", "West", "WNW", "NW", "NNW")  # fmt: skip
_AIRBYTE_ORDER: Final = (
    "Pressure", "Time", "Humidity", "Dew Point", "Wind", "Precip. Accum.", "Temperature", "Gust",
    "Precip. Rate.", "Solar", "Speed", "UV",
)  # fmt: skip
SHEET_ORDER: Final = (
    "Time", "Temperature", "Dew Point", "Humidity", "Wind", "Speed", "Gust", "Pressure",
    "Precip. Rate.", "Precip. Accum.", "UV", "Solar",
)  # fmt: skip


def to_wunderground_rows(frame: pl.DataFrame, minutes: int, reset: str) -> pl.DataFrame:
    """Render one station's rows: imperial text with U+00A0 before the unit, local wall clock.

    Adds `at`, `local` (naive, repeated and skipped as clocks change) and `on`, its date. The rain
    counter starts anew `reset` after each local midnight ("8h4m" for one that was set up so).
    """
    local = pl.col("at").dt.convert_time_zone(ZONE).dt.replace_time_zone(None)
    frame = frame.with_columns(local=local).with_columns(
        total=pl.col("rain").cum_sum().over(pl.col("local").dt.offset_by(f"-{reset}").dt.date())
    )
    read = {name: frame[name].to_numpy() for name in frame.columns if name not in {"at", "local"}}
    mph, inch = 1 / 0.44704, 1 / 25.4
    points = np.round(np.nan_to_num(read["wind_from_direction"]) / 22.5).astype(int) % 16
    flux = np.round(read["surface_downwelling_shortwave_flux_in_air"], 1)
    return frame.select(
        "at",
        "local",
        on=pl.col("local").dt.date(),
        Time=pl.col("local").dt.strftime("%H:%M:%S"),
        Temperature=_label("%.1f", read["air_temperature"] * 1.8 + 32, "°F"),
        Humidity=_label("%.0f", read["relative_humidity"], "%%"),
        Wind=pl.when(pl.col("wind_from_direction").is_not_null()).then(
            pl.Series(np.array(_WIND)[points].astype(object), dtype=pl.String)
        ),
        Speed=_label("%.1f", read["wind_speed"] * mph, "mph"),
        Gust=_label("%.1f", read["wind_speed_of_gust"] * mph, "mph"),
        Pressure=_label("%.2f", read["air_pressure_at_mean_sea_level"] / 33.8639, "in"),
        **{
            "Dew Point": _label("%.1f", read["dew_point_temperature"] * 1.8 + 32, "°F"),
            "Precip. Rate.": _label("%.2f", read["rain"] * inch * 60 / minutes, "in"),
            "Precip. Accum.": _label("%.2f", np.floor(read["total"] * inch * 100) / 100, "in"),
        },
        UV=pl.Series(np.round(flux / 125).astype(int)),
        Solar=_label("%.4g", flux, "w/m²"),
    )


def _label(pattern: str, values: np.ndarray, unit: str) -> pl.Series:
    texts = np.strings.mod(f"{pattern}\xa0{unit}", values)
    return pl.Series(texts.astype(object), dtype=pl.String)


def to_wunderground_lines(rows: pl.DataFrame) -> list[Line]:
    """Give Airbyte's reading of the sheets: one record each, all nulls at the head of each day."""
    lines: list[Line] = []
    blank = dict.fromkeys(_AIRBYTE_ORDER)
    for day in rows.partition_by("on", maintain_order=True):
        records = zip(day.select(_AIRBYTE_ORDER).to_dicts(), day["at"], strict=True)
        lines += [Line("blank", blank), *(Line("kept", record, at) for record, at in records)]
    return lines


def render_workbook(rows: pl.DataFrame, created_at: datetime) -> bytes:
    """Render a sheet per local day: header, one blank row, then Excel times and text with units."""
    import xlsxwriter  # noqa: PLC0415  (optional extra `embedded`: only the demo lake needs it)

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        book.set_properties({"created": created_at.replace(tzinfo=None)})
        clock = book.add_format({"num_format": "hh:mm:ss"})
        for day in rows.partition_by("on", maintain_order=True):
            sheet = book.add_worksheet(f"{day['on'][0]:%d%m%y}")
            sheet.write_row(0, 0, SHEET_ORDER)
            sheet.write_column(2, 0, day["local"].dt.time().to_list(), clock)
            for column, name in enumerate(SHEET_ORDER[1:], start=1):
                sheet.write_column(2, column, day[name].to_list())
    return buffer.getvalue()
