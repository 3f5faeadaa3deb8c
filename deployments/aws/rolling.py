"""Restart the members one at a time, on the newest task definitions; the set serves throughout.

`python -m deployments.aws.rolling`, as a task inside the network: docs/how-to says how.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import boto3
from botocore.exceptions import WaiterError
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from tasks.common.errors import PipelineError, TerminalError
from tasks.common.mongo import connect, retried
from tasks.common.settings import load_settings

Client = MongoClient[dict[str, Any]]

PATIENCE_S: Final = 1800
"""A member that was away for days is filled anew; an hour of writes takes seconds."""

_SERVING: Final = {"PRIMARY", "SECONDARY"}


@retried
def _read_status(client: Client) -> dict[str, Any]:
    return client.admin.command("replSetGetStatus")


def list_members(client: Client) -> list[dict[str, Any]]:
    """Give the members as the primary sees them, the primary last."""
    members = _read_status(client)["members"]
    return sorted(members, key=lambda member: (member["stateStr"] == "PRIMARY", member["_id"]))


def roll_members(
    client: Client, restart: Callable[[str], None], *, patience_s: float = PATIENCE_S
) -> list[str]:
    """Restart each member once, secondaries first, and give their names in that order.

    Before each restart the whole set serves, so a majority remains without the one; the primary
    hands over first, and clients' retries bridge the election.

    Args:
        client: of the whole set, as a user who may step the primary down.
        restart: replaces the process of the member of this host name; returns once it runs.
        patience_s: how long a member may take to catch up.

    Raises:
        TerminalError: a member did not come back; the others were left alone.
    """
    addresses = [member["name"] for member in list_members(client)]
    for address in addresses:
        _await_whole(client, address, patience_s)
        if list_members(client)[-1]["name"] == address:
            _hand_over(client)
        restart(address)
        _await_whole(client, address, patience_s)
    return addresses


def _hand_over(client: Client) -> None:
    """Make another member the primary; the one that steps down closes its connections."""
    with suppress(AutoReconnect):
        client.admin.command("replSetStepDown", 120, secondaryCatchUpPeriodSecs=30)


def _await_whole(client: Client, address: str, patience_s: float) -> None:
    """Wait until every member serves, none ten seconds behind, by heartbeats from now on.

    Right after a restart the primary still believes what the heartbeat before it said.
    """
    since, deadline = _read_status(client)["date"], time.monotonic() + patience_s
    while time.monotonic() < deadline:
        members = list_members(client)
        newest = max(member["optimeDate"] for member in members)
        if all(_serves(member, since, newest) for member in members):
            return
        time.sleep(1)
    states = ", ".join(f"{member['name']} {member['stateStr']}" for member in members)
    msg = (
        f"The set was not whole within {patience_s:.0f} s at member {address} ({states}): "
        "look into its log; the members after it were not restarted."
    )
    raise TerminalError(msg)


def _serves(member: dict[str, Any], since: datetime, newest: datetime) -> bool:
    heard = member.get("self") or member["lastHeartbeat"] > since
    behind_s = (newest - member["optimeDate"]).total_seconds()
    return heard and member["stateStr"] in _SERVING and behind_s <= 10


class Services:
    """The members' ECS services: each of the name of its host's first label."""

    def __init__(self, cluster: str, family_prefix: str) -> None:
        """Open the cluster of AWS_REGION."""
        self.cluster = cluster
        self.family_prefix = family_prefix
        self._client: Any = boto3.client("ecs")

    def restart(self, address: str) -> None:
        """Replace a member's task by one of the newest definition; return once it is healthy.

        Raises:
            TerminalError: the new task did not become healthy, or ECS went back to the old one.
        """
        member = address.partition(".")[0]
        family = f"{self.family_prefix}-{member}"
        where = {"cluster": self.cluster, "services": [member]}
        newest = self._client.describe_task_definition(taskDefinition=family)["taskDefinition"]
        wanted = newest["taskDefinitionArn"]
        self._client.update_service(
            cluster=self.cluster, service=member, taskDefinition=wanted, forceNewDeployment=True
        )
        with suppress(WaiterError):
            self._client.get_waiter("services_stable").wait(**where)
        deployments = self._client.describe_services(**where)["services"][0]["deployments"]
        if [deployment["taskDefinition"] for deployment in deployments] != [wanted]:
            msg = (
                f"Member {member} does not run {wanted.rpartition('/')[2]}, its task never became "
                "healthy: look into its log; the members after it were not restarted."
            )
            raise TerminalError(msg)


def main(environment: Mapping[str, str]) -> int:
    """Roll the set of MONGODB_URI in ECS_CLUSTER; 0 done, 1 a member did not come back."""
    services = Services(environment["ECS_CLUSTER"], environment["ECS_FAMILY_PREFIX"])
    try:
        with connect(load_settings()) as client:
            done = roll_members(client, services.restart)
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"Restarted one after the other: {', '.join(done)}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
