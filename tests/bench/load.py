"""The migration against bare writes of the same documents, by CPU of client and server together.

Each run is a process of its own, so that its peak memory is its own. Wall clock on a busy machine
is noise; CPU is what is compared, wall stands beside it.
"""

import hashlib
import json
import math
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from uuid import uuid4

import bson
import numpy as np
import polars as pl
from pydantic import SecretStr
from pymongo.database import Database

from deployments.local.mongod import serve_folder
from tasks.common.contracts import OBSERVATION_KEYS
from tasks.common.manifests import Manifest
from tasks.common.migration import Selection
from tasks.common.mongo import Document, ensure_indexes, open_database
from tasks.common.objects import open_store
from tasks.common.results import ProcessedFile, SourceFacts
from tasks.common.settings import Settings
from tasks.transform.clean import convert_units, flag_values
from tasks.transform.processed import encode_parquet
from tasks.upsert.observations import encode_file
from tests.bench.cpu import measure_cost
from tests.fixtures.migrating import migrate

UNITS = {
    "air_temperature": "degF",
    "dew_point_temperature": "degF",
    "relative_humidity": "%",
    "wind_speed": "mph",
    "wind_from_direction": "degree",
    "air_pressure_at_mean_sea_level": "inHg",
}
FACTS = SourceFacts("wu", "wu", 1, timedelta(minutes=5), UNITS)
STATIONS, BATCH, SAMPLE = 8, 5000, 10
"""update_one is slow: one document in ten is written so, and its cost multiplied."""


def write_layer(folder: Path, rows: int, files: int) -> None:
    """Write a processed layer of so many files, eight stations each, and its manifest."""
    store = open_store(str(folder), Settings())
    numbers, named = np.random.default_rng(1), []
    for number in range(files):
        first = datetime(2015, 1, 1, tzinfo=UTC) + timedelta(days=400 * number)
        frame = make_frame(first, rows // files // STATIONS, numbers)
        body, key = encode_parquet(frame, FACTS), f"processed/v1/observations/{number}.parquet"
        store.put_if_absent(key, body)
        digest = hashlib.sha256(body).hexdigest()
        span = (f"{first:%Y-%m}", frame["at"][0], frame["at"][-1])
        named.append(ProcessedFile(key, len(body), digest, frame.height, "wu", *span))
    manifest = Manifest(
        manifest_id="bench",
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        inputs=(),
        files=tuple(named),
        stations=(),
        quarantine_key=None,
        versions={},
    )
    store.put_if_absent("processed/v1/_manifests/bench.json", manifest.encode())


def make_frame(first: datetime, steps: int, numbers: np.random.Generator) -> pl.DataFrame:
    """Give OBSERVATIONS of eight stations at five-minute steps."""
    rows = steps * STATIONS
    minutes = np.arange(rows) % steps * 5
    keys = {
        "station_id": np.repeat([f"wu:IBENCH{n}" for n in range(STATIONS)], steps),
        "at": pl.Series(minutes).cast(pl.Int64) * 60_000_000 + int(first.timestamp() * 1e6),
        "rev": ["01|00000001|20250426T150859.000000Z|0001|000001"] * rows,
        "maturity": [1] * rows,
        "source_id": ["wu"] * rows,
        "source_key": ["raw/bench.jsonl"] * rows,
        "line": np.arange(1, rows + 1),
        "extracted_at": [datetime(2025, 4, 26, tzinfo=UTC)] * rows,
    }
    values = {
        "air_temperature": 50 + 15 * np.sin(minutes / 229) + numbers.normal(0, 1, rows),
        "dew_point_temperature": 45 + numbers.normal(0, 1, rows),
        "relative_humidity": numbers.integers(40, 100, rows).astype(float),
        "wind_speed": numbers.gamma(2, 3, rows),
        "wind_from_direction": numbers.integers(0, 360, rows).astype(float),
        "air_pressure_at_mean_sea_level": 29.9 + 0.3 * np.sin(minutes / 4000),
    }
    rounded = {name: np.round(told, 2) for name, told in values.items()}
    frame = pl.DataFrame({**keys, **rounded}).cast(pl.Schema(OBSERVATION_KEYS))
    columns = [f"{name}{kind}" for name in UNITS for kind in ("", "__raw", "__flag")]
    return flag_values(convert_units(frame, UNITS)).select(*OBSERVATION_KEYS, *columns)


def read_documents(folder: Path) -> list[Document]:
    """Give the documents of a layer, ready to be written."""
    files = sorted((folder / "processed/v1/observations").glob("*.parquet"))
    return [
        bson.decode(body)
        for file in files
        for batch in encode_file(file, ())
        for _, _, body, _ in batch
    ]


def insert_bare(folder: Path, db: Database[Document]) -> Callable[[], object]:
    """Insert ready documents, nothing else; the floor."""
    documents = read_documents(folder)
    batches = [documents[start : start + BATCH] for start in range(0, len(documents), BATCH)]
    target = db["observations"]
    return lambda: [target.insert_many(batch, ordered=False) for batch in batches]


def update_one_by_one(folder: Path, db: Database[Document]) -> Callable[[], object]:
    """Upsert ready documents one by one, as the older system did."""
    documents = read_documents(folder)[::SAMPLE]
    target = db["observations"]
    return lambda: [
        target.update_one({"_id": d["_id"]}, {"$set": d}, upsert=True) for d in documents
    ]


def load_all(folder: Path, db: Database[Document]) -> Callable[[], object]:
    """Migrate everything, read again whatever the ledger says."""
    return lambda: migrate(open_store(str(folder), Settings()), db, Selection(all=True))


def load_new(folder: Path, db: Database[Document]) -> Callable[[], object]:
    """Migrate what the ledger does not have."""
    return lambda: migrate(open_store(str(folder), Settings()), db)


WORK = {"bare": insert_bare, "one": update_one_by_one, "all": load_all, "new": load_new}


def measure_load(rows: int, *, growth: bool) -> dict[str, float]:
    """Give the ratios of issue and README; with `growth` also 50,000 to 800,000 rows."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name, count, files in ((str(rows), rows, 10), ("5", rows // 10, 5), ("50", rows, 50)):
            (home / name).mkdir()
            write_layer(home / name, count, files)
        with serve_folder(home / "mongo") as uri:
            figures = compare(home / str(rows), uri)
            small, large = (run_apart("new", home / name, uri) for name in ("5", "50"))
            figures["memory_50_over_5_files"] = large["peak_mib"] / small["peak_mib"]
            figures["peak_mib_of_50_files"] = large["peak_mib"]
            if growth:
                figures["growth_exponent"] = measure_growth(home, uri)
    return figures


def compare(folder: Path, uri: str) -> dict[str, float]:
    """Give each way's cost against the first load, the middle one of three rounds."""
    rounds = [measure_round(folder, uri) for _ in range(3)]
    return {name: median(told[name] for told in rounds) for name in rounds[0]}


def measure_round(folder: Path, uri: str) -> dict[str, float]:
    """Give each way's CPU against the first load, and its wall time."""
    target = uuid4().hex
    bare, one = (run_apart(way, folder, uri) for way in ("bare", "one"))
    first, again, known = (run_apart(way, folder, uri, target) for way in ("all", "all", "new"))
    told = {"rows_per_cpu_second": int(folder.name) / first["cpu_s"]}
    for kind, name in (("cpu_s", ""), ("wall_s", "_wall")):
        told |= {
            f"first_load_over_insert_many{name}": bare[kind] / first[kind],
            f"rerun_over_first_load{name}": first[kind] / again[kind],
            f"ledger_rerun_over_first_load{name}": first[kind] / known[kind],
            f"over_update_one{name}": SAMPLE * one[kind] / first[kind],
        }
    return told


def measure_growth(home: Path, uri: str) -> float:
    """Give the exponent of CPU over rows."""
    costs = []
    for rows in (50_000, 800_000):
        (home / f"g{rows}").mkdir()
        write_layer(home / f"g{rows}", rows, rows // 10_000)
        costs.append(run_apart("new", home / f"g{rows}", uri)["cpu_s"])
    return math.log(costs[1] / costs[0]) / math.log(16)


def run_apart(way: str, folder: Path, uri: str, target: str | None = None) -> dict[str, float]:
    """Do one way in a process and a database of its own."""
    words = (way, str(folder), uri, target or uuid4().hex)
    command = [sys.executable, "-m", "tests.bench.load", *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def main(way: str, folder: str, uri: str, target: str) -> None:
    settings = Settings(mongodb_uri=SecretStr(uri), mongodb_database=target)
    with open_database(settings) as db:
        ensure_indexes(db)
        work, before = WORK[way](Path(folder), db), read_server_cpu(db)
        cost = measure_cost(work)
        served = read_server_cpu(db) - before
        if way != "all":  # the last on this database, which must not crowd out the next one
            db.client.drop_database(db)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"wall_s": cost.wall_s, "cpu_s": cost.cpu_s + served, "peak_mib": peak}
    sys.stdout.write(json.dumps(told | {"server_cpu_s": served}))


def read_server_cpu(db: Database[Document]) -> float:
    """Give the CPU seconds of mongod."""
    told = db.client.admin.command("serverStatus")["extra_info"]
    return (told["user_time_us"] + told["system_time_us"]) / 1e6


if __name__ == "__main__":
    main(*sys.argv[1:])
