"""Hauts-de-France, Wednesday 6 November 2019, 22:00: judged by what really happened."""

import itertools
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from pymongo import MongoClient

from tests.flows.command import Ran, require_shared_data, run_module

AS_OF = "2019-11-06T22:00+01:00"
SERIES = "rte:32:electricity_demand"


def read_truth(path: Path) -> pl.DataFrame:
    """Read hourly means straight from RTE's file: at (UTC), truth (MW)."""
    lines = path.read_bytes().decode("latin-1").splitlines()
    cells = [line.split("\t") for line in lines[1:] if line.startswith("Hauts-de-France")]
    return (
        pl.DataFrame(
            {"local": [f"{row[2]} {row[3]}" for row in cells], "mw": [row[4] for row in cells]}
        )
        .filter(pl.col("mw") != "")
        .select(
            at=pl.col("local")
            .str.to_datetime("%Y-%m-%d %H:%M")
            .dt.replace_time_zone("Europe/Paris", ambiguous="earliest", non_existent="null")
            .dt.convert_time_zone("UTC")
            .cast(pl.Datetime("us", "UTC")),
            truth=pl.col("mw").cast(pl.Float64),
        )
        .drop_nulls()
        .sort("at")
        .group_by_dynamic("at", every="1h")
        .agg(pl.col("truth").mean())
    )


@pytest.fixture(scope="module")
def demand_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("demand") / "lake"
    lake.mkdir()
    # All of the folder, as every object of the region's demand and temperature counts.
    for path in (require_shared_data() / "demand").iterdir():
        (lake / path.name).write_bytes(path.read_bytes())
    return lake


def run_on(lake: Path, uri: str, database: str, *words: str, cwd: Path) -> Ran:
    return run_module(
        "flows.forecast",
        *("--lake", str(lake), "--as-of", AS_OF, "--json", "report.json", *words),
        cwd=cwd,
        MONGODB_URI=uri,
        MONGODB_DATABASE=database,
    )


def read_points(uri: str, database: str) -> pl.DataFrame:
    with MongoClient(uri, tz_aware=True) as client:
        db = client[database]
        run_id = (db["current"].find_one() or {})["run_id"]
        document = db["forecasts"].find_one({"run_id": run_id, "series_id": SERIES}) or {}
    columns = ("value", "lower80", "upper80", "lower95", "upper95")
    return pl.DataFrame(
        {"at": document["valid_at"], **{name: document[name] for name in columns}}
    ).with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, mongodb_uri: str) -> Ran:
    folder = tmp_path_factory.mktemp("real-demand")
    ran = run_on(require_shared_data(), mongodb_uri, "real_demand", cwd=folder)
    assert ran.code == 0, ran.err
    return ran


@pytest.fixture(scope="module")
def published(ran: Ran, mongodb_uri: str) -> pl.DataFrame:
    assert ran.report["mongodb"]["published"] is True
    return read_points(mongodb_uri, "real_demand")


@pytest.fixture(scope="module")
def judged(published: pl.DataFrame, demand_lake: Path) -> pl.DataFrame:
    """Join each point with the truth and with what both naives would have said at issue time."""
    truth = pl.concat([read_truth(path) for path in sorted(demand_lake.glob("*Definitif*"))])
    issued = datetime.fromisoformat(AS_OF)
    known = truth.filter(pl.col("at") < issued)

    def shifted(days: int) -> pl.DataFrame:
        return known.select(
            pl.col("at").dt.offset_by(f"{days}d"), pl.col("truth").alias(f"d{days}")
        )

    frame = published.join(truth, on="at")
    for days in (7, 14, 364):
        frame = frame.join(shifted(days), on="at", how="left")
    # The last four days are more than a week ahead: the same hour of the last known week.
    return frame.with_columns(naive_week=pl.coalesce("d7", "d14"), naive_year=pl.col("d364"))


def percent_error(judged: pl.DataFrame, column: str) -> float:
    error = ((pl.col(column) - pl.col("truth")).abs() / pl.col("truth")).mean() * 100
    return judged.select(error).item()


def test_what_cannot_be_dated_is_quarantined_and_nothing_is_written_to_the_lake(ran: Ran):
    records = ran.report["input"]["records"]
    assert records["rejected"] == {"nonexistent_local_time": 4, "undated": 576}
    assert ran.report["input"]["output"].startswith(".local/output/data-")
    assert {path.name for path in require_shared_data().iterdir()} == {
        *("README.md", "benchmark", "demand", "weather")
    }


def test_eleven_days_are_published_to_the_end_of_sunday(published: pl.DataFrame):
    assert published["at"].min() == datetime.fromisoformat(AS_OF)
    assert published["at"].max() == datetime.fromisoformat("2019-11-17T23:00+01:00")
    assert published.height == 266


def test_the_forecast_is_no_worse_than_the_naives(judged: pl.DataFrame):
    ours, week, year = (
        percent_error(judged, column) for column in ("value", "naive_week", "naive_year")
    )
    print(f"MAPE {ours:.2f} %; same hour last week {week:.2f} %; 364 days ago {year:.2f} %")
    assert judged.height == 266
    assert ours < max(week, year)


def test_intervals_contain_each_other_and_most_of_the_truth(judged: pl.DataFrame):
    order = ("lower95", "lower80", "value", "upper80", "upper95")
    pairs = itertools.pairwise(order)
    assert judged.select(pl.all_horizontal(pl.col(a) <= pl.col(b) for a, b in pairs).all()).item()
    inside = judged.select(pl.col("truth").is_between("lower95", "upper95").mean()).item()
    assert inside > 0.75


def test_a_poisoned_future_changes_no_point(
    demand_lake: Path, published: pl.DataFrame, mongodb_uri: str, tmp_path: Path
):
    lake = tmp_path / "lake"
    lake.mkdir()
    for path in demand_lake.iterdir():
        lines = path.read_bytes().split(b"\n")
        (lake / path.name).write_bytes(b"\n".join(poison(line) for line in lines))
    ran = run_on(lake, mongodb_uri, "poisoned_demand", "--quiet", cwd=tmp_path)
    assert (ran.out, ran.err) == ("COMPLETED: every budget was kept.\n", "")
    assert read_points(mongodb_uri, "poisoned_demand").equals(published)


def poison(line: bytes) -> bytes:
    """Put 99999 MW and 40 degC on everything from the issue time on."""
    cells = line.split(b"\t")
    if len(cells) > 4 and cells[4].isdigit() and (cells[2], cells[3]) >= (b"2019-11-06", b"22:00"):
        cells[4] = b"99999"
    days = line.split(b";")
    if len(days) == 7 and b"2019-11-06" <= days[1] < b"3":
        return b";".join([*days[:4], b"40", b"40", b"40"])
    return b"\t".join(cells)
