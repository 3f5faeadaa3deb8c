"""The command line of the forecasts' bench."""

import json
from pathlib import Path

import numpy as np
import pytest

from tasks.common.errors import ConfigurationError
from tests.bench.__main__ import app


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


def test_a_file_of_m4_becomes_one_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    hours = 100 + 20 * np.sin(np.arange(548) / 24 * 2 * np.pi) + np.arange(548) % 5
    parts = {"train": hours[:500], "test": hours[500:]}
    rows = [f"H1,{split},{';'.join(map(str, part))}" for split, part in parts.items()]
    path = tmp_path / "m4.csv"
    path.write_text("\n".join(["id,split,values", *rows]))
    run("forecast-quality", "--m4", str(path), "--frequency", "hourly", "--workers", "1", "--json")
    told = json.loads(capsys.readouterr().out)
    wanted = {"smape", "mase", "owa", "coverage80", "coverage95", "width80", "width95"}
    assert set(told["methods"]["ours"]) == wanted | {"cpu_s", "series"}
    assert {"prophet", "naive_24h"} <= set(told["methods"])
    assert told["series"] == 1
