"""Results of the steps become one RunReport."""

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from importlib.metadata import version
from typing import Any, Final

import polars as pl

from tasks.common.accounts import SeriesOutcome, Timed, is_troubled, judge_run
from tasks.common.changes import CAUSES, Changes
from tasks.common.contracts import MARKET_ZONE
from tasks.common.results import (
    Extracted,
    Forecasted,
    ObjectOutcome,
    Transformed,
    Written,
)
from tasks.common.settings import Settings, redact_uri
from tasks.report import document
from tasks.report.document import (
    Collection,
    DemandDay,
    Figures,
    Input,
    Problem,
    Publication,
    Records,
    RunReport,
    Score,
    Series,
)

_REPORTED_VERSIONS: Final = (
    "prefect",
    "polars",
    "prophet",
    "statsforecast",
    "scikit-learn",
    "pymongo",
    "obstore",
)

DEMAND: Final = "electricity_demand"

NOTHING_COMPARED: Final = Changes(reason="Nothing was compared.")


def summarise_run(
    extracted: Extracted,
    transformed: Transformed,
    forecasted: Forecasted,
    written: Written,
    settings: Settings,
    *,
    moved: Changes = NOTHING_COMPARED,
) -> RunReport:
    """Put the results of the steps into one report, judged by the settings' budget."""
    verdict = judge_run(transformed.week, forecasted.outcomes, settings)
    return RunReport(
        run_id=written.run_id,
        state=verdict.state,
        verdict=verdict.sentence,
        reasons=list(verdict.reasons),
        issue_at=forecasted.as_of,
        horizon_end=forecasted.horizon_end,
        dry_run=extracted.dry_run,
        environment=settings.environment,
        cluster=settings.cluster,
        git_sha=settings.git_sha,
        image=_name_image(settings),
        versions={name: version(name) for name in _REPORTED_VERSIONS},
        input=_describe_input(extracted, transformed),
        fits=dict(forecasted.fits),
        forecast_seconds=forecasted.seconds,
        seconds=_list_durations(extracted, transformed, forecasted, written, moved),
        series=_describe_series(transformed.series, forecasted.outcomes),
        demand_next_week=_sum_demand_days(forecasted, transformed.series),
        scorecard=_list_scores(forecasted, transformed.series),
        changes=_describe_changes(moved, transformed.series),
        mongodb=_describe_publication(written),
    )


def _list_durations(
    extracted: Timed, transformed: Timed, forecasted: Forecasted, written: Timed, moved: Timed
) -> dict[str, float]:
    """Give the seconds of each step; that of `compare` has the history it looked up."""
    scored = forecasted.scored
    names = ("extract", "transform", "recall", "score", "forecast", "upsert", "compare")
    steps = (extracted, transformed, scored.earlier, scored, forecasted, written, moved)
    return {name: round(step.seconds, 3) for name, step in zip(names, steps, strict=True)}


def _name_image(settings: Settings) -> str | None:
    name = (settings.image or "").partition("@")[0]
    return "@".join(filter(None, (name, settings.image_digest))) or None


def _describe_input(extracted: Extracted, transformed: Transformed) -> Input:
    tally = transformed.tally.check("the run")
    return Input(
        lake=redact_uri(extracted.lake),
        output=redact_uri(extracted.output),
        objects=dict(Counter(outcome.status for outcome in extracted.objects)),
        records=Records.model_validate(tally, from_attributes=True),
        cells=dict(extracted.cells),
        observations=transformed.observations,
        manifest_key=transformed.manifest_key,
        quarantined=extracted.quarantine.height,
        problems=_list_problems(extracted.objects),
    )


def _list_problems(objects: tuple[ObjectOutcome, ...]) -> list[Problem]:
    lossy = [o for o in objects if o.status == "quarantined" or o.tally.rejected]
    lossy.sort(key=lambda o: (o.status != "quarantined", -sum(o.tally.rejected.values()), o.key))
    return [
        Problem(
            key=o.key,
            source=o.source_id,
            rejected=sum(o.tally.rejected.values()),
            rules=dict(o.tally.rejected),
            reason=o.reason,
        )
        for o in lossy[:20]
    ]


def _describe_series(series: pl.DataFrame, outcomes: tuple[SeriesOutcome, ...]) -> list[Series]:
    quality = {row["series_id"]: row for row in series.iter_rows(named=True)}
    ranked = sorted(outcomes, key=lambda o: (not is_troubled(o), o.status == "model", o.series_id))
    return [_describe_one(outcome, quality[outcome.series_id]) for outcome in ranked]


def _describe_one(outcome: SeriesOutcome, quality: dict[str, Any]) -> Series:
    told = {name: getattr(outcome, name) for name in Series.model_fields if hasattr(outcome, name)}
    known = {name: quality[name] for name in Series.model_fields if name in quality}
    return Series.model_validate(known | told, from_attributes=True)


def find_next_week(issue_at: datetime) -> tuple[datetime, datetime]:
    """Give the local midnights that begin and end the ISO week after the issue time's."""
    issued = issue_at.astimezone(MARKET_ZONE).date()
    monday = issued + timedelta(days=7 - issued.weekday())
    ends = (monday, monday + timedelta(days=7))
    begin, end = (datetime.combine(day, time(), MARKET_ZONE) for day in ends)
    return begin, end


def _sum_demand_days(forecasted: Forecasted, series: pl.DataFrame) -> list[DemandDay]:
    """Give minimum, maximum and energy per local day of the ISO week after the issue time."""
    week = [midnight.astimezone(UTC) for midnight in find_next_week(forecasted.as_of)]
    demand = series.filter(variable=DEMAND).select("series_id", "step_minutes")
    days = (
        forecasted.points.join(demand, on="series_id")
        .filter(pl.col("at").is_between(*week, closed="left"))
        .with_columns(on=pl.col("at").dt.convert_time_zone(str(MARKET_ZONE)).dt.date())
        .group_by("series_id", "on")
        .agg(
            hours=pl.col("step_minutes").first() * pl.len() / 60,
            minimum_mw=pl.col("value").min(),
            maximum_mw=pl.col("value").max(),
            energy_mwh=(pl.col("value") * pl.col("step_minutes") / 60).sum(),
        )
        .sort("series_id", "on")
    )
    return [DemandDay.model_validate(row) for row in days.iter_rows(named=True)]


def _list_scores(forecasted: Forecasted, series: pl.DataFrame) -> list[Score]:
    """Give the latest score and the mean of all, by series of the run and bucket."""
    units = dict(series.select("series_id", "unit").iter_rows())
    wanted = pl.col("series_id").is_in([outcome.series_id for outcome in forecasted.outcomes])
    scores = forecasted.scored.scores.filter(wanted)
    by_bucket = scores.sort("series_id", "bucket", "issue_at").partition_by("series_id", "bucket")
    return [_tell_score(own, units[own["series_id"][0]]) for own in by_bucket]


def _tell_score(own: pl.DataFrame, unit: str) -> Score:
    """Tell the scores of one series and bucket, by issue time."""
    last = own.row(-1, named=True)
    metrics = list(Figures.model_fields)
    mean = own.select(pl.col(metrics).mean()).row(0, named=True)
    return Score(
        **{name: last[name] for name in ("series_id", "bucket", "issue_at", "run_id", "points")},
        unit=unit,
        latest=Figures.model_validate({name: last[name] for name in metrics}),
        issues=own.height,
        mean=Figures.model_validate(mean),
        trend=own["mase"].to_list(),
    )


def _describe_changes(moved: Changes, series: pl.DataFrame) -> document.Changes:
    units = dict(series.select("series_id", "unit").iter_rows())
    explained = moved.frame.filter(pl.col("cause").is_not_null())
    told = [_describe_change(row, units) for row in explained.iter_rows(named=True)]
    return document.Changes(
        since_run_id=moved.since.run_id if moved.since else None,
        since_issue_at=moved.since.issue_at if moved.since else None,
        reason=moved.reason,
        changed=list(moved.changed),
        series=told,
    )


def _describe_change(row: dict[str, Any], units: dict[str, str]) -> document.Change:
    parts = {cause: row.pop(cause) for cause in CAUSES}
    known = {cause: size for cause, size in parts.items() if size is not None}
    unit = units.get(row["series_id"])
    return document.Change.model_validate(row | {"parts": known, "unit": unit})


def _describe_publication(written: Written) -> Publication:
    return Publication(
        database=written.database,
        published=written.published,
        previous_run_id=written.previous_run_id,
        collections={
            name: Collection.model_validate(made.check(f"collection {name}"), from_attributes=True)
            for name, made in written.counts.items()
        },
        notes=list(written.notes),
    )
