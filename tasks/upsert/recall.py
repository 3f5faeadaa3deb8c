"""What readers were given before, and how it turned out: one read, one written."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl
from pymongo.database import Database

from tasks.common.accounts import WriteCounts
from tasks.common.contracts import MARKET_ZONE
from tasks.common.mongo import Document, retried
from tasks.common.scores import EARLIER, Earlier, EarlierRun
from tasks.upsert.documents import SCHEMA_VERSION, cut_to_milliseconds, hash_document
from tasks.upsert.reading import WHOLE, frame_forecasts
from tasks.upsert.write import write_documents

RECALLED: Final = timedelta(weeks=12)
"""How long before a run what was published counts."""

_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@retried
def recall_earlier(db: Database[Document], *, as_of: datetime) -> Earlier:
    """Give the points that readers were given in the twelve weeks before an issue time.

    One run a local day, that of the last issue time; where there are several of it, the one that
    readers were given last, else the newest. Nothing issued at `as_of` or later is among them, so
    a run that is repeated recalls the same.
    """
    before = cut_to_milliseconds(as_of.astimezone(UTC))
    wanted = WHOLE | {"issue_at": {"$lt": before, "$gte": before - RECALLED}}
    by_day: dict[object, Document] = {}
    for run in sorted(db["forecast_runs"].find(wanted), key=_rank):
        by_day[run["issue_at"].astimezone(MARKET_ZONE).date()] = run
    points = [_read_points(db, run) for run in by_day.values()]
    runs = (
        EarlierRun(run["_id"], run["issue_at"], run.get("configuration", {}), run.get("sequence"))
        for run in by_day.values()
    )
    return Earlier(pl.concat([EARLIER.to_frame(), *points]), tuple(runs))


def _rank(run: Document) -> tuple[datetime, datetime, datetime]:
    return run["issue_at"], run.get("published_at", _NEVER), run["completed_at"]


def _read_points(db: Database[Document], run: Document) -> pl.DataFrame:
    """Give EARLIER of one run."""
    wanted = dict.fromkeys((*EARLIER, "valid_at"), 1)
    found = db["forecasts"].find({"run_id": run["_id"], "valid_at": {"$ne": []}}, wanted)
    documents = sorted(found, key=lambda document: document["series_id"])
    # Runs from before there was a correction carry none.
    corrections = pl.col("correction80", "correction95").fill_null(1.0)
    return frame_forecasts(documents, EARLIER).with_columns(corrections)


def write_scores(db: Database[Document], scores: pl.DataFrame, *, as_of: datetime) -> WriteCounts:
    """Store SCORES, one document a series, issue time and bucket; the counts close.

    A score stays as it is until its numbers change: hours that were still to come, or a history
    that was restated. Of two the one of the later issue time (`as_of`) stays.
    """
    documents = {document["_id"]: document for document in _list_scores(scores, as_of)}
    stored = _read_hashes(db, list(documents))
    changed = [one for key, one in documents.items() if stored.get(key) != one["hash"]]
    same = len(documents) - len(changed)
    return write_documents(db["scores"], changed) + WriteCounts(received=same, unchanged=same)


@retried
def _read_hashes(db: Database[Document], keys: list[str]) -> dict[str, str]:
    found = db["scores"].find({"_id": {"$in": keys}}, {"hash": 1})
    return {document["_id"]: document["hash"] for document in found}


def _list_scores(scores: pl.DataFrame, as_of: datetime) -> Iterator[Document]:
    rev = f"{as_of.astimezone(UTC):%Y%m%dT%H%M%S.%f}Z"
    for row in scores.iter_rows(named=True):
        content = row | {"schema_version": SCHEMA_VERSION}
        key = f"{row['series_id']}|{row['issue_at']:%Y-%m-%dT%H:%M:%SZ}|{row['bucket']}"
        told = {"hash": hash_document(content), "rev": rev, "as_of": cut_to_milliseconds(as_of)}
        yield {"_id": key} | content | told
