"""The tree holds nothing that ties it to one machine, one registry or one secret."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from pydantic import BaseModel

from tasks.common.settings import render_example
from tasks.report.document import RunReport
from tasks.report.migration import MigrationReport
from tests.laws import reference

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")


def list_tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def read_texts() -> dict[str, str]:
    paths = [path for path in list_tracked_files() if path != Path(__file__)]
    return {str(path.relative_to(ROOT)): path.read_text(errors="replace") for path in paths}


@pytest.mark.parametrize(
    "leftover",
    [
        pytest.param(r"mongodb\+srv", id="Atlas address"),
        pytest.param(r"(?i)\batlas\b", id="Atlas"),
        pytest.param(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b", id="access key"),
        pytest.param(
            r"(?i)(access_key_id|secret_access_key|session_token)[\"']?[ \t]*[=:]"
            r"[ \t]*[\"']?[\w/+]{16,}",
            id="static key",
        ),
        pytest.param(r"arn:aws[\w-]*:[\w-]*:[\w-]*:\d{12}:|\b\d{12}\.dkr\.ecr", id="account"),
        pytest.param(
            r"(?i)(pass|passwd|password|pwd)[\"']?\s*(:-|=|:)\s*[\"']?"
            r"(admin|root|pass|password|change-?me|secret|postgres|prefect|mongo|guest|12345\w*)(?=[\"'\s}]|$)",
            id="default password",
        ),
        pytest.param(r"//(root|admin|postgres|prefect):(?!\$|\{|\()\w+@", id="password in a URI"),
        pytest.param(r"(?i)pypi\.org|pythonhosted|registry\.npmjs|deb\.debian", id="registry"),
        pytest.param(r"--(extra-)?index-url\s+\S", id="index address"),
        pytest.param(r"(?<![\w.])/(work|root|home)/\w", id="path of a machine"),
    ],
)
def test_nothing_is_left_over(leftover: str):
    found = [name for name, text in read_texts().items() if re.search(leftover, text)]
    assert found == []


def test_there_is_no_uv_lock():
    assert not (ROOT / "uv.lock").exists()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes_and_no_address(lock: str):
    text = (ROOT / lock).read_text()
    requirements = re.findall(r"^[a-z0-9][^#\n]*==.*$", text, re.MULTILINE)
    assert len(requirements) > 100
    assert text.count("--hash=sha256:") >= len(requirements)
    assert "://" not in text


def test_the_lock_of_the_tests_contains_the_lock_of_the_product():
    pins = [
        set(re.findall(r"^([a-z0-9][\w.-]*==[^ \\\n]+)", (ROOT / lock).read_text(), re.MULTILINE))
        for lock in LOCKS
    ]
    assert pins[0] - pins[1] == set()


@pytest.mark.parametrize(
    "pin",
    [
        ("fastapi", (0, 151)),  # 0.155 removed Body(min_items): every local run dies
        ("sqlalchemy", (2, 1)),  # 2.1: schedules silently never create runs
        ("typer", (0, 29)),  # 0.29: the prefect-aws command fails
    ],
    ids=lambda pin: pin[0],
)
def test_a_pin_that_is_not_optional_is_kept(pin: tuple[str, tuple[int, int]]):
    name, below = pin
    locked = re.search(rf"^{name}==(\d+)\.(\d+)", (ROOT / LOCKS[0]).read_text(), re.MULTILINE)
    assert locked is not None
    assert (int(locked[1]), int(locked[2])) < below


def test_env_example_is_what_the_settings_say():
    assert (ROOT / "env.example").read_text() == render_example()


@pytest.mark.parametrize(
    ("page", "model"),
    [("report.schema.json", RunReport), ("migration_report.schema.json", MigrationReport)],
    ids=["forecast", "migration"],
)
def test_the_published_schema_of_a_report_is_what_its_model_says(page: str, model: type[BaseModel]):
    published = json.loads((ROOT / "docs/reference" / page).read_text())
    assert published == model.model_json_schema(mode="serialization")


@pytest.mark.parametrize("page", reference.PAGES)
def test_a_reference_page_is_what_the_code_says(page: str):
    # `python -m tests.laws.reference` writes them anew.
    assert (reference.FOLDER / page).read_text() == reference.PAGES[page]()
