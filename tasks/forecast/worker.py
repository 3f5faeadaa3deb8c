"""How a worker process begins; nothing heavy is imported here, so that settings come first."""

import os
import tempfile
from collections.abc import Mapping


def start_worker(scratch: str, variables: Mapping[str, str]) -> None:
    """Set the environment before numpy and polars read it, and the folder of Stan's files.

    cmdstanpy makes its folder at import and leaves it behind when a worker is killed; inside
    `scratch` it goes when the pool does.
    """
    os.environ.update(variables)
    os.environ["TMPDIR"] = scratch
    tempfile.tempdir = scratch
