"""Cases into one table: averages, ratios, and what is said of those that failed."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from tests.bench.engine import OURS
from tests.bench.quality import Judged, give_up, judge_case, tabulate
from tests.bench.scores import Score
from tests.bench.speed import make_series
from tests.bench.tables import render_methods


def give_score(mase: float, *, smape: float = 10.0) -> Score:
    return Score(smape, 5, mase, 0.8, 0.95, 1, 2, 0.1)


def judge_two() -> list[Judged]:
    first = {"ours": 1.0, "prophet": 2.0, "naive2": 4.0, "naive_24h": 2.0, "mstl": 1.0}
    second = {"ours": 3.0, "prophet": 6.0, "naive2": 8.0, "naive_24h": 2.0, "naive_168h": 0.1}
    return [
        Judged(name, {method: give_score(mase) for method, mase in row.items()})
        for name, row in (("a", first), ("b", second))
    ]


def test_a_method_is_averaged_over_the_series_that_it_answered():
    methods = tabulate("set", judge_two())["methods"]
    assert (methods["ours"]["mase"], methods["ours"]["series"]) == (2, 2)
    assert methods["ours"]["owa"] == pytest.approx((1 + 2 / 6) / 2)
    assert methods["mstl"]["series"] == 1
    assert methods["mstl"]["owa"] == pytest.approx((1 + 1 / 4) / 2)


def test_the_best_comes_first():
    told = tabulate("set", judge_two())["methods"]
    owas = [row["owa"] for row in told.values()]
    assert owas == sorted(owas)


def test_the_better_naive_is_the_best_that_answered_every_series():
    ratios = tabulate("set", judge_two())["ratios"]
    assert ratios["better_naive"] == "naive_24h"
    assert ratios["mase_over_better_naive"] == 1
    assert ratios["mase_over_prophet"] == 0.5


def give_case(case_id: str, ours: float, naive: float) -> Judged:
    methods = {"ours": ours, "prophet": 2.0, "naive2": 4.0, "naive_24h": naive}
    return Judged(case_id, {method: give_score(mase) for method, mase in methods.items()})


def test_ranges_hold_the_figure_and_narrow_with_more_origins():
    few, many = (
        tabulate("set", [give_case(f"z@{n}", 1 + n % 2, 2.0) for n in range(count)])
        for count in (4, 64)
    )
    for told in (few, many):
        low, high = told["ranges"]["mase_over_better_naive"]
        assert low < told["ratios"]["mase_over_better_naive"] == 0.75 < high
    widths = [np.ptp(told["ranges"]["mase_over_prophet"]) for told in (few, many)]
    assert widths[0] > 2 * widths[1]


def test_series_of_one_origin_are_drawn_together():
    one = [give_case(f"{zone}@1", 1, 2.0) for zone in "abcdefgh"]
    assert tabulate("set", one)["ranges"] == {}
    two = tabulate("set", [*one, *(give_case(f"{zone}@2", 3, 2.0) for zone in "abcdefgh")])
    assert two["ranges"]["mase_over_better_naive"] == [0.5, 1.5]


def test_what_nobody_can_tell_is_null_and_a_failure_is_told():
    judged = judge_two()
    judged[0].scores["mstl"] = replace(judged[0].scores["mstl"], coverage80=math.nan)
    told = tabulate("set", [*judged, Judged("c", {}, {OURS: "ValueError: too short"})])
    assert json.loads(json.dumps(told, allow_nan=False))["methods"]["mstl"]["coverage80"] is None
    assert told["failures"] == {"c": {OURS: "ValueError: too short"}}
    assert told["series"] == 3


def test_a_case_whose_process_died_counts_as_failed():
    (case,) = make_series(1)
    assert give_up(case, "it died").failures == {OURS: "it died"}


def test_the_table_fits_in_a_hundred_columns():
    judged, console = judge_two(), Console(width=100)
    judged[0].scores["prophet_with_a_long_name"] = give_score(1234.5, smape=123.456)
    with console.capture() as captured:
        console.print(render_methods(tabulate("m4_hourly.csv.gz hourly", judged)))
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= 100
    assert any("prophet_with_a_long_name" in line for line in lines)
    assert not any("…" in line for line in lines)


def test_ours_and_its_rivals_answer_a_case():
    (case,) = make_series(1)
    judged = judge_case(replace(case, truth=case.truth[:24]))
    assert judged.failures == {}
    assert {"ours", "prophet", "naive2"} < set(judged.scores)
    assert all(math.isfinite(judged.scores[n].mase) for n in judged.scores)
    assert judged.scores["ours"].cpu_s > judged.scores["naive2"].cpu_s
