"""The page of a run tells everything, the same way every time, and takes no orders from data."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.common.accounts import Tally
from tasks.common.contracts import HISTORY, POINTS
from tasks.common.results import Forecasted, Transformed
from tasks.common.scores import SCORES, Earlier, Scored
from tasks.common.settings import Settings
from tasks.report.document import RunReport
from tasks.report.page import render_page
from tasks.report.summary import summarise_run
from tests.unit.report.results_of_a_run import (
    AS_OF,
    DEMAND,
    HOSTILE,
    give_extracted,
    give_forecasted,
    give_transformed,
    give_written,
)

ATTACKS = (
    "<script>alert(1)</script>",
    "{{7*7}}{% include '/etc/passwd' %}",
    '"><img src=x onerror=alert(1)>',
    "</title></style></svg><iframe>",
    "\u202ereversed\u202c <b>",
    "' onmouseover='alert(1)",
    "a" * 3000,
)


class Tags(HTMLParser):
    """Elements and attribute names of a page, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def tell(transformed: Transformed, forecasted: Forecasted, verdict: str = "") -> RunReport:
    run = (give_extracted(), transformed, forecasted, give_written(), Settings())
    report = summarise_run(*run)
    return report.model_copy(update={"verdict": verdict}) if verdict else report


def show(transformed: Transformed | None = None, forecasted: Forecasted | None = None) -> str:
    given_transformed, given_forecasted = (
        transformed or give_transformed(),
        forecasted or give_forecasted(),
    )
    report = tell(given_transformed, given_forecasted)
    return render_page(report, given_transformed, given_forecasted)


def name_station(name: str) -> str:
    """Give the page of a run in which everything that comes from outside is called `name`."""
    run = give_transformed()
    texts = pl.lit(name)
    run = replace(
        run,
        stations=run.stations.with_columns(name=texts),
        series=run.series.with_columns(licence=texts),
    )
    report = tell(run, give_forecasted(), verdict=f"DEGRADED: {name}")
    problem = report.input.problems[0].model_copy(update={"key": name, "reason": name})
    series = [one.model_copy(update={"reason": name}) for one in report.series]
    told = report.input.model_copy(update={"problems": [problem], "lake": name})
    report = report.model_copy(update={"series": series, "input": told, "run_id": name})
    return render_page(report, run, give_forecasted())


def give_history() -> pl.DataFrame:
    at = pl.datetime_range(AS_OF.replace(day=1), AS_OF, "1h", closed="left", eager=True)
    frame = pl.DataFrame({"series_id": DEMAND, "at": at}).with_columns(
        value=5000 + 100 * pl.col("at").dt.hour()
    )
    return frame.cast(dict(HISTORY))


def give_scored() -> Scored:
    week = AS_OF.replace(day=16)
    keys = {"series_id": DEMAND, "issue_at": week, "run_id": "r", "points": 24}
    row = {**keys, **dict.fromkeys(SCORES.names()[5:], 0.5), "brier": None}
    scores = pl.DataFrame([row | {"bucket": name} for name in ("D+1", "next week")], schema=SCORES)
    points = give_forecasted().points.with_columns(
        run_id=pl.lit("r"), issue_at=pl.lit(week), correction80=1.0, correction95=1.0
    )
    return Scored(scores, Earlier(points))


def test_the_page_opens_with_the_verdict():
    first = re.search(r"<h1>(.*?)</h1>", show(), re.DOTALL)
    assert first is not None
    assert "DEGRADED" in first[1]
    assert "3.00 % of 100 records were rejected" in first[1]


def test_the_same_run_gives_the_same_bytes():
    assert show() == show()


def test_the_page_names_nothing_outside_itself():
    page = show(replace(give_transformed(), history=give_history()))
    assert re.findall(r'(?:src|href|action|data)="(?!#|data:,")[^"]*"|url\(|@import', page) == []
    assert "<script" not in page


def test_every_id_is_there_once():
    ids = re.findall(r'\bid="([^"]*)"', show(replace(give_transformed(), history=give_history())))
    assert len(ids) == len(set(ids)) > 5


def test_every_chart_tells_itself_in_words():
    page = show(replace(give_transformed(), history=give_history()))
    told = re.findall(r'<svg role="img"[^>]*><title>([^<]+)</title>', page)
    assert told[0].startswith("Electricity demand, Hauts-de-France: forecast between 5,000 MW and")
    assert len(told) == page.count('role="img"') == 4


def test_times_stand_on_the_clock_of_france_and_in_utc():
    page = show()
    assert "Wed 23 Oct 2019, 22:00" in page
    assert "2019-10-23 20:00 UTC" in page


def test_the_week_with_the_long_day_is_told_day_by_day():
    rows = re.findall(r"<th [^>]*gt_stub\">(\w{3} \d+ \w{3})</th>", show())
    assert rows[0] == "Mon 28 Oct"
    assert len(rows) == 7


def test_a_first_run_says_that_nothing_can_be_judged_yet():
    assert "can be judged yet" in show()
    assert "can be judged yet" not in show(
        forecasted=replace(give_forecasted(), scored=give_scored())
    )


def test_last_weeks_forecast_is_drawn_and_its_score_is_told():
    run = replace(give_forecasted(), scored=give_scored())
    page = show(replace(give_transformed(), history=give_history()), run)
    assert page.count('class="last" d="M') > show().count('class="last" d="M')
    assert re.search(r"next week.*?0\.50 MW.*?50\.0 %", page, re.DOTALL)


def test_every_series_shows_how_it_turned_out_week_by_week():
    page = show(forecasted=replace(give_forecasted(), scored=give_scored()))
    table = page.split('<h2 id="series">')[1].split("</table>")[0]
    assert "MASE, by week" in table
    assert re.findall(r"<title>MASE of (.*?) over", table) == ["next week"]
    assert "MASE, by week" not in show().split('<h2 id="series">')[1]


def test_a_run_without_any_point_still_has_a_page():
    none = replace(
        give_forecasted(), points=POINTS.to_frame(), outcomes=give_forecasted().outcomes[1:]
    )
    page = show(forecasted=none)
    assert "FAILED" in page
    assert "This run has no demand series." in page


def test_a_run_without_any_series_still_has_a_page():
    empty = give_transformed()
    empty = replace(empty, series=empty.series.clear(), stations=empty.stations.clear())
    none = replace(give_forecasted(), points=POINTS.to_frame(), outcomes=())
    page = render_page(tell(empty, none), empty, none)
    assert "No series has values before the issue time." in page


def test_a_direction_that_passes_north_is_filled_on_both_sides():
    run, forecasted = give_transformed(), give_forecasted()
    turned = run.series.with_columns(unit=pl.lit("degree"))
    points = forecasted.points.with_columns(value=355.0, lower80=340.0, upper80=10.0)
    page = show(replace(run, series=turned), replace(forecasted, points=points))
    band = re.findall(r'<path class="b80" d="([^"]*)"', page)
    assert max(path.count("z") for path in band) >= 1
    assert len(band) % 2 == 0


calm = Tags(name_station("calm"))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda text: text[:12])
def test_no_name_becomes_an_element(attack: str):
    attacked = Tags(name_station(attack))
    assert attacked.elements == calm.elements
    assert attacked.attributes == calm.attributes
    assert any(attack.strip() in text for text in attacked.texts)


@settings(max_examples=12, deadline=None)
@given(st.text(min_size=1, max_size=40).filter(str.strip))
def test_no_name_whatsoever_becomes_an_element(name: str):
    assert Tags(name_station(name)).elements == calm.elements


def test_a_name_cannot_leave_the_command_that_names_it():
    page = name_station("a b'; rm -rf ~ #")
    assert "&#39;a b&#39;&#34;&#39;&#34;&#39;; rm -rf ~ #/" in page


def test_what_was_rejected_stands_with_the_place_to_look():
    page = show(transformed=give_transformed(Tally(100, 90, 6, 1, {"bad_json": 3})))
    assert "raw/[b].gz" in page
    assert f"--as-of {AS_OF.isoformat()}" in page


def test_a_withheld_series_says_why():
    page = show()
    assert HOSTILE not in page
    assert "Newest value is 30 days old | &lt;b&gt;." in page


def test_the_page_names_revision_image_and_licences():
    run = (give_extracted(), give_transformed(), give_forecasted(), give_written())
    known = Settings(
        git_sha="abc1234", image="registry/forecast:v1", image_digest=f"sha256:{'0' * 64}"
    )
    page = render_page(summarise_run(*run, known), *run[1:3])
    assert "<code>abc1234</code>" in page
    assert "<code>registry/forecast:v1@sha256:0000" in page
    assert "<li>rte: RTE, Licence Ouverte</li>" in page


def test_the_cost_is_that_of_the_fits():
    page = show()
    assert re.search(r"0 vCPU-seconds, 0\.0000 EUR", page)
    long = replace(give_forecasted().outcomes[0], seconds=36_000.0)
    assert re.search(
        r"36,000 vCPU-seconds, 0\.5450 EUR",
        show(forecasted=replace(give_forecasted(), outcomes=(long,))),
    )
