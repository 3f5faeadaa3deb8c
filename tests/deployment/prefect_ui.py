"""A person at the Prefect UI: `forecast-local` run from its form, with pictures for the README.

python -m tests.deployment.prefect_ui
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import chdir, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from deployments.local.ground import prepared_ground
from tasks.common.settings import Settings
from tests.fixtures.prefect_servers import BIN, ROOT, running, running_server
from tests.flows.browser import running_browser

IMAGES = ROOT / "docs/images"
RUN_S = 240
VERDICTS = ("COMPLETED", "DEGRADED", "FAILED", "Failed", "Crashed")


class Stage(NamedTuple):
    """Where the UI is served, and the issue time up to which there are data."""

    ui: str
    as_of: datetime


class Seen(NamedTuple):
    """What the person saw: how the run ended, and the text of its artifact."""

    verdict: str
    artifact: str


@contextmanager
def running_stage(folder: Path) -> Generator[Stage]:
    """Serve the demo lake, a MongoDB, a Prefect server, the deployment and its worker."""
    with (
        chdir(folder),
        prepared_ground(Settings(), None, dry_run=False, say=lambda _: None) as as_of,
        running_server(folder) as api,
    ):
        assert as_of is not None
        told = {"PREFECT_API_URL": api, "PREFECT_HOME": str(folder / "prefect")}
        command = [sys.executable, "-m", "deployments.prefect"]
        for word in ("bootstrap", "deploy"):
            words = [*command, word, "forecast-local"]
            subprocess.run(words, cwd=ROOT, env=os.environ | told, check=True)
        told |= {"MONGODB_URI": os.environ["MONGODB_URI"], "LAKE_URI": str(folder / ".local/lake")}
        worker = [str(BIN / "prefect"), "worker", "start", "--pool", "local"]
        with running(worker, folder, folder / "worker.log", **told):
            yield Stage(api.removesuffix("/api"), as_of.astimezone(UTC))


def run_from_the_form(browser: Browser, stage: Stage, images: Path) -> Seen:
    """Fill the form as the how-to says, wait for the run, and look at what it left."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{stage.ui}/deployments")
    page.get_by_text("forecast-local").first.click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
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
    return Seen(verdict, page.inner_text("body"))


def wait_for_verdict(page: Page, stage: Stage) -> str:
    """Look at the list of runs until the one there has ended; give its state's name."""
    page.wait_for_timeout(1_000)
    deadline = time.monotonic() + RUN_S
    while time.monotonic() < deadline:
        page.goto(f"{stage.ui}/runs")
        page.wait_for_timeout(2_000)
        text = page.inner_text("body")
        if found := [word for word in VERDICTS if word in text]:
            return found[0]
    pytest.fail(f"No run has ended: {text}")


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
