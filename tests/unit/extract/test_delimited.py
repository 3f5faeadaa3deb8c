"""Delimited text that is damaged, hostile or of another age: no row is lost, no memory either."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.unit.extract.given import read, rules

HEADER = "Date;Code INSEE région;TMin;TMax;TMoy"


def table(*cells: str, end: str = "\n") -> bytes:
    """One row a day of a regional temperature, with the given text as its mean."""
    rows = (f"2020-08-{day:02};32;1;3;{cell}" for day, cell in enumerate(cells, 1))
    return end.join([HEADER, *rows, ""]).encode()


def test_a_quote_closed_rows_later_swallows_none():
    cells = ["2"] * 30
    cells[4], cells[24] = '"2', '2"'
    readings = read(table(*cells), "odre_temperature")
    assert (readings.tally.read, readings.tally.kept) == (30, 30)
    assert readings.frame["line"].to_list() == list(range(2, 32))


def test_a_quote_that_hides_which_cell_is_which_rejects_its_line_only():
    body = table("2", "2") + b'2020-08-04;"32;1\n2020-08-05;"32";1;3;"2"\n'
    readings = read(body, "odre_temperature")
    assert rules(readings) == [("bad_row", 4, None)]
    assert (readings.tally.read, readings.tally.kept) == (4, 3)


@given(st.lists(st.text('";x2 ', min_size=1), min_size=1, max_size=5))
def test_every_line_is_one_record_whatever_its_quotes(cells: list[str]):
    assert read(table(*cells), "odre_temperature").tally.read == len(cells)


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n", "\r\n\r\n"])
def test_lines_end_as_on_any_system(end: str):
    assert read(table("2", "2", end=end), "odre_temperature").tally.kept == 2


def test_a_header_of_one_endless_cell_is_refused_for_its_columns():
    readings = read(b"x" * 200_000 + b"\n1\n", "odre_temperature")
    assert (readings.reason or "").startswith("no_known_column")


@pytest.mark.parametrize(
    ("name", "most", "body"),
    [
        pytest.param("MOST_BYTES", 100, b"\n" * 101, id="empty lines"),
        pytest.param("MOST_CELLS", 16 * 1024, b"Date\n" + b"1\n" * 1024, id="short lines"),
        pytest.param("MOST_CELLS", 16 * 1024, b";" * 16 + b"\n", id="wide header"),
    ],
)
def test_a_table_beyond_what_memory_holds_is_refused(
    name: str, most: int, body: bytes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(f"tasks.extract.delimited.{name}", most)
    assert (read(body, "odre_temperature").reason or "").startswith("oversized_object: a table of")


def test_json_in_another_encoding_is_refused_by_its_encoding():
    body = '{"Date": "2020-08-01"}\n'.encode("utf-16")
    assert (read(body, "odre_temperature").reason or "").startswith(
        "bad_utf8: it is JSON in UTF-16"
    )
