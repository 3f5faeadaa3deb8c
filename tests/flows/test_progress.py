"""What is seen while a flow runs: one live line, plain lines, JSON, or nothing."""

import io
import json
import logging
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW, temporary_settings
from rich.console import Console

from flows import progress
from flows.progress import watched
from tasks.forecast.task import listener
from tasks.forecast.work import How
from tests.shell import ROOT

STEPS = logging.getLogger("prefect.task_runs")
MADE: Counter[How] = Counter({"fitted": 300, "recalled": 20})

TELL = """
import logging
from flows.terminal import explain, say
from tasks.common.errors import TerminalError
say("Lake: [bold] .local")
logging.getLogger("prefect.client").info("Beginning")
explain(TerminalError("it broke"))
"""


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Give a terminal of 100 columns to look at."""
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=100, markup=False, highlight=False)
    monkeypatch.setattr(progress, "stderr", terminal)
    levels = {handler: handler.level for handler in logging.getLogger().handlers}
    with temporary_settings({PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW: "ignore"}):
        yield screen
    for handler, level in levels.items():
        handler.setLevel(level)


def test_a_person_sees_the_step_and_how_many_fits_came_about_how(shown: io.StringIO):
    with watched(quiet=False):
        STEPS.info("History of %d series", 46, extra={"task_name": "transform"})
        time.sleep(0.2)  # rich draws ten times a second
        listener.get()(1242, MADE)
    assert "transform: History of 46 series" in shown.getvalue()
    assert "forecast: 320 of 1,242 fits (300 fitted, 20 recalled)" in shown.getvalue()


def test_the_live_line_never_wraps_and_takes_no_orders(shown: io.StringIO):
    with watched(quiet=False):
        STEPS.info("[red]\x1b[2J" + "long " * 100, extra={"task_name": "extract"})
        time.sleep(0.2)
    assert "extract: [red]\ufffd[2Jlong" in shown.getvalue()
    assert "long " * 20 not in shown.getvalue()


def test_afterwards_nobody_listens(shown: io.StringIO):
    with watched(quiet=False):
        pass
    before = shown.getvalue()
    STEPS.info("more", extra={"task_name": "upsert"})
    listener.get()(2, MADE)
    assert shown.getvalue() == before


def test_a_person_who_wants_quiet_sees_no_line(shown: io.StringIO):
    with watched(quiet=True):
        STEPS.error("a fault that is tried again", extra={"task_name": "extract"})
    assert shown.getvalue() == ""


@pytest.mark.parametrize("formatter", ["json", "standard"])
def test_one_variable_makes_every_line_of_the_log_json(formatter: str, tmp_path: Path):
    variables = {"PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": formatter, "PYTHONPATH": str(ROOT)}
    variables["PREFECT_HOME"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", TELL],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    if formatter == "json":
        told = [json.loads(line) for line in done.stderr.splitlines()]
        assert [one["levelname"] for one in told] == ["INFO", "INFO", "ERROR"]
    else:
        assert done.stderr.splitlines()[0] == "Lake: [bold] .local"
        assert done.stderr.splitlines()[-1] == "TerminalError: it broke"
