"""Every command that the documents show is run, and shown because it works."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.flows.command import ROOT, read_fence, require_shared_data, run_module

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WU_FILE = "weather/airbyte_wunderground_ILAMAD25_first_two_days.jsonl"

ELSEWHERE = {
    "make run": "test_first_run runs what it runs, in an empty folder",
    "make test": "this is it",
    "SOURCES_DIR=sources make run": "test_first_run, the tutorial",
    "SOURCES_DIR=sources .venv/bin/python -m tasks.extract "
    ".local/lake/raw/garden/GARDEN1/2024-10.csv": "test_first_run, the tutorial",
    "make serve": "test_served_flow serves the same flow",
    "export PREFECT_API_URL=http://127.0.0.1:4200/api": "test_served_flow sets it",
    ".venv/bin/prefect server start": "test_served_flow starts it on a free port",
    ".venv/bin/python -m flows.forecast --lake s3://landing/raw --as-of 2019-11-06T22:00+01:00": (
        "test_s3_lake runs it on a bucket"
    ),
    ".venv/bin/python -m flows.forecast --series 'rte:*' --dry-run": "test_first_run, dry",
    ".venv/bin/python -m flows.forecast --deadline 10": "test_first_run, at its deadline",
    "SOURCES_DIR=sources .venv/bin/python -m tasks.extract raw/garden/GARDEN1/2024-10.csv": (
        "test_the_garden_of_the_how_to_is_read, below"
    ),
    ".venv/bin/python -m tasks.extract FILE --source wunderground --first-day 2024-10-01": (
        "test_an_undated_file_is_read_with_its_first_day, below"
    ),
    ".venv/bin/python -m tests.bench ingest --json": "test_the_bench_prints_json, below",
    ".venv/bin/python -m flows.forecast --help": "test_help_explains_every_option, below",
    ".venv/bin/python -m tests.bench.cost --kind weather --days 400 --series 8": (
        "test_the_bench_tells_what_a_series_costs, below"
    ),
    ".venv/bin/python -m dask scheduler --host 127.0.0.1 --port 8786": (
        "test_dask_runner starts it on a free port"
    ),
    ".venv/bin/python -m dask worker tcp://127.0.0.1:8786 --nthreads 1 --nworkers 2": (
        "test_dask_runner starts them on its scheduler"
    ),
    "FORECAST_RUNNER=dask DASK_ADDRESS=tcp://127.0.0.1:8786 "
    ".venv/bin/python -m flows.forecast --dry-run": "test_dask_runner runs the task on its cluster",
    ".venv/bin/python -m tests.bench forecast-quality --m4 m4_hourly.csv.gz --frequency hourly "
    "--json": "test_command of the bench, on a file of one series",
    ".venv/bin/python -m tests.bench forecast-quality --csv pjm.csv.gz --horizon 168 --origins 6 "
    "--json": "test_cases of the bench cuts the columns",
    ".venv/bin/python -m tests.bench forecast-quality --lake demand/ --series 'rte:32:*' "
    "--as-of-from 2019-01-09 --json": "test_production of the bench, on the demo lake",
    "export MONGODB_URI='mongodb://USER:PASSWORD@host-1:27017,host-2:27017,host-3:27017/"
    "?replicaSet=rs0&tls=true'": "test_migration sets it to its own replica set",
    ".venv/bin/python -m flows.migration --lake s3://bucket --dry-run": "test_migration, the plan",
    ".venv/bin/python -m flows.migration --lake s3://bucket": "test_migration, on a folder",
    ".venv/bin/python -m flows.forecast backfill --from 2019-01-09 --weeks 12 "
    "--lake s3://landing/raw": "test_backfill, five; make backfill-check, all",
    ".venv/bin/python -m flows.migration --lake s3://bucket --verify": "test_migration, after it",
    ".venv/bin/python -m flows.migration --replay-quarantine": "test_migration of integration",
    ".venv/bin/python -m flows.forecast": "test_first_run",
    ".venv/bin/python -m flows.forecast latest rte:32:electricity_demand": (
        "test_first_run, after its run"
    ),
    ".venv/bin/python -m flows.forecast latest 'rte:*' --format csv --output demand.csv": (
        "test_reading"
    ),
    ".venv/bin/python -m flows.forecast latest '*' --format parquet --output forecasts.parquet": (
        "test_reading"
    ),
    ".venv/bin/python -m flows.forecast latest rte:32:electricity_demand --format json": (
        "test_reading"
    ),
    ".venv/bin/python -m flows.forecast latest rte:32:electricity_demand "
    "--as-of 2019-11-08T09:00+01:00": "test_reading",
    ".venv/bin/python -m flows.forecast explain rte:32:electricity_demand": (
        "test_first_run, after its run"
    ),
    ".venv/bin/python -m flows.forecast explain rte:32:electricity_demand "
    "--at 2019-11-08T09:00+01:00": "test_reading, and test_first_run on real components",
    ".venv/bin/python -m flows.forecast rollback": "test_reading, and test_upsert_rollback",
    ".venv/bin/python -m flows.forecast rollback --to 2019-W45-2342a2eb-aa3a8f87": "test_reading",
    ".venv/bin/python -m flows.status": "test_status, and test_first_run",
    ".venv/bin/python -m flows.status --json": "test_status",
    ".venv/bin/python -m flows.status --grace-hours 3 --timeout 5": "test_status",
    "terraform -chdir=deployments/aws output -json deployment | jq -r "
    r"""'to_entries[] | "\(.key)=\(.value)"' > production.env""": (
        "test_prefect_check compares the names"
    ),
    "set -a; . ./production.env; set +a": "test_prefect_server exports the same names",
    "export GIT_SHA=$(git rev-parse HEAD)": "test_prefect_server exports it",
    "export PREFECT_API_URL=https://prefect.example.org/api": "test_prefect_server, its own",
    "make deploy-check": "test_prefect_check checks the file",
    "make bootstrap": "test_prefect_server, twice",
    "make deploy": "test_prefect_server, twice",
    ".venv/bin/python -m deployments.prefect deploy forecast-weekly forecast-adhoc": (
        "test_prefect_server deploys one"
    ),
    '.venv/bin/prefect worker start --pool "$ECS_WORK_POOL"': "test_prefect_server, on moto",
    ".venv/bin/prefect deployment run forecast_pipeline/forecast-adhoc --param series='rte:*' "
    "--watch": "test_prefect_server runs commands of this form",
    ".venv/bin/prefect deployment run forecast_backfill/forecast-backfill --param "
    "first_on=2026-09-02 --param weeks=4": "test_prefect_server runs commands of this form",
    ".venv/bin/prefect deployment run s3_to_mongo_migration/s3-to-mongo-migration --param "
    "dry_run=true --watch": "test_prefect_server runs commands of this form",
    ".venv/bin/prefect deployment run s3_to_mongo_migration/s3-to-mongo-migration --watch": (
        "test_prefect_server starts it on moto"
    ),
    "IMAGE=${IMAGE%:*}:v20261111-0900 GIT_SHA=3f2c1ab make deploy": (
        "test_prefect_server deploys another image"
    ),
    'NETWORK="awsvpcConfiguration={subnets=[$SUBNET_IDS],securityGroups=[$SECURITY_GROUP_IDS]}"': (
        "test_prefect_server asks it of moto"
    ),
    """COMMAND='{"containerOverrides":[{"name":"prefect","command":["python","-m","""
    """"flows.forecast","rollback"]}]}'""": "test_prefect_server asks it of moto",
    'aws ecs run-task --cluster "$ECS_CLUSTER" --task-definition forecast-pipeline-ecs '
    '--launch-type FARGATE --network-configuration "$NETWORK" --overrides "$COMMAND"': (
        "test_prefect_server asks it of moto"
    ),
    "export AWS_PROFILE=default AWS_REGION=eu-west-3": "aws-check has keys of moto instead",
    'terraform -chdir=deployments/aws init -backend-config="bucket=example-terraform-state" '
    '-backend-config="region=$AWS_REGION"': "aws-check, with the state in a folder",
    "terraform -chdir=deployments/aws apply -var-file=production.tfvars "
    "-target=aws_ecr_repository.images -target=aws_secretsmanager_secret.main": (
        "aws-check plans these two first"
    ),
    ".venv/bin/python -m deployments.aws.credentials fill --prefix forecast-production": (
        "aws-check: test_aws_credentials"
    ),
    "terraform -chdir=deployments/aws plan -var-file=production.tfvars -out=plan": "aws-check",
    "terraform -chdir=deployments/aws apply plan": "aws-check, on moto",
    'aws ecs run-task --cluster "$ECS_CLUSTER" --task-definition "$ECS_CLUSTER-operations" '
    '--launch-type FARGATE --network-configuration "$NETWORK"': (
        "aws-check starts it on moto, and rolls three real members"
    ),
    ".venv/bin/python -m deployments.aws.credentials renew --prefix forecast-production": (
        "aws-check: test_aws_credentials"
    ),
    ".venv/bin/python -m deployments.aws.credentials rotate pipeline "
    "--prefix forecast-production": "aws-check: test_aws_credentials",
    "terraform -chdir=deployments/aws apply -var-file=production.tfvars "
    "-var mongodb_running=false": "aws-check, and three real members from one snapshot",
    "terraform -chdir=deployments/aws state rm 'aws_ebs_volume.mongodb[\"mongo-1\"]' "
    "'aws_ebs_volume.mongodb[\"mongo-2\"]' 'aws_ebs_volume.mongodb[\"mongo-3\"]'": "aws-check",
    "terraform -chdir=deployments/aws apply -var-file=production.tfvars "
    '-var \'mongodb_snapshots={"mongo-3"="snap-0123456789abcdef0"}\'': "aws-check",
    "terraform -chdir=deployments/aws state rm 'aws_ebs_volume.mongodb[\"mongo-2\"]'": "aws-check",
    "terraform -chdir=deployments/aws apply -var-file=production.tfvars": "aws-check",
    ".venv/bin/python -m flows.migration": "test_migration, on a folder",
    ".venv/bin/python -m flows.migration --all": "test_migration",
    "make up": "test_compose",
    "docker compose run --rm demo": "test_compose lands it",
    "docker compose run --rm forecast": "test_compose, after it",
    "docker compose run --rm migration": "test_compose, after that",
    "docker compose run --rm forecast python -m flows.forecast latest rte:32:electricity_demand": (
        "test_compose reads what it published"
    ),
    "docker compose run --rm forecast python -m flows.status": "test_compose asks for it",
    "export LAKE_URI=s3://landing/raw MONGODB_URI='mongodb://USER:PASSWORD@mongo-1.mongo.internal/"
    "?replicaSet=rs0&tls=true'": "test_compose sets them to its own",
    "make up-ecs": "test_compose, beside the set it is told of",
    "make down": "test_compose",
    "make down ARGS=--volumes": "test_compose, at its end",
    "make image VERSION=v20261118-2000": "the fixture of test_image builds it so",
    "make image-check": "test_image is what it runs",
    "make image-check PLATFORM=linux/arm64": "test_image, emulated",
    "make compose-check": "test_compose is what it runs",
    "make help": "test_make_help_lists_every_target, below",
}


def list_commands() -> Iterator[str]:
    for page in PAGES:
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
            yield from (line for line in block.splitlines() if line and not line.startswith("#"))


def test_every_command_of_the_documents_is_run_by_a_test():
    assert sorted(set(list_commands())) == sorted(ELSEWHERE)


def test_the_readme_is_short_and_begins_with_its_two_commands():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    assert list(list_commands())[:2] == ["make run", "make test"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path):
    links = re.findall(r"\]\((?!http)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_make_help_lists_every_target():
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    explained = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    assert sorted(explained) == sorted(phony[1].split())


def test_help_explains_every_option(tmp_path: Path):
    ran = run_module("flows.forecast", "--help", cwd=tmp_path)
    assert ran.code == 0
    options = ("--lake", "--as-of", "--horizon-days", "--series", "--dry-run", "--json")
    assert [option for option in options if option not in ran.out] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--horizon-days", "eleven"), "eleven"),
        (("--nonsense",), "nonsense"),
        (("--as-of", "2019-11-06T22:00"), "without its offset"),
        (("--as-of", "yesterday"), "give an ISO instant"),
        (("--as-of", ""), "give an ISO instant"),
        (("--as-of", "0001-01-01T00:00+14:00"), "between 1970 and 2200"),
        (("--horizon-days", "32"), "32"),
        (("--lake", "ftp://somewhere"), "ftp://somewhere"),
        (("--lake", "no/such/folder"), "no/such/folder"),
        (("--json", "no/such/report.json"), "make it first"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_told_and_exits_2(tmp_path: Path, arguments: tuple[str, ...], said: str):
    ran = run_module("flows.forecast", *arguments, cwd=tmp_path)
    assert ran.code == 2, ran.err
    assert said in ran.err + ran.out
    assert not (tmp_path / ".local").exists()


def test_a_broken_source_stops_the_run_before_anything_is_written(tmp_path: Path):
    (tmp_path / "sources").mkdir()
    text = read_fence(ROOT / "docs/how-to/add-a-source.md", "yaml").replace("degF", "degrees")
    (tmp_path / "sources/garden.yaml").write_text(text)
    ran = run_module("flows.forecast", cwd=tmp_path, SOURCES_DIR="sources")
    assert ran.code == 2
    assert "garden.yaml" in ran.err
    assert "'degrees'" in ran.err
    assert not (tmp_path / ".local").exists()


def test_the_garden_of_the_how_to_is_read(tmp_path: Path):
    page = ROOT / "docs/how-to/add-a-source.md"
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/garden.yaml").write_text(read_fence(page, "yaml"))
    landed = tmp_path / "raw/garden/GARDEN1/2024-10.csv"
    landed.parent.mkdir(parents=True)
    landed.write_text(read_fence(page, "csv"))
    ran = run_module("tasks.extract", str(landed), cwd=tmp_path, SOURCES_DIR="sources")
    assert ran.code == 0, ran.err
    assert "garden:GARDEN1:air_temperature" in ran.out


def test_a_first_day_of_the_how_to_is_a_declaration():
    declared = yaml.safe_load(read_fence(ROOT / "docs/how-to/add-a-source.md", "yaml", 1))
    assert str(next(iter(declared["time"]["first_days"].values()))) == "2024-10-01"


def test_an_undated_file_is_read_with_its_first_day(tmp_path: Path):
    ran = run_module(
        "tasks.extract",
        str(require_shared_data() / WU_FILE),
        *("--source", "wunderground", "--first-day", "2024-10-01"),
        cwd=tmp_path,
    )
    assert ran.code == 0, ran.err
    assert "576" in ran.out


def test_the_bench_prints_json(tmp_path: Path):
    ran = run_module(
        "tests.bench", "ingest", "--rows", "120000", "--repeats", "1", "--json", cwd=tmp_path
    )
    assert ran.code == 0, ran.err
    assert '"wall_over_bare"' in ran.out


def test_the_bench_tells_what_a_series_costs(tmp_path: Path):
    few = ("--kind", "weather", "--days", "30", "--series", "1")
    ran = run_module("tests.bench.cost", *few, cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert re.search(r"30 d usual: \d+\.\d\d CPU s a series.*'recalled'", ran.out)


def test_the_costs_of_the_how_to_follow_from_its_measured_line():
    page = (ROOT / "docs/how-to/scale-out.md").read_text()
    euro = (0.04048 + 2 * 0.004445) * 1.2 * 0.92
    rows = re.findall(r"^\| \w+, \w+ week \| (.*) \|$", page, re.MULTILINE)
    told = [[float(cell.replace(",", "")) for cell in row.split("|")] for row in rows]
    assert len(told) == 4
    for cpu_s, *costs in told:
        hours = [count * cpu_s / 3600 * 1.2 for count in (10_000, 1_000_000)]
        assert costs == pytest.approx([x for h in hours for x in (h, h * euro)], rel=0.02, abs=0.05)
