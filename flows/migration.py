"""s3_to_mongo_migration: the processed layer of S3 into MongoDB, every row accounted for.

python -m flows.migration --help
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from time import perf_counter
from typing import Any, Final

from prefect import Task, flow
from prefect.exceptions import TerminationSignal
from prefect.states import State
from prefect.utilities.annotations import quote

from flows.hooks import HOOKS, name_migration
from tasks.common.errors import ConfigurationError, TerminalError
from tasks.common.migration import Item, Migrated, Plan, Selection, choose_mode
from tasks.extract.task import fetch, survey
from tasks.report.migration import MigrationReport
from tasks.report.task import conclude, report_migration
from tasks.transform.task import convert
from tasks.upsert.task import load, prepare

_STEPS: Final[tuple[Task[..., Any], ...]] = (convert, load)


@flow(name="s3_to_mongo_migration", flow_run_name=name_migration, validate_parameters=True, **HOOKS)
def s3_to_mongo_migration(  # noqa: PLR0913, PLR0917 - the fields of a form
    lake: str | None = None,
    key: str | None = None,
    date: date | None = None,
    latest: bool = False,
    all: bool = False,  # noqa: A002 - the word of the form
    replay_quarantine: bool = False,
    dry_run: bool = False,
    verify: bool = False,
) -> State[MigrationReport]:
    """Plan what is to be loaded, load it batch by batch, and account for every row.

    Args:
        lake: Where the processed layer lies: a folder or s3://bucket/prefix. Empty: the setting
            LAKE_URI.
        key: One object, for example processed/weather_data_20260218_194202.json; give at most one
            of key, date, latest, all and replay_quarantine: none is all that is not yet loaded.
        date: Objects with rows of this UTC day, or written on it.
        latest: The latest object, or all of the latest manifest.
        all: All objects, also those that the ledger has.
        replay_quarantine: Only the rows that earlier migrations rejected.
        dry_run: Plan only: nothing is read or written.
        verify: Compare with MongoDB and write nothing.
    """
    wanted = Selection(key, date, latest, all, replay_quarantine)
    plan = survey(wanted, lake=lake, mode=choose_mode(dry_run=dry_run, verify=verify))
    migrated = move_batches(plan)
    return conclude(report_migration(quote(migrated), return_state=False))


def move_batches(plan: Plan) -> Migrated:
    """Fetch, convert and load batch by batch; one is fetched while the last one is written.

    Each step is a task that may be retried: files land in a folder of their own, conversion makes
    equal files of equal bytes, and loading changes no document that is there already. A failure,
    or a signal to stop, ends the run, not its report.

    Prefect walks through all that a task is given, but for what is quoted: no thousands of items.

    Raises:
        ConfigurationError: MongoDB or the store cannot be used as configured.
    """
    started = perf_counter()
    packs: list[bytes] = []
    prepared = prepare(quote(plan), return_state=True)
    failure = _find_failure(prepared)
    if failure is None:
        plan = prepared.result()
        try:
            failure = _move(replace(plan, items=()), plan.split_batches(), packs)
        except (SystemExit, TerminationSignal):  # SIGTERM: of a person or ECS, and of a worker
            failure = TerminalError("it was told to stop, run it again to go on")
    if isinstance(failure, ConfigurationError) and not packs:  # what was loaded is reported
        raise failure
    return Migrated(plan, packs, perf_counter() - started, str(failure or ""))


def _move(
    plan: Plan, batches: Sequence[tuple[Item, ...]], packs: list[bytes]
) -> BaseException | None:
    """Append the accounts of every batch; give what ended the run early."""
    ahead = [fetch.submit(plan, batch) for batch in batches[:1]]
    for number in range(len(batches)):
        state: State[Any] = next(future.wait() or future.state for future in ahead)
        ahead = [fetch.submit(plan, batch) for batch in batches[number + 1 : number + 2]]
        for step in _STEPS:
            if _find_failure(state) is None:
                state = step(plan, state.result(), return_state=True)
        if failure := _find_failure(state):
            for future in ahead:
                future.wait()
            return failure
        packs.append(state.result())
    return None


def _find_failure(state: State[Any]) -> BaseException | None:
    result = state.result(raise_on_failure=False)
    return result if isinstance(result, BaseException) else None


if __name__ == "__main__":
    from flows.migration_console import app
    from flows.terminal import run_command

    run_command(app)
