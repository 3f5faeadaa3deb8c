"""Extract and transform against a bare Polars read of the same clean bytes.

Each run is a process of its own, so that its peak memory is its own; runs alternate, so that the
machine's drift hits both.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from tasks.common.objects import open_store
from tasks.common.settings import Settings
from tasks.extract.harvest import harvest_lake
from tasks.transform.outcome import conclude_transform
from tasks.transform.processed import Layer, commit_run

OBJECT_ROWS = 20_000
STATIONS = 6
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)


def write_lake(folder: Path, objects: int) -> None:
    """Write Weather Underground rows as Airbyte lands them: 5-minute steps, dated, no faults."""
    numbers = np.random.default_rng(1)
    for number in range(objects):
        station, part = number % STATIONS, number // STATIONS
        start = datetime(2021, 1, 1, tzinfo=UTC) + timedelta(minutes=5 * OBJECT_ROWS * part)
        path = folder / f"raw/wunderground/IBENCH{station}/{part:05d}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(format_rows(start, numbers))


def format_rows(start: datetime, numbers: np.random.Generator) -> str:
    minutes = np.arange(OBJECT_ROWS) * 5
    frame = pl.DataFrame(
        {
            "at": [start + timedelta(minutes=int(n)) for n in minutes],
            "temp": np.round(
                50 + 15 * np.sin(minutes / 229) + numbers.normal(0, 1, OBJECT_ROWS), 1
            ),
            "rh": numbers.integers(40, 100, OBJECT_ROWS),
            "wind": np.round(numbers.gamma(2, 3, OBJECT_ROWS), 1),
            "hpa": np.round(29.9 + 0.3 * np.sin(minutes / 4000), 2),
            "rain": np.round(np.minimum(minutes % 1440 / 9000, 0.4), 2),
            "uuid": numbers.integers(10**11, 10**12, OBJECT_ROWS),
        }
    )
    line = (
        '{"_airbyte_raw_id": "69f6b801-8fbd-4543-b032-{}", "_airbyte_extracted_at": 1745688139000, '
        '"_airbyte_meta": {"changes": [], "sync_id": 18}, "_airbyte_generation_id": 1, '
        '"_airbyte_data": {"Pressure": "{} in", "Timestamp": "{}", "Humidity": "{} %", '
        '"Dew Point": "{} °F", "Wind": "WNW", "Precip. Accum.": "{} in", "Temperature": "{} °F", '
        '"Gust": "{} mph", "Precip. Rate.": "0.00 in", "Solar": "0 w/m²", "Speed": "{} mph", '
        '"UV": 0}}\n'
    )
    pieces: list[pl.Expr] = []
    columns = ["uuid", "hpa", "stamp", "rh", "dew", "rain", "temp", "gust", "wind"]
    frame = frame.with_columns(
        stamp=pl.col("at").dt.strftime("%Y-%m-%d %H:%M:%S"),
        dew=(pl.col("temp") - 5).round(1),
        gust=(pl.col("wind") * 1.5).round(1),
    )
    texts = line.split("{}")
    # The envelope's own empty braces do not occur: every "{}" is a value's place.
    for text, column in zip(texts, columns, strict=False):
        pieces += [pl.lit(text), pl.col(column).cast(pl.String)]
    pieces.append(pl.lit(texts[-1]))
    return "".join(frame.select(pl.concat_str(pieces)).to_series())


def read_bare(folder: Path) -> int:
    """Read every object with Polars, nothing else; one at a time, as flat as it gets."""
    paths = sorted((folder / "raw").rglob("*.jsonl"))
    return sum(pl.read_ndjson(path.read_bytes()).height for path in paths)


def run_ours(folder: Path) -> int:
    """Extract and transform, processed layer and history included."""
    with tempfile.TemporaryDirectory(dir=folder) as output:
        settings = Settings(lake_uri=str(folder), output_uri=output)
        extracted = harvest_lake(str(folder), settings, as_of=AS_OF)
        layer = Layer(open_store(output, settings), extracted.scratch, dry_run=False)
        committed = commit_run(extracted, layer)
        return conclude_transform(extracted, committed, layer).observations


def measure_ingest(rows: int, repeats: int) -> dict[str, float]:
    """Give medians: rows per second, ratios of wall and CPU, peak memory by number of objects."""
    objects = max(STATIONS, rows // OBJECT_ROWS)
    with tempfile.TemporaryDirectory() as lake, tempfile.TemporaryDirectory() as larger:
        write_lake(Path(lake), objects)
        write_lake(Path(larger), 3 * objects)
        runs: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
        for _ in range(repeats):
            for name, told in runs.items():
                told.append(run_apart(name, lake))
        large = run_apart("ours", larger)
    bare, ours = (
        {key: statistics.median(run[key] for run in told) for key in told[0]}
        for told in runs.values()
    )
    return {
        "rows": ours["rows"],
        "rows_per_second": ours["rows"] / ours["wall_s"],
        "bare_rows_per_second": bare["rows"] / bare["wall_s"],
        "wall_over_bare": ours["wall_s"] / bare["wall_s"],
        "cpu_over_bare": ours["cpu_s"] / bare["cpu_s"],
        "peak_mib": ours["peak_mib"],
        "peak_mib_with_three_times_the_objects": large["peak_mib"],
        "peak_three_times_over_once": large["peak_mib"] / ours["peak_mib"],
    }


def run_apart(name: str, folder: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.ingest", name, folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main(name: str, folder: str) -> None:
    work: Callable[[Path], int] = {"bare": read_bare, "ours": run_ours}[name]
    wall, cpu = time.perf_counter(), time.process_time()
    rows = work(Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {
        "rows": rows,
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_mib": peak,
    }
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
