"""Airbyte's envelopes, and InfoClimat's answers inside them, as their makers write them.

Source: Airbyte's destination-s3 (envelope version 1, JSONL and CSV without flattening);
InfoClimat's open data API.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import numpy as np
import polars as pl

from deployments.local.climate import Station

Record = dict[str, Any]
LineKind = Literal["kept", "blank", "duplicate", "rejected"]


@dataclass(frozen=True)
class Line:
    """One line of an object: a record's data, or a broken text. `at` only where it is kept."""

    kind: LineKind
    content: Record | str
    at: datetime | None = None


@dataclass(frozen=True)
class Sync:
    """One Airbyte sync: what its envelopes and its object's name have in common."""

    at: datetime
    number: int
    generation: int
    seed: int

    @property
    def millis(self) -> int:
        """Epoch of the extraction in milliseconds."""
        return int(self.at.timestamp()) * 1000

    @property
    def stem(self) -> str:
        """Name of its object without extension: date, epoch, part."""
        return f"{self.at:%Y_%m_%d}_{self.millis}_0"

    def wrap(self, records: Sequence[Record]) -> list[Record]:
        """Put each record into an envelope."""
        drawn = np.random.default_rng([self.seed, self.number]).bytes(16 * len(records))
        return [
            {
                "_airbyte_raw_id": str(UUID(bytes=drawn[16 * n : 16 * n + 16], version=4)),
                "_airbyte_extracted_at": self.millis,
                "_airbyte_meta": {"changes": [], "sync_id": self.number},
                "_airbyte_generation_id": self.generation,
                "_airbyte_data": record,
            }
            for n, record in enumerate(records)
        ]


def render_jsonl(lines: Sequence[Line], sync: Sync, *, escape: bool = False) -> bytes:
    r"""Render one line per record; a broken text stands as it is. `escape`: all ASCII, by \\u."""
    records = iter(sync.wrap([line.content for line in lines if isinstance(line.content, dict)]))
    text = io.StringIO()
    for line in lines:
        broken = line.content if isinstance(line.content, str) else None
        text.write(broken or json.dumps(next(records), ensure_ascii=escape))
        text.write("\n")
    return text.getvalue().encode()


def render_csv(lines: Sequence[Line], sync: Sync) -> bytes:
    """Render one CRLF row per record; data and meta are JSON inside a quoted string."""
    text = io.StringIO()
    writer = csv.writer(text)
    records = sync.wrap([line.content for line in lines if isinstance(line.content, dict)])
    writer.writerow(records[0])
    for record in records:
        writer.writerow(
            json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
            for value in record.values()
        )
    return text.getvalue().encode()


_METADATA: Final = {
    "temperature": "temperature,degC",
    "pression": "mean sea level pressure,hPa",
    "humidite": "relative humidity,%",
    "point_de_rosee": "dewpoint,degC",
    "visibilite": "horizontal visibility,m",
    "vent_moyen": "mean wind speed,km/h",
    "vent_rafales": "wind gust,km/h",
    "vent_direction": "wind direction,deg",
    "pluie_3h": "precipitation over 3h,mm",
    "pluie_1h": "precipitation over 1h,mm",
    "neige_au_sol": "snow depth,cm",
    "nebulosite": "Ncloud cover,octats",
    "temps_omm": "present weather,http://www.infoclimat.fr/stations-meteo/ww.php",
}
_PARAMS: Final = [name for name in _METADATA if name not in
                  {"visibilite", "neige_au_sol", "nebulosite", "temps_omm"}]  # fmt: skip


def to_infoclimat_rows(frame: pl.DataFrame, station: Station) -> pl.DataFrame:
    """Render one station's rows, all String, null or "" where nothing was measured.

    An airport (hourly) has more columns than a private station, winds in whole m/s and directions
    in tens of degrees; a private one has no gusts, and its rain on the full hour only.
    """
    airport, hour = station.minutes == 60, pl.col("at").dt.hour()
    sums = {hours: _sum_rain(hours * 60 // station.minutes) for hours in (1, 3)}
    full, dry = pl.col("at").dt.minute() == 0, sums[3] == "0"
    far = pl.max_horizontal(45_000 * (1 - pl.col("relative_humidity") / 100) ** 0.6, 100)
    octas = _write_whole(pl.col("cloud") * 8)
    gusts = _write_kmh("wind_speed_of_gust", whole=True) if airport else pl.lit(None)
    columns = {
        "id_station": pl.lit(station.id),
        "dh_utc": pl.col("at").dt.strftime("%Y-%m-%d %H:%M:%S"),
        "temperature": _write_decimal(pl.col("air_temperature")),
        "pression": _write_decimal(pl.col("air_pressure_at_mean_sea_level")),
        "humidite": _write_whole(pl.col("relative_humidity")),
        "point_de_rosee": _write_decimal(pl.col("dew_point_temperature")),
        "visibilite": _write_whole(far, 100),
        "vent_moyen": _write_kmh("wind_speed", whole=airport),
        "vent_rafales": gusts,
        "vent_direction": _write_whole(pl.col("wind_from_direction"), 10 if airport else 1),
        "pluie_3h": pl.when(full & (hour % 3 == 0 if airport else ~dry)).then(sums[3]),
        "pluie_1h": pl.when(full).then(sums[1]),
        "neige_au_sol": pl.lit(None),
        "nebulosite": pl.when(hour % 2 == 0).then(octas).otherwise(pl.lit("")),
        "temps_omm": pl.when(pl.col("rain") > 0.1).then(pl.lit("61")),
    }
    if not airport:
        columns = {name: columns[name] for name in ("id_station", "dh_utc", *_PARAMS)}
    return frame.select("at", **columns)


def build_infoclimat_answer(rows: Mapping[Station, pl.DataFrame]) -> Record:
    """Build one answer of the API for all its stations; airports come first among the rows."""
    ordered = sorted(rows, key=lambda station: (station.minutes != 60, station.id))
    return {
        "status": "OK",
        "errors": [],
        "data": [],
        "stations": [_describe(station) for station in sorted(rows, key=lambda one: one.id)],
        "metadata": _METADATA,
        "hourly": {
            **{station.id: rows[station].to_dicts() for station in ordered},
            "_params": _PARAMS,
        },
    }


def _describe(station: Station) -> Record:
    airport = station.minutes == 60
    etalab = ("Etalab Open License", "https://www.etalab.gouv.fr/licence-ouverte-open-licence")
    by = ("CC BY", "https://creativecommons.org/licenses/by/2.0/fr/")
    source = "Simulated for the demonstration"
    page = f"https://example.org/stations/metadonnees?id={station.id}"
    names = ("license", "url", "source", "metadonnees")
    return {
        "id": station.id,
        "name": station.name,
        "latitude": station.latitude,
        "longitude": station.longitude,
        "elevation": station.elevation_m,
        "type": "synop" if airport else "static",
        "license": dict(zip(names, (*(etalab if airport else by), source, page), strict=True)),
    }


def _write_decimal(value: pl.Expr) -> pl.Expr:
    """Write one decimal at most: 5 and not 5.0, 0 and not -0.0."""
    return (value.round(1) + 0.0).cast(pl.String).str.replace(r"\.0$", "")


def _write_whole(value: pl.Expr, multiple: int = 1) -> pl.Expr:
    return ((value / multiple).round().cast(pl.Int32) * multiple).cast(pl.String)


def _write_kmh(name: str, *, whole: bool) -> pl.Expr:
    return _write_decimal((pl.col(name).round() if whole else pl.col(name)) * 3.6)


def _sum_rain(steps: int) -> pl.Expr:
    """Write the rain of the last steps, in the 0.2 mm of a tipping bucket."""
    return _write_decimal((pl.col("rain").rolling_sum(steps, min_samples=1) / 0.2).floor() * 0.2)
