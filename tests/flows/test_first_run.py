"""A fresh machine, nothing configured: raw objects become published forecasts, twice the same."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.flows.browser import WIDTHS, find_trouble, running_browser
from tests.flows.command import Ran, read_fence, run_module, type_line
from tests.shell import ROOT, documented, make_checkout

JSON_LOG = {"PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json"}
SERIES = "rte:32:electricity_demand"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp("first-run"))


def run_whole(line: str, folder: Path, **environment: str) -> Ran:
    """Type a line that runs all, and give the report that it leaves in the lake."""
    ran = type_line(line, cwd=folder, **environment)
    assert ran.code == 0, ran.err
    archived = (folder / ".local/lake/reports/forecast").glob("*/*.json")
    newest = max(archived, key=lambda path: path.stat().st_mtime_ns)
    return replace(ran, report=json.loads(newest.read_text()))


@pytest.fixture(scope="module")
def first(folder: Path) -> Ran:
    # As on a fresh machine, with the temporary Prefect server that a run brings itself.
    return run_whole(documented("make run"), folder, PREFECT_API_URL="")


@pytest.fixture(scope="module")
def second(folder: Path, first: Ran) -> Ran:
    assert first.code == 0
    return run_whole(documented(".venv/bin/python -m flows.forecast"), folder)


def test_it_says_in_two_lines_what_it_started(first: Ran):
    assert "MONGODB_URI is not set, so an embedded one serves" in first.err
    assert "LAKE_URI is not set" in first.err


def test_the_summary_opens_with_the_verdict(first: Ran):
    assert first.out.startswith("COMPLETED")
    assert "Demand, next ISO week" in first.out


def test_every_record_is_accounted_for(first: Ran):
    records = first.report["input"]["records"]
    rejected = sum(records["rejected"].values())
    parts = records["kept"] + records["blank"] + records["duplicate"] + rejected
    assert records["read"] == parts
    assert rejected > 0  # the planted defects were found


def test_demand_is_forecast_for_the_whole_next_week(first: Ran):
    # The demo's weather ends last Wednesday: in some weeks the better naive wins, and says so.
    assert first.series("rte:32:electricity_demand")["status"] in ("model", "fallback")
    days = first.report["demand_next_week"]
    assert [day["hours"] for day in days] == [24.0] * 7


def test_every_step_is_timed(first: Ran):
    seconds = first.report["seconds"]
    steps = ["extract", "transform", "recall", "score", "forecast", "upsert", "compare"]
    assert (list(seconds), min(seconds.values()) >= 0) == (steps, True)
    assert seconds["forecast"] > max(seconds["score"], seconds["recall"])


def test_the_run_is_published(first: Ran):
    assert first.report["mongodb"]["published"] is True
    assert first.report["mongodb"]["collections"]["observations"]["inserted"] > 10_000


def test_a_second_run_of_the_same_week_modifies_nothing(first: Ran, second: Ran):
    assert second.report["run_id"] == first.report["run_id"]
    changed = {
        name: counts["inserted"] + counts["modified"]
        for name, counts in second.report["mongodb"]["collections"].items()
    }
    assert set(changed.values()) <= {0}


def test_a_second_run_fits_nothing_again(first: Ran, second: Ran):
    assert first.report["fits"]["fitted"] > 100
    assert set(second.report["fits"]) == {"copied", "recalled"}
    assert second.report["fits"]["recalled"] >= first.report["fits"]["fitted"]


def test_at_its_deadline_a_run_publishes_every_series_by_what_there_is(folder: Path, second: Ran):
    # Another horizon is fitted anew.
    arguments = ("--horizon-days", "5", "--deadline", "0.001", "--dry-run", "--json", "report.json")
    ran = run_module("flows.forecast", *arguments, cwd=folder, **JSON_LOG, METRICS="stdout")
    assert (second.code, ran.code) == (
        0,
        3,
    )  # DEGRADED: too many series without most of their models
    told = [json.loads(line)["levelname"] for line in ran.err.splitlines()]  # each one is JSON
    assert {"INFO", "WARNING"} <= set(told)
    metrics = json.loads(ran.out.splitlines()[0])
    assert (metrics["run_success"], metrics["read"]) == (1, 0)
    assert len(metrics["skill"]) == len(ran.report["series"])
    assert ran.report["fits"]["left"] > 100
    assert {one["status"] for one in ran.report["series"]} <= {"model", "fallback"}


def test_a_dry_run_of_some_series_writes_nothing(folder: Path, second: Ran):
    before = sorted(path for path in (folder / ".local/lake").rglob("*") if path.is_file())
    line = documented(".venv/bin/python -m flows.forecast --series 'rte:*' --dry-run")
    ran = type_line(line, cwd=folder)
    assert (second.code, ran.code) == (0, 0)
    assert "Dry run: nothing was written" in ran.out
    assert set(re.findall(r"^(\w+:\w+:\w+) ", ran.out, re.MULTILINE)) == {SERIES}
    assert before == sorted(path for path in (folder / ".local/lake").rglob("*") if path.is_file())


def test_a_second_run_reads_no_object_again(second: Ran):
    assert second.report["input"]["records"]["read"] == 0
    assert "read" not in second.report["input"]["objects"]


def test_a_newcomer_reads_the_forecast_right_after_the_run(folder: Path, second: Ran):
    line = documented(".venv/bin/python -m flows.forecast latest rte:32:electricity_demand")
    told = type_line(line, cwd=folder)
    assert (second.code, told.code) == (0, 0), told.err
    assert told.out.startswith(f"Run {second.report['run_id']} (COMPLETED)")
    assert len(re.findall(r"^\w{3} \d{4}-.*Z .*\d$", told.out, re.MULTILINE)) > 250


def test_a_value_is_the_sum_of_its_members_and_prophets_of_its_terms(folder: Path, second: Ran):
    monday = second.report["demand_next_week"][0]["on"]
    words = ("rte:32:electricity_demand", "--at", f"{monday}T12:00+01:00", "--format", "json")
    told = run_module("flows.forecast", "explain", *words, cwd=folder)
    explained = json.loads(told.out)
    value, members = explained["value"], explained["members"]
    parts = [one["value"] * one["weight"] for one in members if one["weight"]]
    assert sum(parts) == pytest.approx(value["value"], rel=1e-12)
    assert {"trend", "residuals", "holidays"} <= set(value["terms"])
    assert value["prophet_value"] == pytest.approx(sum(value["terms"].values()))
    assert value["prophet_value"] == pytest.approx(value["value"], rel=0.3)


def test_the_page_of_a_real_run_stands_where_the_last_line_says(folder: Path, first: Ran):
    place = f".local/lake/{first.report['page_key']}"
    assert place in "".join(first.out.split("Page: ")[1].split())
    with running_browser() as browser:
        trouble = [
            found
            for width, scheme in zip(WIDTHS, ("light", "dark", "light"), strict=True)
            for found in find_trouble(browser, folder / place, width=width, scheme=scheme)
        ]
    assert trouble == []
    assert (folder / place).stat().st_size < 2_000_000


def test_the_status_needs_no_server_either(folder: Path, second: Ran):
    told = type_line(documented(".venv/bin/python -m flows.status --json"), cwd=folder)
    state = json.loads(told.out)
    assert (state["run"]["run_id"], state["lake"]) == (second.report["run_id"], "read")
    assert (told.code, state["state"], state["unread"]) == (0, "fine", 0)


PAGE = ROOT / "docs/tutorial/first-quarter-hour.md"
GARDEN = ".local/lake/raw/garden/GARDEN1/2024-10.csv"


@pytest.fixture(scope="module")
def garden(folder: Path, second: Ran) -> Path:
    """Land the tutorial's file, with its first, mistaken declaration."""
    assert second.code == 0
    landed = folder / GARDEN
    landed.parent.mkdir(parents=True)
    landed.write_text(read_fence(PAGE, "csv"))
    sources = folder / "sources"
    sources.mkdir()
    (sources / "garden.yaml").write_text(read_fence(PAGE, "yaml"))
    return folder


@pytest.fixture(scope="module")
def mended(garden: Path) -> Ran:
    """Do what the tutorial says, to its end."""
    declared = garden / "sources/garden.yaml"
    declared.write_text(declared.read_text().replace("unit: fahrenheit", "unit: degF"))
    shipped = (ROOT / "tasks/extract/sources/wunderground.yaml").read_text()
    told = read_fence(PAGE, "yaml", 1)
    (garden / "sources/wunderground.yaml").write_text(shipped.replace("time:\n", told, 1))
    return run_whole(documented("SOURCES_DIR=sources make run"), garden)


def test_the_mistake_of_the_tutorial_is_refused_by_name(garden: Path):
    ran = type_line(documented("SOURCES_DIR=sources make run"), cwd=garden)
    assert ran.code == 2
    assert "garden.yaml" in ran.err
    assert "'fahrenheit'" in ran.err


def test_the_garden_of_the_tutorial_is_read_on_the_clock_of_france(garden: Path, mended: Ran):
    line = documented(
        "SOURCES_DIR=sources .venv/bin/python -m tasks.extract "
        ".local/lake/raw/garden/GARDEN1/2024-10.csv"
    )
    ran = type_line(line, cwd=garden)
    assert (mended.code, ran.code) == (0, 0)
    assert ran.out.startswith("read 2, kept 2,")
    assert re.search(r"garden:GARDEN1:air_temperature +2 +2024-10-01T12:00", ran.out)


def test_a_first_day_takes_an_object_out_of_quarantine(first: Ran, mended: Ran):
    assert first.report["input"]["objects"]["quarantined"] == 1
    assert mended.report["input"]["objects"].get("quarantined", 0) == 0
    assert "undated" not in mended.report["input"]["records"]["rejected"]


def test_the_garden_of_the_tutorial_is_withheld_with_its_reason(mended: Ran):
    told = mended.series("garden:GARDEN1:air_temperature")
    assert told["status"] == "withheld"
    assert "no credible value" in told["reason"]
