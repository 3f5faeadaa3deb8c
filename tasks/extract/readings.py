"""One object becomes READINGS: every record kept, blank, duplicate or rejected, and counted."""

import csv
import errno
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from tasks.common.accounts import Tally
from tasks.common.contracts import RAW_LIMIT, READING_KEYS, keep_latest
from tasks.common.errors import CorruptObjectError, OversizedObjectError
from tasks.extract.blocks import Batch, RefusedError, Reject
from tasks.extract.cells import decode_counters, read_cells
from tasks.extract.declaration import Source
from tasks.extract.identity import Origin, add_identity, list_changes
from tasks.extract.instants import resolve_instants

REASONS: Final = {
    "unknown_station": "the record names no station, or one the source does not map",
    "nonexistent_local_time": "the clocks skipped this local time in spring",
    "unreadable_time": "its time does not fit the declared formats",
    "no_readable_value": "it delivered values, and none of them could be read",
}
"""Why a record was rejected, whose line could be read."""

_ODDITIES: Final = (
    *(ValueError, ArithmeticError, LookupError, TypeError, AttributeError, OSError),
    *(zlib.error, csv.Error, pl.exceptions.PolarsError),
)
"""What one odd object can bring about in any parser; it must stop no other object."""

_NOTHING: Final = Batch(pl.DataFrame(schema={"is_blank": pl.Boolean}))


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
    stations: Sequence[Mapping[str, Any]] = ()
    is_refused: bool = False
    reason: str | None = None


def read_object(batches: Iterable[Batch], source: Source, origin: Origin) -> ObjectReadings:
    """Read one object by its source's declaration; what cannot be read is rejected, not raised."""
    whole = _NOTHING
    try:
        whole = _read_batches(batches, source)
        _check_readable(whole, source)
        frame = add_identity(whole.frame, source, origin)
        frame = resolve_instants(frame, source.time, origin)
        return _divide(whole._replace(frame=frame), source, origin)
    except RefusedError as error:
        return refuse_object(origin, error.rule, str(error), whole=whole)
    except OversizedObjectError as error:
        return refuse_object(origin, "oversized_object", str(error))
    except CorruptObjectError as error:
        return refuse_object(origin, "corrupt_object", str(error))
    except _ODDITIES as error:
        if is_disk_full(error):
            raise
        return refuse_object(origin, "corrupt_object", f"{type(error).__name__}: {error}")


def is_disk_full(error: Exception) -> bool:
    """Tell a full disk or quota from a fault of the object; Polars tells it in words alone."""
    told = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    return told or str(error).endswith(("(os error 28)", "(os error 122)"))


def refuse_object(
    origin: Origin, rule: str, reason: str, *, whole: Batch = _NOTHING
) -> ObjectReadings:
    """Quarantine an object whole; the records it is known to hold are counted all the same."""
    lines = [reject for reject in whole.rejects if reject.column is None]
    blank = 0 if rule == "no_known_column" else int(whole.frame["is_blank"].sum())
    rejected = Counter(reject.rule for reject in lines)
    if whole.frame.height > blank:
        rejected[rule] += whole.frame.height - blank
    tally = Tally(whole.frame.height + len(lines), 0, blank, 0, dict(rejected))
    return ObjectReadings(
        frame=pl.DataFrame(schema=READING_KEYS),
        tally=tally.check(f"object {origin.key!r}"),
        quarantine=origin.stamp([Reject(rule, None, None, reason, None), *lines]),
        is_refused=True,
        reason=f"{rule}: {reason}",
    )


def _read_batches(batches: Iterable[Batch], source: Source) -> Batch:
    """Read all batches of an object into numbers, as one."""
    frames, rejects, stations = [_NOTHING.frame], list[Reject](), list[dict[str, Any]]()
    unknown: dict[str, None] = {}
    for batch in batches:
        typed, faults = read_cells(batch.frame, source)
        frames += [typed] if typed.height else []
        rejects += [*batch.rejects, *faults, *list_changes(batch.frame)]
        stations += batch.stations
        unknown |= dict.fromkeys(batch.unknown)
    return Batch(pl.concat(frames, how="diagonal"), rejects, tuple(unknown), stations)


def _check_readable(whole: Batch, source: Source) -> None:
    """Refuse an object without a record, or without any declared variable."""
    if whole.frame.is_empty() and whole.rejects:
        first = whole.rejects[0]
        raise RefusedError(first.rule, f"no line could be read; line {first.line}: {first.reason}")
    if whole.frame.is_empty():
        raise RefusedError("empty_object", "it holds no record")
    if not source.fields.keys() & set(whole.frame.columns):
        reason = f"none of its columns is a declared variable: {', '.join(whole.unknown)}"
        raise RefusedError("no_known_column", reason)


def _divide(whole: Batch, source: Source, origin: Origin) -> ObjectReadings:
    frame = whole.frame
    names = [name for name in source.fields if name in frame.columns]
    has_value = ~pl.col("is_faulty") | pl.any_horizontal(pl.col(names).is_not_null())
    is_good = pl.col("at").is_not_null() & pl.col("station_id").is_not_null() & has_value
    good = frame.filter(is_good & ~pl.col("is_blank"))
    blank = int(frame["is_blank"].sum())
    rejects = list(whole.rejects)
    if good.height + blank < frame.height:
        rejects += _judge(frame.filter(~is_good & ~pl.col("is_blank")), names)
    kept = keep_latest(good.select(*READING_KEYS, *names))
    rejected = Counter(reject.rule for reject in rejects if reject.column is None)
    lost = sum(reject.column is None for reject in whole.rejects)
    tally = Tally(
        read=frame.height + lost,
        kept=kept.height,
        blank=blank,
        duplicate=good.height - kept.height,
        rejected=dict(sorted(rejected.items())),
    )
    return ObjectReadings(
        frame=decode_counters(kept, source),
        tally=tally.check(f"object {origin.key!r}"),
        quarantine=origin.stamp(rejects),
        cells=Counter(reject.rule for reject in rejects if reject.column is not None),
        stations=whole.stations,
        reason="; ".join(_list_news(whole, tally)) or None,
    )


def _list_news(whole: Batch, tally: Tally) -> Iterator[str]:
    """Say what an operator would want to know of an object that was read."""
    if whole.unknown:
        yield f"new columns: {', '.join(whole.unknown)}"
    if tally.read == tally.blank:
        yield "every record is blank"


def _judge(bad: pl.DataFrame, names: list[str]) -> Iterator[Reject]:
    """Name the rule each rejected record broke, and keep what was read of it."""
    rule = (
        pl.when(pl.col("station_id").is_null())
        .then(pl.lit("unknown_station"))
        .when(pl.col("is_nonexistent"))
        .then(pl.lit("nonexistent_local_time"))
        .when(pl.col("at").is_null())
        .then(pl.lit("unreadable_time"))
        .otherwise(pl.lit("no_readable_value"))
    )
    texts = [role for role in bad.columns if role.startswith("@")]
    raw = pl.struct(*texts, *names).struct.json_encode().str.head(RAW_LIMIT)
    for broken, line, text in bad.select(rule.alias("rule"), "line", raw.alias("raw")).iter_rows():
        yield Reject(broken, line, None, REASONS[broken], text)
