"""What landed: objects in the exact raw formats, the faults in them, and what a reader must count.

A fault in a value is told by its station and its time; one in a text by its object and its line.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, product
from typing import Final, NamedTuple

import polars as pl

from deployments.local import formats
from deployments.local.demand import render_eco2mix
from deployments.local.formats import Line, Record
from deployments.local.weather import AIRPORT, BEACH, GARDEN, HILL, PLAIN, ROOF, Station
from tasks.common.contracts import MARKET_ZONE

Frames = dict[Station, pl.DataFrame]

_AIR: Final = "air_temperature"
VALUE_FAULTS: Final = (
    ("gap", BEACH, 0.62, 5, None),
    ("frozen thermometer", PLAIN, 0.44, 20, pl.col(_AIR).first()),
    ("impossible temperature", GARDEN, 0.31, 0.1, pl.lit(85.0).alias(_AIR)),  # 185 degF
    ("temperature spike", HILL, 0.23, 0.1, pl.lit(39.5).alias(_AIR)),
    ("missing wind direction", ROOF, 0.16, 4, pl.lit(None).alias("wind_from_direction")),
)
"""Kind, station, start (a share of the weather's span, back from its end), hours, and the value
instead (None: no rows)."""

_BROKEN: Final = '{"_airbyte_raw_id": "7d0c4a1e-2f7b-4c55-9a51-0f6d3c1b8e92", "_airbyte_extr'
"""A line as a lost connection leaves it."""
TEXT_FAULTS: Final = ((0.7, "malformed line"), (0.5, "repeated record"), (0.3, "malformed line"))
"""Where they stand in an object, as a share of its lines, from its end."""

FATES: Final = {
    "restated day": "kept",
    "repeated record": "duplicate",
    "malformed line": "rejected",
    "undated object": "rejected",
    "cell without a number": "blank",
    "hour that spring skips": "rejected",
}
"""Kinds of faults in a text, and what a faithful reader makes of their records."""

_TABLES: Final = {GARDEN: ("8h4m", "jsonl", "jsonl.gz"), ROOF: ("0h", "csv.gz", "xlsx")}
"""When after local midnight a rain counter starts anew; formats of the first and second half."""


class Week(NamedTuple):
    """Up to seven local days, and when they were fetched (UTC)."""

    first_on: date
    last_on: date
    fetched_at: datetime

    def select(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Give the rows of its days; `on` holds the day."""
        return rows.filter(pl.col("on").is_between(self.first_on, self.last_on))

    def name_object(self, stream: str, suffix: str) -> str:
        """Name what Airbyte lands: date, epoch in milliseconds, part."""
        millis = int(self.fetched_at.timestamp()) * 1000
        return f"raw/airbyte-sync/{stream}/{self.fetched_at:%Y_%m_%d}_{millis}_0.{suffix}"


@dataclass(frozen=True)
class RawObject:
    """One object of the lake.

    Attributes:
        labels: line and label of each record: kept, blank, or a key of FATES.
    """

    key: str
    body: bytes
    written_at: datetime
    labels: Sequence[tuple[int, str]]

    def count_records(self) -> Record:
        """Count what a faithful reader makes of it, by fate; read is their sum."""
        counts = Counter(FATES.get(label, label) for _, label in self.labels)
        fates = {fate: counts[fate] for fate in ("kept", "blank", "duplicate", "rejected")}
        return {"key": self.key, "read": len(self.labels), **fates}

    def list_faults(self) -> Iterator[Record]:
        """List the faults of its text: kind, first line, records."""
        for label, run in groupby(self.labels, key=lambda one: one[1]):
            lines = [line for line, _ in run]
            if label in FATES:
                yield {"kind": label, "key": self.key, "line": lines[0], "rows": len(lines)}


def list_weeks(as_of: datetime, weeks: int) -> list[Week]:
    """List the weeks of weather: the last is fetched at `as_of` (UTC), others after their end."""
    today = (as_of.astimezone(MARKET_ZONE) - timedelta(microseconds=1)).date()
    day, last = timedelta(days=1), datetime.combine(today, time(4), UTC)
    nights = [last + day - 7 * day * back for back in reversed(range(weeks))]
    return [Week((at - 7 * day).date(), (at - day).date(), min(as_of, at)) for at in nights]


def land_lake(
    frames: Frames, load: pl.DataFrame, weeks: Sequence[Week]
) -> tuple[list[RawObject], list[Record]]:
    """Land what is known when the last week is fetched; give the objects, and all their faults."""
    as_of, year = weeks[-1].fetched_at, weeks[-1].last_on.year
    known = {one: frame.filter(pl.col("at") < as_of) for one, frame in frames.items()}
    faults = _plant_faults(known, as_of, timedelta(weeks=len(weeks)))
    objects = [*_land_answers(known, weeks), *_land_tables(known, weeks)]
    objects += _land_demand(load, year, as_of)
    return objects, faults + [fault for landed in objects for fault in landed.list_faults()]


def _plant_faults(frames: Frames, as_of: datetime, span: timedelta) -> list[Record]:
    """Plant VALUE_FAULTS into the stations' frames, in place, and tell them."""
    told: list[Record] = [
        {"kind": f"rain counter starts anew {reset} after midnight", "station_id": station.key}
        for station, (reset, *_) in _TABLES.items()
    ]
    for kind, station, back, hours, value in VALUE_FAULTS:
        start = (as_of - back * span).replace(minute=0, second=0, microsecond=0)
        end, frame = start + timedelta(hours=hours), frames[station]
        hit = pl.col("at").is_between(start, end, closed="left")
        faulty = frame.filter(hit)
        faulty = faulty.clear() if value is None else faulty.with_columns(value)
        mixed = pl.concat([frame.filter(~hit), faulty], how="vertical_relaxed")
        frames[station] = mixed.sort("at")
        place = {"kind": kind, "station_id": station.key}
        told.append(place | {"from": start.isoformat(), "to": end.isoformat()})
    return told


def _land_answers(frames: Frames, weeks: Sequence[Week]) -> Iterator[RawObject]:
    """Land InfoClimat's answer a week, and one day once more, a tenth of a degree warmer.

    The middle object ends in a broken line.
    """
    middle = weeks[(len(weeks) - 1) // 2]
    day = Week(middle.first_on, middle.first_on, middle.fetched_at + timedelta(minutes=30))
    for week in (*weeks, day):
        warmer = pl.col(_AIR) + 0.1 * (week is day)
        rows = {
            one: week.select(formats.to_infoclimat_rows(frames[one].with_columns(warmer), one))
            for one in (PLAIN, BEACH, HILL, AIRPORT)
        }
        labels = [(1, "restated day" if week is day else "kept")] * sum(map(len, rows.values()))
        labels += [(2, "malformed line")] * (week is middle)
        lines = [formats.build_infoclimat_answer(rows), *[_BROKEN] * (week is middle)]
        key = week.name_object("infoclimat/hauts_de_france", "jsonl")
        body = formats.render_airbyte(key, lines, week.fetched_at, again=week is day)
        yield RawObject(key, body, week.fetched_at, labels)


def _land_tables(frames: Frames, weeks: Sequence[Week]) -> Iterator[RawObject]:
    """Land Weather Underground's tables a week, as Airbyte reads them or a person downloads them.

    The first JSONL has TEXT_FAULTS. Beside it lies an hour of records whose key names no day:
    nobody can tell when they were.
    """
    for (station, (reset, *suffixes)), (number, week) in product(_TABLES.items(), enumerate(weeks)):
        chosen = week.select(formats.to_wunderground_rows(frames[station], reset))
        suffix, at = suffixes[2 * number >= len(weeks)], week.fetched_at
        stream, lines = f"wunderground/{station.id}", formats.list_airbyte_records(chosen)
        key, body = week.name_object(f"{stream}/first_day={week.first_on}", suffix), b""
        if suffix == "xlsx":
            key = f"raw/{stream}/{station.id}_{week.first_on:%d%m%y}_{week.last_on:%d%m%y}.xlsx"
            body = formats.render_workbook(chosen, at)
        elif suffix == "jsonl" and number == 0:
            undated = [("undated object", record) for _, record in lines[1:13]]
            yield _pack_lines(week.name_object(stream, suffix), at, undated)
            for share, label in TEXT_FAULTS:
                index = int(share * len(lines))
                content = _BROKEN if label == "malformed line" else lines[index - 1][1]
                lines.insert(index, (label, content))
        yield _pack_lines(key, at, lines, body)


def _pack_lines(key: str, at: datetime, lines: Sequence[Line], body: bytes = b"") -> RawObject:
    """Pack labelled lines; `body` where they are not written as Airbyte does."""
    body = body or formats.render_airbyte(key, [content for _, content in lines], at)
    return RawObject(key, body, at, [(line, label) for line, (label, _) in enumerate(lines, 1)])


def _land_demand(load: pl.DataFrame, today: int, as_of: datetime) -> Iterator[RawObject]:
    """Land a definitive file for each of two whole years, and the running year's in real time."""
    for year in range(today - 2, today + 1):
        name = "En-cours-TR" if year == today else f"Annuel-Definitif_{year}"
        key = f"raw/rte/eCO2mix_RTE_Hauts-de-France_{name}.xls"
        body, labels = render_eco2mix(load, year, as_of)
        yield RawObject(key, body, as_of, list(enumerate(labels, 2)))
