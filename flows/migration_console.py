"""The command line of the migration: arguments in, a summary and an exit code out."""

from datetime import date as day
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from deployments.local.ground import prepared_ground
from flows.migration import s3_to_mongo_migration
from flows.terminal import Quiet, check_file, mute, run_here, say, show_outcome
from tasks.common.migration import Selection, choose_mode
from tasks.common.objects import open_store
from tasks.common.settings import load_settings
from tasks.report.migration import MigrationReport
from tasks.report.render import render_verdict
from tasks.report.statement import render_migration

Flag = Annotated[bool, Parameter(negative=())]

app = App(
    name="python -m flows.migration",
    help="Load the processed layer of the lake into MongoDB and account for every row.",
)


@app.default
def run(  # noqa: PLR0913 - one option a word
    *,
    lake: str | None = None,
    key: str | None = None,
    date: day | None = None,
    latest: Flag = False,
    all: Flag = False,  # noqa: A002 - the word of the command line
    dry_run: Flag = False,
    verify: Flag = False,
    replay_quarantine: Flag = False,
    json: Path | None = None,
    quiet: Quiet = False,
) -> int:
    """Run the migration once, here, and print its summary.

    Without --key, --date, --latest, --all or --replay-quarantine (one at most): all that
    MongoDB's ledger does not have; --verify compares all. Exit codes: 0 COMPLETED, 3 DEGRADED,
    1 FAILED, 2 usage.

    Args:
        lake: Folder or s3://bucket/prefix of the processed layer; default LAKE_URI, .local/lake.
        key: One object, such as processed/weather_data_20260218_194202.json.
        date: Objects with rows of this UTC day, or written on it; YYYY-MM-DD.
        latest: The latest object, or all of the latest manifest.
        all: All objects, also those that the ledger has.
        dry_run: Print the plan; nothing is read or written.
        verify: Compare with MongoDB, by content; nothing is written.
        replay_quarantine: Only the rows that earlier migrations rejected.
        json: Also write the report as JSON to this file; - is standard output.
        quiet: Print the verdict alone, in one line, and errors.
    """
    wanted = vars(Selection(key, date, latest, all, replay_quarantine).check())
    choose_mode(dry_run=dry_run, verify=verify)
    check_file(json, "--json")
    if lake is not None:
        open_store(lake, load_settings())
    with prepared_ground(lake, dry_run=False, say=mute if quiet else say):
        words = {"lake": lake, "dry_run": dry_run, "verify": verify, **wanted}
        outcome = run_here(s3_to_mongo_migration, words, quiet=quiet)
    render = render_verdict if quiet else render_migration
    return show_outcome(outcome, MigrationReport, render=render, json=json)
