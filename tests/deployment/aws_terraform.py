"""Terraform on this machine: the provider is found, never fetched; AWS is a moto server."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[2] / "deployments/aws"
PROVIDER = "registry.terraform.io/hashicorp/aws/*/*/terraform-provider-aws*"

OVERRIDE = """
terraform {
  backend "local" {}
}
provider "aws" {
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
}
"""
NO_SELECTION = """
resource "aws_backup_selection" "volumes" { # moto knows no selections: asserted in the plan
  count = 0
}
"""
VARIABLES = {
    "region": "eu-west-3",
    "zones": ["eu-west-3a", "eu-west-3b", "eu-west-3c"],
    "environment": "staging",
    "bucket_prefix": "moto-forecast",
    "image_tag": "v20261118-2000",
    "mongodb_image_tag": "v20261118-2000",
    "prefect_api_url": "http://prefect.example/api",
    "alarm_email": "someone@example.com",
    # moto does not know the machine image of ECS
    "mongodb_machine_image": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-x86_64",
}


def find_plugins() -> Path | None:
    """Give the folder that `terraform init -plugin-dir` wants, wherever this machine keeps it."""
    roots = [os.environ.get("TF_PLUGIN_DIR"), "/opt", "/usr/share", "/usr/local", Path.home()]
    for root in (Path(root) for root in roots if root):
        for pattern in (PROVIDER, f"*/{PROVIDER}", f"*/*/{PROVIDER}"):
            for found in root.glob(pattern):
                return found.parents[5]
    return None


@dataclass
class Terraform:
    """A copy of the configuration, and an AWS that is none."""

    folder: Path
    endpoint: str

    def copy_source(self) -> None:
        shutil.copytree(SOURCE, self.folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        (self.folder / "moto_override.tf").write_text(OVERRIDE)
        (self.folder / "selection_override.tf").write_text(NO_SELECTION)
        (self.folder / "test.auto.tfvars.json").write_text(json.dumps(VARIABLES))
        (self.folder / "empty.tfrc").touch()

    def run(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        """Run a command and give what it printed."""
        environment = {
            "TF_CLI_CONFIG_FILE": str(self.folder / "empty.tfrc"),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "AWS_"))}
        ended = subprocess.run(
            ["terraform", *arguments, "-no-color"],
            cwd=self.folder,
            env=inherited | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert ended.returncode in codes, ended.stdout[-3000:] + ended.stderr[-3000:]
        return ended.stdout + ended.stderr

    def plan(self, *options: str) -> dict[str, Any]:
        """Give the plan as Terraform writes it for programs."""
        self.run("plan", "-out=plan", "-input=false", "-lock=false", *options)
        return json.loads(self.run("show", "-json", "plan").splitlines()[0])


def list_changes(plan: dict[str, Any]) -> dict[str, set[str]]:
    """Give the attributes that a plan would change, by resource without its key."""
    changes: dict[str, set[str]] = {}
    for resource in plan["resource_changes"]:
        change = resource["change"]
        if change["actions"] in (["no-op"], ["read"]):
            continue
        before, after = change["before"] or {}, change["after"] or {}
        names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        changes.setdefault(resource["address"].partition("[")[0], set()).update(names)
    return changes


def list_planned(plan: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Give the planned values of all resources of a kind, by address."""
    resources = plan["planned_values"]["root_module"]["resources"]
    return {r["address"]: r["values"] for r in resources if r["type"] == kind}
