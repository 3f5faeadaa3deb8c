"""The recipe of the image, without building it."""

import re
import subprocess
import sys
from pathlib import Path

from tests.deployment.engine import ROOT

RECIPE = (ROOT / "Dockerfile").read_text()


def test_hadolint_finds_nothing():
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [linter, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == ""


def test_every_builder_understands_it():
    """docker-py's legacy builder, which Prefect's build step uses, knows none of these."""
    instructions = re.sub(r"^#(?! *syntax=).*$", "", RECIPE, flags=re.MULTILINE)
    assert re.findall(r"# *syntax=|--mount|--link|--chmod|<<", instructions) == []


def test_what_is_left_out_is_in_the_lock():
    names = re.search(r"\^\(([^)]+)\)==", RECIPE)
    assert names is not None
    lock = (ROOT / "requirements.lock").read_text()
    assert [n for n in names[1].split("|") if not re.search(rf"^{n}==", lock, re.MULTILINE)] == []


def test_only_what_is_named_goes_into_the_image():
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    assert allowed[1] == "*"
    assert [line for line in allowed if line.startswith("!.") or line == "!tests"] == []
