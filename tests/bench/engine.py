"""The one place where the bench meets the forecast room: a case in, answers by name out."""

from dataclasses import replace

import numpy as np
import polars as pl

from tasks.forecast.backtest import Fit, Frame, Job, cut_truth, run_job
from tasks.forecast.conclude import collect_values, conclude_series
from tasks.forecast.fits import name_fit
from tasks.forecast.history import Bounds
from tasks.forecast.members import choose_members
from tasks.forecast.models import silence_libraries
from tasks.forecast.plan import SeriesPlan, choose_windows, withhold_for_values
from tasks.forecast.train import Train, Values
from tests.bench.cases import Case
from tests.bench.cpu import measure_cpu
from tests.bench.rivals import give_clock, surround
from tests.bench.scores import Answer

QUANTILES = ("lower80", "upper80", "lower95", "upper95")
NO_BOUNDS = Bounds(-np.inf, np.inf, "")
OURS = "ours"
KNOWN: dict[str, tuple[Fit, float]] = {}
"""Fits of this process by name, with their CPU seconds."""
FAST = "prophet"
"""The member of demand that the fast mode consists of."""


def forecast_case(case: Case) -> dict[str, Answer]:
    """Give the answers of `ours` and of every member that applies, by name.

    `ours` is what the pipeline would publish of a series of which nothing is known but its
    numbers. The CPU seconds of each include its backtest.

    Raises:
        ValueError: no forecast can be made of it, and why.
    """
    return forecast_plan(plan_case(case))


def forecast_plan(plan: SeriesPlan) -> dict[str, Answer]:
    """Give the answers to a plan of production: `ours` as it would be published, and members.

    Raises:
        ValueError: it is withheld, and why.
    """
    windows, spent = run_plan(plan)
    started = measure_cpu() - sum(spent.values())
    outcome, points = conclude_series(plan, windows)
    if points.is_empty():
        raise ValueError(outcome.reason)
    told = {name: points[name].to_numpy() for name in QUANTILES}
    ours = Answer(points["value"].to_numpy(), **told, cpu_s=measure_cpu() - started)
    truth = cut_truth(plan.train, plan.frame, plan.windows)
    unknown = np.full(plan.frame.targets, np.nan)
    answers = {OURS: ours}
    for name, values in collect_values(plan, windows, 0).items():
        past = [collect_values(plan, windows, w).get(name, unknown) for w in plan.windows]
        if np.isfinite(values).all():
            errors = np.array(past).reshape(-1, plan.frame.targets) - truth
            day = plan.train.steps_per_day
            answers[name] = surround(values, errors, day=day, cpu_s=spent[name])
    return answers


def plan_case(case: Case) -> SeriesPlan:
    """Plan a case of kind `any`; its windows are as far apart as they are long."""
    train, steps = Train(case.values, *give_clock(case), case.step), len(case.truth)
    frame = Frame(steps, 0, steps)
    targets = pl.Series("at", train.future, pl.Datetime("us")).dt.replace_time_zone("UTC")
    windows = choose_windows(train, "any", frame)
    plan = SeriesPlan(case.id, NO_BOUNDS, "any", train, targets, frame, windows)
    return replace(plan, withheld=withhold_for_values(train, windows))


def predict_fast(case: Case) -> Values:
    """Forecast by the fast mode: one fit of eight weeks of demand by Prophet, no backtest."""
    train = Train(case.values, *give_clock(case), case.step)
    return choose_members("demand", case.step)[FAST].tell(train)


def warm_up() -> None:
    """Load the libraries, so that the first case does not pay for it, and silence them."""
    silence_libraries()
    import prophet  # noqa: F401, PLC0415
    from cmdstanpy import CmdStanModel  # noqa: F401, PLC0415


def run_plan(plan: SeriesPlan) -> tuple[dict[int, dict[str, Fit]], dict[str, float]]:
    """Run all the work of a plan here; also the CPU seconds of each member.

    A fit that another origin asked for in this process is recalled, as in production, with the
    CPU seconds that it took.
    """
    windows: dict[int, dict[str, Fit]] = {}
    spent: dict[str, float] = {}
    for window, name in plan.list_members():
        fit, cpu_s = run_once(plan.make_job(window, name))
        windows.setdefault(window, {})[name] = fit
        spent[name] = spent.get(name, 0.0) + cpu_s
    return windows, spent


def run_once(job: Job) -> tuple[Fit, float]:
    """Run a job unless this process did; also give the CPU seconds that it took."""
    name = name_fit(job)
    if name not in KNOWN:
        started = measure_cpu()
        KNOWN[name] = run_job(job), measure_cpu() - started
    return KNOWN[name]
