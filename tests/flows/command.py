"""The command line as a person uses it, in a working directory of its own."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
# One a process: the first run pays for the migrations, and no two ever share the database.
PREFECT_HOME = Path(tempfile.gettempdir()) / f"prefect-of-tests-{os.getpid()}"
SHARED_DATA = ROOT.parent / "shared" / "data"


@dataclass(frozen=True)
class Ran:
    """What a command left: exit code, both streams, and the report if it wrote one."""

    code: int
    out: str
    err: str
    report: dict[str, Any]

    def series(self, series_id: str) -> dict[str, Any]:
        return next(one for one in self.report["series"] if one["series_id"] == series_id)


def run_module(module: str, *arguments: str, cwd: Path, **environment: str) -> Ran:
    """Run `python -m module` in `cwd` with nothing configured but `environment`."""
    return run_long(module, *arguments, cwd=cwd, timeout_s=300, environment=environment)


def run_long(
    module: str, *arguments: str, cwd: Path, timeout_s: float, environment: Mapping[str, str]
) -> Ran:
    kept = {name: value for name, value in os.environ.items() if name != "MONGODB_URI"}
    kept["PREFECT_HOME"] = str(PREFECT_HOME)
    told = cwd / "report.json"
    told.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd,
        env=kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"} | dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    report = json.loads(told.read_text()) if told.exists() else {}
    return Ran(done.returncode, done.stdout, done.stderr, report)


def read_fence(page: Path, language: str, number: int = 0) -> str:
    """Give a block of code of a page, word by word."""
    found = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    return found[number]


def require_shared_data() -> Path:
    """Give the folder of real data; its absence is a failure in CI and a loud skip elsewhere."""
    if not SHARED_DATA.is_dir():
        reason = f"{SHARED_DATA} is absent: the real InfoClimat, Weather Underground and RTE files"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return SHARED_DATA
