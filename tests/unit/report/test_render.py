"""What people see is readable, fits, and takes no orders from the data."""

import io
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from tasks.common.changes import Changes
from tasks.common.settings import Settings
from tasks.report.document import RunReport
from tasks.report.render import render_markdown, render_terminal, tabulate_for_prefect
from tasks.report.summary import summarise_run
from tasks.report.text import fence
from tests.unit.report.results_of_a_run import (
    give_extracted,
    give_forecasted,
    give_transformed,
    give_written,
)
from tests.unit.report.test_summary import tell


def show(told: RunReport | None = None, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(render_terminal(told or tell()))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_terminal_summary_fits_100_columns():
    assert max(len(line) for line in show().splitlines()) <= 100


def test_the_table_of_many_series_with_long_names_fits_100_columns_and_loses_no_letter():
    told, name = (
        tell(),
        "a_network_of_some_length:STATION-0001-OF-MANY:air_pressure_at_mean_sea_level",
    )
    figures = {"mae": 12345.678, "unit": "m s-1", "status": "withheld", "freshness_h": 12345.6}
    one = told.series[1].model_copy(update=figures | {"series_id": name})
    shown = show(told.model_copy(update={"series": [one] * 46}))
    assert max(len(line) for line in shown.splitlines()) <= 100
    assert (shown.count("12,346 m s-1"), shown.count(" withheld  ")) == (30, 30)
    assert "... and 16 more series, in the JSON." in shown


def test_the_terminal_summary_opens_with_the_verdict():
    assert show().startswith("DEGRADED: 3.00 % of 100 records were rejected")


def test_every_step_says_what_it_took():
    told = summarise_run(
        replace(give_extracted(), seconds=1.0),
        replace(give_transformed(), seconds=2.0),
        replace(give_forecasted(), seconds=3.0),
        replace(give_written(), seconds=4.0),
        Settings(),
        moved=Changes(seconds=5.0),
    )
    assert told.seconds["extract"] == 1
    shown = " ".join(show(told).split())
    assert "Took 15 s: extract 1.0, transform 2.0, recall 0.0, score 0.0, forecast 3.0, " in shown


def test_brackets_in_a_key_are_text_and_not_markup():
    assert "Quarantine: raw/[b].gz: cut short" in show()


def test_the_terminal_summary_tells_the_week_of_demand():
    text = show()
    assert "Mon 2019-10-28" in text
    assert "Sun 2019-11-03" in text


HOSTILE_NAMES = (
    "[x](javascript:1)",
    "<script>alert(1)</script>",
    "| a |",
    "```\n# h",
    "a\\|<b>",
    "![x](http://evil)",
    "&lt;b&gt; https://evil.example a@b.c",
    "\\",
    "[bold]x[/] \\[red]",
    "",
)
names = st.one_of(
    st.sampled_from(HOSTILE_NAMES),
    st.lists(st.sampled_from([*r"`|\<>[]()!*_#&~:/", "\n", "a", "`` "]), max_size=12).map("".join),
    st.text(max_size=12),
)


def rename(name: str) -> RunReport:
    """Let everything foreign in a report be of one name."""
    told = tell()
    problem = told.input.problems[0].model_copy(update={"key": name, "reason": name})
    series = told.series[0].model_copy(update={"series_id": name, "reason": name})
    days = [day.model_copy(update={"series_id": name}) for day in told.demand_next_week]
    given = told.input.model_copy(update={"problems": [problem], "lake": name})
    mongodb = told.mongodb.model_copy(update={"notes": [name], "database": name})
    update = {"series": [series], "verdict": name, "demand_next_week": days}
    return told.model_copy(update=update | {"input": given, "mongodb": mongodb})


def list_kinds(markdown: str) -> list[str]:
    """Give the kinds of all pieces a reader of markdown makes of a text."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    return [one.type for token in tokens for one in (token, *(token.children or ()))]


@given(names)
def test_no_name_makes_a_link_a_tag_or_a_cell(name: str):
    kinds = Counter(list_kinds(render_markdown(rename(name))))
    usual = Counter(list_kinds(render_markdown(rename("usual"))))
    assert kinds == usual
    assert {"link_open", "html_inline", "html_block", "image"} & set(usual) == set()


@given(names)
def test_what_is_foreign_stands_between_backticks(name: str):
    bare = render_markdown(rename("usual")).split("`")[::2]
    assert render_markdown(rename(name)).split("`")[::2] == bare


@given(names)
def test_a_fence_holds_in_every_reader_of_markdown(name: str):
    # Readers differ in what a backslash before a pipe does: so there is no pipe.
    assert not set("|`\n") & set(fence(name)[1:-1])
    assert fence(name)[0] == fence(name)[-1] == "`"


@given(names)
def test_a_cell_of_the_table_artifact_is_one_piece_of_text(name: str):
    (row,) = tabulate_for_prefect(rename(name))
    assert list_kinds(row["series"])[1:-1] == ["inline", "code_inline"]


def test_a_name_cannot_move_the_cursor():
    assert "\x1b" not in show(rename("\x1b[2Jgone"))


@given(st.lists(st.sampled_from([*"[]/\\ab"]), max_size=12).map("".join))
def test_a_name_is_shown_in_the_terminal_letter_by_letter(name: str):
    shown = "".join(show(rename(name)).split())
    assert shown.count(f"Note:{name}") == 1
    assert f"Quarantine:{name}:{name}" in shown


def test_the_table_artifact_has_one_row_a_series():
    rows = tabulate_for_prefect(tell())
    assert [row["status"] for row in rows] == ["withheld", "model"]
    assert rows[1]["skill"] == "20%"
