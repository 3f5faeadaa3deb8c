"""Policies of the Terraform, by checkov in an environment of its own: it conflicts with ours."""

import json
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from tests.deployment.aws_set import require
from tests.shell import ROOT

pytestmark = pytest.mark.aws

SOURCE = ROOT / "deployments/aws"
LOCK = SOURCE / "checkov.lock"
HOME = ROOT / ".local/checkov"


@pytest.fixture(scope="module")
def checkov() -> Path:
    """Give checkov, installed from its lock where that is not done yet."""
    wanted, stamp = sha256(LOCK.read_bytes()).hexdigest(), HOME / "lock.sha256"
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(HOME)], check=True)
        install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "-r",
            str(LOCK),
        ]
        ended = subprocess.run(
            [str(HOME / "bin/python"), *install], capture_output=True, check=False
        )
        require(
            f"checkov cannot be installed: {ended.stderr[-300:]!r}", available=not ended.returncode
        )
        stamp.write_text(wanted)
    return HOME / "bin/checkov"


def run_checkov(checkov: Path, folder: Path, *options: str) -> list[dict]:
    command = [str(HOME / "bin/python"), str(checkov), "-d", str(folder), *options]
    ended = subprocess.run(
        [*command, "--skip-download", "--compact", "-o", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    reports = json.loads(ended.stdout)
    return reports if isinstance(reports, list) else [reports]


def list_failures(reports: list[dict]) -> set[str]:
    return {check["check_id"] for r in reports for check in r["results"]["failed_checks"]}


def test_every_policy_holds_but_those_with_a_reason(checkov: Path):
    reports = run_checkov(checkov, SOURCE, "--config-file", str(SOURCE / "checkov.yaml"))
    assert list_failures(reports) == set()
    assert sum(report["summary"]["passed"] for report in reports) > 250


def test_no_exception_is_made_for_what_holds_anyway(checkov: Path):
    allowed = yaml.safe_load((SOURCE / "checkov.yaml").read_text())["skip-check"]
    reports = run_checkov(checkov, SOURCE, "--framework", "terraform", "dockerfile")
    assert list_failures(reports) == set(allowed)


def test_a_bucket_that_is_open_would_be_seen(checkov: Path, tmp_path: Path):
    text = (SOURCE / "firewall.tf").read_text()
    opened = re.sub(
        r"referenced_security_group_id = each.value\n", 'cidr_ipv4 = "0.0.0.0/0"\n', text
    )
    (tmp_path / "firewall.tf").write_text(opened.replace("27017", "22"))
    reports = run_checkov(checkov, tmp_path, "--framework", "terraform")
    assert "CKV_AWS_24" in list_failures(reports)


def test_its_lock_has_hashes_and_no_address():
    text = LOCK.read_text()
    assert "checkov==" in text
    assert text.count("--hash=sha256:") > 100
    assert "://" not in text
