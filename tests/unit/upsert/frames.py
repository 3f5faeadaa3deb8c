"""Frames and results as the steps before upsert hand them over; small, and complete."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from json import dumps

import polars as pl

from tasks.common.accounts import Member, SeriesOutcome, Tally
from tasks.common.contracts import HISTORY, INSTANT, OBSERVATION_KEYS, POINTS
from tasks.common.results import Forecasted, ProcessedFile, Transformed

AS_OF = datetime(2019, 11, 6, 21, tzinfo=UTC)
MONDAY = datetime(2019, 11, 4, tzinfo=UTC)
STATION = "infoclimat:00052"
DEMAND = "rte:32:electricity_demand"
WIND = "infoclimat:00052:wind_speed"


def observations(
    temperatures: Sequence[float | None], *, rev: str = "01", station_id: str = STATION
) -> pl.DataFrame:
    """Give one row per temperature, ten minutes apart; the source delivers degF."""
    rows = len(temperatures)
    at = [MONDAY + timedelta(minutes=10 * n) for n in range(rows)]
    raw = [None if value is None else value * 9 / 5 + 32 for value in temperatures]
    keys = {
        "station_id": [station_id] * rows,
        "at": at,
        "rev": [rev] * rows,
        "maturity": [1] * rows,
        "source_id": ["infoclimat"] * rows,
        "source_key": ["raw/a.jsonl"] * rows,
        "line": list(range(1, rows + 1)),
        "extracted_at": [MONDAY] * rows,
    }
    return pl.DataFrame(keys, schema=OBSERVATION_KEYS).with_columns(
        pl.Series("air_temperature", temperatures, pl.Float64),
        pl.Series("air_temperature__raw", raw, pl.Float64),
        pl.Series("air_temperature__flag", [1] * rows, pl.UInt8),
    )


@dataclass(frozen=True)
class Processed:
    """A processed layer in memory: files by key."""

    files: tuple[ProcessedFile, ...]
    bodies: Mapping[str, bytes]

    def fetch(self, file: ProcessedFile) -> bytes:
        """Give the bytes of one file."""
        return self.bodies[file.key]


def processed(*frames: pl.DataFrame) -> Processed:
    """Write frames as transform does, the raw units beside them."""
    files, bodies = [], {}
    for number, frame in enumerate(frames):
        buffer = BytesIO()
        frame.write_parquet(buffer, metadata={"raw_units": dumps({"air_temperature": "degF"})})
        body = buffer.getvalue()
        key = f"processed/v1/observations/source=infoclimat/date=2019-11/{number}.parquet"
        digest = sha256(body).hexdigest()
        first, last = frame["at"][0], frame["at"][-1]
        file = (key, len(body), digest, frame.height, "infoclimat", "2019-11", first, last)
        files.append(ProcessedFile(*file))
        bodies[key] = body
    return Processed(tuple(files), bodies)


def stations(latitude: float | None = 50.57, longitude: float | None = 3.10) -> pl.DataFrame:
    """Give one station near Lille."""
    row = {
        "station_id": STATION,
        "network": "infoclimat",
        "name": "Lille-Lesquin",
        "latitude": latitude,
        "longitude": longitude,
        "elevation_m": 47.0,
        "licence": "CC BY",
    }
    return pl.DataFrame([row], schema_overrides={"latitude": pl.Float64, "longitude": pl.Float64})


def transformed(files: tuple[ProcessedFile, ...] = (), *, as_of: datetime = AS_OF) -> Transformed:
    """Give a history of two series, with one station."""
    series = [
        {"series_id": DEMAND, "station_id": "rte:32", "variable": "electricity_demand"}
        | {"unit": "MW", "step_minutes": 60, "licence": "Licence ouverte"},
        {"series_id": WIND, "station_id": STATION, "variable": "wind_speed"}
        | {"unit": "m s-1", "step_minutes": 60, "licence": "CC BY"},
    ]
    return Transformed(
        as_of=as_of,
        history=HISTORY.to_frame(),
        series=pl.DataFrame(series),
        gaps=pl.DataFrame(),
        stations=stations(),
        files=files,
        manifest_key=None,
        tally=Tally(),
        observations=0,
        input_hash="1234567890abcdef",
        output="lake",
    )


def forecasted(
    *, demand: float = 6000.0, as_of: datetime = AS_OF, seconds: float = 1.5, hours: int = 24
) -> Forecasted:
    """Give a forecast of demand, and of a wind that is withheld."""
    at = [as_of + timedelta(hours=n) for n in range(hours)]
    bounds = {name: demand + offset for name, offset in zip(_QUANTILES, _OFFSETS, strict=True)}
    points = pl.DataFrame({"at": at}, schema={"at": INSTANT}).with_columns(
        pl.lit(DEMAND).alias("series_id"), *(pl.lit(v).alias(k) for k, v in bounds.items())
    )
    points = points.with_columns(probability=pl.lit(None, pl.Float64))
    members = (
        Member("prophet_ar", 120.0, 0.7, seconds),
        Member("naive_364d", float("nan"), 0.0, seconds, "no history of 364 days"),
    )
    published = SeriesOutcome(
        DEMAND, "model", "", members, "combination", "naive_7d", 110.0, 150.0, 0.27, 0.81, 0.94,
        17_520, as_of - timedelta(days=730), as_of, 3, seconds,
    )  # fmt: skip
    withheld = SeriesOutcome(WIND, "withheld", "the newest value is 20 days old")
    return Forecasted(
        as_of=as_of,
        horizon_end=as_of + timedelta(hours=hours),
        points=points.select(POINTS.names()),
        outcomes=(published, withheld),
        config_hash="fedcba0987654321",
        seconds=seconds,
    )


def moved(history: Transformed, latitude: float, longitude: float) -> Transformed:
    """Give the same history with the station somewhere else."""
    return replace(history, stations=stations(latitude, longitude))


_QUANTILES = ("value", "lower80", "upper80", "lower95", "upper95")
_OFFSETS = (0.0, -100.0, 100.0, -200.0, 200.0)
