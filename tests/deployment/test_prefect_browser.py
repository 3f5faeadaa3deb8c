"""`forecast-local` driven from the UI, by a real browser."""

from pathlib import Path

import pytest

from tests.deployment.prefect_ui import IMAGES, run_from_the_form, running_stage
from tests.flows.browser import running_browser


@pytest.mark.browser
def test_a_run_from_the_form_completes_and_its_artifact_tells_the_verdict(tmp_path: Path):
    with running_browser() as browser, running_stage(tmp_path) as stage:
        seen = run_from_the_form(browser, stage, tmp_path)
    assert seen.verdict == "COMPLETED"
    assert "readers stay on the last run of all series" in seen.artifact


@pytest.mark.parametrize("image", ["form", "run", "artifact"])
def test_a_picture_is_small(image: str):
    assert 10_000 < (IMAGES / f"prefect-{image}.png").stat().st_size < 150_000
