"""The demo lake's objects: which syncs landed, what stands in each, what a reader must count."""

import gzip
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from deployments.local.climate import Station
from deployments.local.formats import (
    Line,
    Record,
    Sync,
    build_infoclimat_answer,
    render_csv,
    render_jsonl,
    to_infoclimat_rows,
)
from deployments.local.load import ZONE, render_eco2mix, to_eco2mix_rows
from deployments.local.wunderground import render_workbook, to_wunderground_lines
from tasks.common.contracts import INSTANT

PARIS: Final = ZoneInfo(ZONE)
BROKEN: Final = (
    '{"_airbyte_raw_id": "7d0c4a1e-2f7b-4c55-9a51-0f6d3c1b8e92", "_airbyte_extracted_at": 17',
    'connection reset by peer: {"_airbyte_raw_id"',
)
"""Lines as a lost connection leaves them."""

ODD_CELLS: Final = {"03-11 10:00": "ND", "03-11 10:30": "ND", "06-03 15:00": "-", "09-22 04:30": ""}
"""Half-hours of demand (month-day, local) whose cell holds no number."""


@dataclass(frozen=True)
class RawObject:
    """One object of the lake, and what a faithful reader makes of it.

    Attributes:
        counts: records by kept, blank, duplicate, rejected; their sum is what is read.
        places: at, line (or row of the sheet) and cell of what is kept, with its station_id.
        defects: planted into this object's text (not into its values).
    """

    key: str
    body: bytes
    written_at: datetime
    counts: Mapping[str, int]
    places: pl.DataFrame
    defects: Sequence[Record] = ()


@dataclass(frozen=True)
class Week:
    """Up to seven days of one feed, and when they were fetched."""

    first_on: date
    last_on: date
    fetched_at: datetime

    def select(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Give the rows of its days; `on` holds the day."""
        return rows.filter(pl.col("on").is_between(self.first_on, self.last_on))


def list_weeks(as_of: datetime, weeks: int, zone: tzinfo) -> list[Week]:
    """List the weeks of a feed; the last ends at `as_of`, the others four hours after midnight."""
    end = (as_of.astimezone(zone) - timedelta(microseconds=1)).date()
    lasts = [end - timedelta(days=7 * back) for back in reversed(range(weeks))]
    nights = [datetime.combine(last, time(), zone) + timedelta(days=1, hours=4) for last in lasts]
    return [
        Week(last - timedelta(days=6), last, min(as_of, night.astimezone(UTC)))
        for last, night in zip(lasts, nights, strict=True)
    ]


def land_infoclimat(
    frames: Mapping[Station, pl.DataFrame], weeks: Sequence[Week], seed: int
) -> Iterator[RawObject]:
    """Land one answer a week, and one day once more: a later generation, slightly restated.

    The middle object ends in a broken line; the restated one is written in ASCII.
    """
    rows = {
        station: to_infoclimat_rows(frame, station).with_columns(on=pl.col("at").dt.date())
        for station, frame in frames.items()
    }
    middle = weeks[(len(weeks) - 1) // 2]
    for number, week in enumerate(weeks):
        sync = Sync(week.fetched_at, 100 + number, 8, seed)
        chosen = {station: week.select(one) for station, one in rows.items()}
        yield _pack_answer(chosen, sync, broken=BROKEN[:1] if week is middle else ())
    day = Week(middle.first_on, middle.first_on, middle.fetched_at + timedelta(minutes=30))
    again = {station: _restate(day.select(one)) for station, one in rows.items()}
    yield _pack_answer(again, Sync(day.fetched_at, 200, 9, seed))


def _restate(rows: pl.DataFrame) -> pl.DataFrame:
    """Correct three afternoon hours by a tenth of a degree."""
    raised = (pl.col("temperature").cast(pl.Float64) + 0.1).round(1).cast(pl.String)
    afternoon = pl.col("at").dt.hour().is_between(12, 14)
    return rows.with_columns(temperature=pl.when(afternoon).then(raised).otherwise("temperature"))


def _pack_answer(
    rows: Mapping[Station, pl.DataFrame], sync: Sync, *, broken: Sequence[str] = ()
) -> RawObject:
    answer = build_infoclimat_answer({one: frame.drop("at", "on") for one, frame in rows.items()})
    lines = [Line("kept", answer), *(Line("rejected", text) for text in broken)]
    places = pl.concat(
        _place(
            frame,
            one.key,
            line=pl.lit(1),
            cell=pl.format(f"hourly.{one.id}[{{}}]", pl.int_range(pl.len())),
        )
        for one, frame in rows.items()
    )
    restated = sync.generation > 8
    defects = [{"kind": "malformed line", "line": 2 + n} for n in range(len(broken))]
    defects += [{"kind": "restated day", "line": 1, "rows": places.height}] * restated
    return RawObject(
        f"raw/airbyte-sync/infoclimat/hauts_de_france/{sync.stem}.jsonl",
        render_jsonl(lines, sync, escape=restated),
        sync.at,
        {"kept": places.height, "rejected": len(broken)},
        places,
        defects,
    )


def _place(rows: pl.DataFrame, station_id: str, *, line: pl.Expr, cell: pl.Expr) -> pl.DataFrame:
    return rows.select(
        pl.lit(station_id).alias("station_id"),
        "at",
        line.cast(pl.UInt32).alias("line"),
        cell.cast(pl.String).alias("cell"),
    )


def land_tables(
    rows: pl.DataFrame, station: Station, weeks: Sequence[Week], seed: int, *, as_csv: bool = False
) -> Iterator[RawObject]:
    """Land Airbyte's reading of a station's tables, an object a week, as gzipped CSV or as JSONL.

    Of JSONL the middle one is gzipped, and an early one has broken and repeated lines.
    """
    for number, week in enumerate(weeks):
        sync = Sync(week.fetched_at, (400 if as_csv else 300) + number, 1, seed)
        lines, defects = to_wunderground_lines(week.select(rows)), []
        if not as_csv and number == len(weeks) // 3:
            defects = _break_lines(lines)
        body = render_csv(lines, sync) if as_csv else render_jsonl(lines, sync)
        suffix = "csv" if as_csv else "jsonl"
        if as_csv or number == len(weeks) // 2:
            body, suffix = gzip.compress(body, 6, mtime=0), f"{suffix}.gz"
        folder = f"raw/airbyte-sync/wunderground/{station.id}/first_day={week.first_on}"
        kept = [(line.at, number) for number, line in enumerate(lines, 1 + as_csv) if line.at]
        places = pl.DataFrame(kept, schema={"at": INSTANT, "line": pl.UInt32}, orient="row")
        places = _place(places, station.key, line=pl.col("line"), cell=pl.lit(None))
        counts = Counter[str](line.kind for line in lines)
        key = f"{folder}/{sync.stem}.{suffix}"
        yield RawObject(key, body, sync.at, counts, places, defects)


def land_undated(
    rows: pl.DataFrame, station: Station, fetched_at: datetime, seed: int
) -> RawObject:
    """Land an hour of records whose key names no day: nobody can tell when they were."""
    sync = Sync(fetched_at, 99, 1, seed)
    records = [line.content for line in to_wunderground_lines(rows.head(12))[1:]]
    lines = [Line("rejected", record) for record in records]
    key = f"raw/airbyte-sync/wunderground/{station.id}/{sync.stem}.jsonl"
    nowhere = _place(rows.clear(), "", line=pl.lit(0), cell=pl.lit(None))
    defects = [{"kind": "undated object", "rows": len(lines)}]
    counts = {"rejected": len(lines)}
    return RawObject(key, render_jsonl(lines, sync), sync.at, counts, nowhere, defects)


def _break_lines(lines: list[Line]) -> list[Record]:
    """Put two broken lines and a repeated one among the lines; tell where."""
    third = len(lines) // 3
    planted = {
        third: Line("rejected", BROKEN[0]),
        third + 40: Line("duplicate", lines[third + 38].content),
        2 * third: Line("rejected", BROKEN[1]),
    }
    for index, line in planted.items():
        lines.insert(index, line)
    names = {"rejected": "malformed line", "duplicate": "repeated record"}
    return [{"kind": names[line.kind], "line": index + 1} for index, line in planted.items()]


def land_workbooks(
    rows: pl.DataFrame, station: Station, weeks: Sequence[Week]
) -> Iterator[RawObject]:
    """Land a native workbook a week, a sheet per local day, as a person would download it."""
    for week in weeks:
        chosen = week.select(rows)
        places = _place(
            chosen,
            station.key,
            line=pl.int_range(pl.len()).over("on") + 3,
            cell=pl.col("on").dt.strftime("%d%m%y"),
        )
        name = f"{station.id}_{week.first_on:%d%m%y}_{week.last_on:%d%m%y}.xlsx"
        counts = {"kept": chosen.height, "blank": chosen["on"].n_unique()}
        body = render_workbook(chosen, week.fetched_at)
        key = f"raw/wunderground/{station.id}/{name}"
        yield RawObject(key, body, week.fetched_at, counts, places)


def land_demand(load: pl.DataFrame, as_of: datetime, years: int) -> Iterator[RawObject]:
    """Land a definitive file for each whole year, and the running year's in real time.

    Some cells of the last whole year hold no number (ODD_CELLS).
    """
    today = (as_of.astimezone(PARIS) - timedelta(microseconds=1)).date()
    for year in range(today.year - years, today.year + 1):
        running = year == today.year
        days = (date(year, 1, 1), today if running else date(year, 12, 31))
        odd = {f"{year}-{at}": text for at, text in ODD_CELLS.items() if year == today.year - 1}
        rows = to_eco2mix_rows(load, days, as_of, odd)
        name = "En-cours-TR" if running else f"Annuel-Definitif_{year}"
        nature = "Données temps réel" if running else "Données définitives"
        lines = rows.with_row_index("line", 2)
        stamp = pl.concat_str("Date", "Heures", separator=" ")
        kind, column = pl.lit("cell without a number"), pl.lit("Consommation")
        defects = lines.filter(stamp.is_in(list(odd))).select(
            "line", kind=kind, column=column, text="Consommation"
        )
        yield RawObject(
            f"raw/rte/eCO2mix_RTE_Hauts-de-France_{name}.xls",
            render_eco2mix(rows, nature),
            min(as_of, datetime(year + 1, 6, 15, tzinfo=UTC)),
            Counter(rows["fate"]),
            _place(lines.filter(fate="kept"), "rte:32", line=pl.col("line"), cell=pl.lit(None)),
            defects.to_dicts(),
        )
