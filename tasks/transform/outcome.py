"""Outcome: the history known at an issue time, this run's or an earlier one's, with its counts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from tasks.common.changes import Past
from tasks.common.manifests import Manifest, list_files, read_manifests
from tasks.common.results import Extracted, ProcessedFile, SourceFacts, Transformed
from tasks.common.scores import EarlierRun
from tasks.transform.history import build_history, choose_files, hash_history
from tasks.transform.processed import Committed, Layer


def conclude_transform(extracted: Extracted, committed: Committed, layer: Layer) -> Transformed:
    """Build the history known at `as_of`, and put the step's result together.

    Readings that lost to another object's version are counted as duplicates, no longer as kept.
    In a dry run `files` are those of earlier runs, since this one's stand nowhere.
    """
    sources, as_of, tally = extracted.sources, extracted.as_of, extracted.tally
    history = build_history(committed.files, layer.fetch, sources=sources, as_of=as_of)
    duplicate = committed.duplicate
    nowhere = committed.fresh if extracted.dry_run else ()
    return Transformed(
        as_of=as_of,
        history=history.frame,
        series=_name_licences(history.series, extracted, committed.stations),
        gaps=history.gaps,
        stations=committed.stations,
        files=tuple(file for file in committed.files if file not in nowhere),
        manifest_key=committed.manifest_key,
        tally=replace(
            tally, kept=tally.kept - duplicate, duplicate=tally.duplicate + duplicate
        ).check("transform"),
        observations=sum(file.rows for file in committed.fresh),
        input_hash=hash_history(history.frame),
        output=extracted.output,
        dry_run=extracted.dry_run,
        week=committed.week.check("the week"),
        sequence=committed.sequence,
    )


def _name_licences(series: pl.DataFrame, extracted: Extracted, known: pl.DataFrame) -> pl.DataFrame:
    """Give every series the licence of its station, else that of its network's sources."""
    networks = {facts.network: facts.licence for facts in extracted.sources.values()}
    own = known.filter(pl.col("licence") != "").select("station_id", "licence").iter_rows()
    network = pl.col("station_id").str.split(":").list.first()
    theirs = network.replace_strict(networks, default="", return_dtype=pl.String)
    licence = pl.col("station_id").replace_strict(dict(own), default=theirs, return_dtype=pl.String)
    return series.with_columns(licence=licence)


def recollect_past(
    transformed: Transformed,
    run: EarlierRun,
    *,
    points: pl.DataFrame,
    sources: Mapping[str, SourceFacts],
    layer: Layer,
) -> Past:
    """Give the history at the issue time of an earlier run, once by the manifests that stood then.

    Immutable files and numbered manifests make that possible: what was known is never lost.

    Args:
        transformed: this run's, whose manifests are what is known now.
        run: the earlier run; without its `sequence`, what was known then counts as known now.
        points: POINTS it published.
        sources: the declared sources.
        layer: the processed layer.
    """

    def recall(files: Sequence[ProcessedFile]) -> Transformed:
        history = build_history(files, layer.fetch, sources=sources, as_of=run.issue_at)
        return replace(
            transformed,
            as_of=run.issue_at,
            history=history.frame,
            series=history.series,
            gaps=history.gaps,
            input_hash=hash_history(history.frame),
        )

    manifests = [m for m in read_manifests(layer.store) if m.sequence <= transformed.sequence]
    until = transformed.sequence if run.sequence is None else run.sequence
    older = [m for m in manifests if m.sequence <= until]
    before, files = list_files(older), list_files(manifests)
    looked_at = [choose_files(some, sources, run.issue_at) for some in (before, files)]
    now = recall(files)
    then = now if looked_at[0] == looked_at[1] else recall(before)
    return Past(run, points, then, now, _list_anew(older, manifests, sources))


def _list_anew(
    older: Sequence[Manifest], manifests: Sequence[Manifest], sources: Mapping[str, SourceFacts]
) -> tuple[tuple[str, str], ...]:
    """Name the sources that were read by one declaration then, and by another since."""
    before, now = (
        {o.source_id: o.source_hash for m in some for o in m.inputs} for some in (older, manifests)
    )
    return tuple(
        (source_id, facts.network)
        for source_id, facts in sorted(sources.items())
        if source_id in before and before[source_id] != now[source_id]
    )
