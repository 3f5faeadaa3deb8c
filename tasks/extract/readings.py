"""One object becomes READINGS: every record kept, blank, duplicate or rejected, and counted."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from tasks.common.accounts import Tally
from tasks.common.contracts import RAW_LIMIT, READING_KEYS, keep_latest
from tasks.common.errors import CorruptObjectError, OversizedObjectError
from tasks.extract.blocks import Batch, RefusedError, Reject
from tasks.extract.cells import CELLS, CellReader, decode_counters
from tasks.extract.declaration import Source
from tasks.extract.identity import Origin, add_identity, list_changes
from tasks.extract.instants import resolve_instants

REASONS: Final = {
    "unknown_station": "the record names no station, or one the source does not map",
    "nonexistent_local_time": "the clocks skipped this local time in spring",
    "unreadable_time": "its time does not fit the declared formats",
    "no_readable_value": "it delivered values, and none of them could be read",
    "not_a_number": "the cell is no number",
    "not_finite": "the cell is not finite",
    "unexpected_suffix": "the cell ends with an undeclared text, so its unit is in doubt",
    "changed_by_airbyte": "Airbyte nulled or cut the value on its way (_airbyte_meta.changes)",
}
"""Why a record (the first four) or a cell was rejected."""

Row = tuple[str, int | None, str | None, str, str | None]
"""rule, line, column, reason, raw."""


@dataclass(frozen=True)
class ObjectReadings:
    """What one object held.

    Attributes:
        frame: READINGS, sorted by station and instant, one row of each.
        quarantine: QUARANTINE.
        cells: unreadable values by rule.
        stations: those the object describes, in its own words.
        is_refused: nothing of it may be used; `reason` says why.
        reason: for an object that was read, what is new about it, or None.
    """

    frame: pl.DataFrame
    tally: Tally
    quarantine: pl.DataFrame
    cells: Mapping[str, int] = field(default_factory=dict)
    stations: tuple[dict[str, Any], ...] = ()
    is_refused: bool = False
    reason: str | None = None


@dataclass
class _Pile:
    """All batches of one object, read into numbers."""

    frame: pl.DataFrame = field(default_factory=pl.DataFrame)
    cells: pl.DataFrame = field(default_factory=CELLS.to_frame)
    rejects: list[Reject] = field(default_factory=list)
    unknown: dict[str, None] = field(default_factory=dict)
    stations: list[dict[str, Any]] = field(default_factory=list)


def read_object(batches: Iterable[Batch], source: Source, origin: Origin) -> ObjectReadings:
    """Read one object by its source's declaration; what cannot be read is rejected, not raised."""
    pile = _Pile()
    try:
        _fill(pile, batches, source)
        _check_readable(pile, source)
        frame = add_identity(pile.frame, source, origin)
        frame = resolve_instants(frame, source.time, origin)
    except RefusedError as error:
        return refuse_object(origin, error.rule, str(error), pile=pile)
    except OversizedObjectError as error:
        return refuse_object(origin, "oversized_object", str(error))
    except (CorruptObjectError, pl.exceptions.PolarsError) as error:
        return refuse_object(origin, "corrupt_object", str(error))
    return _divide(frame, pile, source, origin=origin)


def refuse_object(
    origin: Origin, rule: str, reason: str, *, pile: _Pile | None = None
) -> ObjectReadings:
    """Quarantine an object whole; the records it is known to hold are counted all the same."""
    pile = pile or _Pile()
    blank = int(pile.frame["is_blank"].sum()) if pile.frame.width else 0
    rejected = Counter(reject.rule for reject in pile.rejects)
    if pile.frame.height > blank:
        rejected[rule] += pile.frame.height - blank
    tally = Tally(pile.frame.height + len(pile.rejects), 0, blank, 0, dict(rejected))
    return ObjectReadings(
        frame=pl.DataFrame(schema=READING_KEYS),
        tally=tally.check(f"object {origin.key!r}"),
        quarantine=origin.stamp([(rule, None, None, reason, None), *_list_rejects(pile.rejects)]),
        is_refused=True,
        reason=f"{rule}: {reason}",
    )


def _fill(pile: _Pile, batches: Iterable[Batch], source: Source) -> None:
    reader = CellReader(source)
    frames, cells = [], [pile.cells]
    for batch in batches:
        pile.rejects += batch.rejects
        pile.unknown |= dict.fromkeys(batch.unknown)
        pile.stations += batch.stations
        typed, faults = reader.read(batch.frame)
        if typed.height:
            frames.append(typed)
            cells += [faults, list_changes(batch.frame)]
    if frames:
        pile.frame = pl.concat(frames, how="diagonal")
    pile.cells = pl.concat(cells)


def _check_readable(pile: _Pile, source: Source) -> None:
    """Refuse an object without a record, or without any declared variable."""
    if pile.frame.is_empty() and pile.rejects:
        first = pile.rejects[0]
        reason = f"no line could be read; line {first.line}: {first.reason}"
        raise RefusedError(first.rule, reason)
    if pile.frame.is_empty():
        raise RefusedError("empty_object", "it holds no record")
    if not source.fields.keys() & set(pile.frame.columns):
        pile.frame = pile.frame.with_columns(is_blank=False)
        reason = f"none of its columns is a declared variable: {', '.join(pile.unknown)}"
        raise RefusedError("no_known_column", reason)


def _divide(frame: pl.DataFrame, pile: _Pile, source: Source, *, origin: Origin) -> ObjectReadings:
    names = [name for name in source.fields if name in frame.columns]
    has_value = ~pl.col("is_faulty") | pl.any_horizontal(pl.col(names).is_not_null())
    is_good = pl.col("at").is_not_null() & pl.col("station_id").is_not_null() & has_value
    good = frame.filter(~pl.col("is_blank") & is_good)
    bad = _judge(frame.filter(~pl.col("is_blank") & ~is_good))
    kept = _keep_one(good.select(*READING_KEYS, *names))
    rejected = Counter([*(reject.rule for reject in pile.rejects), *bad["rule"]])
    tally = Tally(
        read=frame.height + len(pile.rejects),
        kept=kept.height,
        blank=frame.height - good.height - bad.height,
        duplicate=good.height - kept.height,
        rejected=dict(sorted(rejected.items())),
    )
    rows = [*_list_rejects(pile.rejects), *_list_bad(bad, names), *_list_cells(pile.cells)]
    return ObjectReadings(
        frame=decode_counters(kept, source),
        tally=tally.check(f"object {origin.key!r}"),
        quarantine=origin.stamp(rows),
        cells=dict(sorted(Counter(pile.cells["rule"]).items())),
        stations=tuple(pile.stations),
        reason=f"new columns: {', '.join(pile.unknown)}" if pile.unknown else None,
    )


def _judge(bad: pl.DataFrame) -> pl.DataFrame:
    """Name the rule each rejected record broke."""
    return bad.with_columns(
        rule=pl.when(pl.col("station_id").is_null())
        .then(pl.lit("unknown_station"))
        .when(pl.col("is_nonexistent"))
        .then(pl.lit("nonexistent_local_time"))
        .when(pl.col("at").is_null())
        .then(pl.lit("unreadable_time"))
        .otherwise(pl.lit("no_readable_value"))
    )


def _keep_one(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep one reading per station and instant; sorting is spared where order already stands."""
    same = pl.col("station_id") == pl.col("station_id").shift(1)
    later = pl.col("at") > pl.col("at").shift(1)
    next_station = pl.col("station_id") > pl.col("station_id").shift(1)
    if frame.select(((same & later) | next_station).fill_null(value=True).all()).item():
        return frame
    return keep_latest(frame)


def _list_rejects(rejects: Iterable[Reject]) -> Iterator[Row]:
    return ((reject.rule, reject.line, None, reject.reason, reject.raw) for reject in rejects)


def _list_bad(bad: pl.DataFrame, names: list[str]) -> Iterator[Row]:
    texts = [role for role in bad.columns if role.startswith("@")]
    raw = pl.struct(*texts, *names).struct.json_encode().str.head(RAW_LIMIT)
    rows = bad.select("rule", "line", raw=raw).iter_rows()
    return ((rule, line, None, REASONS[rule], raw) for rule, line, raw in rows)


def _list_cells(cells: pl.DataFrame) -> Iterator[Row]:
    rows = cells.iter_rows()
    return ((rule, line, column, REASONS[rule], raw) for rule, line, column, raw in rows)
