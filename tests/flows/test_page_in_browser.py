"""The page of forty series, hostile ones among them, as Chromium shows it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from playwright.sync_api import Browser

from tasks.common.contracts import HISTORY, POINTS
from tasks.common.results import Forecasted, Transformed
from tasks.common.scores import SCORES, Earlier, Scored
from tasks.common.settings import Settings
from tasks.report.page import render_page
from tasks.report.summary import summarise_run
from tests.flows.browser import SCHEMES, WIDTHS, find_trouble, opened, running_browser
from tests.unit.report.results_of_a_run import (
    AS_OF,
    DEMAND,
    give_extracted,
    give_forecasted,
    give_transformed,
    give_written,
)

HOSTILE = (
    "<script>alert(1)</script>",
    "{{7*7}}",
    '"><img src=x onerror=alert(1)>',
    "<svg onload=alert(1)>",
    "مطار ليل \u202egnp.exe",
    "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch" * 5,
    "",
    "</style><style>*{display:none}",
)
STATIONS = [*HOSTILE, *(f"Station {number}" for number in range(31))]


def give_many_series() -> tuple[Transformed, Forecasted]:
    """Give demand and 39 temperatures, hourly, with last week's forecast and its scores."""
    run, forecasted = give_transformed(), give_forecasted()
    keys = ["rte:32", *(f"n:{number}" for number in range(len(STATIONS)))]
    ids = [DEMAND, *(f"{key}:air_temperature" for key in keys[1:])]
    weather = run.series.tail(1).drop("series_id", "station_id")
    others = pl.DataFrame({"series_id": ids[1:], "station_id": keys[1:]}).join(weather, how="cross")
    rest = replace(forecasted.outcomes[0], status="fallback", reason="The naive was better.")
    outcomes = (forecasted.outcomes[0], *(replace(rest, series_id=one) for one in ids[1:]))
    points = (
        draw_waves(ids, AS_OF, 267)
        .with_columns(
            *(
                (pl.col("value") + sign * size).alias(f"{side}{share}")
                for share, size in ((80, 2), (95, 4))
                for side, sign in (("lower", -1), ("upper", 1))
            ),
            probability=pl.lit(None, pl.Float64),
        )
        .select(POINTS.names())
    )
    week = timedelta(days=7)
    before = points.with_columns(
        pl.col("at") - week,
        run_id=pl.lit("r"),
        issue_at=pl.lit(AS_OF - week),
        correction80=1.0,
        correction95=1.0,
    )
    scores = pl.DataFrame(
        [
            {
                "series_id": one,
                "issue_at": AS_OF - week,
                "run_id": "r",
                "bucket": "D+1",
                "points": 24,
                **dict.fromkeys(SCORES.names()[5:], 0.5),
            }
            for one in ids
        ],
        schema=SCORES,
    )
    names = ["Hauts-de-France", *STATIONS]
    return (
        replace(
            run,
            series=pl.concat([run.series.head(1), others.select(run.series.columns)]),
            stations=pl.DataFrame({"station_id": keys, "name": names}),
            history=draw_waves(ids, AS_OF - timedelta(days=20), 480),
        ),
        replace(
            forecasted, points=points, outcomes=outcomes, scored=Scored(scores, Earlier(before))
        ),
    )


def draw_waves(ids: list[str], start: datetime, hours: int) -> pl.DataFrame:
    """Give hourly values with a daily rhythm, the same for every series."""
    noise = 0.3 * np.random.default_rng(1).normal(size=hours).cumsum()
    values = 12 + 5 * np.sin(np.arange(hours) / 24 * 2 * np.pi) + noise
    at = [start + timedelta(hours=hour) for hour in range(hours)]
    waves = [pl.DataFrame({"series_id": one, "at": at, "value": values}) for one in ids]
    return pl.concat(waves).cast(dict(HISTORY))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transformed, forecasted = give_many_series()
    results = (give_extracted(), transformed, forecasted, give_written(), Settings())
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(render_page(summarise_run(*results), transformed, forecasted))
    return path


def test_forty_series_fit_in_two_megabytes(page: Path):
    assert page.read_text().count('class="card"') == 40
    assert page.stat().st_size < 2_000_000


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wrong_at_any_width(browser: Browser, page: Path, width: int, scheme: str):
    assert find_trouble(browser, page, width=width, scheme=scheme) == []


def test_no_name_makes_an_element_or_runs(browser: Browser, page: Path):
    with opened(browser, page) as (shown, said):
        assert shown.locator("script, img, iframe, svg[onload], style:not(head style)").count() == 0
        assert set(HOSTILE[:4]) <= set(shown.locator("h4").all_inner_texts())
        assert said == []


def test_without_scripts_the_same_is_shown(browser: Browser, page: Path):
    shots = []
    for scripts in (True, False):
        with opened(browser, page, scripts=scripts) as (shown, _):
            shots.append(shown.screenshot())
    assert shots[0] == shots[1]


def test_dark_and_light_differ_and_paper_is_light(browser: Browser, page: Path):
    with opened(browser, page, scheme="dark") as (shown, _):
        ground = "getComputedStyle(document.body).backgroundColor"
        assert shown.evaluate(ground) != "rgb(255, 255, 255)"
        shown.emulate_media(media="print")
        assert shown.evaluate(ground) == "rgb(255, 255, 255)"
        assert shown.pdf(format="A4").startswith(b"%PDF")


def test_the_keyboard_reaches_the_content_first_and_every_table(browser: Browser, page: Path):
    with opened(browser, page) as (shown, _):
        shown.keyboard.press("Tab")
        assert shown.evaluate("document.activeElement.hash") == "#main"
        regions = shown.locator("[role=region]")
        assert regions.count() == shown.locator("[role=region][tabindex='0']").count() >= 4


def test_every_link_leads_to_a_place_on_the_page(browser: Browser, page: Path):
    with opened(browser, page) as (shown, _):
        lost = "[...document.links].filter(a => !document.getElementById(a.hash.slice(1))).length"
        assert shown.evaluate(lost) == 0
