"""forecast_pipeline: every Wednesday at 22:00 Europe/Paris, from landed objects to a published run.

python -m flows.forecast --help
"""

from datetime import datetime
from typing import Annotated, Final

from prefect import flow
from prefect.schedules import Cron
from prefect.states import State
from pydantic import Field

from flows.hooks import HOOKS, name_forecast
from tasks.extract.task import extract
from tasks.forecast.task import compare, forecast
from tasks.report.document import RunReport
from tasks.report.task import conclude, report, score
from tasks.transform.task import recollect, transform
from tasks.upsert.task import recall, upsert

WEEKLY: Final = Cron("0 22 * * 3", timezone="Europe/Paris")
"""Wednesday 22:00 on the clocks of France, summer and winter: 20:00Z and 21:00Z."""


@flow(name="forecast_pipeline", flow_run_name=name_forecast, validate_parameters=True, **HOOKS)
def forecast_pipeline(
    lake: str | None = None,
    as_of: datetime | None = None,
    horizon_days: Annotated[int, Field(ge=1, le=31)] = 11,
    series: str = "*",
    deadline_minutes: Annotated[float, Field(gt=0)] | None = None,
    dry_run: bool = False,
) -> State[RunReport]:
    """Read what landed, make one trusted history, forecast every series, publish, report.

    Args:
        lake: Where raw objects are read: a folder or s3://bucket/prefix. Empty: the setting
            LAKE_URI.
        as_of: Issue time: nothing at or after it trains a model. Empty: the scheduled start of
            this run. Give a past Wednesday to run it again.
        horizon_days: Days ahead, to the end of the last local day; from a Wednesday, 11 reach the
            Sunday of the next ISO week.
        series: Which series to forecast, as a pattern: rte:* or *:air_temperature. A run of some
            series is stored and not published.
        deadline_minutes: Minutes of fitting after which no further model is begun: what there is
            by then is published, the copies of the past at least. Empty: all are fitted.
        dry_run: Do everything but write: neither the lake nor MongoDB changes.
    """
    readings = extract(lake=lake, as_of=as_of, dry_run=dry_run)
    history = transform(readings)
    scores = score(recall(history), history)
    forecasts = forecast(
        history,
        scored=scores,
        horizon_days=horizon_days,
        series=series,
        deadline_minutes=deadline_minutes,
    )
    written = upsert(history, forecasts)
    moved = compare(history, forecasts, recollect(readings, history, forecasts))
    return conclude(report(readings, history, forecasts, written, moved))


if __name__ == "__main__":
    from flows.console import app
    from flows.terminal import run_command

    run_command(app)
