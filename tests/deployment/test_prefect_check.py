"""prefect.yaml is refused for every fault before any of it is applied, and offline."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.prefect.__main__ import main
from deployments.prefect.check import check
from deployments.prefect.place import Place
from tests.fixtures.prefect_servers import PLACE, ROOT

FILE = ROOT / "prefect.yaml"
LOCAL = ["forecast-local", "migration-local"]


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (PLACE | {"PWD": str(ROOT)}).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder whose prefect.yaml may be harmed, beside the real flows."""
    (tmp_path / "flows").symlink_to(ROOT / "flows")
    (tmp_path / "prefect.yaml").write_text(FILE.read_text())
    return tmp_path / "prefect.yaml"


def find_faults(file: Path, *names: str) -> str:
    return "\n".join(check(file, names)[1])


def test_the_file_as_it_stands_has_no_fault():
    deployments, faults = check(FILE, ())
    assert faults == []
    assert [one.name for one in deployments if not one.on_ecs] == LOCAL


@pytest.mark.parametrize(
    ("text", "harmed", "said"),
    [
        ('name: "{{ $ECS_WORK_POOL }}"', "name: ecs-pool", "pool 'ecs-pool' is not one that"),
        ("        memory: 8192", "        memroy: 8192", "did you mean 'memory'?"),
        ("memory: 8192", "memory: 8GB", "memory: '8GB' is not of type 'integer'"),
        ("memory: 8192", "memory: 8000", "8000 does not go with cpu 2048: Fargate sells 4096 to"),
        ("cpu: 2048", "cpu: 3000", "cpu: 3000 is not one of"),
        ("cpu: 2048", 'cpu: "2048"', "cpu: '2048' is not one of"),
        ("flows/migration.py:s3_to", "flows/migration.py:s4_to", "s4_to_mongo_migration"),
        ("flows/migration.py:", "flows/emigration.py:", "'flows/emigration.py:s3_to_mongo"),
        ('"0 22 * * 3"', '"0 22 * * 8"', "schedules.0"),
        ("Europe/Paris", "Europe/Pari", "schedules.0"),
        ("slug: wednesday-22h", "", "schedules.0.slug"),
        ("concurrency_limit:", "concurency_limit:", "concurency_limit is"),
        ("family: forecast-adhoc-ecs", "family: forecast-pipeline-ecs", "serves 2 deployments"),
        ("family: forecast-adhoc-ecs", "family: forecast adhoc", "does not match"),
        ("LAKE_URI:", "LAKE_URL:", "env LAKE_URL is no setting: did you mean 'LAKE_URI'?"),
        ("PREFECT_HOME:", "PREFECT_API_KEY:", "env PREFECT_API_KEY would show a secret"),
        ("s3_to_mongo_migration\n", "s3_to_mongo_migration\n    parameters: {al: true}\n", "'al'"),
        ("collision_strategy: CANCEL_NEW", "collision_strategy: CANCEL", "collision_strategy is"),
        ("entrypoint: flows/forecast.py:forecast_pipeline", 'entrypoint: ""', "entrypoint is ''"),
        ("timezone: Europe/Paris", 'timezone: ""', "schedules.0.timezone is ''"),
        ("env: *environment", "env: 1", "variable env: 1 is not"),
        ("env: *environment", "env: {1: x}", "env 1 is no setting"),
        ("family: forecast-adhoc-ecs", "family: [x]", "variable family: ['x'] is not"),
        ("cpu: 2048", "cpu: [2048]", "cpu: [2048] is not one of"),
        (
            "s3_to_mongo_migration\n",
            "s3_to_mongo_migration\n    parameters: {date: 2019-01-09}\n",
            "quotes",
        ),
        ("job_variables: {}", "job_variables: &own {own: *own}", "Circular reference"),
    ],
)
def test_a_fault_of_the_file_is_told_by_deployment_and_value(
    checkout: Path, text: str, harmed: str, said: str
):
    assert text in checkout.read_text()
    checkout.write_text(checkout.read_text().replace(text, harmed, 1))
    assert said in find_faults(checkout)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("IMAGE", "", "forecast-weekly: IMAGE unset"),
        ("ECS_WORK_POOL", "", "ECS_WORK_POOL unset"),
        ("ECS_WORK_POOL", "local", "'family' is not in the pool's template"),
        ("ECS_CLUSTER", "", "ECS_CLUSTER is unset"),
        ("VPC_ID", "10.0.0.0/16", "VPC_ID is '10.0.0.0/16'"),
        ("ECS_WORK_POOL_TYPE", "push", "ECS_WORK_POOL_TYPE is 'push'"),
        ("EXECUTION_ROLE_ARN", "execution", "'execution' does not match"),
        ("SCHEDULE_ACTIVE", "wednesdays", "schedules.0.active"),
        ("ENVIRONMENT", "prod", "ENVIRONMENT is 'prod'"),
        ("PIPELINE_MONGODB_URI_SECRET_ARN", "mongodb://u:p@mongo-1", "does not match"),
        ("LAKE_URI", "https://me:pass@lake", "env LAKE_URI would show a secret"),
        ("IMAGE", "registry.example/forecast-pipeline:latest", "give one that never moves"),
        ("IMAGE", "registry.example/forecast-pipeline:v20261318-2000", "v20261318-2000"),
        ("IMAGE", "registry.example:5000/forecast-pipeline", "has the tag ''"),
    ],
)
def test_a_fault_of_the_environment_is_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
):
    monkeypatch.setenv(name, value)
    assert said in find_faults(FILE, "forecast-weekly")


@pytest.mark.parametrize(
    "image",
    ["forecast-pipeline:latest", f"r:5000/f/p:v20261118-2000@sha256:{'0' * 64}"],
    ids=["latest in development", "tag with its digest"],
)
def test_an_image_may_be_named_so(monkeypatch: pytest.MonkeyPatch, image: str):
    monkeypatch.setenv("IMAGE", image)
    monkeypatch.setenv("ENVIRONMENT", "dev")
    assert find_faults(FILE) == ""


def test_a_flow_that_does_not_import_is_a_fault_though_prefect_would_deploy_it(tmp_path: Path):
    (tmp_path / "flows").mkdir()
    text = (
        "import nothing_of_this_name\nfrom prefect import flow\n\n@flow\ndef forecast_pipeline():"
    )
    (tmp_path / "flows/forecast.py").write_text(f"{text}\n    ...\n")
    (tmp_path / "prefect.yaml").write_text(FILE.read_text())
    assert "nothing_of_this_name" in find_faults(tmp_path / "prefect.yaml", "forecast-local")


def test_the_local_deployments_need_no_variable_of_aws(monkeypatch: pytest.MonkeyPatch):
    for name in PLACE:
        monkeypatch.delenv(name)
    assert find_faults(FILE, *LOCAL) == ""


def test_an_unknown_deployment_is_refused_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
):
    assert main(["check", "weekly", "--file", str(FILE)]) == 2
    assert "forecast-weekly" in capsys.readouterr().err


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"deployments: []", b"deployments: 2024-13-45"])
def test_a_file_that_is_none_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: bytes
):
    (tmp_path / "prefect.yaml").write_bytes(text)
    assert main(["check", "--file", str(tmp_path / "prefect.yaml")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_command_tells_every_fault_and_exits_2():
    done = subprocess.run(
        [sys.executable, "-m", "deployments.prefect", "check"],
        cwd=ROOT,
        env=os.environ | {"IMAGE": "", "ECS_CLUSTER": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == [
        *("forecast-weekly", "forecast-adhoc", "forecast-backfill", "s3-to-mongo-migration"),
    ]


def test_terraform_tells_every_variable_but_the_revision():
    outputs = (ROOT / "deployments/aws/outputs.tf").read_text()
    block = outputs.partition('output "deployment"')[2].partition("\n}")[0]
    told = set(re.findall(r"^    ([A-Z_]+) +=", block, re.MULTILINE))
    asked = set(re.findall(r"\{\{ \$(\w+) \}\}", FILE.read_text()))
    needed = {name.upper() for name, field in Place.model_fields.items() if field.is_required()}
    assert (asked | needed) - told == {"GIT_SHA", "PWD"}
