"""Files of OBSERVATIONS are read in parts, so that memory does not grow with their size."""

import base64
import subprocess
import sys
from pathlib import Path

import bson
import numpy as np
import polars as pl

from tasks.upsert.observations import encode_file
from tests.unit.upsert.frames import observations, processed

GROUP = 512**2
READ = """
import sys, time
from pathlib import Path
from tasks.upsert.observations import encode_file
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) >> 10
batches, before = encode_file(Path(sys.argv[1]), ()), peak()
count = len(next(batches))
time.sleep(0.5)  # a slow database; meanwhile polars reads ahead
print(peak() - before, count)
"""


def write(path: Path, groups: int) -> Path:
    """Write groups of rows that no compression makes small."""
    rows, chance = groups * GROUP, np.random.default_rng(1)
    texts = np.frombuffer(base64.b64encode(chance.bytes(90 * rows)), dtype="S120").astype(str)
    frame = pl.concat([observations([10.0] * 512)] * (rows // 512))
    told = frame.with_columns(source_key=pl.Series(texts))
    told.write_parquet(path, compression="zstd", compression_level=1, statistics=False)
    return path


def measure_reading(path: Path) -> int:
    """Give the MiB that a reader takes beside its imports, when it has one batch."""
    told = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, check=True)
    growth, count = map(int, told.stdout.split())
    assert count > 0
    return growth


def test_a_reader_of_a_large_file_holds_a_part_of_it(tmp_path: Path):
    small, large = (measure_reading(write(tmp_path / f"{n}", n)) for n in (1, 4))
    assert large < 1.4 * small


def test_rows_beyond_one_batch_keep_their_order():
    layer = processed(observations([1.0] * 5001))
    batches = list(encode_file(layer.fetch(layer.files[0]), ()))
    lines = [bson.decode(body)["metadata"]["source_line"] for b in batches for _, _, body, _ in b]
    assert [len(batch) for batch in batches] == [5000, 1]
    assert lines == list(range(1, 5002))
