"""Three members on loopback as they run on ECS: keyfile, TLS of our authority, no user yet."""

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pymongo import MongoClient

from deployments.aws.authority import Authority, found_authority, issue_certificate
from deployments.aws.credentials import USERS
from deployments.aws.replica_set import establish
from deployments.local.binary import find_mongod
from tasks.common.settings import Settings
from tests.fixtures.object_servers import find_free_ports

KEYFILE = "a" * 64


@dataclass
class LocalSet:
    """Members by port; each a process on a folder of its own."""

    folder: Path
    authority: Authority = field(
        default_factory=lambda: found_authority("test members", datetime.now(UTC))
    )
    ports: list[int] = field(default_factory=lambda: find_free_ports(3))
    processes: dict[int, subprocess.Popen] = field(default_factory=dict)

    @property
    def uris(self) -> dict[str, str]:
        hosts = ",".join(f"localhost:{port}" for port in self.ports)
        options = "replicaSet=rs0&tls=true&authSource=admin"
        return {user: f"mongodb://{user}:{user}-1@{hosts}/?{options}" for user in USERS}

    def settings(self, user: str) -> Settings:
        uri = SecretStr(self.uris[user])
        return Settings(mongodb_uri=uri, mongodb_ca=self.authority.certificate)

    def establish(self, uris: dict[str, str] | None = None) -> None:
        establish(Settings(mongodb_ca=self.authority.certificate), uris or self.uris)

    def client(self, user: str, **options: Any) -> MongoClient:  # noqa: ANN401
        authority = str(self.folder / "ca.pem")
        return MongoClient(self.uris[user], tlsCAFile=authority, w="majority", **options)

    def write_keys(self) -> None:
        certificate = issue_certificate(self.authority, "localhost", datetime.now(UTC))
        texts = {
            "ca.pem": self.authority.certificate,
            "certificate.pem": certificate,
            "keyfile": KEYFILE,
        }
        for name, text in texts.items():
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o400)

    def start(self, port: int) -> None:
        keys, data = self.folder, self.folder / str(port)
        data.mkdir(exist_ok=True)
        security = f"--keyFile={keys}/keyfile --tlsMode=requireTLS --tlsCAFile={keys}/ca.pem "
        security += f"--tlsCertificateKeyFile={keys}/certificate.pem "
        security += "--tlsAllowConnectionsWithoutCertificates --networkMessageCompressors=snappy"
        small = "--wiredTigerCacheSizeGB=0.25 --oplogSize=16 --nounixsocket --bind_ip=127.0.0.1"
        # A server that is asked to end serves its clients for fifteen seconds more.
        small += " --setParameter=shutdownTimeoutMillisForSignaledShutdown=100"
        small += " --wiredTigerEngineConfigString=log=(file_max=2MB,prealloc=false)"
        command = [str(find_mongod()), "--replSet=rs0", f"--dbpath={data}", f"--port={port}"]
        with (data / "log").open("ab") as log:
            self.processes[port] = subprocess.Popen(
                [*die_with_us(), *command, *security.split(), *small.split()],
                stdout=log,
                stderr=log,
            )

    def kill(self, port: int) -> None:
        self.processes[port].kill()
        self.processes[port].wait()

    def restart(self, address: str) -> None:
        """Do what ECS does: end a task, start another on the same volume."""
        port = int(address.rpartition(":")[2])
        self.processes[port].terminate()
        self.processes[port].wait()
        self.start(port)


def die_with_us() -> list[str]:
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


@contextmanager
def run_local_set(folder: Path) -> Generator[LocalSet]:
    local = LocalSet(folder)
    local.write_keys()
    try:
        for port in local.ports:
            local.start(port)
        yield local
    finally:
        for port in local.processes:
            local.kill(port)


def require(reason: str, *, available: bool) -> None:
    """Skip loudly where a tool is missing; where changes are decided, fail."""
    import pytest  # noqa: PLC0415

    if not available and os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; under CI=true that is a failure")
    if not available:
        pytest.skip(reason)
