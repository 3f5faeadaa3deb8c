"""What stations and Airbyte write: InfoClimat's answers, Weather Underground's tables, envelopes.

Source: InfoClimat's open data API; Weather Underground's daily tables; Airbyte's destination-s3
(envelope version 1, JSONL and CSV without flattening).
"""

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zlib import crc32

import numpy as np
import polars as pl

from deployments.local.demand import ZONE
from deployments.local.weather import Station

Record = dict[str, Any]
Line = tuple[str, Record | str]
"""A line's label, and its record or its broken text."""


def _write(value: pl.Expr, places: int = 1) -> pl.Expr:
    """Write a number without trailing zeros: 5 and not 5.0, 0 and not -0.0."""
    return (value.round(places) + 0.0).cast(pl.String).str.replace(r"\.0$", "")


def _label(value: pl.Expr, places: int, unit: str) -> pl.Expr:
    """Write a number with all its places, U+00A0 and a unit."""
    return pl.format(f"{{}}\xa0{unit}", value.round(places).cast(pl.Decimal(12, places)))


_AT, _HUMIDITY = pl.col("at").dt, pl.col("relative_humidity")


def _sum_rain(hours: int) -> pl.Expr:
    """Write the rain of the last hours, in the 0.2 mm of a tipping bucket."""
    drops = (pl.col("rain").rolling_sum_by("at", f"{hours}h") / 0.2).floor()
    return pl.when((_AT.minute() == 0) & (_AT.hour() % hours == 0)).then(_write(drops * 0.2))


_EVEN, _OCTAS = _AT.hour() % 2 == 0, _write(pl.col("cloud") * 8, 0)
_INFOCLIMAT: Final = {
    "temperature": ("temperature,degC", _write(pl.col("air_temperature"))),
    "pression": ("mean sea level pressure,hPa", _write(pl.col("air_pressure_at_mean_sea_level"))),
    "humidite": ("relative humidity,%", _write(_HUMIDITY, 0)),
    "point_de_rosee": ("dewpoint,degC", _write(pl.col("dew_point_temperature"))),
    "visibilite": ("horizontal visibility,m", _write(450 * (100 - _HUMIDITY).clip(1), 0)),
    "vent_moyen": ("mean wind speed,km/h", _write(pl.col("wind_speed") * 3.6)),
    "vent_rafales": ("wind gust,km/h", _write(pl.col("wind_speed_of_gust") * 3.6)),
    "vent_direction": ("wind direction,deg", _write(pl.col("wind_from_direction"), 0)),
    "pluie_3h": ("precipitation over 3h,mm", _sum_rain(3)),
    "pluie_1h": ("precipitation over 1h,mm", _sum_rain(1)),
    "neige_au_sol": ("snow depth,cm", pl.lit(None)),
    "nebulosite": ("Ncloud cover,octats", pl.when(_EVEN).then(_OCTAS).otherwise(pl.lit(""))),
    "temps_omm": (
        "present weather,http://www.infoclimat.fr/stations-meteo/ww.php",
        pl.when(pl.col("rain") > 0.1).then(pl.lit("61")),
    ),
}
_PARAMS: Final = [name for name in _INFOCLIMAT if name not in
                  {"visibilite", "neige_au_sol", "nebulosite", "temps_omm"}]  # fmt: skip


_LICENCE: Final = {
    "license": "CC BY",
    "url": "https://creativecommons.org/licenses/by/2.0/fr/",
    "source": "Simulated for the demonstration",
    "metadonnees": "https://example.org/stations/metadonnees",
}


def to_infoclimat_rows(frame: pl.DataFrame, station: Station) -> pl.DataFrame:
    """Render one station's rows, all String, null or "" where nothing was measured.

    An airport has more columns than a private station. Adds `on`, the local day.
    """
    names = _INFOCLIMAT if station.minutes == 60 else _PARAMS
    return frame.select(
        pl.col("at").dt.convert_time_zone(ZONE).dt.date().alias("on"),
        pl.lit(station.id).alias("id_station"),
        _AT.strftime("%Y-%m-%d %H:%M:%S").alias("dh_utc"),
        *(_INFOCLIMAT[name][1].alias(name) for name in names),
    )


def build_infoclimat_answer(rows: Mapping[Station, pl.DataFrame]) -> Record:
    """Build one answer of the API for all its stations; airports come first among the rows."""
    ordered = sorted(rows, key=lambda station: (-station.minutes, station.id))
    hourly: Record = {one.id: rows[one].drop("on").to_dicts() for one in ordered}
    stations = [
        {name: getattr(one, name) for name in ("id", "name", "latitude", "longitude", "elevation")}
        | {"type": "synop" if one.minutes == 60 else "static", "license": _LICENCE}
        for one in sorted(rows, key=lambda station: station.id)
    ]
    return {
        "status": "OK",
        "errors": [],
        "data": [],
        "stations": stations,
        "metadata": {name: text for name, (text, _) in _INFOCLIMAT.items()},
        "hourly": hourly | {"_params": _PARAMS},
    }


_WIND: Final = ("North", "NNE", "NE", "ENE", "East", "ESE", "SE", "SSE", "South", "SSW", "SW",
                "WSW", "West", "WNW", "NW", "NNW")  # fmt: skip
_POINT: Final = (pl.col("wind_from_direction") / 22.5).round().cast(pl.Int32) % 16
_FLUX: Final = pl.col("surface_downwelling_shortwave_flux_in_air")
_SHEET: Final = {
    "Time": pl.col("local").dt.strftime("%H:%M:%S"),
    "Temperature": _label(pl.col("air_temperature") * 1.8 + 32, 1, "°F"),
    "Dew Point": _label(pl.col("dew_point_temperature") * 1.8 + 32, 1, "°F"),
    "Humidity": _label(_HUMIDITY, 0, "%"),
    "Wind": _POINT.replace_strict(dict(enumerate(_WIND)), return_dtype=pl.String),
    "Speed": _label(pl.col("wind_speed") / 0.44704, 1, "mph"),
    "Gust": _label(pl.col("wind_speed_of_gust") / 0.44704, 1, "mph"),
    "Pressure": _label(pl.col("air_pressure_at_mean_sea_level") / 33.8639, 2, "in"),
    "Precip. Rate.": _label(pl.col("rain") * 12 / 25.4, 2, "in"),  # 12 steps an hour
    "Precip. Accum.": _label((pl.col("total") / 25.4 * 100).floor() / 100, 2, "in"),
    "UV": (_FLUX / 125).round().cast(pl.Int32),
    "Solar": pl.format("{}\xa0w/m²", _write(_FLUX)),
}
"""Columns of a native sheet, in its order."""
_AIRBYTE_ORDER: Final = (
    "Pressure", "Time", "Humidity", "Dew Point", "Wind", "Precip. Accum.", "Temperature", "Gust",
    "Precip. Rate.", "Solar", "Speed", "UV",
)  # fmt: skip


def to_wunderground_rows(frame: pl.DataFrame, reset: str) -> pl.DataFrame:
    """Render one station's rows: imperial text, local wall clock without a date.

    Adds `local` (naive, repeated and skipped as clocks change) and `on`, its day. The rain counter
    starts anew `reset` after each local midnight ("8h4m" for one that was set up so).
    """
    local, since = pl.col("local"), pl.col("local").dt.offset_by(f"-{reset}").dt.date()
    clock = pl.col("at").dt.convert_time_zone(ZONE).dt.replace_time_zone(None)
    frame = frame.with_columns(local=clock).with_columns(total=pl.col("rain").cum_sum().over(since))
    return frame.select("local", local.dt.date().alias("on"), **_SHEET)


def list_airbyte_records(rows: pl.DataFrame) -> list[Line]:
    """List what Airbyte reads in a workbook: a blank record of nulls, then a day's kept ones."""
    lines: list[Line] = []
    for day in rows.partition_by("on", maintain_order=True):
        lines.append(("blank", dict.fromkeys(_AIRBYTE_ORDER)))
        lines += [("kept", record) for record in day.select(_AIRBYTE_ORDER).to_dicts()]
    return lines


def render_workbook(rows: pl.DataFrame, created_at: datetime) -> bytes:
    """Render a sheet per local day: header, one blank row, then Excel times and text with units."""
    import xlsxwriter  # noqa: PLC0415  (optional extra `embedded`: only the demo lake needs it)

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"default_date_format": "hh:mm:ss"}) as book:
        book.set_properties({"created": created_at.replace(tzinfo=None)})
        for day in rows.partition_by("on", maintain_order=True):
            sheet = book.add_worksheet(f"{day['on'][0]:%d%m%y}")
            sheet.write_row(0, 0, list(_SHEET))
            cells = day.with_columns(Time=pl.col("local").dt.time()).select(*_SHEET)
            for number, row in enumerate(cells.iter_rows(), start=2):
                sheet.write_row(number, 0, row)
    return buffer.getvalue()


def render_airbyte(key: str, lines: Sequence[Any], at: datetime, *, again: bool = False) -> bytes:
    """Render one sync's object as its key ends: .jsonl or .csv, .gz or not.

    A broken line is a text, and stands without an envelope. What is told `again` is of the next
    generation, and escaped to ASCII.
    """
    draw, seconds = np.random.default_rng(crc32(key.encode())), int(at.timestamp())
    records: list[Record] = [
        {
            "_airbyte_raw_id": str(UUID(bytes=draw.bytes(16), version=4)),
            "_airbyte_extracted_at": seconds * 1000,
            "_airbyte_meta": {"changes": [], "sync_id": seconds // 3600 % 1000},
            "_airbyte_generation_id": 1 + again,
            "_airbyte_data": line,
        }
        for line in lines
    ]
    if ".csv" in key:
        for record in records:
            for name in ("_airbyte_meta", "_airbyte_data"):
                record[name] = json.dumps(record[name], ensure_ascii=False)
        text = pl.DataFrame(records).write_csv(line_terminator="\r\n")
    else:
        pairs = zip(lines, records, strict=True)
        texts = [a if isinstance(a, str) else json.dumps(b, ensure_ascii=again) for a, b in pairs]
        text = "\n".join([*texts, ""])
    body = text.encode()
    return gzip.compress(body, 6, mtime=0) if key.endswith(".gz") else body
