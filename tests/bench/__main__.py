"""python -m tests.bench ingest | forecast-quality | forecast-speed | load [--json]."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import orjson
from cyclopts import App, Parameter
from cyclopts.config import Env
from cyclopts.validators import Number

from tasks.common.errors import ConfigurationError, PipelineError
from tests.bench.cases import Case, Cut, parse_step, pick_cases, read_csv, read_m4
from tests.bench.ingest import measure_ingest
from tests.bench.load import measure_load
from tests.bench.production import Production, measure_production
from tests.bench.quality import measure_quality
from tests.bench.speed import measure_speed
from tests.bench.tables import render_figures, render_methods, show

USAGE_EXIT: Final = 2
Count = Annotated[int, Parameter(validator=Number(gte=1))]
Flag = Annotated[bool, Parameter(negative=())]

app = App(
    name="python -m tests.bench",
    help="Measure the pipeline; ratios within one run.",
    config=Env("BENCH_", command=False),  # such as BENCH_ROWS=120000
)


@Parameter(name="*")
@dataclass(frozen=True)
class M4Words:
    """A file of the M4 competition.

    Attributes:
        m4: File of id, split (train or test) and values joined by semicolons; plain or gz.
        frequency: Of its series; tells step and season.
    """

    m4: Path | None = None
    frequency: Literal["hourly", "daily", "weekly"] = "hourly"


@Parameter(name="*")
@dataclass(frozen=True)
class CsvWords:
    """Columns of a CSV, cut at origins that are spread evenly.

    Attributes:
        csv: CSV with a header, plain or gz.
        time: Column of times, ISO.
        values: Columns to forecast, joined by commas; default: all others.
        step: Length of a step: 15m, 1h, 1d, 1w.
        horizon: Steps to forecast.
        origins: Of each column.
        history_days: Before each origin; default 56, or 1825 for a step of a day or more.
    """

    csv: Path | None = None
    time: str = "ds"
    values: str = ""
    step: str = "1h"
    horizon: Count = 168
    origins: Count = 4
    history_days: Count | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class LakeWords:
    """The pipeline itself, from each Wednesday 22:00 Europe/Paris, eleven days ahead.

    Attributes:
        lake: Folder or s3://bucket/prefix of raw objects; only read.
        series: Pattern of series ids, for example 'rte:*'.
        as_of_from: First Wednesday, or a day before it.
        weeks: Wednesdays.
    """

    lake: str | None = None
    series: str = "*"
    as_of_from: date | None = None
    weeks: Count = 49


@Parameter(name="*")
@dataclass(frozen=True)
class RunWords:
    """How it is run and printed.

    Attributes:
        limit: Take so many cases (or Wednesdays), evenly spread; default: all.
        workers: Processes; default: one per core.
        json: Print JSON.
    """

    limit: Count | None = None
    workers: Count | None = None
    json: Flag = False


@app.command
def ingest(*, rows: int = 1_000_000, repeats: int = 3, json: bool = False) -> None:
    """Compare extract and transform of JSONL with a bare Polars read of the same bytes.

    Args:
        rows: Rows to generate, in objects of 20,000.
        repeats: Runs of each, in turn; medians are printed.
        json: Print JSON.
    """
    figures = measure_ingest(rows, repeats)
    show_told(figures, as_json=json)


@app.command
def load(*, rows: Count = 200_000, growth: bool = True, json: Flag = False) -> None:
    """Compare the migration with bare writes of the same documents, by CPU of client and server.

    Args:
        rows: Observations to load.
        growth: Also load 50,000 and 800,000, for the exponent; takes most of the time.
        json: Print JSON.
    """
    show_told(measure_load(rows, growth=growth), as_json=json)


@app.command
def forecast_quality(
    *,
    m4: M4Words | None = None,
    csv: CsvWords | None = None,
    lake: LakeWords | None = None,
    run: RunWords | None = None,
) -> None:
    """Score ours, plain Prophet, the naives and every member on known futures.

    sMAPE, MASE and OWA are M4's own (Naive2 = 1). Widths are in units of MASE's scale. CPU
    seconds are per series, Stan's included; a backtest counts. Give one of --m4, --csv, --lake.

    For example: `forecast-quality --m4 m4_hourly.csv.gz --frequency hourly --limit 20`;
    `forecast-quality --csv pjm.csv.gz --values AEP,DOM --horizon 168 --origins 3 --json`;
    `forecast-quality --lake demand/ --series 'rte:32:*' --as-of-from 2019-01-09 --weeks 49`.
    """
    m4, csv, lake, run = m4 or M4Words(), csv or CsvWords(), lake or LakeWords(), run or RunWords()
    given = [name for name in (m4.m4, csv.csv, lake.lake) if name is not None]
    if len(given) != 1:
        msg = f"{len(given)} of --m4, --csv and --lake are given: give one of them."
        raise ConfigurationError(msg)
    if lake.lake is not None:
        told = measure_lake(lake, run)
    else:
        name, cases = read_cases(m4, csv)
        told = measure_quality(name, pick_cases(cases, run.limit), workers=run.workers)
    show_told(told, as_json=run.json)


@app.command
def forecast_speed(
    *,
    series: Count = 40,
    rounds: Count = 3,
    workers: Count | None = None,
    json: Flag = False,
) -> None:
    """Compare the fast mode, and a plain loop of Prophet's defaults, with the bare optimiser.

    The floor of each is the time that Stan alone takes for the very same fits, one after another,
    divided by the cores. Series are eight weeks of hours like load, made here; 168 h ahead.

    For example: `forecast-speed --series 20 --json`.

    Args:
        series: Series to make.
        rounds: Rounds of everything; medians are printed.
        workers: Processes; default: one per core.
        json: Print JSON.
    """
    show_told(measure_speed(series, rounds=rounds, workers=workers), as_json=json)


def read_cases(m4: M4Words, csv: CsvWords) -> tuple[str, list[Case]]:
    """Read the cases of the file that is given, and name the set."""
    if m4.m4 is not None:
        return f"{m4.m4.name} {m4.frequency}", read_m4(m4.m4, m4.frequency)
    assert csv.csv is not None
    cut = Cut(parse_step(csv.step), csv.horizon, csv.origins, csv.history_days)
    columns = [name.strip() for name in csv.values.split(",") if name.strip()]
    name = f"{csv.csv.name} {csv.horizon} x {csv.step}"
    return name, read_csv(csv.csv, time=csv.time, columns=columns, cut=cut)


def measure_lake(words: LakeWords, run: RunWords) -> dict[str, Any]:
    """Measure the production path."""
    if words.lake is None or words.as_of_from is None:
        msg = "--lake needs --as-of-from: give the first Wednesday, such as 2019-01-09."
        raise ConfigurationError(msg)
    wanted = Production(words.lake, words.series, words.as_of_from, words.weeks, run.limit)
    return measure_production(wanted, workers=run.workers)


def show_told(told: Mapping[str, Any], *, as_json: bool) -> None:
    """Print figures, or the methods of a set."""
    if as_json:
        sys.stdout.write(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        show(render_methods(told) if "methods" in told else render_figures(told))


def main() -> int:
    """Run the command line; a wrong word is told in one sentence, with exit code 2."""
    try:
        app()
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE_EXIT
    return 0


if __name__ == "__main__":
    sys.exit(main())
