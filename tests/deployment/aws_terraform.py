"""Terraform on this machine: the provider is found, never fetched; AWS is a moto server."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.deployment.aws_profile import write_profile
from tests.flows.command import read_fence
from tests.shell import ROOT, make_checkout, type_lines

SOURCE = ROOT / "deployments/aws"
PROVIDER = "registry.terraform.io/hashicorp/aws/*/*/terraform-provider-aws*"
PAGE = "docs/how-to/deploy-mongodb-on-ecs.md"
ZONES = ["eu-west-3a", "eu-west-3b", "eu-west-3c"]

PATH_STYLE = """
provider "aws" {
  s3_use_path_style = true # no name resolves below a loopback address
}
"""
NO_SELECTION = """
resource "aws_backup_selection" "volumes" { # moto knows no selections: asserted in the plan
  count = 0
}
"""
ANSWERS: Final = {
    "TF_CLI_ARGS_apply": "-auto-approve -input=false -parallelism=30",
    "TF_CLI_ARGS_plan": "-input=false",
    # moto does not know the machine image of ECS
    "TF_VAR_mongodb_machine_image": (
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-x86_64"
    ),
    "TF_CLI_ARGS": "-no-color",
    "CHECKPOINT_DISABLE": "1",
    "TF_IN_AUTOMATION": "1",
}
"""What an operator's answers, and a real AWS, would be; lines are typed as they stand."""


def find_plugins() -> Path | None:
    """Give the folder that `terraform init -plugin-dir` wants, wherever this machine keeps it."""
    roots = [os.environ.get("TF_PLUGIN_DIR"), "/opt", "/usr/share", "/usr/local", Path.home()]
    for root in (Path(root) for root in roots if root):
        for pattern in (PROVIDER, f"*/{PROVIDER}", f"*/*/{PROVIDER}"):
            for found in root.glob(pattern):
                return found.parents[5]
    return None


@dataclass
class Checkout:
    """A copy of the tree as an operator has it, and an AWS that is none."""

    root: Path
    endpoint: str
    plugins: Path

    @property
    def folder(self) -> Path:
        return self.root / "deployments/aws"

    def fill(self) -> None:
        """Make the copy, with the variables that the page shows and a profile of the operator."""
        make_checkout(self.root)
        (self.root / "deployments").unlink()
        shutil.copytree(ROOT / "deployments", self.root / "deployments")
        (self.folder / "moto_override.tf").write_text(PATH_STYLE)
        (self.folder / "selection_override.tf").write_text(NO_SELECTION)
        variables = read_fence(ROOT / PAGE, "terraform")
        (self.folder / "production.tfvars").write_text(variables)
        (self.root / "empty.tfrc").touch()

    def type(self, lines: str, **answers: str) -> str:
        """Type lines in the root of the checkout and give what they print."""
        options = ("-input=false", f"-plugin-dir={self.plugins}")
        told = {
            **write_profile(self.root, self.endpoint),
            **ANSWERS,
            "AWS_REGION": "eu-west-3",  # the first block exports it, for those that follow
            "TF_CLI_CONFIG_FILE": str(self.root / "empty.tfrc"),
            "TF_CLI_ARGS_init": " ".join((*options, "-backend-config=use_path_style=true")),
        }
        return type_lines(lines, self.root, told | answers)

    def plan(self, *options: str) -> dict[str, Any]:
        """Give the plan as Terraform writes it for programs."""
        asked = " ".join(("-out=looked -lock=false -var-file=production.tfvars", *options))
        self.type(f"terraform -chdir=deployments/aws plan {asked}")
        shown = self.type("terraform -chdir=deployments/aws show -json looked")
        return json.loads(shown.splitlines()[0])


def is_formatted() -> bool:
    """Tell whether `terraform fmt` would leave the configuration as it is."""
    command = ["terraform", "fmt", "-check", "-recursive", str(SOURCE)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


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
