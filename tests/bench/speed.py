"""The fast mode and a plain loop of Prophet, each against the bare optimiser of its own fits.

Rounds alternate, so that the machine's drift hits all alike; medians are told.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from tasks.forecast.parallel import spread_jobs
from tests.bench.cases import START, Case
from tests.bench.cpu import measure_cost, measure_cpu
from tests.bench.engine import predict_fast, warm_up
from tests.bench.floor import record_stan, run_bare
from tests.bench.rivals import run_prophet

WEEKS: Final = 8
HORIZON: Final = 168
SEED: Final = 7
FIRST: Final = START + timedelta(weeks=2600)
"""A Monday of 2019: a year whose holidays are known."""


class Spell(NamedTuple):
    """When one fit ran, and where; instants on the clock that all processes share."""

    process: int
    began: float
    ended: float
    cpu_s: float


def make_series(count: int) -> list[Case]:
    """Make eight weeks of hours that look like load: a day, a week, a level that wanders."""
    numbers = np.random.default_rng(SEED)
    return [_make_one(f"load-{place}", numbers, FIRST) for place in range(count)]


def _make_one(name: str, numbers: np.random.Generator, first: datetime) -> Case:
    rows = WEEKS * 168
    hour = np.arange(rows + HORIZON)
    day = np.sin((hour - numbers.uniform(5, 9)) / 24 * 2 * np.pi)
    evening = np.sin((hour - numbers.uniform(0, 6)) / 12 * 2 * np.pi)
    weekend = hour // 24 % 7 > 4
    level = np.cumsum(numbers.normal(0, 12, len(hour)))
    shape = (900 * day + 250 * evening) * (1 - 0.4 * weekend) - 700 * weekend
    values = numbers.uniform(6000, 9000) + shape + level + numbers.normal(0, 60, len(hour))
    step = timedelta(hours=1)
    return Case(name, values[:rows], values[rows:], step, first, season=24)


def measure_speed(series: int, *, rounds: int, workers: int | None) -> dict[str, float]:
    """Give wall times over the floors, and series per hour.

    The floor is the bare optimiser's wall for the same fits over the cores. `cpu_over_bare` is
    what `wall_over_floor` would be if all cores were always busy: it hardly feels other load.
    """
    cases, cores = make_series(series), workers or os.cpu_count() or 1
    warm_up()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        fits = capture_fits(cases, predict_fast, Path(folder) / "ours")
        plain_fits = capture_fits(cases, run_prophet, Path(folder) / "plain")
        told = [time_round(cases, fits, plain_fits, cores=cores) for _ in range(rounds)]
    seconds = {name: statistics.median(one[name] for one in told) for name in told[0]}
    floor, plain_floor = (seconds[name] / cores for name in ("bare_wall_s", "plain_bare_wall_s"))
    return {
        "wall_over_floor": seconds["wall_s"] / floor,
        "wall_over_floor_with_pool_start": seconds["whole_wall_s"] / floor,
        "cpu_over_bare": seconds["cpu_s"] / seconds["bare_cpu_s"],
        "series_per_hour": 3600 * series / seconds["wall_s"],
        "plain_over_floor": seconds["plain_wall_s"] / plain_floor,
        "plain_cpu_over_bare": seconds["plain_cpu_s"] / seconds["plain_bare_cpu_s"],
        "plain_series_per_hour": 3600 * series / seconds["plain_wall_s"],
        **seconds,
        "series": series,
        "cores": cores,
        "fits": len(fits),
    }


def time_round(
    cases: Sequence[Case],
    fits: Sequence[list[str]],
    plain_fits: Sequence[list[str]],
    *,
    cores: int,
) -> dict[str, float]:
    """Time everything once, in seconds: the bare fits, ours, and the plain loop."""
    bare, plain_bare = (measure_cost(partial(run_bare, part)) for part in (fits, plain_fits))
    plain = measure_cost(lambda: [run_prophet(case) for case in cases])
    named = {"bare": bare, "plain_bare": plain_bare, "plain": plain}
    rest = {f"{n}_{k}": s for n, cost in named.items() for k, s in cost._asdict().items()}
    return {**time_ours(cases, cores), **rest}


def capture_fits(
    cases: Sequence[Case], forecast: Callable[[Case], object], folder: Path
) -> list[list[str]]:
    """Forecast every case here once, and give the commands that ran Stan.

    Raises:
        RuntimeError: none was seen, so there is no floor.
    """
    folder.mkdir()
    with record_stan(folder) as runs:
        for case in cases:
            forecast(case)
    if not runs.commands:
        msg = f"No run of Stan was seen in {len(cases)} forecasts: there is no floor to compare."
        raise RuntimeError(msg)
    return runs.commands


def time_ours(cases: Sequence[Case], cores: int) -> dict[str, float]:
    """Time the fast mode in the room's own pool, its start told apart.

    The start ends when a worker begins its first fit; it is the mean over workers, so that one
    that is ready early is not given the time for nothing.
    """
    called = time.monotonic()
    spells = [spell for _, spell in spread_jobs(cases, time_one, rescue=fail, workers=cores)]
    whole = time.monotonic() - called
    ready = {spell.process: spell.began for spell in sorted(spells, key=lambda s: -s.began)}
    start = statistics.mean(ready.values()) - called
    ended = max(spell.ended for spell in spells) - called
    cpu = sum(spell.cpu_s for spell in spells)
    return {"wall_s": ended - start, "cpu_s": cpu, "pool_start_s": start, "whole_wall_s": whole}


def time_one(case: Case) -> Spell:
    """Make one forecast in a worker and tell when."""
    warm_up()
    began, cpu = time.monotonic(), measure_cpu()
    predict_fast(case)
    return Spell(os.getpid(), began, time.monotonic(), measure_cpu() - cpu)


def fail(case: Case, reason: str) -> Spell:
    """Refuse a time without its forecast."""
    msg = f"{case.id} could not be forecast: {reason}"
    raise RuntimeError(msg)
