"""Fill the secrets that Terraform made places for; no state file and no terminal ever shows one.

`python -m deployments.aws.credentials fill` gives a value to every secret of the set that has none;
`renew` replaces the members' certificates, `rotate USER` a password. Both take effect with a
rolling restart.
"""

import secrets
import sys
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any, Final, Literal

import boto3
from cyclopts import App, CycloptsError

from deployments.aws.authority import Authority, found_authority, issue_certificate

MEMBERS: Final = ("mongo-1", "mongo-2", "mongo-3")
DOMAIN: Final = "mongo.internal"
USERS: Final = ("admin", "operator", "watcher", "pipeline", "migration", "reader")
User = Literal["operator", "watcher", "pipeline", "migration", "reader"]

app = App(name="python -m deployments.aws.credentials", help="Fill and renew the set's secrets.")


class Vault:
    """The secrets of one environment, `<prefix>/<name>`."""

    def __init__(self, prefix: str) -> None:
        """Open the vault of AWS_PROFILE and AWS_REGION."""
        self.prefix = prefix
        self._client: Any = boto3.client("secretsmanager")

    def read(self, name: str) -> str | None:
        """Give a secret; None where its place has no value yet."""
        try:
            return self._client.get_secret_value(SecretId=f"{self.prefix}/{name}")["SecretString"]
        except self._client.exceptions.ResourceNotFoundException:
            self._client.describe_secret(SecretId=f"{self.prefix}/{name}")  # the place must exist
            return None

    def write(self, name: str, value: str) -> str:
        """Put a value and give the secret's name."""
        self._client.put_secret_value(SecretId=f"{self.prefix}/{name}", SecretString=value)
        return name


def write_uri(user: str) -> str:
    """Give a URI of the set with a new password, of letters and digits only."""
    hosts = ",".join(f"{member}.{DOMAIN}:27017" for member in MEMBERS)
    password = secrets.token_hex(24)
    return f"mongodb://{user}:{password}@{hosts}/?replicaSet=rs0&tls=true&authSource=admin"


@app.command
def fill(*, prefix: str = "forecast-production") -> list[str]:
    """Give a value to every secret of the set that has none, and name these.

    Args:
        prefix: Name and environment, as Terraform was told them.
    """
    vault, filled = Vault(prefix), []
    authority = Authority(vault.read("ca") or "", vault.read("ca-key") or "")
    if not authority.certificate:
        authority = found_authority(f"{prefix} members", datetime.now(UTC))
        filled += [vault.write("ca-key", authority.key), vault.write("ca", authority.certificate)]
    if vault.read("keyfile") is None:
        filled.append(vault.write("keyfile", b64encode(secrets.token_bytes(566)).decode()))
    missing = [member for member in MEMBERS if vault.read(f"certificate-{member}") is None]
    filled += _certify(vault, authority, missing)
    users = [user for user in USERS if vault.read(f"uri-{user}") is None]
    return filled + [vault.write(f"uri-{user}", write_uri(user)) for user in users]


@app.command
def renew(*, prefix: str = "forecast-production") -> list[str]:
    """Give every member a new certificate of the same authority.

    Args:
        prefix: Name and environment, as Terraform was told them.
    """
    vault = Vault(prefix)
    authority = Authority(vault.read("ca") or "", vault.read("ca-key") or "")
    return _certify(vault, authority, MEMBERS)


@app.command
def rotate(user: User, *, prefix: str = "forecast-production") -> list[str]:
    """Give a user a new password; `init` of mongo-1 tells MongoDB at its next start.

    Args:
        user: Whose password.
        prefix: Name and environment, as Terraform was told them.
    """
    return [Vault(prefix).write(f"uri-{user}", write_uri(user))]


def _certify(vault: Vault, authority: Authority, members: tuple[str, ...] | list[str]) -> list[str]:
    now = datetime.now(UTC)
    return [
        vault.write(
            f"certificate-{member}", issue_certificate(authority, f"{member}.{DOMAIN}", now)
        )
        for member in members
    ]


if __name__ == "__main__":
    try:
        written = app(exit_on_error=False, result_action="return_value")
    except CycloptsError:
        sys.exit(2)
    for name in written or ():
        sys.stdout.write(f"written: {name}\n")
