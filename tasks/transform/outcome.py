"""Outcome: what the next steps are given, with counts that close."""

from dataclasses import replace

import polars as pl

from tasks.common.results import Extracted, Transformed
from tasks.transform.history import History, hash_history
from tasks.transform.processed import Committed


def conclude_transform(extracted: Extracted, committed: Committed, history: History) -> Transformed:
    """Put the step's result together.

    Readings that lost to another object's version are counted as duplicates, no longer as kept.
    In a dry run `files` are those of earlier runs, since this one's stand nowhere.
    """
    tally, duplicate = extracted.tally, committed.duplicate
    own = () if extracted.dry_run else committed.fresh
    return Transformed(
        as_of=extracted.as_of,
        history=history.frame,
        series=name_licences(history.series, extracted, committed.stations),
        gaps=history.gaps,
        stations=committed.stations,
        files=tuple(sorted((*committed.earlier, *own), key=lambda file: file.key)),
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


def name_licences(series: pl.DataFrame, extracted: Extracted, known: pl.DataFrame) -> pl.DataFrame:
    """Give every series the licence of its station, else that of its network's sources."""
    networks = {facts.network: facts.licence for facts in extracted.sources.values()}
    own = known.filter(pl.col("licence") != "").select("station_id", "licence").iter_rows()
    network = pl.col("station_id").str.split(":").list.first()
    theirs = network.replace_strict(networks, default="", return_dtype=pl.String)
    licence = pl.col("station_id").replace_strict(dict(own), default=theirs, return_dtype=pl.String)
    return series.with_columns(licence=licence)
