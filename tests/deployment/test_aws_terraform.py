"""The Terraform of deployments/aws, formatted, validated, applied to a moto server, read back."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from deployments.aws.rolling import Services
from deployments.prefect.place import Place
from tasks.forecast.fits import FOLDER
from tests.deployment.aws_set import require
from tests.deployment.aws_terraform import (
    SOURCE,
    ZONES,
    Checkout,
    find_plugins,
    is_formatted,
    list_changes,
    list_planned,
)
from tests.fixtures.object_servers import command_moto, run_server
from tests.shell import find_block

pytestmark = pytest.mark.aws

Aws = Callable[[str], Any]
Monkey = pytest.MonkeyPatch

MOTO_FORGETS = {
    "aws_backup_plan.nightly": {"tags_all"},
    "aws_backup_vault.main": {"tags_all"},
    "aws_ecs_service.mongodb": {
        "availability_zone_rebalancing",
        "enable_execute_command",
        "placement_constraints",
    },
    "aws_ecs_service.worker": {"availability_zone_rebalancing"},
    "aws_iam_role_policy.tasks": {"policy"},  # the worker's names the queue below
    "aws_launch_template.mongodb": {"default_version", "latest_version", "tag_specifications"},
    "aws_s3_bucket_replication_configuration.reports": {"rule"},  # its filter
    "aws_sqs_queue.events": {"redrive_policy"},  # the same JSON, with other spaces
    "aws_sqs_queue_policy.events": {"policy"},  # known after the queue
    "aws_vpc_security_group_egress_rule.members": {"description"},
    "aws_vpc_security_group_egress_rule.tasks_to_members": {"description"},
    "aws_vpc_security_group_ingress_rule.members": {"description"},
}
"""What moto does not give back as it got it; every other difference of a second plan is ours."""


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Give a checkout whose Terraform is initialised as the page says; nothing is applied yet."""
    plugins = find_plugins()
    found = plugins if shutil.which("terraform") else None
    require("terraform or its AWS provider is not on this machine", available=found is not None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        with run_server(tmp_path_factory.mktemp("moto"), command_moto) as endpoint:
            made = Checkout(tmp_path_factory.mktemp("checkout"), endpoint, found or Path())
            made.fill()
            made.type("aws s3 mb s3://example-terraform-state")
            made.type(
                find_block(
                    "docs/how-to/deploy-mongodb-on-ecs.md", "terraform -chdir=deployments/aws init"
                )
            )
            yield made


@pytest.fixture(scope="module")
def applied(terraform: Checkout) -> Checkout:
    """Give it with all that the page makes, from the registry to the set."""
    terraform.type("terraform -chdir=deployments/aws validate")
    terraform.type(find_block("docs/how-to/deploy-mongodb-on-ecs.md", "credentials fill"))
    terraform.type(find_block("docs/how-to/deploy-mongodb-on-ecs.md", "plan -var-file"))
    return terraform


@pytest.fixture(scope="module")
def second_plan(applied: Checkout) -> dict[str, Any]:
    return applied.plan()


@pytest.fixture(scope="module")
def whole_plan(terraform: Checkout, second_plan: dict[str, Any]) -> dict[str, Any]:
    """Give the plan of everything, without what moto was spared."""
    assert second_plan  # the objects stand, so that the plan tells of what is not there
    spared = terraform.folder / "selection_override.tf"
    text = spared.read_text()
    spared.unlink()
    try:
        return terraform.plan("-refresh=false")
    finally:
        spared.write_text(text)


@pytest.fixture
def aws(applied: Checkout) -> Iterator[Aws]:
    """Give clients of the moto server, by service."""
    opened = []

    def connect(service: str) -> Any:  # noqa: ANN401
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        opened.append(
            boto3.client(service, endpoint_url=applied.endpoint, region_name="eu-west-3", **keys)
        )
        return opened[-1]

    yield connect
    for client in opened:
        client.close()


def test_it_is_formatted():
    assert is_formatted()


def test_the_state_is_in_the_bucket_and_holds_no_value_of_a_secret(applied: Checkout):
    state = applied.type("aws s3 cp s3://example-terraform-state/forecast/terraform.tfstate -")
    assert "aws_ecs_cluster" in state
    filled = applied.type(
        "aws secretsmanager get-secret-value --secret-id forecast-production/keyfile "
        "--query SecretString --output text"
    )
    assert len(filled) > 100
    assert filled.strip() not in state


def test_a_second_plan_differs_only_where_moto_forgets(second_plan: dict[str, Any]):
    changes = list_changes(second_plan)
    unexplained = {
        where: names - MOTO_FORGETS.get(where, set()) for where, names in changes.items()
    }
    assert {where: names for where, names in unexplained.items() if names} == {}
    actions = {tuple(r["change"]["actions"]) for r in second_plan["resource_changes"]}
    assert actions <= {("no-op",), ("read",), ("update",)}


@pytest.mark.parametrize("layer", ["raw", "processed", "reports"])
def test_a_bucket_is_versioned_encrypted_closed_and_tidied(aws: Aws, layer: str):
    s3, bucket = aws("s3"), f"example-production-{layer}"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    closed = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert len(closed) == 4
    assert all(closed.values())
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=bucket)["Policy"]
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [
        r["NoncurrentVersionExpiration"]["NoncurrentDays"] for r in rules if r["ID"] == "tidy"
    ] == [90]


def test_reports_are_copied_into_a_bucket_that_keeps_them_a_year(aws: Aws):
    s3 = aws("s3")
    lock = s3.get_object_lock_configuration(Bucket="example-production-reports")
    kept = lock["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert (kept["Mode"], kept["Days"]) == ("GOVERNANCE", 365)
    copied = s3.get_bucket_replication(Bucket="example-production-processed")
    (rule,) = copied["ReplicationConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["Destination"]["Bucket"].endswith("example-production-reports")


def test_only_reports_are_copied(whole_plan: dict[str, Any]):
    (planned,) = list_planned(whole_plan, "aws_s3_bucket_replication_configuration").values()
    assert planned["rule"][0]["filter"][0]["prefix"] == "reports/"


def test_remembered_fits_are_forgotten_after_the_ten_weeks_that_count(aws: Aws):
    rules = aws("s3").get_bucket_lifecycle_configuration(Bucket="example-production-processed")
    (rule,) = [rule for rule in rules["Rules"] if rule["ID"] == "forget-fits"]
    assert rule["Filter"]["Prefix"] == FOLDER
    assert rule["Expiration"]["Days"] >= 70


def test_an_image_tag_never_moves(aws: Aws):
    repositories = aws("ecr").describe_repositories()["repositories"]
    assert len(repositories) == 2
    assert {repository["imageTagMutability"] for repository in repositories} == {"IMMUTABLE"}


def test_each_member_has_a_service_a_name_a_zone_and_a_volume_of_its_own(aws: Aws):
    services = aws("ecs").describe_services(
        cluster="forecast-production", services=["mongo-1", "mongo-2", "mongo-3"]
    )["services"]
    assert {service["desiredCount"] for service in services} == {1}
    networks = [service["networkConfiguration"]["awsvpcConfiguration"] for service in services]
    assert {network["assignPublicIp"] for network in networks} == {"DISABLED"}
    assert len({network["subnets"][0] for network in networks}) == 3
    named = aws("servicediscovery").list_services()["Services"]
    assert sorted(service["Name"] for service in named) == ["mongo-1", "mongo-2", "mongo-3"]
    assert {service["DnsConfig"]["DnsRecords"][0]["TTL"] for service in named} == {10}
    volumes = aws("ec2").describe_volumes(Filters=[{"Name": "tag-key", "Values": ["member"]}])
    assert sorted(v["AvailabilityZone"] for v in volumes["Volumes"]) == ZONES
    assert all(volume["Encrypted"] for volume in volumes["Volumes"])


def test_two_mongods_never_share_a_volume(whole_plan: dict[str, Any]):
    services = list_planned(whole_plan, "aws_ecs_service")
    for number in (1, 2, 3):
        planned = services[f'aws_ecs_service.mongodb["mongo-{number}"]']
        assert planned["deployment_minimum_healthy_percent"] == 0
        assert planned["deployment_maximum_percent"] == 100
        (placed,) = planned["placement_constraints"]
        assert f"attribute:member == mongo-{number}" in placed["expression"]
        assert f"availability-zone == {ZONES[number - 1]}" in placed["expression"]


def describe_member(aws: Aws, member: str) -> dict[str, Any]:
    described = aws("ecs").describe_task_definition(taskDefinition=f"forecast-production-{member}")
    containers = described["taskDefinition"]["containerDefinitions"]
    return {container["name"]: container for container in containers}


def test_a_member_ends_cleanly_is_watched_and_keeps_its_keys_out_of_its_definition(aws: Aws):
    containers = describe_member(aws, "mongo-2")
    assert sorted(containers) == ["mongod", "watch"]
    mongod = containers["mongod"]
    assert (mongod["stopTimeout"], mongod["healthCheck"]["startPeriod"]) == (120, 120)
    assert "ping" in mongod["healthCheck"]["command"][1]
    assert {secret["name"] for secret in mongod["secrets"]} == {"KEYFILE", "CERTIFICATE", "CA"}
    assert mongod["environment"] == [{"name": "MEMBER", "value": "mongo-2.mongo.internal"}]


def test_only_the_first_member_may_make_users(aws: Aws):
    first, second = (describe_member(aws, member) for member in ("mongo-1", "mongo-2"))
    assert first["init"]["dependsOn"] == [{"containerName": "mongod", "condition": "HEALTHY"}]
    names = {secret["name"] for secret in second["watch"]["secrets"]}
    assert names == {"MONGODB_URI", "MONGODB_CA"}


def test_mongodb_is_open_to_tasks_and_members_only(aws: Aws):
    groups = {g["GroupName"]: g for g in aws("ec2").describe_security_groups()["SecurityGroups"]}
    (rule,) = groups["forecast-production-members"]["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"], rule["IpRanges"]) == (27017, 27017, [])
    allowed = {pair["GroupId"] for pair in rule["UserIdGroupPairs"]}
    named = ("forecast-production-members", "forecast-production-tasks")
    assert allowed == {groups[name]["GroupId"] for name in named}
    assert groups["forecast-production-tasks"]["IpPermissions"] == []


def read_policy(aws: Aws, role: str) -> list[dict[str, Any]]:
    policy = aws("iam").get_role_policy(RoleName=f"forecast-production-{role}", PolicyName=role)
    return policy["PolicyDocument"]["Statement"]


@pytest.mark.parametrize("role", ["pipeline", "migration", "worker", "operations", "mongodb"])
def test_a_task_can_delete_nothing_and_has_no_wildcard_action(aws: Aws, role: str):
    actions = [action for s in read_policy(aws, role) for action in flatten(s["Action"])]
    assert [action for action in actions if "*" in action or "DeleteObject" in action] == []


def test_the_worker_passes_three_roles_and_runs_our_families_only(aws: Aws):
    told = {
        statement["Sid"]: flatten(statement["Resource"]) for statement in read_policy(aws, "worker")
    }
    roles = {arn.rpartition("/")[2] for arn in told["Pass"]}
    assert roles == {
        f"forecast-production-{name}" for name in ("execution", "pipeline", "migration")
    }
    patterns = [arn.rpartition("task-definition/")[2] for arn in told["Run"]]
    assert sorted(patterns) == ["forecast-*-ecs:*", "s3-to-mongo-migration-ecs:*"]


def test_nobody_reads_the_key_of_the_authority(aws: Aws):
    (key,) = [
        s
        for s in aws("secretsmanager").list_secrets()["SecretList"]
        if s["Name"].endswith("/ca-key")
    ]
    readers = [
        role
        for role in ("execution", "mongodb-execution")
        for s in read_policy(aws, role)
        if key["ARN"] in flatten(s["Resource"])
    ]
    assert readers == []


def test_every_member_and_every_forecast_has_its_alarms(aws: Aws):
    alarms = {a["AlarmName"]: a for a in aws("cloudwatch").describe_alarms()["MetricAlarms"]}
    members = {
        f"forecast-production-mongo-{n}-{what}"
        for n in (1, 2, 3)
        for what in ("down", "lag", "disk")
    }
    runs = {"forecast-production-no-fresh-forecast", "forecast-production-run-failed"}
    assert set(alarms) == members | runs
    assert {alarm["Namespace"] for alarm in alarms.values()} == {"ForecastPipeline"}
    failed = alarms["forecast-production-run-failed"]
    assert failed["MetricName"] == "run_success"
    assert {d["Name"]: d["Value"] for d in failed["Dimensions"]} == {
        "env": "production",
        "cluster": "ecs",
    }
    assert {a["TreatMissingData"] for a in alarms.values() if a is not failed} == {"breaching"}


def test_every_volume_is_in_the_nightly_backup(whole_plan: dict[str, Any]):
    (selection,) = [
        r for r in whole_plan["resource_changes"] if r["type"] == "aws_backup_selection"
    ]
    assert len(selection["change"]["after"]["resources"]) == 3


def test_the_worker_hears_of_tasks_that_stopped(aws: Aws):
    events = aws("events")
    (rule,) = events.list_rules(NamePrefix="forecast-production")["Rules"]
    assert json.loads(rule["EventPattern"])["detail-type"] == ["ECS Task State Change"]
    (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    definition = aws("ecs").describe_task_definition(taskDefinition="forecast-production-worker")
    (worker,) = definition["taskDefinition"]["containerDefinitions"]
    told = {pair["name"]: pair["value"] for pair in worker["environment"]}
    assert target["Arn"].endswith(
        f":{told['PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_SQS_QUEUE_NAME']}"
    )


def test_the_scheduler_keeps_paris_time_and_is_off(aws: Aws):
    schedule = aws("scheduler").get_schedule(
        GroupName="forecast-production", Name="forecast-weekly"
    )
    assert schedule["State"] == "DISABLED"
    assert schedule["ScheduleExpression"] == "cron(0 22 ? * WED *)"
    assert schedule["ScheduleExpressionTimezone"] == "Europe/Paris"
    assert schedule["Target"]["EcsParameters"]["TaskDefinitionArn"].endswith(
        "/forecast-pipeline-ecs"
    )


@pytest.mark.parametrize(
    ("prefect", "state"), [("true", None), ("false", "ENABLED")], ids=["both on", "Prefect's off"]
)
def test_two_schedules_cannot_both_be_on(applied: Checkout, prefect: str, state: str | None):
    chosen = ("-var=scheduler_enabled=true", f"-var=prefect_schedule_active={prefect}")
    if state is None:
        with pytest.raises(AssertionError, match="Two schedules are two runs"):
            applied.plan("-refresh=false", *chosen)
    else:
        planned = list_planned(applied.plan("-refresh=false", *chosen), "aws_scheduler_schedule")
        assert [values["state"] for values in planned.values()] == [state]


def test_its_outputs_are_what_the_deployments_ask_for(second_plan: dict[str, Any]):
    told = set(second_plan["planned_values"]["outputs"]["deployment"]["value"])
    asked = set(
        re.findall(r"\{\{ \$([A-Z_]+) \}\}", (SOURCE.parents[1] / "prefect.yaml").read_text())
    )
    asked |= {name.upper() for name, field in Place.model_fields.items() if field.is_required()}
    assert asked - told - {"GIT_SHA", "PWD"} == set()


def test_the_environment_of_the_deployments_is_what_terraform_tells(applied: Checkout):
    applied.type(find_block("docs/how-to/deploy-on-ecs.md", "production.env"))
    lines = (applied.root / "production.env").read_text().splitlines()
    assert "ECS_CLUSTER=forecast-production" in lines
    assert len([line for line in lines if line.startswith("SUBNET_IDS=subnet-")]) == 1


def test_a_rolling_restart_is_one_task_inside_the_network(applied: Checkout):
    applied.type(find_block("docs/how-to/deploy-on-ecs.md", "production.env"))
    started = json.loads(
        applied.type(find_block("docs/how-to/deploy-mongodb-on-ecs.md", "-operations"))
    )
    assert (started["failures"], len(started["tasks"])) == ([], 1)


def test_certificates_and_a_password_are_made_anew(applied: Checkout):
    told = applied.type(
        find_block("docs/how-to/deploy-mongodb-on-ecs.md", "credentials renew")
    ).splitlines()
    members = [f"written: certificate-mongo-{n}" for n in (1, 2, 3)]
    assert told == [*members, "written: uri-pipeline"]


def test_a_member_is_replaced_by_a_task_of_the_newest_definition(aws: Aws, monkeypatch: Monkey):
    ecs = aws("ecs")
    monkeypatch.setenv("AWS_ENDPOINT_URL", ecs.meta.endpoint_url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    services = Services("forecast-production", "forecast-production")
    # moto counts a service's tasks as running once it was told how many there are to be.
    ecs.update_service(cluster="forecast-production", service="mongo-2", desiredCount=1)
    services.restart("mongo-2.mongo.internal:27017")
    (service,) = ecs.describe_services(cluster="forecast-production", services=["mongo-2"])[
        "services"
    ]
    assert service["taskDefinition"].endswith(":task-definition/forecast-production-mongo-2:1")
    with pytest.raises(ClientError, match="Unable to describe task definition"):
        services.restart("mongo-9.mongo.internal:27017")


def test_a_set_is_restored_into_new_volumes_and_the_old_ones_are_kept(applied: Checkout, aws: Aws):
    ec2 = aws("ec2")
    ours = [{"Name": "tag-key", "Values": ["member"]}]
    volumes = [volume["VolumeId"] for volume in ec2.describe_volumes(Filters=ours)["Volumes"]]
    snapshot = ec2.create_snapshot(VolumeId=volumes[2])["SnapshotId"]
    lines = find_block("docs/how-to/restore.md", "mongodb_running=false").splitlines()
    away, forget, back = (line.replace("snap-0123456789abcdef0", snapshot) for line in lines)
    quick = "-auto-approve -refresh=false"
    members = "-target=aws_ecs_service.mongodb -target=aws_autoscaling_group.mongodb"
    applied.type(away, TF_CLI_ARGS_apply=f"{quick} {members}")
    groups = aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert {group["DesiredCapacity"] for group in groups} == {0}
    applied.type(forget)
    # moto starts no machine from a template's second version, so the rest stays a plan.
    applied.type(back, TF_CLI_ARGS_apply=f"{quick} -target=aws_ebs_volume.mongodb")
    found = ec2.describe_volumes(Filters=ours)["Volumes"]
    assert {volume["VolumeId"] for volume in found} > set(volumes)
    assert [v["AvailabilityZone"] for v in found if v.get("SnapshotId") == snapshot] == [
        "eu-west-3c"
    ]
    again = applied.plan("-refresh=false")
    assert "user_data" in list_changes(again)["aws_launch_template.mongodb"]
    sizes = {v["desired_capacity"] for v in list_planned(again, "aws_autoscaling_group").values()}
    assert sizes == {1}
    assert "aws_ebs_volume.mongodb" not in list_changes(again)
    one = find_block("docs/how-to/restore.md", "state rm 'aws_ebs_volume.mongodb[\"mongo-2\"]'")
    applied.type(one, TF_CLI_ARGS_apply=f"{quick} -target=aws_ebs_volume.mongodb")
    assert len(ec2.describe_volumes(Filters=ours)["Volumes"]) == len(found) + 1


def flatten(one_or_many: str | list[str]) -> list[str]:
    return [one_or_many] if isinstance(one_or_many, str) else one_or_many


def test_every_file_is_short():
    sizes = {path.name: len(path.read_text().splitlines()) for path in SOURCE.glob("*.tf")}
    assert max(sizes.values()) <= 250
