"""What moved since the last run stands in the report, and in words."""

from datetime import timedelta

import polars as pl
from markdown_it import MarkdownIt

from tasks.common.changes import CHANGES, Changes
from tasks.common.scores import EarlierRun
from tasks.common.settings import Settings
from tasks.report.document import RunReport
from tasks.report.outturn import describe_moves
from tasks.report.render import render_markdown
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

RUN = EarlierRun("2019-W42-aa-bb", AS_OF - timedelta(weeks=1))
ROWS = [
    {
        "series_id": DEMAND,
        "shared": 98,
        "mean_move": -120.0,
        "mean_size": 150.5,
        "relative": 1.5,
        "calendar": 30.0,
        "data": 120.5,
        "cause": "data",
        "detail": "values since Wednesday changed what is expected",
    },
    {"series_id": "rte:32:other", "shared": 98, "mean_move": 1.0, "mean_size": 1.0},
    {"series_id": HOSTILE, "cause": "data", "detail": "Withheld: it is old."},
]


RESULTS = (give_extracted(), give_transformed(), give_forecasted(), give_written())


def tell() -> RunReport:
    moved = Changes(RUN, pl.DataFrame(ROWS, schema=CHANGES), ("horizon_days was 11, is 9",))
    return summarise_run(*RESULTS, Settings(), moved=moved)


def test_only_series_with_a_cause_are_told_with_the_part_of_each():
    changes = tell().changes
    assert [one.series_id for one in changes.series] == [DEMAND, HOSTILE]
    assert changes.series[0].parts == {"calendar": 30.0, "data": 120.5}


def test_the_words_name_size_cause_and_what_is_gone():
    changed, moved, gone = describe_moves(tell().changes)
    assert changed == "Otherwise than in 2019-W42-aa-bb: horizon_days was 11, is 9."
    assert moved.startswith("Moved since the last run by 150.5 MW, 1.5 of its usual error: rte:32")
    assert gone.endswith("Withheld: it is old.")


def test_a_hostile_name_is_only_text_in_the_markdown():
    rendered = MarkdownIt("commonmark", {"html": True}).render(render_markdown(tell()))
    assert "Gone since the last run" in rendered
    assert "<script>" not in rendered


def test_a_first_run_says_that_there_is_nothing_to_compare():
    told = summarise_run(*RESULTS, Settings())
    assert (told.changes.since_run_id, told.changes.series) == (None, [])
    assert list(describe_moves(told.changes)) == []
