"""What became of the last forecasts, in words: against what happened, and against the new ones."""

from collections.abc import Iterator, Sequence
from typing import Final

from tasks.common.scores import BUCKETS
from tasks.report.document import Changes, Figures, Score

_BUCKETS: Final = tuple(BUCKETS.categories)
HEADERS: Final = ("series", *_BUCKETS, "its mean", "80/95")
"""Errors of the latest forecast of each bucket; mean error and coverage of the farthest one."""


def list_outturns(scorecard: Sequence[Score]) -> list[tuple[str, ...]]:
    """Give the cells of the table, demand first, then the worst against a copy of the day before.

    An error of demand is a share of what was measured, every other in the unit of its series.
    The last two cells tell of the farthest bucket that is known: its mean error and coverage over
    all issue times.
    """
    by_series: dict[str, dict[str, Score]] = {}
    for score in scorecard:
        by_series.setdefault(score.series_id, {})[score.bucket] = score
    return [_list_cells(told) for told in sorted(by_series.values(), key=_rank)]


def describe_moves(changes: Changes) -> Iterator[str]:
    """Tell what is configured otherwise since the last run, and which three series moved most."""
    if changes.changed:
        yield f"Otherwise than in {changes.since_run_id}: {'; '.join(changes.changed)}."
    for one in changes.series[:3]:
        if one.mean_size is None:
            yield f"Gone since the last run: {one.series_id}: {one.detail}"
            continue
        usual = f", {one.relative:.1f} of its usual error" if one.relative is not None else ""
        size = f"{one.mean_size:.4g} {one.unit}{usual}"
        yield f"Moved since the last run by {size}: {one.series_id} ({one.cause}: {one.detail})."


def _find_farthest(told: dict[str, Score]) -> Score:
    return next(told[bucket] for bucket in reversed(_BUCKETS) if bucket in told)


def _rank(told: dict[str, Score]) -> tuple[bool, float, str]:
    far = _find_farthest(told)
    return far.unit != "MW", -(far.mean.mase or 0.0), far.series_id


def _list_cells(told: dict[str, Score]) -> tuple[str, ...]:
    far = _find_farthest(told)
    errors = (_tell_error(told[one].latest, far.unit) if one in told else "-" for one in _BUCKETS)
    covered = f"{far.mean.coverage80:.0%}/{far.mean.coverage95:.0%}"
    return far.series_id, *errors, _tell_error(far.mean, far.unit), covered


def _tell_error(figures: Figures, unit: str) -> str:
    if unit == "MW" and figures.wmape is not None:
        return f"{figures.wmape:.1%}"
    return f"{figures.mae:.3g} {unit}"
