"""The one place where the bench meets the forecast room: a case in, answers by name out."""

from collections.abc import Mapping

import numpy as np

from tasks.common.contracts import VARIABLES
from tasks.forecast.backtest import (
    Job,
    JobResult,
    applicable_methods,
    cut_truth,
    cut_window,
    find_windows,
    run_job,
)
from tasks.forecast.combine import combine, judge_backtest
from tasks.forecast.conclude import conclude_series
from tasks.forecast.members import choose_members
from tasks.forecast.models import silence_libraries
from tasks.forecast.plan import SeriesPlan
from tasks.forecast.train import Kind, Train, Values
from tests.bench.cases import DAY, Case
from tests.bench.cpu import measure_cpu
from tests.bench.rivals import give_clock, surround
from tests.bench.scores import Answer

OURS = "ours"
HEADLINE = "prophet"
"""Beginning of the names of the members that are Prophet; the shortest is the fast mode's."""


def forecast_case(case: Case) -> dict[str, Answer]:
    """Give the answers of `ours` and of every member that applies, by name.

    The CPU seconds of each include its backtest.

    Raises:
        ValueError: no forecast can be made of it, and why.
    """
    started = measure_cpu()
    train, kind, steps = give_train(case), tell_kind(case), len(case.truth)
    needed = max(
        case.season * 2, min(m.needs_days for m in choose_members(kind, case.step).values())
    )
    windows = find_windows(train.values, targets=steps, lead=0, least=needed)
    jobs = {w: give_job(case, train, kind, window=w) for w in (0, *windows)}
    results, spent = run_jobs(jobs)
    truth = cut_truth(train, numbers=windows, targets=steps)
    ahead, past = collect(results, windows, steps)
    naives = frozenset(n for n, m in choose_members(kind, case.step).items() if m.naive)
    judgement = judge_backtest(past, truth, naives)
    if judgement is None:
        msg = f"no naive could be judged by {len(windows)} past windows"
        raise ValueError(msg)
    values = combine(ahead, judgement.weights)
    members = answer_members(ahead, past, truth, spent)
    return {
        OURS: surround(values, judgement.errors, cpu_s=measure_cpu() - started),
        **members,
    }


def forecast_plan(plan: SeriesPlan) -> dict[str, Answer]:
    """Give the answers to a plan of production: `ours` as it would be published, and members.

    Raises:
        ValueError: it is withheld, and why.
    """
    started = measure_cpu()
    results, spent = run_jobs({job.window: job for job in plan.jobs})
    outcome, points = conclude_series(plan, results)
    if points.is_empty():
        raise ValueError(outcome.reason)
    told = {name: points[name].to_numpy() for name in points.columns[2:]}
    told["values"] = told.pop("value")
    ours = Answer(**told, cpu_s=measure_cpu() - started)
    ahead, past = collect(results, plan.windows, len(plan.targets))
    truth = cut_truth(plan.train, numbers=plan.windows, targets=len(plan.targets))
    bounds = VARIABLES[plan.variable]
    ahead = {name: np.clip(member, bounds.low, bounds.high) for name, member in ahead.items()}
    return {OURS: ours, **answer_members(ahead, past, truth, spent)}


def predict_fast(case: Case) -> Values:
    """Forecast by the fast mode: one fit of the headline member, no backtest."""
    job = give_job(case, give_train(case), "demand", window=0)
    methods = applicable_methods(job)
    method = methods[min((name for name in methods if name.startswith(HEADLINE)), key=len)]
    return method.predict(job.train, method.options)


def warm_up() -> None:
    """Load the libraries, so that the first case does not pay for it, and silence them."""
    silence_libraries()
    import prophet  # noqa: F401, PLC0415
    from cmdstanpy import CmdStanModel  # noqa: F401, PLC0415


def give_train(case: Case) -> Train:
    """Lay a case out as the room wants it."""
    return Train(case.values, *give_clock(case), case.step)


def tell_kind(case: Case) -> Kind:
    """Tell the kind nearest to a series of which nothing is known but its numbers."""
    whole = len(case.values) * case.step
    positive = np.nanmin(case.values) > 0
    return "demand" if positive and case.step < DAY and whole > 50 * DAY else "weather"


def give_job(case: Case, train: Train, kind: Kind, *, window: int) -> Job:
    """Give the work item of one window; 0 is the forecast itself."""
    cut = cut_window(train, number=window, targets=len(case.truth), lead=0)
    return Job(case.id, window, kind, cut, 0)


def run_jobs(jobs: Mapping[int, Job]) -> tuple[dict[int, JobResult], dict[str, float]]:
    """Run the jobs of one series here; also the CPU seconds of each member.

    Those of a job are shared out by the time that each member took.
    """
    results, spent = {}, {}
    for window, job in jobs.items():
        started = measure_cpu()
        results[window] = run_job(job)
        cpu = measure_cpu() - started
        fits = results[window].fits
        wall = sum(fit.seconds for fit in fits.values()) or 1.0
        for name, fit in fits.items():
            spent[name] = spent.get(name, 0.0) + cpu * fit.seconds / wall
    return results, spent


def collect(
    results: Mapping[int, JobResult], windows: tuple[int, ...], steps: int
) -> tuple[dict[str, Values], dict[str, Values]]:
    """Give each member's forecast, and what it said of the windows (windows x steps)."""
    fits = {name: fit.values for name, fit in results[0].fits.items() if fit.values is not None}
    ahead = {name: values for name, values in fits.items() if np.isfinite(values).all()}
    unknown = np.full(steps, np.nan)
    past = {name: [] for name in ahead}
    for name, rows in past.items():
        for window in windows:
            fit = results[window].fits.get(name)
            rows.append(unknown if fit is None or fit.values is None else fit.values)
    return ahead, {name: np.array(rows).reshape(-1, steps) for name, rows in past.items()}


def answer_members(
    ahead: Mapping[str, Values],
    past: Mapping[str, Values],
    truth: Values,
    spent: Mapping[str, float],
) -> dict[str, Answer]:
    """Give the members' answers, with intervals from their own errors."""
    return {
        name: surround(values, past[name] - truth, cpu_s=spent[name])
        for name, values in ahead.items()
    }
