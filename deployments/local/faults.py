"""The demo's stations, and the faults planted into their values."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import polars as pl

from deployments.local.climate import Station
from deployments.local.formats import Record
from deployments.local.landing import RawObject

PRIVATE: Final = (
    Station("infoclimat", "00731", "Wavrechéhem", 50.655, 2.731, 18, 10, shelter=0.3),
    Station("infoclimat", "000W3", "Brequin-Plage", 50.948, 2.104, 6, 10, shelter=0.7, coast=0.8),
    Station("infoclimat", "STATIC0412", "Mont-Ternesse", 50.402, 2.388, 132, 10),
)
AIRPORT: Final = Station(
    "infoclimat", "07994", "Lesquéant-Aérodrome", 50.552, 3.064, 46, 60, shelter=1.0
)
TABLES: Final = Station(
    "wunderground", "IVILLE947", "Ville-en-Weppes", 50.611, 2.949, 24, 5, 4, shelter=0.35
)
WORKBOOKS: Final = Station(
    "wunderground", "IARTOI883", "Artoisel", 50.318, 2.806, 68, 5, 4, shelter=0.4
)
STATIONS: Final = (*PRIVATE, AIRPORT, TABLES, WORKBOOKS)
"""Six stations of our own invention, where there might be some."""

RESET: Final = "8h4m"
"""When after local midnight the rain counter of TABLES starts anew; others do at midnight."""


@dataclass(frozen=True)
class Fault:
    """A fault planted into the values of one station.

    Attributes:
        effect: drop the rows, hold the first value, or set `value` (null: missing).
        back: where it starts, as a share of the weather's span counted back from its end.
    """

    kind: str
    station: Station
    column: str
    effect: Literal["drop", "hold", "set"]
    back: float
    hours: float
    value: float | None = None

    def list_bounds(self, as_of: datetime, span: timedelta) -> tuple[datetime, datetime]:
        """Give its first instant, on a full hour, and its end."""
        start = (as_of - span * self.back).replace(minute=0, second=0, microsecond=0)
        return start, start + timedelta(hours=self.hours)

    def plant(self, frame: pl.DataFrame, as_of: datetime, span: timedelta) -> pl.DataFrame:
        """Give its station's frame with the fault in it."""
        rows = pl.col("at").is_between(*self.list_bounds(as_of, span), closed="left")
        if self.effect == "drop":
            return frame.filter(~rows)
        held = pl.col(self.column).filter(rows).first()
        value = held if self.effect == "hold" else pl.lit(self.value, pl.Float64)
        faulty = pl.when(rows).then(value).otherwise(self.column)
        return frame.with_columns(faulty.alias(self.column))

    def locate(self, landed: RawObject, as_of: datetime, span: timedelta) -> Record | None:
        """Tell where it starts in an object; of dropped rows, the first row after them."""
        start, end = self.list_bounds(as_of, span)
        dropped = self.effect == "drop"
        bounds = (end, end + timedelta(minutes=self.station.minutes)) if dropped else (start, end)
        places = landed.places.filter(
            pl.col("station_id") == self.station.key,
            pl.col("at").is_between(*bounds, closed="left"),
        )
        if places.is_empty():
            return None
        first = places.row(0, named=True)
        where = {"key": landed.key, "line": first["line"], "cell": first["cell"]}
        what = {"kind": self.kind, "station_id": self.station.key, "column": self.column}
        told = {"from": start.isoformat(), "to": end.isoformat()}
        return what | where | told | {"rows": 0 if dropped else places.height}


FAULTS: Final = (
    Fault("gap", PRIVATE[1], "", "drop", 0.62, 5),
    Fault("frozen thermometer", PRIVATE[0], "air_temperature", "hold", 0.44, 20),
    Fault("impossible value", TABLES, "air_temperature", "set", 0.31, 0.1, 85.0),  # 185 degF
    Fault("spike", PRIVATE[2], "air_temperature", "set", 0.23, 0.1, 39.5),
    Fault("missing wind direction", WORKBOOKS, "wind_from_direction", "set", 0.16, 4),
)


def tell_faults(objects: Iterable[RawObject], as_of: datetime, span: timedelta) -> Iterator[Record]:
    """Tell every planted fault: kind, object key, line (or sheet row), cell, and its instants."""
    everywhere = f"raw/airbyte-sync/wunderground/{TABLES.id}/"
    yield {"kind": f"rain counter resets at {RESET} after midnight", "key": everywhere}
    for landed in objects:
        yield from ({"key": landed.key, **defect} for defect in landed.defects)
        located = (fault.locate(landed, as_of, span) for fault in FAULTS)
        yield from (one for one in located if one)
