"""docker-compose.yml as it is written: nothing unpinned, nothing open to the world, no password."""

import copy
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployment.engine import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SECRETS = ROOT / "deployments/compose/make-secrets.sh"
OURS = "forecast-pipeline:${VERSION:-local}"


def find_faults(compose: dict[str, Any]) -> list[str]:
    return [
        f"{name}: {fault}"
        for name, service in compose["services"].items()
        for fault in _find_faults_of(service)
    ]


def _find_faults_of(service: dict[str, Any]) -> list[str]:
    image = service["image"]
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    told = [str(value) for value in (service.get("environment") or {}).values()]
    found = {
        "unpinned image": image != OURS and not re.search(r":\d+\.\d+(\.\d+)?(-[a-z]+)?$", image),
        "port open to the world": any(
            not str(port).startswith("127.0.0.1:") for port in service.get("ports", [])
        ),
        "network of the host": service.get("network_mode") == "host",
        "no limits": set(limits) != {"cpus", "memory"},
        "writable root": not service.get("read_only"),
        "root": image != OURS and service.get("user", "root") == "root",
        "capabilities": service.get("cap_drop") != ["ALL"],
        "password": any(re.search(r"://[^/]*:[^/]*@", value) for value in told),
    }
    return [fault for fault, applies in found.items() if applies]


def test_the_file_has_no_fault():
    assert find_faults(COMPOSE) == []


@pytest.mark.parametrize(
    ("service", "change", "fault"),
    [
        ("lake", {"ports": ["8333:8333"]}, "port open to the world"),
        ("lake", {"ports": ["0.0.0.0:8333:8333"]}, "port open to the world"),
        ("lake", {"image": "chrislusf/seaweedfs"}, "unpinned image"),
        ("lake", {"image": "chrislusf/seaweedfs:latest"}, "unpinned image"),
        ("mongo-1", {"image": "mongo:8"}, "unpinned image"),
        ("mongo-1", {"deploy": {}}, "no limits"),
        ("worker", {"environment": {"URI": "mongodb://user:secret@host/"}}, "password"),
        ("postgres", {"read_only": False}, "writable root"),
        ("postgres", {"user": "root"}, "root"),
    ],
)
def test_a_fault_is_found(service: str, change: dict[str, Any], fault: str):
    compose = copy.deepcopy(COMPOSE)
    compose["services"][service] |= change
    assert find_faults(compose) == [f"{service}: {fault}"]


def make_secrets(folder: Path) -> dict[str, str]:
    subprocess.run([SECRETS], cwd=folder, check=True)
    return {path.name: path.read_text() for path in (folder / ".local/compose").iterdir()}


def test_every_secret_is_made_once_and_for_one_machine(tmp_path: Path):
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    here = make_secrets(tmp_path / "here")
    assert make_secrets(tmp_path / "here") == here
    there = make_secrets(tmp_path / "there")
    assert [name for name in here if here[name] == there[name]] == []


def test_a_secret_is_read_by_its_owner_alone(tmp_path: Path):
    make_secrets(tmp_path)
    paths = [tmp_path / ".local/compose", *(tmp_path / ".local/compose").iterdir()]
    assert {path.stat().st_mode & 0o077 for path in paths} == {0}


def test_every_file_of_secrets_is_made(tmp_path: Path):
    named = re.findall(r"\.local/compose/([\w-]+\.env)", (ROOT / "docker-compose.yml").read_text())
    assert sorted(make_secrets(tmp_path)) == sorted(set(named))


def test_a_service_gets_no_secret_of_another():
    known = {"mongo-init": "set", "postgres": "postgres", "prefect": "prefect"}
    for name, user in known.items():
        readers = [
            service
            for service, one in COMPOSE["services"].items()
            if f".local/compose/{user}.env" in one.get("env_file", [])
        ]
        assert readers == [name]
