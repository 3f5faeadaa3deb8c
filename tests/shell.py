"""Lines of the documents, found there and typed into a shell as they stand.

A law (tests/flows/test_documents.py) reads the calls of `documented` and `find_block` in the tests:
what no test types may not stand in the documents.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tasks.common.settings import Settings

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BASH: Final = ("bash", "-euo", "pipefail", "-c")
# One a process: the first run pays for the migrations, and no two ever share the database.
PREFECT_HOME: Final = Path(tempfile.gettempdir()) / f"prefect-of-tests-{os.getpid()}"
SERVED: Final[dict[str, str]] = {}
"""PREFECT_API_URL, while a fixture serves it: a temporary server for each line takes 6 s of CPU."""
_TREE: Final = (
    *("Makefile", "requirements.lock", "requirements-dev.lock", "prefect.yaml", ".git"),
    *("flows", "tasks", "deployments", "tests"),
)
_OURS: Final = ("AWS_", "TF_", "PREFECT_", "MAKE", "MFLAGS", "MONGODB_")
_SET: Final = {"ARGS", "BUILD", "NAMES", "VERSION", *map(str.upper, Settings.model_fields)}
"""With what begins as `_OURS`, variables of whoever runs the tests, which no line should see."""


def list_blocks(page: Path) -> Iterator[str]:
    """Give what a page shows to be typed, block by block."""
    yield from re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def list_lines(block: str) -> list[str]:
    """Give the commands of a block, without its comments."""
    return [line for line in block.splitlines() if line and not line.startswith("#")]


def documented(line: str) -> str:
    """Give a line that stands so in a block of the documents; a test that calls it types it."""
    assert any(line in list_lines(block) for page in PAGES for block in list_blocks(page)), line
    return line


def find_block(page: str, word: str) -> str:
    """Give the one block of a page, such as `docs/how-to/restore.md`, that holds a word."""
    (block,) = [block for block in list_blocks(ROOT / page) if word in block]
    return block


def make_checkout(folder: Path) -> Path:
    """Make a folder look like a checkout where everything is installed, and give it.

    All of it is linked; what a run leaves, `.local`, is the folder's own.
    """
    folder.mkdir(exist_ok=True)
    for name in _TREE:
        (folder / name).symlink_to(ROOT / name)
    environment = folder / ".venv"
    environment.mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.suffix != ".stamp":
            (environment / part.name).symlink_to(part)
    for name in ("runtime.stamp", "dev.stamp"):  # newer than the locks: nothing is installed
        (environment / name).touch()
    return folder


def type_lines(lines: str, folder: Path, told: Mapping[str, str], *, timeout_s: float = 300) -> str:
    """Type lines into one bash in a folder and give what they print; every one must succeed."""
    done = call((*BASH, lines), folder, told, timeout_s=timeout_s)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def call(
    command: Sequence[str], folder: Path, told: Mapping[str, str], *, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with nothing configured but what it is told."""
    return subprocess.run(
        command,
        cwd=folder,
        env=inherit() | dict(told),
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def inherit() -> dict[str, str]:
    """Give the environment without what configures us, the environment's own commands first."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _SET and not name.startswith(_OURS)
    }
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}",
        "PREFECT_HOME": str(PREFECT_HOME),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "COLUMNS": "100",
        **SERVED,
    }
