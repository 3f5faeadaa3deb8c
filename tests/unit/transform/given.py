"""Small readings, spilled as extract spills them, and a layer in memory to commit them to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import polars as pl

from tasks.common.accounts import Tally
from tasks.common.contracts import QUARANTINE, READING_KEYS
from tasks.common.objects import ObjectStore, open_store
from tasks.common.results import Extracted, ObjectOutcome, Part, SourceFacts, Transformed
from tasks.common.settings import Settings
from tasks.transform.history import History, build_history
from tasks.transform.outcome import conclude_transform
from tasks.transform.processed import Layer, commit_run

AS_OF = datetime(2024, 11, 6, 21, tzinfo=UTC)
UNITS = {
    "air_temperature": "degF",
    "relative_humidity": "%",
    "wind_speed": "mph",
    "wind_speed_of_gust": "mph",
    "wind_from_direction": "degree",
    "precipitation_increment": "mm",
    "precipitation_amount_1h": "mm",
}
FACTS = SourceFacts("wu", "wu", 1, timedelta(minutes=5), UNITS, licence="see station")


def at(text: str) -> datetime:
    """Give a UTC instant of 2024 from "10-07 12:30"."""
    return datetime.fromisoformat(f"2024-{text}").replace(tzinfo=UTC)


def every(minutes: float, count: int, *, start: str) -> list[datetime]:
    """Give instants of 2024 that lie so many minutes apart."""
    return [at(start) + timedelta(minutes=minutes * n) for n in range(count)]


def readings(
    instants: Sequence[datetime],
    values: Mapping[str, Sequence[float | None]],
    *,
    station: str = "wu:A",
    extracted_at: datetime = AS_OF,
    maturity: int = 0,
    generation: int = 0,
) -> pl.DataFrame:
    """Give READINGS of one station, its lines numbered from 1."""
    keys = {
        "station_id": [station] * len(instants),
        "at": list(instants),
        "line": range(1, len(instants) + 1),
        "maturity": [maturity] * len(instants),
        "generation": [generation] * len(instants),
        "extracted_at": [extracted_at] * len(instants),
    }
    schema = {**READING_KEYS, **dict.fromkeys(values, pl.Float64)}
    return pl.DataFrame({**keys, **values}, schema=schema)


@dataclass(frozen=True)
class Landed:
    """One object: its key, and its readings."""

    key: str
    frame: pl.DataFrame
    source: str = "wu"


def extracted(
    folder: Path,
    *objects: Landed,
    sources: Sequence[SourceFacts] = (FACTS,),
    as_of: datetime = AS_OF,
    dry_run: bool = False,
) -> Extracted:
    """Spill the objects' readings by month, and account for them."""
    scratch = folder / uuid4().hex
    scratch.mkdir(parents=True)
    parts, outcomes = [], []
    for place, one in enumerate(objects):
        months = one.frame.with_columns(month=pl.col("at").dt.strftime("%Y-%m"))
        for (month,), frame in months.partition_by(
            "month", as_dict=True, include_key=False, maintain_order=True
        ).items():
            path = scratch / f"{place}-{month}.arrow"
            frame.write_ipc(path)
            parts.append(Part(one.source, str(month), one.key, path, frame.height))
        tally = Tally(one.frame.height, one.frame.height)
        outcomes.append(ObjectOutcome(one.key, "e1", 1, "0" * 64, one.source, "h1", "read", tally))
    names = {"station_id": pl.String, "network": pl.String, "licence": pl.String}
    return Extracted(
        as_of=as_of,
        lake="lake",
        output="memory://processed",
        sources={facts.id: facts for facts in sources},
        parts=tuple(parts),
        objects=tuple(outcomes),
        stations=pl.DataFrame(schema=names),
        quarantine=pl.DataFrame(schema=QUARANTINE),
        cells={},
        scratch=scratch,
        dry_run=dry_run,
    )


def new_store() -> ObjectStore:
    """Open an empty store of its own in memory."""
    return open_store(f"memory://{uuid4().hex}", Settings())


def run(given: Extracted, store: ObjectStore | None = None) -> Transformed:
    """Transform, without Prefect."""
    layer = Layer(store or new_store(), given.scratch, given.dry_run)
    committed = commit_run(given, layer)
    return conclude_transform(given, committed, layer)


def known_at(store: ObjectStore, given: Extracted, as_of: datetime) -> History:
    """Give the history of what the store holds, as it was known at an instant."""
    nothing_new = replace(given, parts=(), objects=(), as_of=as_of)
    layer = Layer(store, given.scratch / "elsewhere", dry_run=False)
    committed = commit_run(nothing_new, layer)
    return build_history(committed.files, layer.fetch, sources=given.sources, as_of=as_of)


def series(made: Transformed | History, name: str) -> pl.DataFrame:
    """Give at, value of one series."""
    frame = made.history if isinstance(made, Transformed) else made.frame
    return frame.filter(pl.col("series_id") == name).select("at", "value")
