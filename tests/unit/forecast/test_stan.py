import subprocess
import tempfile
from pathlib import Path

import cmdstanpy  # noqa: F401 - it makes a folder of its own when it is first imported
import numpy as np
import pytest

from tasks.forecast import stan
from tasks.forecast.models import Recipe, predict_prophet
from tasks.forecast.stan import _read_parameters, find_optimum
from tests.unit.forecast.series import give_train

FOUND = """\
# model = prophet_model
lp__,k,m,beta.1,beta.2
# algorithm = lbfgs (Default)
-12.5,0.5,1,0.25,-3e-05
"""


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, as a worker sets it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_parameters_are_read_by_name(tmp_path: Path):
    path = tmp_path / "found.csv"
    path.write_text(FOUND)
    found = _read_parameters(path)
    assert found["k"].tolist() == [0.5]
    assert found["beta"].tolist() == [0.25, -3e-05]


@pytest.mark.parametrize("kept", [0, 30, 50, len(FOUND) - 10, len(FOUND) - 4])
def test_a_result_that_a_full_disk_cut_short_is_told(tmp_path: Path, kept: int):
    path = tmp_path / "found.csv"
    path.write_text(FOUND[:kept])
    with pytest.raises(RuntimeError, match=r"found.csv is cut short: is the disk full\?"):
        _read_parameters(path)


def test_a_fit_leaves_no_file_behind(scratch: Path):
    predict_prophet(give_train(np.arange(24 * 30.0) % 24, future=2), Recipe())
    assert list(scratch.iterdir()) == []


def test_what_stan_cannot_fit_is_told_in_one_line_and_leaves_no_file(scratch: Path):
    told = r"no optimum for 3 rows \(exit 1\): Exception: variable does not exist; .* name=K"
    with pytest.raises(RuntimeError, match=told):
        find_optimum({"T": 3}, {"k": 0.0}, seed=1)
    assert list(scratch.iterdir()) == []


def test_a_fit_that_does_not_end_is_ended_and_leaves_no_file(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stan, "PATIENCE_S", 1e-6)
    with pytest.raises(subprocess.TimeoutExpired):
        predict_prophet(give_train(np.arange(24 * 30.0) % 24, future=2), Recipe())
    assert list(scratch.iterdir()) == []
