"""What readers were given before is recalled from a real server, and what it was worth stored."""

from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl
import pytest
from pydantic import SecretStr
from pymongo.database import Database

from tasks.common.mongo import Document
from tasks.common.results import Forecasted, Written
from tasks.common.scores import EARLIER, SCORES, Scored
from tasks.common.settings import Settings
from tasks.upsert.pointer import read_pointer, turn_pointer
from tasks.upsert.recall import recall_earlier, write_scores
from tasks.upsert.run import plan_run, write_run
from tests.unit.upsert.frames import AS_OF, DEMAND, forecasted, transformed

WEEK = timedelta(weeks=1)
SETTINGS = Settings(mongodb_uri=SecretStr("mongodb://mongo-1/"), git_sha="abc")


def run(db: Database[Document], forecast: Forecasted) -> Written:
    history = transformed(as_of=forecast.as_of)
    return write_run(db, history, forecast, fetch=lambda _: b"", settings=SETTINGS)


def recalled(db: Database[Document], as_of: datetime = AS_OF + WEEK) -> list[str]:
    earlier = recall_earlier(db, as_of=as_of)
    assert set(earlier.points["run_id"]) == {one.run_id for one in earlier.runs}
    return [one.run_id for one in earlier.runs]


def give_scores(mae: float = 100.0, points: int = 24) -> pl.DataFrame:
    row: Document = dict.fromkeys(SCORES.names(), 0.5)
    row |= {"run_id": "r", "series_id": DEMAND, "issue_at": AS_OF - WEEK, "bucket": "D+1"}
    return pl.DataFrame([row | {"points": points, "mae": mae, "wmape": None}], schema=SCORES)


def test_points_come_back_as_they_were_published(mongo_database: Database[Document]):
    published = replace(forecasted(), configuration={"seed": "7"})
    corrected = replace(published.outcomes[0], correction80=1.1, correction95=0.9)
    run_id = run(mongo_database, replace(published, outcomes=(corrected,))).run_id
    earlier = recall_earlier(mongo_database, as_of=AS_OF + WEEK)
    expected = published.points.with_columns(
        run_id=pl.lit(run_id),
        issue_at=pl.lit(AS_OF).cast(EARLIER["issue_at"]),
        correction80=1.1,
        correction95=0.9,
    )
    assert earlier.points.equals(expected.select(EARLIER.names()))
    (told,) = earlier.runs
    assert (told.run_id, told.issue_at) == (run_id, AS_OF)
    assert told.configuration == published.configuration


def test_a_run_from_before_there_were_corrections_has_none(mongo_database: Database[Document]):
    run(mongo_database, forecasted())
    taken = {"$unset": {"correction80": "", "correction95": ""}}
    mongo_database["forecasts"].update_many({}, taken)
    points = recall_earlier(mongo_database, as_of=AS_OF + WEEK).points
    assert set(points.select("correction80", "correction95").iter_rows()) == {(1.0, 1.0)}


def test_nothing_is_recalled_of_this_issue_time_or_a_later_one(mongo_database: Database[Document]):
    odd = AS_OF + timedelta(microseconds=123_456)  # a scheduled start; BSON keeps milliseconds
    run(mongo_database, forecasted(as_of=odd))
    assert recalled(mongo_database, as_of=odd) == []
    assert recalled(mongo_database, as_of=AS_OF - WEEK) == []
    assert len(recalled(mongo_database, as_of=odd + WEEK)) == 1


def test_twelve_weeks_are_recalled_in_order(mongo_database: Database[Document]):
    runs = [run(mongo_database, forecasted(as_of=AS_OF + n * WEEK, hours=1)) for n in range(14)]
    assert recalled(mongo_database, AS_OF + 14 * WEEK) == [one.run_id for one in runs[2:]]


def test_only_whole_runs_of_all_series_are_recalled(mongo_database: Database[Document]):
    run(mongo_database, replace(forecasted(), pattern="rte:*"))
    empty = forecasted(as_of=AS_OF + timedelta(days=1))
    run(mongo_database, replace(empty, points=empty.points.clear(), outcomes=empty.outcomes[1:]))
    torn = run(mongo_database, forecasted(as_of=AS_OF + timedelta(days=2)))
    mongo_database["forecast_runs"].update_one({"_id": torn.run_id}, {"$set": {"state": "writing"}})
    assert recalled(mongo_database) == []


def test_of_two_runs_of_one_issue_time_the_one_given_to_readers_counts(
    mongo_database: Database[Document],
):
    first = run(mongo_database, forecasted())
    second = run(mongo_database, forecasted(demand=6001.0))
    assert recalled(mongo_database) == [second.run_id]
    before, old = read_pointer(mongo_database), {"_id": first.run_id, "issue_at": AS_OF}
    assert turn_pointer(mongo_database, before, old, withdrawn=[second.run_id])
    assert recalled(mongo_database) == [first.run_id]


def test_a_later_edition_of_an_old_week_was_never_given_to_readers(
    mongo_database: Database[Document],
):
    given = run(mongo_database, forecasted())
    run(mongo_database, forecasted(as_of=AS_OF + WEEK))
    assert not run(mongo_database, forecasted(demand=1.0)).published
    assert recalled(mongo_database) == [given.run_id]


def test_of_one_local_day_the_last_issue_time_counts(mongo_database: Database[Document]):
    run(mongo_database, forecasted(as_of=AS_OF - timedelta(hours=3)))
    last = run(mongo_database, forecasted())
    assert recalled(mongo_database) == [last.run_id]


def test_a_run_stores_its_scores_once(mongo_database: Database[Document]):
    made = replace(forecasted(), scored=Scored(give_scores()))
    first, again = (run(mongo_database, made).counts["scores"] for _ in range(2))
    assert (first.inserted, again.unchanged, again.modified) == (1, 1, 0)
    (stored,) = mongo_database["scores"].find()
    assert stored["_id"] == f"{DEMAND}|2019-10-30T21:00:00Z|D+1"
    assert (stored["points"], stored["mae"], stored["wmape"]) == (24, 100.0, None)
    assert stored["as_of"] == AS_OF


@pytest.mark.parametrize(("later", "mae", "since"), [(WEEK, 90.0, WEEK), (-WEEK, 100.0, 0 * WEEK)])
def test_the_score_by_what_is_known_latest_stays(
    mongo_database: Database[Document], later: timedelta, mae: float, since: timedelta
):
    write_scores(mongo_database, give_scores(100.0), as_of=AS_OF)
    counts = write_scores(mongo_database, give_scores(90.0), as_of=AS_OF + later)
    (stored,) = mongo_database["scores"].find()
    assert (stored["mae"], stored["as_of"]) == (mae, AS_OF + since)
    assert counts.received == counts.modified + counts.duplicate == 1


def test_a_score_that_did_not_change_keeps_the_time_it_was_first_told(
    mongo_database: Database[Document],
):
    write_scores(mongo_database, give_scores(), as_of=AS_OF)
    counts = write_scores(mongo_database, give_scores(), as_of=AS_OF + WEEK)
    (stored,) = mongo_database["scores"].find()
    assert (counts.unchanged, stored["as_of"]) == (1, AS_OF)


def test_the_name_of_a_run_tells_what_corrected_it():
    plain, history = forecasted(), transformed()
    outcome, *rest = plain.outcomes

    def name(correction: float) -> str:
        corrected = replace(outcome, correction80=correction, correction95=1.0)
        return plan_run(history, replace(plain, outcomes=(corrected, *rest))).run_id

    assert name(1.0) == plan_run(history, plain).run_id
    assert len({name(1.0), name(1.1), name(1.2)}) == 3
