"""A member that starts where nobody resolves its name: the entrypoint with a real mongod.

Each start is a task of its own: a network and an /etc/hosts of its own, another address, the same
data. Only root may make these.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest

from deployments.aws.authority import found_authority, issue_certificate
from deployments.local.binary import find_mongod
from tests.deployment.aws_set import KEYFILE, die_with_us, require
from tests.fixtures.mongo_servers import FOOTPRINT

pytestmark = pytest.mark.aws

ENTRYPOINT = Path(__file__).parents[2] / "deployments/aws/mongodb/entrypoint.sh"
MEMBER = "mongo-1.mongo.internal"
SMALL = [option for option in FOOTPRINT if "Cache" in option or "Engine" in option]
ASK = """
import json, os, sys, time
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
options = {"tls": True, "tlsCAFile": os.environ["CA_FILE"], "directConnection": True}
client = MongoClient("localhost", 27017, serverSelectionTimeoutMS=20000, **options)
if "initiate" in sys.argv:
    member = {"_id": 0, "host": os.environ["MEMBER"]}
    client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
deadline = time.monotonic() + 8
while not (hello := client.admin.command("hello"))["isWritablePrimary"]:
    if time.monotonic() > deadline:
        break
    time.sleep(0.2)
print(json.dumps({"primary": hello["isWritablePrimary"], "me": hello.get("me")}))
"""


class Task:
    """One start of the member: address and /etc/hosts are new, the volume stays."""

    def __init__(self, folder: Path, address: str, entrypoint: Path = ENTRYPOINT) -> None:
        self.folder, self.address, self.entrypoint = folder, address, entrypoint
        self.hosts = folder / f"hosts-{address}"
        self.hosts.write_text("127.0.0.1 localhost\n")

    def run(self, *arguments: str) -> dict:
        """Start the member, ask it, end it; the shell dies with everything in its network."""
        authority = found_authority("test members", datetime.now(UTC))
        certificate = issue_certificate(authority, MEMBER, datetime.now(UTC))
        (self.folder / "ca.pem").write_text(authority.certificate)
        script = f"""
            ip link set lo up
            ip link add eth0 type veth peer name other && ip link set other up
            ip addr add 169.254.172.2/22 dev eth0
            ip addr add {self.address}/24 dev eth0 && ip link set eth0 up
            mount --bind {self.hosts} /etc/hosts
            {self.entrypoint} {shlex.join(SMALL)} > {self.folder}/log-{self.address} 2>&1 &
            {sys.executable} -c "$ASK" {" ".join(arguments)}
            kill $! && wait $!
        """
        keys = {"KEYFILE": KEYFILE, "CERTIFICATE": certificate, "CA": authority.certificate}
        places = {"DATA": self.folder / "data", "KEYS": self.folder / "keys"}
        names = {
            "MEMBER": MEMBER,
            "RUN_AS": "nobody",
            "MONGOD": self.folder.parent / "mongod",
            "ASK": ASK,
        }
        files = {"CA_FILE": self.folder / "ca.pem"}
        given = {**keys, **places, **names, **files}
        ended = subprocess.run(
            [*die_with_us(), "unshare", "--net", "--mount", "bash", "-c", script],
            env=os.environ | {name: str(value) for name, value in given.items()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.stdout, ended.stderr + self.read_log()[-2000:]
        return json.loads(ended.stdout)

    def read_log(self) -> str:
        log = self.folder / f"log-{self.address}"
        return log.read_text() if log.exists() else ""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Give a folder that nobody may enter, with a mongod that nobody may run."""
    able = os.geteuid() == 0 and all(map(shutil.which, ("unshare", "ip", "setpriv")))
    require("networks of their own need root, unshare, ip and setpriv", available=able)
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        shutil.copy(find_mongod(), folder)
        yield Path(folder)


@pytest.fixture
def volume(place: Path) -> Path:
    folder = place / uuid4().hex
    (folder / "data").mkdir(parents=True)
    return folder


def test_a_member_is_primary_again_under_its_name_at_another_address(volume: Path):
    assert Task(volume, "10.0.0.5").run("initiate")["primary"]
    again = Task(volume, "10.0.0.9")
    assert again.run() == {"primary": True, "me": f"{MEMBER}:27017"}
    assert again.hosts.read_text() == f"127.0.0.1 localhost\n10.0.0.9 {MEMBER}\n"


def test_without_its_name_it_would_be_removed_from_its_own_set(volume: Path):
    assert Task(volume, "10.0.0.5").run("initiate")["primary"]
    forgetful = volume / "forgetful.sh"
    script = ENTRYPOINT.read_text()
    forgetful.write_text(script.replace("> /etc/hosts", "> /dev/null"))
    forgetful.chmod(0o755)
    removed = Task(volume, "10.0.0.9", forgetful)
    assert not removed.run()["primary"]
    assert (
        "No host described in new replica set config" in removed.read_log()
        or "REMOVED" in removed.read_log()
    )


def test_keys_are_read_by_the_server_alone_and_leave_its_environment(volume: Path):
    task = Task(volume, "10.0.0.5")
    task.run("initiate")
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (volume / "keys").iterdir()}
    assert modes == dict.fromkeys(("keyfile", "certificate.pem", "ca.pem"), "0o400")
    assert "PRIVATE KEY" not in task.read_log()
