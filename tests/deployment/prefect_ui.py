"""A person at the Prefect UI: runs started from their forms, with pictures for the README.

python -m tests.deployment.prefect_ui
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import chdir, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from deployments.local.ground import prepared_ground
from tests.fixtures.prefect_servers import running, running_server
from tests.flows.browser import running_browser
from tests.shell import ROOT

IMAGES = ROOT / "docs/images"
RUN_S = 600
VERDICTS = ("COMPLETED", "DEGRADED", "FAILED", "Failed", "Crashed")
SWITCHES = ("latest", "all", "replay_quarantine", "dry_run", "verify")
"""Of the migration's form, from top to bottom."""


class Stage(NamedTuple):
    """Where the UI is served, and the issue time up to which there are data."""

    ui: str
    as_of: datetime


class Seen(NamedTuple):
    """What the person saw: how the run ended, the text of its artifact, and that of the form."""

    verdict: str
    artifact: str
    form: str


@contextmanager
def running_stage(folder: Path) -> Generator[Stage]:
    """Serve the demo lake, a MongoDB, a Prefect server, the deployments and their worker."""
    with (
        chdir(folder),
        prepared_ground(None, dry_run=False, say=lambda _: None) as as_of,
        running_server(folder) as api,
    ):
        assert as_of is not None
        told = {"PREFECT_API_URL": api, "PREFECT_HOME": str(folder / "prefect")}
        command = [sys.executable, "-m", "deployments.prefect"]
        for word in ("bootstrap", "deploy"):
            words = [*command, word, "forecast-local", "migration-local"]
            subprocess.run(words, cwd=ROOT, env=os.environ | told, check=True)
        told |= {"MONGODB_URI": os.environ["MONGODB_URI"], "LAKE_URI": str(folder / ".local/lake")}
        worker = ["prefect", "worker", "start", "--pool", "local"]
        with running(worker, folder, folder / "worker.log", **told):
            yield Stage(api.removesuffix("/api"), as_of.astimezone(UTC))


def run_from_the_form(browser: Browser, stage: Stage, images: Path) -> Seen:
    """Fill the form as the how-to says, wait for the run, and look at what it left."""
    page = open_form(browser, stage, "forecast-local")
    form = page.inner_text("body")
    fill_form(page, stage.as_of)
    take_picture(page, images / "prefect-form.png")
    page.get_by_role("button", name="Submit").click()
    verdict = wait_for_verdict(page, stage)
    page.locator("a[href*='/flow-run/']").first.click()
    page.get_by_text("Task Runs").first.wait_for()
    page.wait_for_timeout(2_500)  # the timeline draws itself
    take_picture(page, images / "prefect-run.png")
    page.get_by_text("Artifacts", exact=True).click()
    page.mouse.wheel(0, 2_000)
    page.get_by_text("forecast-run", exact=True).click()
    page.get_by_text("Read ").first.wait_for()
    take_picture(page, images / "prefect-artifact.png")
    return Seen(verdict, page.inner_text("body"), form)


def migrate_from_the_form(
    browser: Browser, stage: Stage, run: str, *switches: str, key: str | None = None
) -> Seen:
    """Fill the migration's form, wait for the run of this name, and read what it left."""
    page = open_form(browser, stage, "migration-local", height=1400)  # lists draw what is in sight
    form = page.inner_text("body")
    if key is not None:
        page.get_by_role("button", name="str", exact=True).nth(1).click()  # the first is the lake
        page.locator("textarea").fill(key)
    for switch in switches:
        page.get_by_role("switch").nth(SWITCHES.index(switch)).click()
    page.get_by_role("button", name="Submit").click()
    link = page.get_by_role("link", name=run, exact=True)
    look_until(page, stage, lambda: link.count() > 0)  # a run is renamed when it starts
    link.click()
    page.wait_for_url("**/flow-run/**")
    page.get_by_text("Job Variables", exact=True).wait_for()  # the list of runs is gone
    ended = page.get_by_text(re.compile(f"^({'|'.join(VERDICTS)})$")).first
    ended.wait_for(timeout=RUN_S * 1_000)
    verdict = ended.inner_text()
    page.get_by_text("Artifacts", exact=True).click()
    page.get_by_text(re.compile("^(migration|forecast-failure)$")).first.click()
    page.get_by_text("Show raw data").wait_for()
    return Seen(verdict, page.inner_text("body"), form)


def open_form(browser: Browser, stage: Stage, deployment: str, *, height: int = 800) -> Page:
    """Go from the list of deployments to the form of one."""
    page = browser.new_context(viewport={"width": 1280, "height": height}).new_page()
    page.goto(f"{stage.ui}/deployments")
    page.get_by_text(deployment).first.click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    page.get_by_role("button", name="Submit").wait_for()
    return page


def wait_for_verdict(page: Page, stage: Stage) -> str:
    """Look at the list of runs until the one there has ended; give its state's name."""
    text = look_until(page, stage, lambda: any(w in page.inner_text("body") for w in VERDICTS))
    return next(word for word in VERDICTS if word in text)


def look_until(page: Page, stage: Stage, is_there: Callable[[], bool]) -> str:
    """Look at the list of runs again and again; give its text once something is there."""
    page.wait_for_timeout(1_000)
    deadline = time.monotonic() + RUN_S
    while time.monotonic() < deadline:
        page.goto(f"{stage.ui}/runs")
        page.wait_for_timeout(2_000)
        if is_there():
            return page.inner_text("body")
    pytest.fail(f"Not seen within {RUN_S} s: {page.inner_text('body')}")


def fill_form(page: Page, as_of: datetime) -> None:
    """Forecast the region's demand as of the end of the demo's data."""
    page.get_by_role("button", name="date-time", exact=True).click()
    page.get_by_text("Select date and time").click()
    page.locator("input[type=date]").fill(f"{as_of:%Y-%m-%d}")
    page.locator("input[type=time]").fill(f"{as_of:%H:%M}")
    page.get_by_role("button", name="Apply").click()
    page.locator("textarea").fill("rte:32:*")


def take_picture(page: Page, file: Path) -> None:
    """Keep what is to be seen, in 64 colours: small enough for a repository."""
    page.wait_for_timeout(500)
    page.screenshot(path=file)
    with Image.open(file) as image:
        image.convert("RGB").quantize(64).save(file, optimize=True)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stage(Path(folder)) as stage,
        running_browser() as browser,
    ):
        print(run_from_the_form(browser, stage, IMAGES).verdict)
