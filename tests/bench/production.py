"""The production path, Wednesday after Wednesday, judged by what then happened."""

import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from tasks.common.objects import open_store
from tasks.common.results import Transformed
from tasks.common.schedule import list_issue_times
from tasks.common.settings import Settings
from tasks.extract.harvest import harvest_lake
from tasks.forecast.failures import MEMBER_ERRORS, tell_failure
from tasks.forecast.plan import Horizon, SeriesPlan, plan_series
from tasks.transform.outcome import conclude_transform
from tasks.transform.processed import Layer, commit_run
from tests.bench.cases import Case, Cut
from tests.bench.engine import OURS, forecast_plan, warm_up
from tests.bench.quality import Judged, hide_unknown, judge_all, list_methods, score_all
from tests.bench.scores import Values, average

HORIZON_DAYS: Final = 11


@dataclass(frozen=True)
class Origin:
    """One series at one issue time: what is planned of what was known, and what then happened."""

    as_of: datetime
    plan: SeriesPlan
    truth: Values

    @property
    def id(self) -> str:
        """Name it by its issue time, then its series."""
        return f"{self.as_of:%Y-%m-%dT%H:%MZ} {self.plan.series_id}"

    @property
    def case(self) -> Case:
        """Give what the scores are told by."""
        train, steps = self.plan.train, len(self.truth)
        cut = Cut(train.step, steps, origins=1)
        first = (self.plan.first_at or self.as_of).replace(tzinfo=None)
        return Case(self.id, train.values, self.truth, train.step, first, cut.season)


@dataclass(frozen=True)
class Production:
    """What is run.

    Attributes:
        lake: a folder or s3://bucket/prefix; nothing is written there.
        series: pattern of series ids.
        start: the first Wednesday is this day or the next after it.
        weeks: issue times.
        limit: so many of them, evenly spread; None is all.
    """

    lake: str
    series: str
    start: date
    weeks: int
    limit: int | None = None
    settings: Settings = field(default_factory=Settings)

    @property
    def issue_times(self) -> list[datetime]:
        """List the Wednesdays at 22:00 on the clocks of France, in UTC."""
        times = list_issue_times(self.start, self.weeks)
        if self.limit is not None and self.limit < len(times):
            places = np.linspace(0, len(times) - 1, self.limit).round().astype(int)
            times = [times[place] for place in places]
        return [issue_at.astimezone(UTC) for issue_at in times]


def measure_production(wanted: Production, *, workers: int | None) -> dict[str, Any]:
    """Forecast at every issue time, as the pipeline would have, and tabulate.

    Raises:
        ConfigurationError: the lake cannot be read, or no series matches.
    """
    last = wanted.issue_times[-1] + timedelta(days=HORIZON_DAYS + 2)
    with tempfile.TemporaryDirectory(prefix="bench-") as output:
        whole = read_lake(wanted, Path(output), as_of=last)
    origins = [o for as_of in wanted.issue_times for o in plan_origins(whole, as_of, wanted)]
    judged = judge_all(origins, judge_origin, rescue=give_up_origin, workers=workers)
    name = f"{wanted.series} of {Path(wanted.lake).name} from {wanted.start}"
    return tabulate_origins(name, sorted(judged, key=lambda told: told.case_id))


def read_lake(wanted: Production, output: Path, *, as_of: datetime) -> Transformed:
    """Extract and transform once, with everything that was known at `as_of`."""
    settings = wanted.settings.model_copy(update={"output_uri": str(output)})
    extracted = harvest_lake(wanted.lake, settings, as_of=as_of)
    layer = Layer(open_store(str(output), settings), extracted.scratch, dry_run=False)
    return conclude_transform(extracted, commit_run(extracted, layer), layer)


def cut_history(whole: Transformed, as_of: datetime) -> Transformed:
    """Take away what was not known at `as_of`: every step that was not over, and new series.

    What is left is the history that would have been built then, without its last step.
    """
    steps = whole.series.select("series_id", step=pl.duration(minutes=pl.col("step_minutes")))
    known = (
        whole.history.join(steps, on="series_id", maintain_order="left")
        .filter(pl.col("at") + pl.col("step") <= as_of)
        .drop("step")
    )
    series = whole.series.join(known, on="series_id", how="semi", maintain_order="left")
    return replace(whole, as_of=as_of, history=known, series=series)


def plan_origins(whole: Transformed, as_of: datetime, wanted: Production) -> list[Origin]:
    """Plan every series that matches at one issue time, with the truth of its targets.

    Directions are left out: no score here knows that 350 is near 10.
    """
    horizon = Horizon.of(as_of, HORIZON_DAYS, wanted.settings)
    known = plan_series(cut_history(whole, as_of), horizon=horizon, pattern=wanted.series)
    plans = [plan for plan in known if plan.kind != "direction"]
    ids = [plan.series_id for plan in plans]
    later = whole.history.filter(pl.col("series_id").is_in(ids), pl.col("at") >= as_of)
    return [Origin(as_of, plan, find_truth(plan, later)) for plan in plans]


def find_truth(plan: SeriesPlan, later: pl.DataFrame) -> Values:
    """Give what the history says at a plan's targets; NaN unknown."""
    own = later.filter(pl.col("series_id") == plan.series_id).select("at", "value")
    targets = pl.DataFrame({"at": plan.targets})
    told = targets.join(own, on="at", how="left", maintain_order="left")["value"]
    return told.fill_null(math.nan).to_numpy()


def judge_origin(origin: Origin) -> Judged:
    """Forecast one series at one issue time and score every method."""
    warm_up()
    try:
        answers = forecast_plan(origin.plan)
    except MEMBER_ERRORS as error:
        return give_up_origin(origin, tell_failure(error))
    return Judged(origin.id, score_all(answers, origin.case))


def give_up_origin(origin: Origin, reason: str) -> Judged:
    """Tell an origin without a forecast."""
    return Judged(origin.id, {}, {OURS: reason})


def tabulate_origins(name: str, judged: Sequence[Judged]) -> dict[str, Any]:
    """Average the scores by method, the best MAPE first; also the MAPE of each issue time."""
    rows = {method: average_origins(method, judged) for method in list_methods(judged)}
    by_mape = sorted(rows.items(), key=lambda row: (math.isnan(row[1]["mape"]), row[1]["mape"]))
    weeks = groupby(judged, key=lambda told: told.case_id.split(" ")[0])
    return {
        "set": name,
        "series": len(judged),
        "methods": {method: hide_unknown(row) for method, row in by_mape},
        "origins": {as_of: tell_mapes(list(told)) for as_of, told in weeks},
        "failures": {told.case_id: told.failures for told in judged if told.failures},
    }


def average_origins(method: str, judged: Iterable[Judged]) -> dict[str, float]:
    """Average one method's scores over the origins that it answered."""
    own = [told.scores[method] for told in judged if method in told.scores]
    names = ("mape", "mase", "coverage80", "coverage95", "width80", "width95", "cpu_s")
    return {**{name: average(own, name) for name in names}, "series": len(own)}


def tell_mapes(judged: Sequence[Judged]) -> Mapping[str, float | None]:
    """Give the MAPE of every method at one issue time."""
    return hide_unknown(
        {
            method: average([t.scores[method] for t in judged if method in t.scores], "mape")
            for method in list_methods(judged)
        }
    )
