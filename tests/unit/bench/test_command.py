"""The command line of the forecasts' bench."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from tasks.common.errors import ConfigurationError
from tests.bench.__main__ import app
from tests.shell import documented, make_checkout, type_lines

HOURS = 100 + 20 * np.sin(np.arange(600) / 24 * 2 * np.pi) + np.arange(600) % 5


def run(*words: str) -> None:
    app(words, exit_on_error=False, result_action="return_value")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "0 of --m4, --csv and --lake are given: give one of them"),
        (["--m4", "a", "--csv", "b"], "2 of --m4, --csv and --lake are given"),
        (["--m4", "nowhere.csv"], "There is no file nowhere.csv"),
        (["--csv", "nowhere.csv", "--step", "often"], "--step is 'often'"),
        (["--lake", "nowhere"], "--lake needs --as-of-from"),
    ],
)
def test_words_that_cannot_be_carried_out_are_refused(words: list[str], told: str):
    with pytest.raises(ConfigurationError, match=told):
        run("forecast-quality", *words)


def test_a_file_of_m4_becomes_one_json(tmp_path: Path):
    parts = {"train": HOURS[:500], "test": HOURS[500:548]}
    rows = [f"H1,{split},{';'.join(map(str, part))}" for split, part in parts.items()]
    text = "\n".join(["id,split,values", *rows])
    (make_checkout(tmp_path) / "m4_hourly.csv.gz").write_bytes(gzip.compress(text.encode()))
    line = documented(
        ".venv/bin/python -m tests.bench forecast-quality --m4 m4_hourly.csv.gz "
        "--frequency hourly --json"
    )
    told = json.loads(type_lines(line, tmp_path, {"BENCH_WORKERS": "1"}))
    wanted = {"smape", "mase", "owa", "coverage80", "coverage95", "width80", "width95"}
    assert set(told["methods"]["ours"]) == wanted | {"cpu_s", "series"}
    assert {"prophet", "naive_24h"} <= set(told["methods"])
    assert told["series"] == 1


def test_a_column_of_a_csv_is_scored_at_an_origin(tmp_path: Path):
    start = np.datetime64("2024-01-01T00:00")
    rows = [f"{start + np.timedelta64(place, 'h')},{hour}" for place, hour in enumerate(HOURS)]
    body = "\n".join(["ds,AEP", *rows]).encode()
    (make_checkout(tmp_path) / "pjm.csv.gz").write_bytes(gzip.compress(body))
    line = documented(
        ".venv/bin/python -m tests.bench forecast-quality --csv pjm.csv.gz "
        "--horizon 168 --origins 6 --json"
    )
    told = json.loads(type_lines(line, tmp_path, {"BENCH_WORKERS": "1", "BENCH_LIMIT": "1"}))
    assert (told["set"], told["series"]) == ("pjm.csv.gz 168 x 1h", 1)
    assert {"ours", "naive_24h"} <= set(told["methods"])
