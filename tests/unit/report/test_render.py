"""What people see is readable, fits, and takes no orders from the data."""

import io

from rich.console import Console

from tasks.report.render import render_markdown, render_terminal, tabulate_for_prefect
from tests.unit.report.test_summary import tell


def show(width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(render_terminal(tell()))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_terminal_summary_fits_100_columns():
    assert max(len(line) for line in show().splitlines()) <= 100


def test_the_terminal_summary_opens_with_the_verdict():
    assert show().startswith("DEGRADED: 3.00 % of 100 records were rejected")


def test_brackets_in_a_key_are_text_and_not_markup():
    assert "Quarantine: raw/[b].gz: cut short" in show()


def test_the_terminal_summary_tells_the_week_of_demand():
    text = show()
    assert "Mon 2019-10-28" in text
    assert "Sun 2019-11-03" in text


def test_a_hostile_station_stays_inside_its_cell():
    markdown = render_markdown(tell())
    row = next(line for line in markdown.splitlines() if line.startswith("| `evil"))
    assert row.startswith("| `evil:<script>\\|':air_temperature` | withheld |")
    assert row.count("|") - row.count("\\|") == 9


def test_a_hostile_name_in_a_sentence_is_text():
    verdict = render_markdown(tell()).splitlines()[2]
    assert r"evil:\<script\>\|\`:air\_temperature" in verdict


def test_the_table_artifact_has_one_row_a_series():
    rows = tabulate_for_prefect(tell())
    assert [row["status"] for row in rows] == ["withheld", "model"]
    assert rows[1]["skill"] == "20%"
