"""Images made of this machine's own parts, for where no registry is reached.

Each is a Debian made by mmdebstrap and holds what the image it stands in for is used for.
"""

import hashlib
import json
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deployments.local.binary import find_mongod
from tests.deployment.engine import ARCHITECTURE, OWN, Engine, give_up

PYTHON = "python:3.12-slim-bookworm"
MONGOSH = "mongosh@2.12.0"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SSL_CERT_FILE": _CERTIFICATES,  # a machine may stand behind an authority of its own
    "PIP_CERT": _CERTIFICATES,
}
_UNREAD = ("doc", "man", "locale", "info")
_PERL = (  # comes with usrmerge; the real base has none of it, and the image's size is asserted
    *("usrmerge", "libfile-find-rule-perl", "libnumber-compare-perl", "libtext-glob-perl"),
    *("perl", "perl-modules-5.36", "libperl5.36"),
)
_LIBRARIES_OF_PYTHON = (
    *("libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libreadline8"),
    *("libsqlite3-0", "libssl3", "libuuid1", "zlib1g"),
)


POSTGRES_ENTRYPOINT = """#!/bin/sh
set -eu
export PATH=$(echo /usr/lib/postgresql/*/bin):$PATH PGDATA=/var/lib/postgresql/data
if [ ! -e $PGDATA/PG_VERSION ]; then
  echo "$POSTGRES_PASSWORD" > /tmp/password
  initdb --username=$POSTGRES_USER --pwfile=/tmp/password --auth=scram-sha-256 > /dev/null
  echo "host all all all scram-sha-256" >> $PGDATA/pg_hba.conf
  echo "CREATE DATABASE $POSTGRES_DB;" | postgres --single -D $PGDATA postgres > /dev/null
fi
exec postgres -c listen_addresses='*'
"""


def make_debian(
    engine: Engine,
    name: str,
    *,
    packages: Sequence[str] = (),
    hooks: Sequence[str] = (),
    entrypoint: str | None = None,
    architecture: str = OWN,
) -> None:
    """Import a Debian 12 of the least packages and `packages` as an image."""
    included = ",".join(("ca-certificates", "netbase", "tzdata", *packages))
    done = [f"upload {_CERTIFICATES} {_CERTIFICATES}", *hooks, 'chroot "$1" ldconfig']
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "layer.tar"
        engine.call(
            *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={included}"),
            f"--architectures={architecture}",
            *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in _UNREAD),
            *(f"--customize-hook={hook}" for hook in done),
            *("bookworm", str(archive)),
        )
        told = {"Env": [f"{key}={value}" for key, value in _ENVIRONMENT.items()]}
        if entrypoint:
            told["Entrypoint"] = [entrypoint]
        _load_image(engine, name, archive, {"architecture": architecture, "config": told})


def _load_image(engine: Engine, name: str, layer: Path, told: dict[str, Any]) -> None:
    """Load a root folder as an image; `docker import` knows no architecture but its own."""
    with layer.open("rb") as file:
        digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    told |= {"os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest]}}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": [layer.name]}]
    for file, content in (("config.json", told), ("manifest.json", manifest)):
        layer.with_name(file).write_text(json.dumps(content))
    with tarfile.open(layer.with_name("image.tar"), "w") as image:
        for file in ("manifest.json", "config.json", layer.name):
            image.add(layer.with_name(file), file)
    engine.run("load", f"--input={layer.with_name('image.tar')}")


def give_python_base(engine: Engine, folder: Path) -> str:
    """Give the image to build on: the real one, or a Debian with this machine's Python."""
    if _is_there(engine, PYTHON, ARCHITECTURE):
        return PYTHON
    made = f"stand-in/{PYTHON}-{ARCHITECTURE}"
    if _is_there(engine, made, ARCHITECTURE):
        return made
    if ARCHITECTURE != OWN:
        _make_foreign_python(engine, made)
        return made
    tree = folder / "python"
    unused = shutil.ignore_patterns(
        *("test", "tests", "idlelib", "tkinter", "lib2to3"), *("*.a", "*.pth", "__pycache__")
    )
    for part in ("bin", "lib"):
        shutil.copytree(_find_python() / part, tree / part, symlinks=True, ignore=unused)
    make_debian(
        engine,
        made,
        packages=_LIBRARIES_OF_PYTHON,
        hooks=[
            f"sync-in {tree} /usr/local",
            f'chroot "$1" dpkg --purge --force-depends {" ".join(_PERL)}',
        ],
    )
    return made


def _make_foreign_python(engine: Engine, name: str) -> None:
    """Give a Debian of another architecture with Debian's Python, 3.11, and this machine's pip."""
    pip = _find_python() / "lib/python3.12/site-packages/pip"
    make_debian(
        engine,
        name,
        packages=["python3"],
        hooks=[
            'mkdir "$1/usr/lib/python3/dist-packages/pip"',
            f"sync-in {pip} /usr/lib/python3/dist-packages/pip",
            'ln -s python3 "$1/usr/bin/python"',
            f'chroot "$1" dpkg --purge --force-depends {" ".join(_PERL)}',
        ],
        architecture=ARCHITECTURE,
    )


def _is_there(engine: Engine, name: str, architecture: str = OWN) -> bool:
    """Tell whether an image is there for an architecture, or can be had from a registry."""
    look = ("image", "inspect", "--format={{.Architecture}}", name)
    pull = ("pull", f"--platform=linux/{architecture}", name)
    return engine.run(*look, check=False).stdout.strip() == architecture or (
        engine.run(*pull, check=False, timeout_s=300).returncode == 0
    )


def _find_python() -> Path:
    """Find a Python that is not the system's, so that it can be copied: of pyenv, or this one."""
    found = sorted(Path("~/.pyenv/versions").expanduser().glob("3.12.*"))
    prefix = found[-1] if found else Path(sys.base_prefix)
    if prefix == Path("/usr"):
        give_up("no registry is reached, and there is no Python outside /usr to make a base of")
    return prefix


def give_image(engine: Engine, name: str, folder: Path) -> None:
    """Have an image of docker-compose.yml under its very name: the real one, or a stand-in."""
    if not _is_there(engine, name):
        folder.mkdir()
        _MAKERS[name.partition(":")[0]](engine, name, folder)


def _make_mongo(engine: Engine, name: str, folder: Path) -> None:
    """Give the embedded mongod, and mongosh with this machine's Node to ask for its health."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        give_up("no registry is reached, and there is no Node to make a mongosh with")
    engine.call(
        npm, "install", "--silent", "--no-fund", "--ignore-scripts", f"--prefix={folder}", MONGOSH
    )
    make_debian(
        engine,
        name,
        packages=("libcurl4", "libssl3", "libstdc++6"),
        hooks=[
            f"upload {find_mongod()} /usr/local/bin/mongod",
            f"upload {Path(node).resolve()} /usr/local/bin/node",
            'mkdir "$1/opt/mongosh"',
            f"sync-in {folder} /opt/mongosh",
            'ln -s /opt/mongosh/node_modules/mongosh/bin/mongosh.js "$1/usr/local/bin/mongosh"',
            'chroot "$1" useradd --system --uid=999 --user-group mongodb',
            'chroot "$1" install -d -o mongodb -g mongodb /data/db /data/configdb',
            'chmod 755 "$1/usr/local/bin/mongod" "$1/usr/local/bin/node"',
        ],
    )


def _make_lake(engine: Engine, name: str, _folder: Path) -> None:
    """Give SeaweedFS of its wheel, begun as the official image begins it."""
    weed = Path(sys.executable).with_name("weed")
    hooks = [
        f"upload {weed} /usr/bin/weed",
        'chmod 755 "$1/usr/bin/weed"',
        'chroot "$1" useradd --system --uid=1000 --user-group seaweed',
        'chroot "$1" install -d -o seaweed -g seaweed /data',
    ]
    make_debian(engine, name, packages=["wget"], hooks=hooks, entrypoint="/usr/bin/weed")


def _make_postgres(engine: Engine, name: str, folder: Path) -> None:
    """Give Debian's server, and what the official image's entrypoint does for a first start."""
    script = folder / "entrypoint.sh"
    script.write_text(POSTGRES_ENTRYPOINT)
    script.chmod(0o755)
    hooks = [
        f"upload {script} /usr/local/bin/entrypoint.sh",
        'chmod 755 "$1/usr/local/bin/entrypoint.sh"',
        'chroot "$1" install -d -o postgres -g postgres /var/lib/postgresql/data',
    ]
    make_debian(
        engine,
        name,
        packages=["postgresql"],
        hooks=hooks,
        entrypoint="/usr/local/bin/entrypoint.sh",
    )


_MAKERS = {
    "mongo": _make_mongo,
    "chrislusf/seaweedfs": _make_lake,
    "postgres": _make_postgres,
}
