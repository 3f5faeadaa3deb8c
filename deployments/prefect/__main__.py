"""The command line of deployments: pools made, prefect.yaml checked, applied and compared.

Exit codes: 0 done, 3 done but the server holds something else too, 1 Prefect failed, 2 refused.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cyclopts import App, CycloptsError
from prefect.client.orchestration import get_client

from deployments.prefect.bootstrap import bootstrap
from deployments.prefect.check import check
from deployments.prefect.declared import Deployment
from deployments.prefect.deploy import apply, list_drift, list_missing_pools, list_undeclared
from tasks.common.errors import ConfigurationError

FILE: Final = Path("prefect.yaml")
REFUSED: Final = 2
DRIFTED: Final = 3

app = App(
    name="python -m deployments.prefect",
    help="Bring prefect.yaml to the Prefect server of PREFECT_API_URL. Deployments are chosen by "
    "name; without a name all are.",
)


@app.command(name="bootstrap")
async def run_bootstrap(*names: str, file: Path = FILE) -> int:
    """Make the pools, the notifier and the automations; a second time nothing changes.

    Args:
        names: Deployments to prepare for, such as forecast-local.
        file: Another prefect.yaml.
    """
    deployments = _check(file, names)
    async with get_client() as client:
        async for said in bootstrap(client, deployments):
            print(said)
    return 0


@app.command(name="check")
def run_check(*names: str, file: Path = FILE) -> int:
    """Look for every fault of prefect.yaml, without a network.

    Args:
        names: Deployments to check.
        file: Another prefect.yaml.
    """
    deployments = _check(file, names)
    print(f"{len(deployments)} deployments of {file}: no fault")
    return 0


@app.command(name="deploy")
async def run_deploy(*names: str, file: Path = FILE) -> int:
    """Check, look for the pools, apply, and tell what the server holds otherwise.

    Args:
        names: Deployments to apply.
        file: Another prefect.yaml.
    """
    deployments = _check(file, names)
    async with get_client() as client:
        if missing := [said async for said in list_missing_pools(client, deployments)]:
            raise ConfigurationError("\n".join(missing))
    # Between two clients: this blocks, and a connection idle so long may be closed by then.
    if code := apply(file.resolve(), deployments):
        return code
    async with get_client() as client:
        drift = [said async for said in list_drift(client, deployments, file.resolve().parent)]
        if not names:
            drift += [said async for said in list_undeclared(client, deployments)]
    print("\n".join(drift) or f"{len(deployments)} deployments are as declared")
    return DRIFTED if drift else 0


def _check(file: Path, names: Sequence[str]) -> list[Deployment]:
    os.environ["PWD"] = str(file.resolve().parent)  # the local ones run where their file lies
    deployments, faults = check(file.resolve(), names)
    if faults:
        raise ConfigurationError("\n".join(faults))
    return deployments


def main(words: Sequence[str] | None = None) -> int:
    """Carry out a command line (that of the process when none is given); give its exit code."""
    try:
        return app(words, exit_on_error=False, result_action="return_value") or 0
    except CycloptsError:
        return REFUSED
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return REFUSED


if __name__ == "__main__":
    sys.exit(main())
