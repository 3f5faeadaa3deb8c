"""Temperatures that somebody forecast, from Airbyte's lines to the demand of real days."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from tasks.forecast.backtest import run_job
from tests.bench.production import Origin, Production, plan_origins, read_lake
from tests.flows.command import require_shared_data
from tests.unit.extract.given import line

DEMAND = "rte:32:electricity_demand"
DATA = (
    "eCO2mix_RTE_Hauts-de-France_Annuel-Definitif_2018.xls",
    "eCO2mix_RTE_Hauts-de-France_Annuel-Definitif_2019.xls",
    "temperature-quotidienne-regionale_HDF_2016-2023.csv",
)


def forecast_days() -> list[bytes]:
    """Forecast every day since August by what then came, a degree worse with each day ahead."""
    path = require_shared_data() / "demand" / DATA[2]
    table = pl.read_csv(path, separator=";", infer_schema=False)
    truth = dict(table.select("Date", "TMoy (°C)").iter_rows())
    chance = np.random.default_rng(1)
    answers = []
    for back in range(95, -1, -1):
        days = [date(2019, 11, 6) + timedelta(days=ahead - back) for ahead in range(16)]
        error = np.cumsum(chance.normal(0, 1, 16)) - 0.7
        told = [round(float(truth[f"{day}"]) + by, 1) for day, by in zip(days, error, strict=True)]
        daily = {"time": [f"{day}" for day in days], "temperature_2m_mean": told}
        answers.append(line({"timezone": "Europe/Paris", "daily": daily}))
    return answers


def give_lake(folder: Path) -> Production:
    """Land the real demand and temperature of two years."""
    for name in DATA:
        shutil.copy(require_shared_data() / "demand" / name, folder)
    return Production(str(folder), DEMAND, date(2019, 11, 6), weeks=1)


def plan_wednesday(wanted: Production, output: Path) -> Origin:
    """Read the lake, until what was forecast is over, and plan as on the evening of 6 November."""
    (as_of,) = wanted.issue_times
    whole = read_lake(wanted, output, as_of=as_of + timedelta(days=12))
    (origin,) = plan_origins(whole, as_of, wanted)
    return origin


def measure_error(origin: Origin) -> float:
    """Give the mean share by which the regression on calendar and temperature errs."""
    said = run_job(origin.plan.make_job(0, "calendar")).values
    assert said is not None
    return float(np.nanmean(np.abs(said / origin.truth - 1)))


def test_landed_forecasts_of_the_temperature_make_a_better_forecast_of_demand(tmp_path: Path):
    (tmp_path / "lake").mkdir()
    wanted = give_lake(tmp_path / "lake")
    season = plan_wednesday(wanted, tmp_path / "season")
    assert season.plan.temperature == "measured until 2019-11-05, then the normal of the season"
    landed = tmp_path / "lake/raw/weather/openmeteo_32/2019_11_06_1573066800000_0.jsonl"
    landed.parent.mkdir(parents=True)
    landed.write_bytes(b"\n".join(forecast_days()) + b"\n")
    told = plan_wednesday(wanted, tmp_path / "told")
    # The answer of the 6th, fetched that evening, is in time.
    forecast = "as openmeteo:32 forecast after 2019-11-05"
    assert told.plan.temperature == f"measured until 2019-11-05, then {forecast}"
    assert measure_error(told) < 0.8 * measure_error(season) < 0.06
