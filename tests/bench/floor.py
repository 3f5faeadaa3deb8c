"""The floor: the bare optimiser, given the very inputs that a fit gave it."""

import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

PROGRAM: Final = "prophet_model"
"""Beginning of the name of Prophet's compiled model."""
RUN: Final = "method=optimize"


@dataclass
class StanRuns:
    """Commands of Prophet's compiled model as they were started, with copies of their inputs.

    Attributes:
        folder: where the inputs are copied to, and the commands' outputs are sent.
    """

    folder: Path
    commands: list[list[str]] = field(default_factory=list)
    listening: bool = True

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Keep a command; an audit hook, told of every process before it starts."""
        if not self.listening or event != "subprocess.Popen":
            return
        command = [str(word) for word in arguments[1]]
        if PROGRAM in Path(command[0]).name and RUN in command:
            words = [self._keep(before, word) for before, word in pairwise(command)]
            self.commands.append([command[0], *words])

    def _keep(self, before: str, word: str) -> str:
        """Copy an input, rename an output; other words stay. `before` tells which file it is."""
        name, _, value = word.partition("=")
        path = self.folder / f"{len(self.commands)}-{name}-{before.partition('=')[0]}"
        if name == "file" and before == "output":
            return f"file={path}.csv"
        if name in ("file", "init") and Path(value).is_file():
            return f"{name}={shutil.copy(value, f'{path}.json')}"
        return word


@contextmanager
def record_stan(folder: Path) -> Generator[StanRuns]:
    """Record every run of Prophet's compiled model that this process starts."""
    runs = StanRuns(folder)
    sys.addaudithook(runs.hear)  # it cannot be taken back, only told to stop listening
    try:
        yield runs
    finally:
        runs.listening = False


def run_bare(commands: Sequence[list[str]]) -> None:
    """Run the commands one after another, with nothing around them.

    One that fails is part of the fit that then tried another algorithm, and counts too.
    """
    for command in commands:
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
