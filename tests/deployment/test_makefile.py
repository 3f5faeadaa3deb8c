"""What make tells a run."""

import os
import subprocess
from pathlib import Path

from tests.deployment.engine import ROOT


def make_sha(folder: Path, **environment: str) -> str:
    """Give the GIT_SHA that a target of the Makefile sees."""
    around = ("GIT_SHA", "MAKEFLAGS")  # of a make around this one
    told = {name: value for name, value in os.environ.items() if name not in around} | environment
    command = ["make", "-s", "-f", ROOT / "Makefile", "--eval=told: ; @echo $$GIT_SHA", "told"]
    done = subprocess.run(command, cwd=folder, env=told, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_run_started_by_make_is_told_the_revision_of_its_checkout():
    asked = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True)
    assert make_sha(ROOT) == done.stdout.strip()
    assert make_sha(ROOT, GIT_SHA="3f2c1ab") == "3f2c1ab"


def test_outside_a_checkout_the_revision_is_unknown(tmp_path: Path):
    assert make_sha(tmp_path) == "unknown"
