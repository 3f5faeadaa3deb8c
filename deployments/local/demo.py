"""A demo lake: simulated weather and demand in the exact raw formats, with faults and the truth.

python -m deployments.local.demo [--folder .local/lake] [--as-of ISO] [--seed N]
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import cyclopts
import polars as pl

from deployments.local.climate import Grid, Station, simulate_region, simulate_station
from deployments.local.faults import (
    AIRPORT,
    FAULTS,
    PRIVATE,
    RESET,
    STATIONS,
    TABLES,
    WORKBOOKS,
    tell_faults,
)
from deployments.local.formats import Record
from deployments.local.landing import (
    PARIS,
    RawObject,
    land_demand,
    land_infoclimat,
    land_tables,
    land_undated,
    land_workbooks,
    list_weeks,
)
from deployments.local.load import simulate_load
from deployments.local.wunderground import to_wunderground_rows
from tasks.common.contracts import VARIABLES
from tasks.common.errors import ConfigurationError

AFTERWARDS: Final = timedelta(days=12)
"""How far the truth goes beyond `as_of`: to the end of the next ISO week, and a margin."""

KEPT: Final = ("kept", "blank", "duplicate", "rejected")


@dataclass(frozen=True)
class DemoLake:
    """A filled demo lake.

    Attributes:
        objects: how many there are.
        rows: records in them, as a faithful reader counts them.
        truth: Parquet of series_id, station_id, variable, at, value: hourly, labelled by the
            hour's start (UTC), canonical units, no faults, from the first week of weather (of
            demand: the first year) to twelve days after `as_of`. `demo.json` beside it tells the
            arguments, every object's counts and every fault.
    """

    folder: Path
    as_of: datetime
    objects: int
    rows: int
    truth: Path


def fill_lake(
    folder: Path, *, as_of: datetime, seed: int = 2, weeks: int = 9, demand_years: int = 2
) -> DemoLake:
    """Fill a folder with a lake that ends at `as_of`; equal arguments give equal bytes.

    Demand covers `demand_years` whole years and the running one, weather the last `weeks`. Lakes
    of one seed tell of one weather, whatever their `as_of`.

    Raises:
        ConfigurationError: `as_of` has no zone, `folder` holds raw objects already, or the spans
            leave no room for the faults.
    """
    _check_arguments(folder, as_of, weeks, demand_years)
    as_of, span = as_of.astimezone(UTC), timedelta(weeks=weeks)
    region, load = _simulate_demand(as_of, seed, demand_years)
    frames = {
        one: _simulate_weather(region, one, (as_of - span, as_of + AFTERWARDS), seed)
        for one in STATIONS
    }
    truth = [_tell_truth(load.rename({"demand": "electricity_demand"}), "rte:32")]
    truth += [_tell_truth(_hide_gusts(frame, one), one.key) for one, frame in frames.items()]
    known = {one: frame.filter(pl.col("at") < as_of) for one, frame in frames.items()}
    for fault in FAULTS:
        known[fault.station] = fault.plant(known[fault.station], as_of, span)
    objects = [*_land_weather(known, as_of, weeks, seed), *land_demand(load, as_of, demand_years)]
    story = {"as_of": as_of.isoformat(), "seed": seed, "weeks": weeks, "demand_years": demand_years}
    story["defects"] = list(tell_faults(objects, as_of, span))
    return _write_lake(
        folder, objects, pl.concat(truth).filter(pl.col("at") < as_of + AFTERWARDS), story
    )


def _check_arguments(folder: Path, as_of: datetime, weeks: int, demand_years: int) -> None:
    if as_of.tzinfo is None:
        msg = f"The demo's as-of is {as_of.isoformat()}: add its offset, as in +01:00."
        raise ConfigurationError(msg)
    if weeks < 2 or demand_years < 1:
        msg = f"A demo of {weeks} weeks and {demand_years} years is too short: use 2 and 1 or more."
        raise ConfigurationError(msg)
    if (folder / "raw").exists():
        msg = f"Folder {folder} holds raw/ already: name an empty folder, or remove raw/ first."
        raise ConfigurationError(msg)


def read_demo(folder: Path) -> DemoLake | None:
    """Describe the demo lake a folder holds; None where `fill_lake` did not finish one."""
    told = folder / ".demo" / "demo.json"
    if not told.is_file():
        return None
    return _describe(folder, json.loads(told.read_text(encoding="utf-8")))


def _describe(folder: Path, story: Record) -> DemoLake:
    rows = sum(one["read"] for one in story["objects"])
    as_of = datetime.fromisoformat(story["as_of"])
    return DemoLake(folder, as_of, len(story["objects"]), rows, folder / ".demo" / "truth.parquet")


def _simulate_demand(as_of: datetime, seed: int, years: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give the region's weather and its demand, from before the first year on."""
    first_on = date(as_of.astimezone(PARIS).year - years, 1, 1) - timedelta(days=2)
    grid = Grid.cover(seed, first_on, (as_of + AFTERWARDS).date() + timedelta(days=1), 30)
    region = simulate_region(grid)
    return region, simulate_load(region, grid)


def _simulate_weather(
    region: pl.DataFrame, station: Station, span: tuple[datetime, datetime], seed: int
) -> pl.DataFrame:
    """Simulate a station from two days before the span, so that counters have a past."""
    first, last = (moment.date() for moment in span)
    grid = Grid.cover(seed, first - timedelta(days=2), last, station.minutes, station.phase)
    return simulate_station(region, station, grid)


def _hide_gusts(frame: pl.DataFrame, station: Station) -> pl.DataFrame:
    """Drop what InfoClimat's private stations do not report."""
    return frame.drop("wind_speed_of_gust") if station in PRIVATE else frame


def _tell_truth(frame: pl.DataFrame, station_id: str) -> pl.DataFrame:
    """Give each hour of all that is forecast, by each variable's own statistic."""
    names = [name for name in frame.columns if name in VARIABLES and VARIABLES[name].forecast]
    hours = frame.group_by_dynamic("at", every="1h").agg(
        pl.col(name).max() if VARIABLES[name].statistic == "max" else pl.col(name).mean()
        for name in names
    )
    return hours.unpivot(names, index="at").select(
        pl.format(f"{station_id}:{{}}", "variable").alias("series_id"),
        pl.lit(station_id).alias("station_id"),
        "variable",
        "at",
        "value",
    )


def _land_weather(
    frames: Mapping[Station, pl.DataFrame], as_of: datetime, weeks: int, seed: int
) -> Iterator[RawObject]:
    """Land the six stations in their three formats."""
    days = list_weeks(as_of, weeks, UTC)
    yield from land_infoclimat({one: frames[one] for one in (*PRIVATE, AIRPORT)}, days, seed)
    days, half = list_weeks(as_of, weeks, PARIS), weeks // 2
    tables = to_wunderground_rows(frames[TABLES], TABLES.minutes, RESET)
    yield from land_tables(tables, TABLES, days, seed)
    yield land_undated(tables, TABLES, days[0].fetched_at, seed)
    tables = to_wunderground_rows(frames[WORKBOOKS], WORKBOOKS.minutes, "0h")
    yield from land_tables(tables, WORKBOOKS, days[:half], seed, as_csv=True)
    yield from land_workbooks(tables, WORKBOOKS, days[half:])


def _write_lake(
    folder: Path, objects: Sequence[RawObject], truth: pl.DataFrame, story: Record
) -> DemoLake:
    """Write objects under a hidden name, then show them at once; `demo.json` comes last."""
    hidden = folder / ".demo"
    for landed in objects:
        path = hidden / landed.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(landed.body)
        stamp = landed.written_at.timestamp()
        os.utime(path, (stamp, stamp))
    truth.write_parquet(hidden / "truth.parquet")
    (hidden / "raw").rename(folder / "raw")
    story["objects"] = [_tell_counts(landed) for landed in objects]
    text = json.dumps(story, ensure_ascii=False, indent=1)
    (hidden / "demo.json").write_text(text + "\n", encoding="utf-8")
    return _describe(folder, story)


def _tell_counts(landed: RawObject) -> Record:
    counts = {kind: landed.counts.get(kind, 0) for kind in KEPT}
    return {"key": landed.key, "read": sum(counts.values()), **counts}


def find_last_wednesday(now: datetime) -> datetime:
    """Give the newest Wednesday 22:00 in Paris that is not after `now`."""
    local = now.astimezone(PARIS)
    evening = local.replace(hour=22, minute=0, second=0, microsecond=0)
    evening -= timedelta(days=(local.weekday() - 2) % 7)
    return evening if evening <= local else evening - timedelta(days=7)


def main(folder: Path = Path(".local/lake"), *, as_of: str | None = None, seed: int = 2) -> int:
    """Fill a demo lake, and say what it holds.

    Args:
        folder: Where; it must not hold raw/ yet.
        as_of: Its last instant, ISO 8601 with offset. Default: the last Wednesday 22:00 in Paris.
        seed: Another seed, another weather.
    """
    try:
        end = datetime.fromisoformat(as_of) if as_of else find_last_wednesday(datetime.now(UTC))
        lake = fill_lake(folder, as_of=end, seed=seed)
    except (ConfigurationError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(
        f"{lake.folder}: {lake.objects} objects, {lake.rows} records, simulated to "
        f"{lake.as_of:%Y-%m-%dT%H:%MZ}.\nThe truth behind them, planted faults included: "
        f"{lake.truth.parent}.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
