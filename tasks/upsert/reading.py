"""Reading what was published: which run, which series, and how their numbers came about.

Nothing that a person types becomes part of a query but as a value to be equal to: patterns are
matched here, never by the server.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

import polars as pl
from pymongo import DESCENDING
from pymongo.database import Database

from tasks.common.contracts import INSTANT, POINTS
from tasks.common.errors import ConfigurationError, TerminalError
from tasks.common.mongo import Document
from tasks.common.scores import QUANTILES
from tasks.upsert.pointer import read_pointer

FRAME: Final = pl.Schema(
    {
        **POINTS,
        "unit": pl.String,
        "status": pl.String,
        "run_id": pl.String,
        "issue_at": INSTANT,
        "licence": pl.String,
    }
)
"""What files hold: one row per series and step, sorted by both; `at` is the step's start, UTC."""

WHOLE: Final = {"state": "complete", "pattern": "*", "points": {"$gt": 0}}
"""Runs that readers can be given."""


_TOLD: Final = (
    *("series_id", "variable", "unit", "step_minutes", "licence", "status", "reason"),
    *("valid_at", *QUANTILES, "probability"),
)


class Shown(NamedTuple):
    """A run that readers are or were given; `remark` tells when they could not have seen it."""

    run: Document
    remark: str | None = None


def find_run(db: Database[Document], as_of: datetime | None = None) -> Shown:
    """Find the run that readers are given, or were given at an instant.

    Before the first run was published at all, when past weeks were computed afterwards, it is
    the whole run that was issued last before that instant; the remark says so.

    Raises:
        TerminalError: there is none.
    """
    pointer = read_pointer(db)
    turns = pointer.get("turns", [])
    given = [turn["run_id"] for turn in turns if as_of and turn["at"] <= as_of]
    if as_of is None or given:
        run_id = given[-1] if given else pointer.get("run_id")
        run = db["forecast_runs"].find_one({"_id": run_id})
        if run is None:
            told = f"run {run_id} is no longer stored" if run_id else "nothing was published yet"
            msg = f"There is no forecast to read in {db.name}: {told}; run the pipeline first."
            raise TerminalError(msg)
        return Shown(run)
    newest = [("issue_at", DESCENDING), ("published_at", DESCENDING), ("completed_at", DESCENDING)]
    run = db["forecast_runs"].find_one(WHOLE | {"issue_at": {"$lte": as_of}}, sort=newest)
    if run is None:
        msg = (
            f"No run was published or issued by {as_of:%Y-%m-%d %H:%M %Z}: name a later instant, "
            "or compute that week with --as-of."
        )
        raise TerminalError(msg)
    return Shown(run, _tell_afterwards(run, as_of, turns))


def _tell_afterwards(run: Document, as_of: datetime, turns: Sequence[Document]) -> str:
    first = f"the first run was published {turns[0]['at']:%Y-%m-%d %H:%M}Z" if turns else "none was"
    return (
        f"At {as_of:%Y-%m-%d %H:%M %Z} readers were given nothing ({first}): this is run "
        f"{run['_id']}, issued {run['issue_at']:%Y-%m-%d %H:%M}Z and computed "
        f"{run['completed_at']:%Y-%m-%d %H:%M}Z."
    )


def tell_unfit(run: Document) -> str | None:
    """Say why readers cannot be given a run, even when it is complete; None for one of WHOLE."""
    if not run["points"]:
        return "it has no forecast"
    if run["pattern"] != "*":
        return f"it holds only the series that match {run['pattern']!r}"
    return None


def find_forecasts(
    db: Database[Document], run_id: str, series: str, *, whole: bool = False
) -> list[Document]:
    """Give the forecasts of a run whose series have this name or match this pattern, by series.

    Args:
        db: holds `forecasts`.
        run_id: a stored run.
        series: a series id, or a pattern such as 'rte:*'; a name goes before a pattern.
        whole: with members and components, which readers of values do not need.

    Raises:
        ConfigurationError: no series of the run matches; names those that come near.
    """
    named = db["forecasts"].find({"run_id": run_id}, {"_id": 0, "series_id": 1})
    known = sorted(one["series_id"] for one in named)
    wanted = [series] if series in known else [id_ for id_ in known if fnmatchcase(id_, series)]
    if not wanted:
        msg = (
            f"No series of run {run_id} is or matches {series!r}: {suggest(series, known)}; "
            "'*' gives all."
        )
        raise ConfigurationError(msg)
    left_out = None if whole else {"components": 0, "members": 0}
    query = {"run_id": run_id, "series_id": {"$in": wanted}}
    return list(db["forecasts"].find(query, left_out).sort("series_id"))


def suggest(name: str, known: Iterable[str]) -> str:
    """Give the known names that come near one, in words."""
    known = list(known)
    near = get_close_matches(name, known, n=3, cutoff=0.5) or known[:3]
    return f"did you mean {', '.join(near)}" if near else "there are none"


def frame_forecasts(documents: Sequence[Document], schema: pl.Schema = FRAME) -> pl.DataFrame:
    """Give POINTS of forecasts, beside what else of `schema` they tell; none of a withheld one."""
    told = {name: [one.get(name) for one in documents] for name in schema}
    told["at"] = [one["valid_at"] for one in documents]
    told["probability"] = [
        one.get("probability", [None] * len(one["valid_at"])) for one in documents
    ]
    lists = set(POINTS) - {"series_id"}
    types = {name: pl.List(kind) if name in lists else kind for name, kind in schema.items()}
    return pl.DataFrame(told, schema=types).explode(*lists).drop_nulls("at")


def describe_forecasts(run: Document, documents: Iterable[Document]) -> Document:
    """Give a run and its forecasts as one document for JSON, with the arrays that are stored."""
    told = {name: run.get(name) for name in ("verdict", "issue_at", "horizon_end", "published_at")}
    series = [{name: one[name] for name in _TOLD if name in one} for one in documents]
    return {"run_id": run["_id"]} | told | {"series": series}
