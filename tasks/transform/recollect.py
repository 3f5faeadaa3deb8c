"""The history of an earlier issue time: as it was known then, and as it is known now."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import polars as pl

from tasks.common.changes import Past
from tasks.common.manifests import Manifest, list_files, read_manifests
from tasks.common.results import ProcessedFile, SourceFacts, Transformed
from tasks.common.scores import EarlierRun
from tasks.transform.history import Fetch, build_history, choose_files, hash_history
from tasks.transform.processed import Layer


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
    manifests = [m for m in read_manifests(layer.store) if m.sequence <= transformed.sequence]
    until = transformed.sequence if run.sequence is None else run.sequence
    older = [m for m in manifests if m.sequence <= until]
    now = _recall(transformed, manifests, run.issue_at, sources=sources, fetch=layer.fetch)
    files = [choose_files(list_files(some), sources, run.issue_at) for some in (older, manifests)]
    same = _name_files(files[0]) == _name_files(files[1])
    then = now
    if not same:
        then = _recall(transformed, older, run.issue_at, sources=sources, fetch=layer.fetch)
    return Past(run, points, then, now, _list_anew(older, manifests, sources))


def _recall(
    transformed: Transformed,
    manifests: Sequence[Manifest],
    as_of: datetime,
    *,
    sources: Mapping[str, SourceFacts],
    fetch: Fetch,
) -> Transformed:
    history = build_history(list_files(manifests), fetch, sources=sources, as_of=as_of)
    return replace(
        transformed,
        as_of=as_of,
        history=history.frame,
        series=history.series,
        gaps=history.gaps,
        input_hash=hash_history(history.frame),
    )


def _name_files(files: Sequence[ProcessedFile]) -> list[str]:
    return [file.entry for file in files]


def _list_anew(
    older: Sequence[Manifest], manifests: Sequence[Manifest], sources: Mapping[str, SourceFacts]
) -> tuple[tuple[str, str], ...]:
    """Name the sources that were read by one declaration then, and by another since."""
    before, now = (
        {o.source_id: o.source_hash for m in some for o in m.inputs} for some in (older, manifests)
    )
    return tuple(
        (source_id, sources[source_id].network)
        for source_id in sorted(name for name in before if name in sources)
        if before[source_id] != now[source_id]
    )
