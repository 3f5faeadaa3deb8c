"""`forecast-local` and `migration-local` driven from the UI, by a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tasks.common.objects import open_store
from tasks.common.settings import Settings
from tests.deployment.prefect_ui import (
    IMAGES,
    SWITCHES,
    Stage,
    migrate_from_the_form,
    run_from_the_form,
    running_stage,
)
from tests.fixtures.migrating import older, write_older
from tests.flows.browser import running_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    with running_stage(folder) as stage:
        write_older(open_store(str(folder / ".local/lake"), Settings()), [older()])
        yield stage


@pytest.mark.browser
def test_a_run_from_the_form_completes_and_its_artifact_tells_the_verdict(
    browser: Browser, stage: Stage, tmp_path: Path
):
    seen = run_from_the_form(browser, stage, tmp_path)
    assert seen.verdict == "COMPLETED"
    assert "readers stay where they are" in seen.artifact


@pytest.mark.browser
def test_a_migration_from_the_form_is_planned_carried_out_and_accounted_for(
    browser: Browser, stage: Stage
):
    planned = migrate_from_the_form(browser, stage, "all · dry run", "all", "dry_run")
    assert [word for word in ("lake", "key", "date", *SWITCHES) if word not in planned.form] == []
    assert "give at most one of key, date, latest, all and replay_quarantine" in planned.form
    assert (planned.verdict, "nothing was written" in planned.artifact) == ("COMPLETED", True)
    key = "processed/weather_data_20260218_194202.json"
    moved = migrate_from_the_form(browser, stage, key, key=key)
    assert moved.verdict == "COMPLETED"
    assert "inserted 1, modified 0, received 1, rejected 0" in moved.artifact


@pytest.mark.browser
@pytest.mark.parametrize(
    ("run", "switches", "said"),
    [
        (
            "latest replay quarantine",
            ("latest", "replay_quarantine"),
            "latest and replay quarantine",
        ),
        ("what is new · dry run · verify", ("dry_run", "verify"), "dry run and verify"),
    ],
)
def test_two_words_of_the_form_that_exclude_each_other_are_refused_in_one_sentence(
    browser: Browser, stage: Stage, run: str, switches: tuple[str, ...], said: str
):
    seen = migrate_from_the_form(browser, stage, run, *switches)
    assert seen.verdict == "Failed"
    assert f"{said} exclude each other: give one of them, or none." in seen.artifact


@pytest.mark.parametrize("image", ["form", "run", "artifact"])
def test_a_picture_is_small(image: str):
    assert 10_000 < (IMAGES / f"prefect-{image}.png").stat().st_size < 150_000
