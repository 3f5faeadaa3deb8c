"""Publishing a run: readers see the old one whole, then the new one whole, never a mixture.

A reader follows `current` to a run, and reads that run's forecasts. A run's documents are written
and read back before the pointer turns to it, and never change afterwards; a crash in between
leaves readers on the old run, and the next attempt completes the new one.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

from pymongo.database import Database

from tasks.common.accounts import WriteCounts
from tasks.common.contracts import MARKET_ZONE
from tasks.common.errors import TerminalError
from tasks.common.mongo import Document, retried
from tasks.common.results import Written
from tasks.upsert.documents import hash_document
from tasks.upsert.pointer import Effect, Turn, read_pointer, turn_forward
from tasks.upsert.reading import tell_unfit
from tasks.upsert.write import write_documents


def name_run(as_of: datetime, config_hash: str, input_hash: str) -> str:
    """Name a run after its ISO week in Paris, its configuration, and its input at its issue time.

    >>> name_run(datetime.fromisoformat("2019-11-06T22:00+01:00"), "c0ffee" * 9, "beefed" * 9)
    '2019-W45-c0ffeec0-6b5bc4fa'
    """
    year, week, _ = as_of.astimezone(MARKET_ZONE).isocalendar()
    known = sha256(f"{input_hash}|{as_of.astimezone(UTC).isoformat()}".encode()).hexdigest()
    return f"{year}-W{week:02d}-{config_hash[:8]}-{known[:8]}"


def sum_hashes(hashes: Iterable[str]) -> str:
    """Give a checksum of a set of documents that does not depend on their order."""
    return f"{sum(int(value, 16) for value in hashes) % 2**128:032x}"


def publish_run(
    db: Database[Document], planned: Written, run: Document, forecasts: Sequence[Document]
) -> Written:
    """Write a run, read it back, then turn `current` to it; give its part of the counts.

    A complete run never changes. Other numbers under its name, which equal configuration and
    input should never give, become a run of their own: `name-2`. The pointer stays where it is
    when it shows a later issue time, when somebody rolled back from this run, when it has no
    forecast at all, or when only some series were wanted: readers would miss the others.

    Args:
        db: holds `forecasts`, `forecast_runs` and `current`.
        planned: the run before anything of it is written, named by `name_run`.
        run: what to record of the run; holds `issue_at`, cut to milliseconds, and `pattern`.
        forecasts: from `forecast_documents`.

    Raises:
        TerminalError: what is stored is not what was written.
    """
    run = run | _summarize(forecasts)
    run_id, is_new = _claim_run(db, planned.run_id, run)
    named = [_name_forecast(run_id, document) for document in forecasts]
    counts = {"forecasts": write_documents(db["forecasts"], named)}
    verify_forecasts(db, run_id, run)
    completed = _complete_run(db, run_id)
    counts["forecast_runs"] = _count_one("inserted" if is_new else completed)
    if doubt := tell_unfit(run):
        note = f"Run {run_id} is not published, since {doubt}: readers stay where they are."
        turn = Turn("duplicate", read_pointer(db).get("run_id"), note)
    else:
        turn = turn_forward(db, run_id, run["issue_at"])
        counts["current"] = _count_one(turn.effect)
    edition = None if run_id == planned.run_id else _tell_edition(planned.run_id, run_id)
    return replace(
        planned,
        run_id=run_id,
        counts=counts,
        published=turn.effect != "duplicate",
        previous_run_id=turn.previous_run_id,
        notes=tuple(filter(None, (edition, turn.note))),
    )


def _summarize(forecasts: Sequence[Document]) -> Document:
    return {
        "series": len(forecasts),
        "points": sum(len(document["valid_at"]) for document in forecasts),
        "statuses": dict(sorted(Counter(document["status"] for document in forecasts).items())),
        "checksum": sum_hashes(document["hash"] for document in forecasts),
    }


def _name_forecast(run_id: str, document: Document) -> Document:
    named = {"_id": f"{run_id}|{document['series_id']}", "run_id": run_id}
    return named | document | {"rev": ""}


@retried
def _claim_run(db: Database[Document], name: str, run: Document) -> tuple[str, bool]:
    """Find or begin the run of exactly these forecasts; tell whether it is new."""
    run_id, edition = name, 1
    while True:
        before = db["forecast_runs"].find_one_and_update(
            {"_id": run_id}, {"$setOnInsert": run | {"state": "writing"}}, upsert=True
        )
        if before is None or before["checksum"] == run["checksum"]:
            return run_id, before is None
        edition += 1
        run_id = f"{name}-{edition}"


@retried
def verify_forecasts(db: Database[Document], run_id: str, run: Document) -> None:
    """Read the run back and hold it against what was to be written."""
    found = [hash_document(document) for document in db["forecasts"].find({"run_id": run_id})]
    if (len(found), sum_hashes(found)) != (run["series"], run["checksum"]):
        msg = (
            f"The forecasts of run {run_id} are {len(found)} documents with checksum "
            f"{sum_hashes(found)} in MongoDB, not {run['series']} with {run['checksum']}: the "
            "run is not published; remove its documents from `forecasts` and run it again."
        )
        raise TerminalError(msg)


@retried
def _complete_run(db: Database[Document], run_id: str) -> Effect:
    """Set the run to complete, by the server's clock, unless it is already."""
    done = [{"$set": {"state": "complete", "completed_at": "$$NOW"}}]
    result = db["forecast_runs"].update_one({"_id": run_id, "state": "writing"}, done)
    return "modified" if result.modified_count else "unchanged"


def _count_one(effect: Effect) -> WriteCounts:
    return WriteCounts(received=1, **{effect: 1})


def _tell_edition(name: str, run_id: str) -> str:
    return (
        f"Run {name} is already stored with other numbers, which stay as they are; "
        f"this one is {run_id}."
    )
