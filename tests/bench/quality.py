"""Every case forecast by ours, by its members and by their rivals, and scored."""

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from rich.console import Console
from rich.progress import track

from tasks.forecast.failures import MEMBER_ERRORS, tell_failure
from tasks.forecast.parallel import spread_jobs
from tests.bench.cases import Case
from tests.bench.certainty import measure_ranges
from tests.bench.engine import OURS, forecast_case, warm_up
from tests.bench.rivals import forecast_naive2, forecast_prophet
from tests.bench.scores import (
    Answer,
    Score,
    average,
    measure_owa,
    measure_scale,
    score_answer,
)

C = TypeVar("C")
R = TypeVar("R")

PROPHET: Final = "prophet"
NAIVE2: Final = "naive2"
RIVALS: Final[Mapping[str, Callable[[Case], Answer]]] = {
    PROPHET: forecast_prophet,
    NAIVE2: forecast_naive2,
}


@dataclass(frozen=True)
class Judged:
    """How the methods did on one case, by name; and why one of them, or all, did not answer."""

    case_id: str
    scores: dict[str, Score] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def judge_case(case: Case) -> Judged:
    """Forecast one case by all methods and score them; one that fails is told."""
    warm_up()
    answers, failures = {}, {}
    try:
        answers |= rename_members(forecast_case(case))
    except MEMBER_ERRORS as error:
        failures[OURS] = tell_failure(error)
    for name, forecast in RIVALS.items():
        try:
            answers[name] = forecast(case)
        except MEMBER_ERRORS as error:
            failures[name] = tell_failure(error)
    return Judged(case.id, score_all(answers, case), failures)


def rename_members(answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """Call a member that is named as a rival `..._member`: `prophet` is Prophet as it comes."""
    return {f"{n}_member" if n in RIVALS else n: answer for n, answer in answers.items()}


def score_all(answers: Mapping[str, Answer], case: Case) -> dict[str, Score]:
    """Score all answers to one case."""
    scale = measure_scale(case.values, case.season)
    return {n: score_answer(a, truth=case.truth, scale=scale) for n, a in answers.items()}


def give_up(case: Case, reason: str) -> Judged:
    """Tell a case that no process survived."""
    return Judged(case.id, {}, {OURS: reason})


def judge_all(
    cases: Sequence[C],
    judge: Callable[[C], R],
    *,
    rescue: Callable[[C, str], R],
    workers: int | None,
) -> list[R]:
    """Judge all cases in worker processes; a bar on standard error when it is a terminal."""
    spread = spread_jobs(cases, judge, rescue=rescue, workers=workers)
    console = Console(stderr=True)
    quiet = not sys.stderr.isatty()
    done = track(spread, "cases", total=len(cases), console=console, disable=quiet)
    return [judged for _, judged in done]


def measure_quality(name: str, cases: Sequence[Case], *, workers: int | None) -> dict[str, Any]:
    """Judge all cases, the longest first, and tabulate; see `tabulate`."""
    ordered = sorted(cases, key=lambda case: -len(case.values))
    judged = judge_all(ordered, judge_case, rescue=give_up, workers=workers)
    return tabulate(name, sorted(judged, key=lambda told: told.case_id))


def tabulate(name: str, judged: Sequence[Judged]) -> dict[str, Any]:
    """Average the scores by method, the best OWA first; None is what nobody can tell.

    A method's averages are over the series that it answered, `series` of them; so is its OWA,
    against Naive2 on the same series. Naive2 itself is M4's reference, no method of ours.
    `ranges` tell how far ours' figures would go with other origins like these.
    """
    rows = {method: average_method(method, judged) for method in list_methods(judged)}
    reference = rows.pop(NAIVE2, {})
    ratios = compare_ours(rows)
    by_owa = sorted(rows.items(), key=lambda row: (math.isnan(row[1]["owa"]), row[1]["owa"]))
    return {
        "set": name,
        "series": len(judged),
        "methods": {method: hide_unknown(row) for method, row in by_owa},
        "reference": {NAIVE2: hide_unknown(reference)},
        "ratios": ratios,
        "ranges": measure_ranges(
            ((told.case_id, told.scores) for told in judged),
            ours=OURS,
            prophet=PROPHET,
            naive=ratios["better_naive"],
        ),
        "failures": {told.case_id: told.failures for told in judged if told.failures},
    }


def list_methods(judged: Iterable[Judged]) -> list[str]:
    """List the methods in the order in which they are met."""
    return list(dict.fromkeys(method for told in judged for method in told.scores))


def average_method(method: str, judged: Iterable[Judged]) -> dict[str, float]:
    """Average one method's scores over the series that it answered."""
    answered = [told.scores for told in judged if method in told.scores]
    own = [scores[method] for scores in answered]
    both = [scores for scores in answered if NAIVE2 in scores]
    owa = measure_owa([scores[method] for scores in both], [scores[NAIVE2] for scores in both])
    names = ("coverage80", "coverage95", "width80", "width95", "cpu_s")
    return {
        "smape": average(own, "smape"),
        "mase": average(own, "mase"),
        "owa": owa,
        **{name: average(own, name) for name in names},
        "series": len(own),
    }


def compare_ours(rows: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Give ours' MASE over plain Prophet's, and over that of the better naive and its name.

    The better naive is the best by average MASE of those that answered as many series as any.
    """
    naives = {name: row for name, row in rows.items() if "naive" in name}
    most = max((row["series"] for row in naives.values()), default=0)
    full = {name: row["mase"] for name, row in naives.items() if row["series"] == most}
    naive = min(full, key=lambda name: full[name], default="")
    ours = rows.get(OURS, {}).get("mase", math.nan)
    ratios = {
        "mase_over_prophet": ours / rows.get(PROPHET, {}).get("mase", math.nan),
        "mase_over_better_naive": ours / full.get(naive, math.nan),
    }
    return {**hide_unknown(ratios), "better_naive": naive}


def hide_unknown(row: Mapping[str, float]) -> dict[str, float | None]:
    """Replace what JSON cannot say by None."""
    return {name: value if math.isfinite(value) else None for name, value in row.items()}
