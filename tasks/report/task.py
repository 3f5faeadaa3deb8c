"""The door of the room: report a run to people, to Prefect and to the lake."""

from dataclasses import replace
from typing import TypeVar

from prefect import get_run_logger, task
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed, State

from tasks.common.accounts import timed
from tasks.common.changes import Changes
from tasks.common.errors import RETRIED, PipelineError, TerminalError
from tasks.common.migration import Migrated
from tasks.common.objects import open_store
from tasks.common.results import Extracted, Forecasted, Transformed, Written
from tasks.common.scores import Earlier, Scored
from tasks.common.settings import Settings, add_image_digest, load_settings
from tasks.report.archive import archive_migration, archive_page, archive_report
from tasks.report.document import RunReport
from tasks.report.migration import MigrationReport, summarise_migration
from tasks.report.page import render_page
from tasks.report.render import render_markdown, tabulate_for_prefect
from tasks.report.scorecard import score_earlier
from tasks.report.statement import describe_migration, tabulate_objects
from tasks.report.summary import summarise_run
from tasks.report.text import fence

retried_task = task(**RETRIED, retry_delay_seconds=[2, 4, 8], cache_policy=NO_CACHE)


@task(cache_policy=NO_CACHE)
@timed
def score(earlier: Earlier, transformed: Transformed) -> Scored:
    """Hold what readers were given before against what has happened since."""
    scored = score_earlier(earlier, transformed)
    counts = scored.scores.height, scored.scores["series_id"].n_unique()
    get_run_logger().info("%d scores of %d series", *counts)
    return scored


@retried_task
def report(
    extracted: Extracted,
    transformed: Transformed,
    forecasted: Forecasted,
    written: Written,
    moved: Changes,
) -> RunReport:
    """Report one run: JSON and a page in the lake, artifacts in Prefect, and the verdict."""
    settings, logger = add_image_digest(load_settings()), get_run_logger()
    told = summarise_run(extracted, transformed, forecasted, written, settings, moved=moved)
    link = None
    if not told.dry_run:
        store = open_store(extracted.output, settings)
        told = archive_report(told, store)
        page = render_page(told, transformed, forecasted)
        link = archive_page(told, page, store, endpoint=settings.s3_endpoint_url)
        create_link_artifact(link, "The page of this run", key="forecast-page")
    create_markdown_artifact(render_markdown(told, link), key="forecast-run")
    create_table_artifact(tabulate_for_prefect(told), key="forecast-series")
    logger.info("%s Report: %s", told.verdict, link)
    return told


@retried_task
def report_migration(migrated: Migrated) -> MigrationReport:
    """Report one migration, also one that broke off: JSON in the lake, an artifact, the verdict."""
    told = _archive(migrated, load_settings())
    lines = "\n".join(f"- {fence(line)}" for line in describe_migration(told))
    create_markdown_artifact(lines, key="migration", description=fence(told.verdict))
    rows = [row | {"object": fence(row["object"])} for row in tabulate_objects(told, rows=1000)]
    create_table_artifact(rows, key="migration-objects")
    get_run_logger().info("%s", told.verdict)
    return told


def _archive(migrated: Migrated, settings: Settings) -> MigrationReport:
    """Give the report, also where the lake cannot have it: then it is one of a failure."""
    told = summarise_migration(migrated, settings)
    try:
        if told.mode != "dry run":
            key = archive_migration(told, open_store(migrated.plan.output, settings))
            get_run_logger().info("Report archived as %s in %s", key, told.output)
    except PipelineError as error:
        failure = "; ".join(
            filter(None, [migrated.failure, f"this report has no archive: {error}"])
        )
        told = summarise_migration(replace(migrated, failure=failure), settings)
    return told


class FailedRunError(TerminalError):
    """A run whose verdict is FAILED, with the report that says why."""

    def __init__(self, told: RunReport | MigrationReport) -> None:
        """Carry the report; the verdict is the message."""
        super().__init__(told.verdict)
        self.report = told


def find_report(outcome: object) -> RunReport | MigrationReport | None:
    """Give the report in what a flow returned or ended with; None: it ended before it had one."""
    told = outcome.report if isinstance(outcome, FailedRunError) else outcome
    return told if isinstance(told, RunReport | MigrationReport) else None


_Report = TypeVar("_Report", RunReport, MigrationReport)


def conclude(told: _Report) -> State[_Report]:
    """Give the flow the state that the verdict names: COMPLETED, DEGRADED or FAILED."""
    if told.state == "FAILED":
        return Failed(name=told.state, message=told.verdict, data=FailedRunError(told))
    return Completed(name=told.state, message=told.verdict, data=told)
