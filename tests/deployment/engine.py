"""A Docker engine of the tests' own: started by hand, on a socket of its own, gone without a trace.

Needs root, and Debian's docker.io, iptables and mmdebstrap, which `make image-check` installs.
"""

import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from tests.shell import ROOT

DOCKER = (
    "/usr/bin/docker"  # docker.io's; another one earlier on PATH may know neither BuildKit nor us
)
NEEDED = ("dockerd", "iptables-save", "ip", "mmdebstrap")
READY_SECONDS = 60
KEPT = "ENGINE_DATA"
"""A folder for images that the next check finds again; unset, all is forgotten."""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
OWN = ARCHITECTURES.get(platform.machine(), platform.machine())
ARCHITECTURE = os.environ.get("PLATFORM", f"linux/{OWN}").removeprefix("linux/")
"""That the image is built for; another one than this machine's is emulated."""

_ELF_OF_ARM64 = (
    rb"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00",
    rb"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff",
)
"""How a program for arm64 begins, and which bits of that count.

Source: qemu-binfmt-conf.sh of qemu.
"""

HARDENED = (
    *("--read-only", "--tmpfs=/tmp"),
    *("--cap-drop=ALL", "--security-opt=no-new-privileges"),
)


def give_up(reason: str) -> NoReturn:
    """Skip, saying why; under CI, where it should have run, fail."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True)
class Engine:
    """A running engine, spoken to by Debian's client."""

    address: str

    @property
    def environment(self) -> dict[str, str]:
        """Tell programs which engine is theirs."""
        return {"DOCKER_HOST": self.address, "DOCKER_BUILDKIT": "1"}

    def run(
        self, *arguments: str, stdin: str | None = None, check: bool = True, timeout_s: int = 900
    ) -> subprocess.CompletedProcess[str]:
        return self.call(DOCKER, *arguments, stdin=stdin, check=check, timeout_s=timeout_s)

    def call(
        self, *command: str, stdin: str | None = None, check: bool = True, timeout_s: int = 900
    ) -> subprocess.CompletedProcess[str]:
        """Run any program that looks for its engine in the environment."""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        if check and done.returncode:
            pytest.fail(
                f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"[-5000:]
            )
        return done

    def answers(self) -> bool:
        return self.run("version", check=False).returncode == 0


@contextmanager
def run_engine() -> Generator[Engine]:
    """Run an engine, and leave neither images nor rules nor a bridge behind."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        give_up(f"a Docker engine of its own needs root and {', '.join(NEEDED)}; absent: {missing}")
    if Path("/sys/class/net/docker0").exists():
        give_up("another Docker engine runs here (docker0 is there); end it first")
    with tempfile.TemporaryDirectory(prefix="engine-") as name, _network_as_it_was():
        folder = Path(name)
        address = f"unix://{folder}/socket"
        data = os.environ.get(KEPT, folder / "data-root")
        places = [f"--{option}={folder / option}" for option in ("exec-root", "pidfile")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["dockerd", f"--data-root={data}", *places, f"--host={address}"],
                stdout=log,
                stderr=log,
            )
        try:
            yield _await_engine(Engine(address), process, folder / "log")
        finally:
            process.terminate()
            process.wait(60)
            _unmount(folder)


def _await_engine(engine: Engine, process: subprocess.Popen, log: Path) -> Engine:
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if engine.answers():
            return engine
        time.sleep(0.2)
    give_up(f"dockerd did not start: {log.read_text()[-2000:]}")


def _unmount(folder: Path) -> None:
    """Take away what an engine leaves mounted, such as exec-root/netns/default."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in reversed([place for place in mounted if place.startswith(f"{folder}/")]):
        subprocess.run(["umount", place], check=True)


@contextmanager
def emulated() -> Generator[None]:
    """Let this machine's kernel start programs of the image's architecture, by Debian's qemu."""
    emulator = shutil.which("qemu-aarch64-static")
    kernel = Path("/proc/sys/fs/binfmt_misc")
    if ARCHITECTURE == OWN or (kernel / "qemu-aarch64").exists():
        yield
        return
    if os.geteuid() != 0 or emulator is None or ARCHITECTURE != "arm64":
        give_up(f"to emulate {ARCHITECTURE} needs root and qemu-aarch64-static, and arm64 alone is")
    if not (kernel / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", kernel], check=True)
    magic, mask = _ELF_OF_ARM64
    told = b":".join((b"", b"qemu-aarch64", b"M", b"", magic, mask, emulator.encode(), b"OCPF"))
    (kernel / "register").write_bytes(told)
    try:
        yield
    finally:
        (kernel / "qemu-aarch64").write_text("-1")


@contextmanager
def _network_as_it_was() -> Generator[None]:
    """Take back what an engine does to the machine's network and does not undo when it ends."""
    rules = subprocess.run(["iptables-save"], check=True, capture_output=True).stdout
    forwarding = Path("/proc/sys/net/ipv4/ip_forward")
    forwarded = forwarding.read_text()
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "delete", "docker0"], check=False, capture_output=True)
        for table in ("filter", "nat"):  # a table that was not there is not in what was saved
            subprocess.run(["iptables", "-t", table, "-F"], check=True)
            subprocess.run(["iptables", "-t", table, "-X"], check=True)
        subprocess.run(["iptables", "-P", "FORWARD", "ACCEPT"], check=True)
        subprocess.run(["iptables-restore"], check=True, input=rules)
        forwarding.write_text(forwarded)
