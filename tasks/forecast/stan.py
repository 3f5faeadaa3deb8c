"""Prophet's compiled model, run by itself.

It is given what Prophet gives it, so it finds what Prophet finds. Only the way there and back is
ours: cmdstanpy walks through each number on its way into JSON and reads the table back by pandas,
35 ms of Python around 80 ms of optimising eight weeks of hours; here it is 3. A test holds it to
the answers of Prophet's own `fit`, so that a release that does otherwise is noticed.
"""

import subprocess
import tempfile
from collections.abc import Mapping
from enum import Enum
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from tasks.forecast.train import Values

NEWTON_BELOW: Final = 100
"""Rows; Prophet does not try L-BFGS on fewer."""
ITERATIONS: Final = 10_000
PATIENCE_S: Final = 600
"""A fit takes seconds; one that hangs would hold its run for ever, deadline or not."""


def find_optimum(data: Mapping[str, Any], start: Mapping[str, Any], *, seed: int) -> dict[str, Any]:
    """Give the likeliest parameters by name, each a vector.

    By L-BFGS, and where that fails by Newton's method. No file outlives the call, or the folder
    for temporary files of a worker that is killed.

    Args:
        data: the model's inputs, numbers and arrays.
        start: where the search starts, by parameter.
        seed: a whole number above zero; equal ones give equal bits on one machine.

    Raises:
        RuntimeError: Stan found no optimum.
        TimeoutExpired: it did not end.
    """
    with tempfile.TemporaryDirectory(prefix="stan-") as name:
        folder = Path(name)
        (folder / "data.json").write_bytes(_to_json(data))
        (folder / "init.json").write_bytes(_to_json(start))
        for algorithm in ("newton",) if data["T"] < NEWTON_BELOW else ("lbfgs", "newton"):
            # Arguments are ours, and no shell reads them.
            ended = subprocess.run(  # noqa: S603
                _compose(folder, algorithm, seed),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                timeout=PATIENCE_S,
            )
            if ended.returncode == 0:
                return _read_parameters(folder / "found.csv")
    # For example: Optimization terminated with error: Line search failed to achieve ...
    reason = " ".join(ended.stderr.split()) or "no reason given"
    msg = f"Stan found no optimum for {data['T']} rows (exit {ended.returncode}): {reason}"
    raise RuntimeError(msg)


def _to_json(numbers: Mapping[str, Any]) -> bytes:
    return orjson.dumps(dict(numbers), default=_to_lists, option=orjson.OPT_SERIALIZE_NUMPY)


def _to_lists(thing: Any) -> Any:  # noqa: ANN401 - whatever orjson does not know
    """Give what Prophet mixes in: frames, arrays with strides, an enumeration."""
    return thing.value if isinstance(thing, Enum) else np.asarray(thing).tolist()


@cache
def _find_program() -> str:
    return str(distribution("prophet").locate_file("prophet/stan_model/prophet_model.bin"))


def _compose(folder: Path, algorithm: str, seed: int) -> list[str]:
    return [
        *(_find_program(), "random", f"seed={seed}"),
        *("data", f"file={folder}/data.json", f"init={folder}/init.json"),
        *("output", f"file={folder}/found.csv"),
        *("method=optimize", f"algorithm={algorithm}", f"iter={ITERATIONS}"),
    ]


def _read_parameters(path: Path) -> dict[str, Values]:
    """Read a header such as `lp__,k,m,delta.1,delta.2,...` and the one row below it.

    Raises:
        RuntimeError: the file is cut short; Stan does not mind a full disk.
    """
    text = path.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    names, *rows = (line.split(",") for line in lines or [""])
    # A row cut within its last number, -3e-05 to -3, has all its columns but no end.
    if [len(row) for row in rows] != [len(names)] or not text.endswith("\n"):
        msg = f"Stan's result {path} is cut short: is the disk full?"
        raise RuntimeError(msg)
    found: dict[str, list[str]] = {}
    for name, value in zip(names, rows[0], strict=True):
        found.setdefault(name.partition(".")[0], []).append(value)
    return {name: np.array(values, dtype=float) for name, values in found.items()}
