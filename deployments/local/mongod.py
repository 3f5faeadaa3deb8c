"""A MongoDB for a machine that has none: one real mongod, a replica set of one, on loopback.

mongod itself comes from MONGOD_BIN, from PATH, or from the optional extra `embedded`.
"""

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deployments.local.binary import find_mongod
from tasks.common.errors import ConfigurationError
from tasks.common.settings import Settings, load_settings, runs_on_ecs

PATIENCE_S: Final = 60.0

_FOOTPRINT: Final = (
    "--replSet=rs0",
    "--bind_ip=127.0.0.1",
    "--nounixsocket",
    "--networkMessageCompressors=snappy,zstd",  # never zlib: CVE-2025-14847
    "--wiredTigerCacheSizeGB=0.25",
    "--oplogSize=16",
    # 3 MB on disk instead of 300: no preallocated journal.
    "--wiredTigerEngineConfigString=log=(file_max=2MB,prealloc=false)",
    "--setParameter=diagnosticDataCollectionEnabled=false",
)
_NOT_INITIALISED, _NOT_A_MEMBER = 94, 93


def running_mongod(folder: Path) -> AbstractContextManager[str]:
    """Give the URI of the embedded server of this folder, started if nobody else did.

    The data stay in the folder. Several processes may share one server; the last to leave
    stops it.

    Raises:
        ConfigurationError: MONGODB_URI is set, this is ECS or production, or mongod is missing
            or does not start.
    """
    _refuse_embedded(load_settings())
    return serve_folder(folder)


def _refuse_embedded(settings: Settings) -> None:
    """Refuse where an embedded server would hide a database or lose its data."""
    refusals = {
        "MONGODB_URI is set, and it alone decides": settings.mongodb_uri is not None,
        "this is an ECS task, and the data would vanish with it": runs_on_ecs(),
        "ENVIRONMENT is production": settings.environment == "production",
    }
    for reason in (reason for reason, applies in refusals.items() if applies):
        msg = f"No embedded MongoDB starts here ({reason}): name a replica set in MONGODB_URI."
        raise ConfigurationError(msg)


@contextmanager
def serve_folder(folder: Path, options: Sequence[str] = ()) -> Generator[str, None, None]:
    """Do what `running_mongod` does, wherever it is asked, with further options of mongod."""
    folder = folder.absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        msg = (
            f"MONGODB_URI is not set, and an embedded MongoDB cannot write to {folder} "
            f"({error.strerror}): name the replica set in MONGODB_URI, or run where you may write."
        )
        raise ConfigurationError(msg) from error
    with (folder / "users.lock").open("w") as users:
        with _alone(folder):
            port = _ensure_server(folder, options)
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            with _alone(folder):
                _await_primary(port)
            yield f"mongodb://127.0.0.1:{port}/?replicaSet=rs0"
        finally:
            with _alone(folder), suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while others use it
                _stop_server(folder, port)


@contextmanager
def _alone(folder: Path) -> Generator[None, None, None]:
    """Hold the folder while a server is started or stopped."""
    with (folder / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ensure_server(folder: Path, options: Sequence[str]) -> int:
    """Give the port of the folder's server: the one that runs, or one started now."""
    noted = folder / "port"
    port = int(noted.read_text()) if noted.exists() else 0
    if _find_pid(folder, port) is None:
        port = _choose_port(port)
        noted.write_text(str(port))
        _launch(folder, port, options)
    return port


def _choose_port(wanted: int) -> int:
    """Give the wanted port when it is free, else a free one: the set remembers its address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _launch(folder: Path, port: int, options: Sequence[str]) -> None:
    data, log = folder / "data", folder / "mongod.log"
    data.mkdir(mode=0o700, exist_ok=True)
    places = (f"--dbpath={data}", f"--port={port}", f"--logpath={log}", "--logappend", "--fork")
    binary = find_mongod()
    try:
        # Arguments are ours, and no shell reads them.
        ended = subprocess.run(  # noqa: S603
            (binary, *_FOOTPRINT, *places, *options), capture_output=True, text=True, check=False
        )
    except OSError as error:
        msg = f"mongod at {binary} cannot be run: {error.strerror}; set MONGOD_BIN to one that can."
        raise ConfigurationError(msg) from error
    if ended.returncode != 0:
        # For example: error while loading shared libraries: libcrypto.so.1.1
        lines = (ended.stderr + ended.stdout).splitlines()
        reason = next((line for line in lines if "error" in line.lower()), "no reason given")
        msg = (
            f"mongod at {binary} did not start in {folder} (exit {ended.returncode}, {reason}): "
            f"look into {log}, name another one with MONGOD_BIN, or set MONGODB_URI."
        )
        raise ConfigurationError(msg)


def _connect(port: int) -> MongoClient[dict[str, Any]]:
    return MongoClient("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=5000)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return port != 0 and probe.connect_ex(("127.0.0.1", port)) == 0


def _find_pid(folder: Path, port: int) -> int | None:
    """Give the process that serves this folder on this port; a stranger's server is none."""
    if not _answers(port):
        return None
    with _connect(port) as client, suppress(PyMongoError):
        started_with = client.admin.command("getCmdLineOpts")["parsed"]
        if started_with.get("storage", {}).get("dbPath") == str(folder / "data"):
            return int(client.admin.command("serverStatus")["pid"])
    return None


def _await_primary(port: int) -> None:
    """Make the server the primary of its own set, once and for all times."""
    host = f"127.0.0.1:{port}"
    deadline, last = time.monotonic() + PATIENCE_S, "it is not elected"
    with _connect(port) as client:
        while time.monotonic() < deadline:
            try:
                if client.admin.command("hello").get("isWritablePrimary"):
                    return
                _configure_set(client, host)
            except PyMongoError as error:
                # It refuses while it still loads its set ("already initialized"), and hangs up
                # when its state changes ("connection closed").
                last = str(error)
            time.sleep(0.05)
    msg = f"The embedded MongoDB at {host} did not become primary in {PATIENCE_S:.0f} s: {last}."
    raise ConfigurationError(msg)


def _configure_set(client: MongoClient[dict[str, Any]], host: str) -> None:
    member, code = {"_id": 0, "host": host}, None
    try:
        client.admin.command("replSetGetStatus")
    except OperationFailure as error:
        code = error.code
    if code == _NOT_INITIALISED:
        client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
    elif code == _NOT_A_MEMBER:
        # The set remembers another port: the data stay, the address is corrected.
        known = client["local"]["system.replset"].find_one() or {}
        corrected = known | {"members": [member], "version": known.get("version", 0) + 1}
        client.admin.command("replSetReconfig", corrected, force=True)


def _stop_server(folder: Path, port: int) -> None:
    """End the server cleanly: it empties its lock file when all is on disk, then closes."""
    pid = _find_pid(folder, port)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    lock = folder / "data" / "mongod.lock"
    deadline = time.monotonic() + PATIENCE_S
    while (lock.stat().st_size or _answers(port)) and time.monotonic() < deadline:
        time.sleep(0.05)
