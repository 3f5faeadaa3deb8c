"""CPU seconds per series, Stan's included: all windows, and the usual week that recalls them.

    python -m tests.bench.cost --kind weather --days 500 --series 8

Words that are not given are taken from BENCH_DAYS and the like.

The series are simulated, hourly, each with noise of its own.
"""

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Literal

import cyclopts
import numpy as np
import polars as pl

from tasks.common.objects import ObjectStore, open_store
from tasks.common.settings import Settings
from tasks.forecast.conclude import conclude_forecast
from tasks.forecast.fits import FitStore
from tasks.forecast.plan import Horizon, plan_series
from tasks.forecast.work import do_work
from tests.bench.cpu import measure_cpu
from tests.unit.forecast.series import (
    AS_OF,
    give_demand,
    give_temperature,
    give_transformed,
    spread_here,
)

WEEK: Final = timedelta(days=7)
DRAWN: Final[dict[str, tuple[Callable[..., pl.DataFrame], float, str]]] = {
    "weather": (give_temperature, 0.3, "air_temperature"),
    "demand": (give_demand, 40, "electricity_demand"),
}
"""How a kind is simulated, the spread of its noise, its variable."""


def tell_cost(
    *, kind: Literal["weather", "demand"] = "weather", days: int = 500, series: int = 8
) -> None:
    """Print the CPU seconds per series of a first run and of the next week's.

    Args:
        kind: What is simulated.
        days: Length of the history.
        series: How many.
    """
    make, spread, variable = DRAWN[kind]
    parts = {
        f"x:{place:04}:{variable}": make(days + 7, until=AS_OF + WEEK).with_columns(
            pl.col("value") + np.random.default_rng(place).normal(0, spread, 24 * (days + 7))
        )
        for place in range(series)
    }
    store = open_store(f"memory://{kind}-{days}-{series}", Settings())
    run_once({name: part.tail(24 * 37) for name, part in list(parts.items())[:1]}, AS_OF, None)
    for week, as_of in (("first", AS_OF), ("usual", AS_OF + WEEK)):
        cpu_s, fits = run_once(parts, as_of, store)
        sys.stdout.write(f"{kind} {days} d {week}: {cpu_s / series:.2f} CPU s a series, {fits}\n")


def run_once(
    parts: dict[str, pl.DataFrame], as_of: datetime, store: ObjectStore | None
) -> tuple[float, dict[str, int]]:
    """Forecast in this process what was known at `as_of`; give the CPU seconds and the fits."""
    known = {name: part.filter(pl.col("at") < as_of) for name, part in parts.items()}
    transformed, started = give_transformed(known, as_of=as_of), measure_cpu()
    horizon = Horizon.of(as_of, 11, Settings())
    plans = plan_series(transformed, horizon=horizon, pattern="*")
    fits = FitStore(store or open_store("memory://none", Settings()), as_of.date(), store is None)
    done = do_work(plans, fits, spread=spread_here, time_is_up=lambda: False)
    made = conclude_forecast(plans, list(done), horizon=horizon, asked={})
    return measure_cpu() - started, dict(made.fits)


if __name__ == "__main__":
    app = cyclopts.App(config=cyclopts.config.Env("BENCH_"))
    app.default(tell_cost)
    app()
