"""What moved from the last run to this one, and why: what crosses from step to step."""

from dataclasses import dataclass, field
from typing import Final

import polars as pl

from tasks.common.accounts import Timed
from tasks.common.results import Transformed
from tasks.common.scores import EarlierRun

CAUSES: Final = ("model", "configuration", "restated", "calendar", "data")
"""Code or libraries; settings, what was asked for or a source's declaration; values of the past
that are no longer what was known; the issue time alone; new values, or none where some were due."""

CHANGES: Final = pl.Schema(
    {
        "series_id": pl.String,
        "shared": pl.UInt32,  # instants that both runs forecast
        "mean_move": pl.Float64,  # of value now - value before, unit of the series
        "mean_size": pl.Float64,  # of its absolute value
        "relative": pl.Float64,  # mean_size over the error of the backtest; null without one
        "model": pl.Float64,  # mean size of the part that each cause has; null: not looked for
        "configuration": pl.Float64,
        "restated": pl.Float64,
        "calendar": pl.Float64,
        "data": pl.Float64,
        "cause": pl.String,  # one of CAUSES; null: not looked for
        "detail": pl.String,
    }
)
"""CHANGES: one row per series that two runs share, most moved first; then those that are gone."""


@dataclass(frozen=True)
class Past(Timed):
    """The history at the issue time of the last run that readers were given.

    Attributes:
        run: that run.
        points: POINTS it published.
        then: the history as it was known then.
        now: the history of the same time as it is known now.
        declared_anew: sources, with their networks, that are declared otherwise since.
    """

    run: EarlierRun
    points: pl.DataFrame
    then: Transformed
    now: Transformed
    declared_anew: tuple[tuple[str, str], ...] = ()

    @property
    def is_restated(self) -> bool:
        """Tell whether what was known then is no longer what is known."""
        return self.then.input_hash != self.now.input_hash


@dataclass(frozen=True)
class Changes(Timed):
    """What moved since the last run.

    Attributes:
        since: the run that is compared with; None: there is none, or `reason` says why not.
        frame: CHANGES.
        changed: what is configured, declared or programmed otherwise since, whatever it moved.
    """

    since: EarlierRun | None = None
    frame: pl.DataFrame = field(default_factory=CHANGES.to_frame)
    changed: tuple[str, ...] = ()
    reason: str | None = None
