"""A demo lake: simulated weather and demand in the exact raw formats, with faults and the truth."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from deployments.local.demand import simulate_load
from deployments.local.formats import Record
from deployments.local.landing import RawObject, land_lake, list_weeks
from deployments.local.weather import STATIONS, Grid, observe_weather, simulate_region
from tasks.common.contracts import VARIABLES
from tasks.common.errors import ConfigurationError

AFTERWARDS: Final = timedelta(days=12)
"""How far the truth goes beyond `as_of`: to the end of the next ISO week, and a margin."""


@dataclass(frozen=True)
class DemoLake:
    """A filled demo lake.

    Attributes:
        story: its arguments, every object's counts, and every fault, as in `demo.json`.
    """

    folder: Path
    as_of: datetime
    story: Record

    @property
    def truth(self) -> Path:
        """Parquet of series_id, variable, at, value, without any fault.

        Hourly, labelled by the hour's start (UTC), canonical units, from the first week of weather
        (of demand: the year before last) to twelve days after `as_of`.
        """
        return self.folder / ".demo" / "truth.parquet"


def fill_lake(folder: Path, *, as_of: datetime, seed: int = 2, weeks: int = 9) -> DemoLake:
    """Fill a folder with a lake that ends at `as_of`; equal arguments give equal bytes.

    Demand covers two whole years and the running one, weather the last `weeks`. Lakes of one seed
    tell of one weather, whatever their `as_of`.

    Raises:
        ConfigurationError: `as_of` has no zone, or `folder` holds raw objects already.
    """
    if as_of.tzinfo is None:
        msg = f"The demo's as-of is {as_of.isoformat()}: add its offset, as in +01:00."
        raise ConfigurationError(msg)
    if (folder / "raw").exists():
        msg = f"Folder {folder} holds raw/ already: name an empty folder, or remove raw/ first."
        raise ConfigurationError(msg)
    as_of, margin = as_of.astimezone(UTC), timedelta(days=2)
    days = list_weeks(as_of, weeks)
    first_on = days[0].first_on - margin
    # Weather begins two days early, so that sums of rain have a past.
    since, until = date(days[-1].last_on.year - 2, 1, 1) - margin, (as_of + AFTERWARDS + margin)
    grid = Grid.cover(seed, since, until.date())
    region = simulate_region(grid)
    load = simulate_load(region, grid)
    weather = {one: observe_weather(region, one, grid, first_on) for one in STATIONS}
    objects, faults = land_lake(weather, load, days)
    truth = [_tell_truth(load.rename({"Consommation": "electricity_demand"}), "rte:32")]
    truth += [_tell_truth(frame, station.key) for station, frame in weather.items()]
    counts = [landed.count_records() for landed in objects]
    story: Record = {"as_of": as_of.isoformat(), "seed": seed, "weeks": weeks, "objects": counts}
    lake = DemoLake(folder, as_of, story | {"defects": faults})
    _write_lake(lake, objects, pl.concat(truth).filter(pl.col("at") < as_of + AFTERWARDS))
    return lake


def read_demo(folder: Path) -> DemoLake | None:
    """Describe the demo lake a folder holds; None where `fill_lake` did not finish one."""
    told = folder / ".demo" / "demo.json"
    if not told.is_file():
        return None
    story = json.loads(told.read_text(encoding="utf-8"))
    return DemoLake(folder, datetime.fromisoformat(story["as_of"]), story)


def _tell_truth(frame: pl.DataFrame, station_id: str) -> pl.DataFrame:
    """Give each hour of all that is forecast, by each variable's own statistic."""
    names = [name for name in frame.columns if name in VARIABLES and VARIABLES[name].forecast]
    hours = frame.group_by_dynamic("at", every="1h").agg(
        pl.col(name).max() if VARIABLES[name].statistic == "max" else pl.col(name).mean()
        for name in names
    )
    series = pl.format(f"{station_id}:{{}}", "variable").alias("series_id")
    return hours.unpivot(names, index="at").drop_nulls().select(series, "variable", "at", "value")


def _write_lake(lake: DemoLake, objects: Sequence[RawObject], truth: pl.DataFrame) -> None:
    """Write objects under a hidden name, then show them at once; `demo.json` comes last."""
    hidden = lake.truth.parent
    shutil.rmtree(hidden, ignore_errors=True)
    for landed in objects:
        path = hidden / landed.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(landed.body)
        stamp = landed.written_at.timestamp()
        os.utime(path, (stamp, stamp))
    truth.write_parquet(lake.truth)
    (hidden / "raw").rename(lake.folder / "raw")
    (hidden / "demo.json").write_text(json.dumps(lake.story, indent=1), encoding="utf-8")
