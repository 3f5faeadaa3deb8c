"""Initiate the replica set and keep its users as the secrets say; safe to run at every start.

Runs beside mongod in the task of one member, as container `init`: only from there does MongoDB
let somebody without a user make the first one (the localhost exception). The set begins with that
member alone and takes the others in one by one, so the first primary is never another one, where
the exception could not be reached.
"""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.errors import NotPrimaryError, OperationFailure
from pymongo.uri_parser import parse_uri
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

from tasks.common.errors import ConfigurationError, PipelineError
from tasks.common.mongo import connect
from tasks.common.settings import Settings, load_settings

Client = MongoClient[dict[str, Any]]

_PREFIX: Final = "MONGODB_URI_"
_NOT_INITIALISED, _UNAUTHORIZED = 94, 13
_EXISTS: Final = frozenset({51002, 51003})
_UNREACHED: Final = frozenset({74, 93, 103, 109, 308, 10107})
"""Members that do not answer yet, or a configuration that no majority holds yet."""

WRITER: Final = "pipeline_writer"
_WRITES: Final = ["find", "insert", "update", "createIndex", "listIndexes", "listCollections"]


def list_roles(user: str, database: str) -> list[Any]:
    """Give a user's roles: nobody but `admin` may remove a document or make a user.

    >>> list_roles("reader", "forecast_2_0")
    [{'role': 'read', 'db': 'forecast_2_0'}]
    """
    return {
        "admin": [{"role": "root", "db": "admin"}],
        "operator": [
            {"role": role, "db": "admin"} for role in ("clusterManager", "clusterMonitor")
        ],
        "watcher": [
            {"role": "clusterMonitor", "db": "admin"},
            {"role": "read", "db": database},
        ],
        "reader": [{"role": "read", "db": database}],
    }.get(user, [WRITER])


def establish(settings: Settings, uris: Mapping[str, str]) -> None:
    """Bring set, role and users to what is wanted, whatever stands already.

    Args:
        settings: `mongodb_ca`, and the name of the database.
        uris: URI with password of each user, `admin` among them; its hosts are the members, this
            task's own first.

    Raises:
        ConfigurationError: the stored administrator has another password than the secret.
        TransientError: the other members did not answer within a quarter of an hour.
    """
    admin, database = parse_uri(uris["admin"]), settings.mongodb_database
    hosts = [f"{host}:{port}" for host, port in admin["nodelist"]]
    here = f"mongodb://localhost:{admin['nodelist'][0][1]}/?directConnection=true"
    here += "&tls=true" if admin["options"].get("tls") else ""
    with connect(_point(settings, here)) as client:
        _begin_set(client, hosts[0])
        _make_administrator(client, admin["password"])
    with connect(_point(settings, uris["admin"])) as client:
        for host in hosts[1:]:
            _take_in(client, host)
        right = {"resource": {"db": database, "collection": ""}, "actions": _WRITES}
        _define(client, "Role", WRITER, {"privileges": [right], "roles": []})
        for user, uri in uris.items():
            if user != "admin":
                wanted = {"pwd": parse_uri(uri)["password"], "roles": list_roles(user, database)}
                _define(client, "User", user, wanted)


def _point(settings: Settings, uri: str) -> Settings:
    return settings.model_copy(update={"mongodb_uri": SecretStr(uri)})


def _begin_set(client: Client, host: str) -> None:
    """Initiate a set of this member alone, unless it is in one; wait for a primary that writes."""
    try:
        client.admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code == _NOT_INITIALISED:
            members = [{"_id": 0, "host": host}]
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
        elif error.code != _UNAUTHORIZED:  # users stand: the set does too
            raise
    # A member names itself the primary a moment before it takes writes.
    while (told := client.admin.command("hello")).get("primary") in {None, told.get("me")}:
        if told["isWritablePrimary"]:
            return
        time.sleep(0.5)


def _make_administrator(client: Client, password: str) -> None:
    """Make the first user through the localhost exception, which ends with it."""
    # It stands: the exception is over, or this is no primary.
    with suppress(OperationFailure, NotPrimaryError):
        client.admin.command(
            "createUser", "admin", pwd=password, roles=list_roles("admin", "admin")
        )


@retry(
    retry=retry_if_exception(lambda e: isinstance(e, OperationFailure) and e.code in _UNREACHED),
    wait=wait_fixed(1),
    stop=stop_after_delay(900),
    reraise=True,
)
def _take_in(client: Client, host: str) -> None:
    """Add a member to the set, unless it is one; a set takes in one voter at a time."""
    config = client.admin.command("replSetGetConfig")["config"]
    if host not in [member["host"] for member in config["members"]]:
        number = max(member["_id"] for member in config["members"]) + 1
        config["members"].append({"_id": number, "host": host})
        config["version"] += 1
        client.admin.command("replSetReconfig", config)


def _define(client: Client, kind: str, name: str, wanted: Mapping[str, Any]) -> None:
    """Create a Role or User, or make the one that stands like the wanted one."""
    try:
        client.admin.command({f"create{kind}": name, **wanted})
    except OperationFailure as error:
        if error.code not in _EXISTS:
            raise
        client.admin.command({f"update{kind}": name, **wanted})


def read_uris(environment: Mapping[str, str]) -> dict[str, str]:
    """Give the URIs of MONGODB_URI_<USER>, by user.

    Raises:
        ConfigurationError: that of the administrator is missing.
    """
    uris = {
        name.removeprefix(_PREFIX).lower(): uri
        for name, uri in environment.items()
        if name.startswith(_PREFIX)
    }
    if "admin" not in uris:
        remedy = "fill the secrets with `python -m deployments.aws.credentials fill`"
        msg = f"{_PREFIX}ADMIN is not set, and only that user makes the others: {remedy}."
        raise ConfigurationError(msg)
    return uris


def main(environment: Mapping[str, str]) -> int:
    """Establish the set and tell who stands; a failure is one sentence and exit code 1 or 2."""
    try:
        uris = read_uris(environment)
        establish(load_settings(), uris)
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, ConfigurationError) else 1
    sys.stdout.write(f"The set and its users stand: {', '.join(sorted(uris))}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
