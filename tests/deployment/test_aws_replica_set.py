"""The set as it is made, restarted, watched and restored on ECS, with three real members."""

import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from deployments.aws.replica_set import read_uris
from deployments.aws.rolling import list_members, roll_members
from deployments.aws.watch import observe
from tasks.common.errors import ConfigurationError, TerminalError
from tasks.common.mongo import ensure_indexes, open_database
from tests.deployment.aws_set import LocalSet, run_local_set

pytestmark = pytest.mark.aws


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSet]:
    with run_local_set(tmp_path_factory.mktemp("members")) as local:
        local.establish()
        yield local


def wait_until_whole(local: LocalSet) -> None:
    with local.client("operator") as client:
        while {m["stateStr"] for m in list_members(client)} - {"PRIMARY", "SECONDARY"}:
            time.sleep(0.2)


def read_metrics(lines: list[str]) -> dict[str, float]:
    told: dict[str, float] = {}
    for line in map(json.loads, lines):
        (declared,) = line["_aws"]["CloudWatchMetrics"]
        assert declared["Namespace"] == "ForecastPipeline"
        assert {"env", "cluster"} <= set(declared["Dimensions"][0])
        told |= {metric["Name"]: line[metric["Name"]] for metric in declared["Metrics"]}
    return told


def test_a_set_of_three_is_made_of_members_that_nobody_initiated(members: LocalSet):
    with members.client("operator") as client:
        names = [member["name"] for member in list_members(client)]
    assert sorted(names) == sorted(f"localhost:{port}" for port in members.ports)


def test_establishing_again_changes_a_password_and_nothing_else(members: LocalSet):
    rotated = members.uris | {"reader": members.uris["reader"].replace("reader-1", "reader-2")}
    members.establish(rotated)
    with (
        pytest.raises(OperationFailure, match="Authentication failed"),
        members.client("reader") as c,
    ):
        c.admin.command("ping")
    members.establish()
    with members.client("reader") as client:
        assert client["forecast_2_0"]["current"].find_one({}) is None


def test_the_pipeline_writes_its_database_and_removes_nothing(members: LocalSet):
    settings = members.settings("pipeline")
    with open_database(settings) as db:
        ensure_indexes(db)
        db["observations"].insert_one({"_id": "a"})
        with pytest.raises(OperationFailure, match="not authorized"):
            db["observations"].delete_one({"_id": "a"})
        with pytest.raises(OperationFailure, match="not authorized"):
            db.client["elsewhere"]["c"].insert_one({})


def test_nobody_gets_in_without_a_user_once_the_set_stands(members: LocalSet):

    uri = f"mongodb://localhost:{members.ports[0]}/?directConnection=true&tls=true"
    with MongoClient(uri, tlsCAFile=str(members.folder / "ca.pem")) as client:
        with pytest.raises(OperationFailure, match="requires authentication"):
            client["forecast_2_0"]["current"].find_one({})
        with pytest.raises(OperationFailure, match="requires authentication"):
            client.admin.command("createUser", "intruder", roles=["root"])


def test_a_rolling_restart_takes_the_primary_last_and_loses_no_write(members: LocalSet):
    wait_until_whole(members)
    restarted = []

    def restart(address: str) -> None:
        members.restart(address)
        restarted.append(address)
        with members.client("pipeline") as client:
            client["forecast_2_0"]["rolled"].insert_one({"_id": address})

    with members.client("operator") as client:
        primary = list_members(client)[-1]["name"]
        assert roll_members(client, restart, patience_s=120) == restarted
    assert restarted[-1] == primary
    with members.client("reader") as client:
        assert client["forecast_2_0"]["rolled"].count_documents({}) == 3


def test_a_member_that_does_not_come_back_leaves_the_others_alone(members: LocalSet):
    wait_until_whole(members)
    ended = []

    def end(address: str) -> None:
        ended.append(int(address.rpartition(":")[2]))
        members.kill(ended[0])

    with members.client("operator") as client, pytest.raises(TerminalError, match="was not whole"):
        roll_members(client, end, patience_s=8)
    assert len(ended) == 1
    members.start(ended[0])


def test_a_member_tells_its_state_its_lag_its_disk_and_the_age_of_the_forecast(members: LocalSet):
    wait_until_whole(members)
    issued = datetime.now(UTC) - timedelta(hours=30)
    with members.client("pipeline") as client:
        pointer = {"_id": "weekly", "issue_at": issued}
        client["forecast_2_0"]["current"].replace_one({"_id": "weekly"}, pointer, upsert=True)
    told: dict[str, float] = {}
    for _ in range(100):  # the member that is asked may be the last to hear, and to catch up
        told = read_metrics(observe(members.settings("watcher"), "localhost", members.folder))
        if "forecast_age_hours" in told and told.get("replication_lag_seconds", 99) < 10:
            break
        time.sleep(0.2)
    assert told["member_up"] == 1
    assert 0 <= told["replication_lag_seconds"] < 10
    assert 0 < told["disk_used_percent"] < 100
    assert told["forecast_age_hours"] == pytest.approx(30, abs=0.1)


def test_a_member_that_is_no_member_is_down(members: LocalSet):
    told = read_metrics(observe(members.settings("watcher"), "mongo-9", members.folder))
    assert told["member_up"] == 0
    assert "replication_lag_seconds" not in told


def test_one_snapshot_of_one_member_brings_the_whole_set_back(members: LocalSet, tmp_path: Path):
    """A snapshot is what a power cut leaves: the files of a member that was killed."""
    wait_until_whole(members)
    with members.client("pipeline") as client:
        client["forecast_2_0"]["kept"].insert_many([{"_id": number} for number in range(1000)])
        hello = client.admin.command("hello")
    secondary = next(p for p in members.ports if f"localhost:{p}" != hello["primary"])
    while True:  # until the snapshot would hold the last write
        with members.client("operator") as client:
            times = [member["optimeDate"] for member in list_members(client)]
        if max(times) == min(times):
            break
    members.kill(secondary)
    shutil.copytree(members.folder / str(secondary), tmp_path / "snapshot")
    for port in members.ports:
        members.kill(port)
        shutil.rmtree(members.folder / str(port))
    shutil.copytree(tmp_path / "snapshot", members.folder / str(secondary))
    for port in members.ports:
        members.start(port)
    wait_until_whole(members)
    with members.client("reader", readPreference="secondary") as client:
        assert client["forecast_2_0"]["kept"].count_documents({}) == 1000


def test_secrets_that_were_never_filled_are_told():
    with pytest.raises(ConfigurationError, match=r"deployments\.aws\.credentials fill"):
        read_uris({"MONGODB_URI_PIPELINE": "mongodb://u:p@h/"})
