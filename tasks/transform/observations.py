"""Observations: readings of many objects become one row per station and instant of a month."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl

from tasks.common.accounts import check_closes
from tasks.common.contracts import OBSERVATION_KEYS, VARIABLES, Flag, keep_latest, variables_of
from tasks.common.results import Part, SourceFacts
from tasks.transform.clean import convert_units, flag_values

ORDER: Final = ("rev", "source_key", "line")
"""Which of two versions is kept: the greatest by these. The last two only break ties."""


@dataclass(frozen=True)
class Observed:
    """Observations of one source in one calendar month (UTC).

    Attributes:
        frame: OBSERVATIONS, sorted by station and instant.
        received: readings of that month in all parts; `frame` has the latest of each.
    """

    month: str
    frame: pl.DataFrame
    received: int


def group_parts(
    parts: Iterable[Part], sources: Mapping[str, SourceFacts]
) -> dict[tuple[str, str], list[Part]]:
    """Gather the parts that may hold rows of a source's month, by source and month.

    Where time stamps mark the end of a step, the first of a month belongs to the month before.
    """
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in sorted(parts, key=lambda part: (part.source_id, part.month, part.key)):
        groups.setdefault((part.source_id, part.month), []).append(part)
        if sources[part.source_id].label == "end":
            before = date.fromisoformat(f"{part.month}-01") - timedelta(days=1)
            groups.setdefault((part.source_id, f"{before:%Y-%m}"), []).append(part)
    return dict(sorted(groups.items()))


def build_observations(
    parts: Iterable[Part], facts: SourceFacts, month: str, *, sequence: int
) -> Observed:
    """Give the observations of one source and month, whatever the order of its parts.

    Stamped by the start of their steps, in canonical units, flagged; of several readings of one
    station and instant, the greatest by `ORDER`.

    Args:
        parts: readings of the source, at least those of the month.
        facts: what is declared of the source.
        month: `YYYY-MM` in UTC.
        sequence: of the manifest that will name them.
    """
    readings = add_rev(_read_parts(list(parts), facts), facts.revision, sequence)
    if facts.label == "end":
        readings = readings.filter(pl.col("at").dt.strftime("%Y-%m") == month)
    frame = judge_values(keep_latest(readings, ORDER), facts.units)
    names = variables_of(frame)
    canonical = [name for name in names if facts.units[name] == VARIABLES[name].unit]
    told_twice = [name for name in canonical if Flag.FAIL not in frame[f"{name}__flag"]]
    return Observed(month, frame.drop(f"{name}__raw" for name in told_twice), readings.height)


def judge_values(readings: pl.DataFrame, units: Mapping[str, str]) -> pl.DataFrame:
    """Give OBSERVATIONS of versions that count: canonical units, raw values and flags."""
    flagged = flag_values(convert_units(readings, units))
    kinds = ("", "__raw", "__flag")
    values = [f"{name}{kind}" for name in variables_of(flagged) for kind in kinds]
    return flagged.select(*OBSERVATION_KEYS, *values)


def _read_parts(parts: list[Part], facts: SourceFacts) -> pl.DataFrame:
    # Scanned together, a thousand small parts cost a third of what they cost one by one.
    scans = [pl.scan_ipc(part.path) for part in parts]
    readings = pl.concat(scans, how="diagonal").collect(engine="in-memory")
    counts = pl.Series([part.rows for part in parts])
    check_closes(f"the parts of {facts.id}", sum(part.rows for part in parts), readings.height)
    keys = pl.Series("source_key", [part.key for part in parts], pl.String)
    stations = readings["station_id"].rle().struct.unnest()
    shift = facts.step if facts.label == "end" else timedelta()
    return readings.with_columns(
        _spread(stations["value"].rename("station_id"), stations["len"]),
        _spread(keys, counts),
        source_id=pl.lit(facts.id, pl.Enum([facts.id])),
        at=pl.col("at") - shift,
    )


def _spread(values: pl.Series, counts: pl.Series) -> pl.Series:
    """Repeat every text so many times, as Enum: ordered, compared and written by number."""
    texts = pl.Enum(values.unique().sort())
    codes = np.repeat(values.cast(texts).to_physical().to_numpy(), counts.to_numpy())
    return pl.Series(values.name, codes).cat.to(texts)


def add_rev(readings: pl.DataFrame, revision: int, sequence: int) -> pl.DataFrame:
    """Add `rev`, a text that orders versions.

    By maturity, generation, extracted_at, revision and, of readings of one extraction by changed
    declarations, the sequence of their manifests.

    >>> from datetime import UTC, datetime
    >>> at = datetime(2024, 10, 7, 12, tzinfo=UTC)
    >>> row = pl.DataFrame({"maturity": 1, "generation": 8, "extracted_at": [at]})
    >>> add_rev(row, 2, 5)["rev"].item()
    '01|00000008|20241007T120000.000000Z|0002|000005'
    """
    # Rows of one object are one extraction and stand together: a text per run, not per row.
    columns = ("maturity", "generation", "extracted_at")
    begins = pl.any_horizontal(pl.col(c).ne_missing(pl.col(c).shift(1)) for c in columns)
    runs = readings.select(*columns, row=pl.int_range(pl.len())).filter(begins)
    revs = runs.select(
        pl.concat_str(
            pl.col("maturity").cast(pl.String).str.zfill(2),
            pl.col("generation").cast(pl.String).str.zfill(8),
            pl.col("extracted_at").dt.strftime("%Y%m%dT%H%M%S%.6fZ"),
            pl.lit(f"{revision:04d}|{sequence:06d}"),
            separator="|",
        ).alias("rev")
    )
    counts = runs["row"].shift(-1, fill_value=readings.height) - runs["row"]
    return readings.with_columns(_spread(revs["rev"], counts))
