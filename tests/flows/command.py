"""The command line as a person uses it, in a working directory of its own."""

import json
import os
import re
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from flows.terminal import run_command
from tests.shell import BASH, ROOT, call

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
    command = (sys.executable, "-m", module, *arguments)
    return _run(command, cwd, {"PYTHONPATH": str(ROOT), **environment})


def type_line(line: str, *, cwd: Path, **environment: str) -> Ran:
    """Type a line of the documents in a checkout with nothing configured but `environment`."""
    return _run((*BASH, line), cwd, environment)


def _run(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Ran:
    told = cwd / "report.json"
    told.unlink(missing_ok=True)
    done = call(command, cwd, environment, timeout_s=600)
    report = json.loads(told.read_text()) if told.exists() else {}
    return Ran(done.returncode, done.stdout, done.stderr, report)


def refuse(app: App, *words: str) -> str | int | None:
    """Run a command line in this process, for words that it refuses, and give its exit code."""
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Cyclopts application invoked without tokens")
        patch.setattr(sys, "argv", ["command", *words])
        with pytest.raises(SystemExit) as left:
            run_command(app)
    signal.signal(signal.SIGTERM, handler)
    return left.value.code


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
