"""Fetched objects become OBSERVATIONS on the disk: own files as they are, JSON converted."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, Final

import polars as pl
from polars.exceptions import PolarsError

from tasks.common.contracts import OBSERVATION_KEYS, VARIABLES, keep_latest
from tasks.common.errors import CorruptObjectError, OversizedObjectError
from tasks.common.migration import Fetched
from tasks.common.objects import ObjectStore
from tasks.common.settings import Settings
from tasks.transform.observations import ORDER, judge_values
from tasks.transform.older import FIELDS, Reading, RecordError, read_record
from tasks.transform.records import Record, parse, read_records

_CHUNK_RECORDS: Final = 20_000
_MOST_REJECTED_BYTES: Final = 64 << 20

_KEPT: Final = {"key": str, "etag": str, "line": int, "modified_at": str, "raw": str}
"""What quarantine keeps of where a record stood; `raw` is its original text."""


@dataclass
class _Sorted:
    """Records of one object, as far as they were read."""

    rows: int = 0
    imperial: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    quarantine: BytesIO = field(default_factory=BytesIO)
    files: list[Path] = field(default_factory=list)


def convert_object(
    fetched: Fetched, store: ObjectStore, settings: Settings, *, keep: bool
) -> Fetched:
    """Give an object's observations, and put what was rejected to quarantine.

    Equal bytes give equal observations and an equal quarantine, so it may be repeated. An object
    that is broken as a whole is refused: nothing of it is loaded.

    Args:
        fetched: the object on the disk.
        store: where quarantine goes.
        settings: bound what is read.
        keep: write the quarantine.
    """
    if fetched.path is None:
        return fetched
    try:
        if fetched.item.file is not None:
            return _check_own(fetched, fetched.path, fetched.item.file.rows)
        told = _sort_records(fetched, fetched.path, settings)
    except (CorruptObjectError, OversizedObjectError, OSError) as error:  # or a full disk
        return replace(fetched, reason=str(error))
    rule = next(iter(told.rejected), "it holds no record")
    nothing = f"Object {fetched.item.key!r}: of {told.rows} records none is usable, first: {rule}."
    return replace(
        fetched,
        **{name: getattr(told, name) for name in ("rows", "rejected", "imperial", "left_out")},
        files=tuple(told.files),
        quarantine_key=_put_quarantine(fetched, told, store) if keep else None,
        reason=None if told.files or fetched.item.kind == "quarantine" else nothing,
    )


def _check_own(fetched: Fetched, path: Path, promised: int) -> Fetched:
    key = fetched.item.key
    try:
        wrong = _find_wrong(path)
        rows = pl.scan_parquet(path).select(pl.len()).collect().item()
    except (PolarsError, ValueError) as error:
        msg = f"Object {key!r} is no Parquet ({error}): restore it from the bucket's versions."
        raise CorruptObjectError(msg) from None
    if wrong or rows != promised:
        schema = f"is of another schema: {', '.join(wrong)} missing, null or mistyped."
        count = f"holds {rows} rows, not {promised} as its manifest says: restore that."
        raise CorruptObjectError(f"Object {key!r} {schema if wrong else count}")
    return replace(fetched, files=(path,), rows=rows)


def _find_wrong(path: Path) -> list[str]:
    """Give what a file of OBSERVATIONS must not lack: columns, or values that make names."""
    json.loads(pl.read_parquet_metadata(path).get("raw_units", "{}"))
    found = pl.read_parquet_schema(path)
    told = [name for name in VARIABLES if name in found]
    due = OBSERVATION_KEYS | dict.fromkeys(told, pl.Float64)
    due |= dict.fromkeys((f"{name}__flag" for name in told), pl.UInt8)
    if wrong := [name for name, kind in due.items() if found.get(name) != kind]:
        return wrong
    nulls = pl.scan_parquet(path).select("station_id", "at", "rev").null_count().collect()
    return [name for name in nulls.columns if nulls[name].item()]


def _sort_records(fetched: Fetched, path: Path, settings: Settings) -> _Sorted:
    told, bounds = _Sorted(), (settings.max_object_mib << 20, settings.max_line_mib << 20)
    with path.open("rb") as file:
        records = read_records(file, *bounds, key=fetched.item.key)
        rows = _understand(records, fetched, told)
        while chunk := list(islice(rows, _CHUNK_RECORDS)):
            _write_frames(chunk, path, told)
    return told


_Row = tuple[tuple[str, bool], dict[str, Any]]
"""Network and whether its values are imperial; then a row of OBSERVATIONS, as delivered."""


def _understand(records: Iterator[Record], fetched: Fetched, told: _Sorted) -> Iterator[_Row]:
    for record in records:
        origin, said = _find_origin(record, fetched)
        told.rows += 1
        try:
            reading = read_record(said)
        except RecordError as error:
            _reject(error, origin, told)
        else:
            told.imperial += reading.was_mislabelled
            told.left_out.update(reading.left_out)
            yield (reading.network, reading.is_imperial), _make_row(reading, origin)


def _reject(error: RecordError, origin: dict[str, Any], told: _Sorted) -> None:
    told.rejected[error.rule] += 1
    line = {"rule": error.rule, "reason": str(error), **origin}
    told.quarantine.write(json.dumps(line).encode() + b"\n")
    if told.quarantine.tell() > _MOST_REJECTED_BYTES:
        msg = (
            f"Object {origin['key']!r} has more than {_MOST_REJECTED_BYTES >> 20} MiB of records "
            f"that break rules ({dict(told.rejected)}): mend it as a whole."
        )
        raise OversizedObjectError(msg)


def _find_origin(record: Record, fetched: Fetched) -> tuple[dict[str, Any], object]:
    """Tell where a record stood at first, quarantine or not, and what it says."""
    item, said = fetched.item, record.said
    if item.kind == "quarantine":
        kept = {name: said.get(name) for name in _KEPT} if isinstance(said, dict) else {}
        if _is_origin(kept):
            return kept, parse(str(kept["raw"]))
        said = None
    modified_at = item.modified_at.astimezone(UTC).isoformat()
    values = (item.key, item.etag, record.number, modified_at, record.raw)
    return dict(zip(_KEPT, values, strict=True)), said


def _is_origin(kept: dict[str, Any]) -> bool:
    """Tell whether a line of quarantine, by whatever hand, says where its record stood."""
    try:
        datetime.fromisoformat(kept["modified_at"])
        kept["key"].encode()  # no lone surrogates
    except (LookupError, TypeError, ValueError, AttributeError):
        return False
    is_typed = all(isinstance(kept[name], kind) for name, kind in _KEPT.items())
    return is_typed and 0 < kept["line"] < 2**31


def _make_row(reading: Reading, origin: dict[str, Any]) -> dict[str, Any]:
    """Give a row of OBSERVATIONS; its `rev` is below that of any of the project's own."""
    stamp = reading.ingested_at or datetime.fromisoformat(origin["modified_at"])
    return {
        "station_id": reading.station_id,
        "at": reading.at,
        "rev": f"-|{stamp:%Y%m%dT%H%M%S.%fZ}",
        "maturity": 0,
        "source_id": f"older_{reading.network}",
        "source_key": origin["key"],
        "line": origin["line"],
        "extracted_at": stamp,
        **reading.values,
    }


def _write_frames(rows: Sequence[_Row], path: Path, told: _Sorted) -> None:
    """Write OBSERVATIONS, one file for each network and system of units."""
    for group in sorted({group for group, _ in rows}):
        members = [row for one, row in rows if one == group]
        units = {variable: units[group[1]] for variable, *units in FIELDS.values()}
        schema = OBSERVATION_KEYS | dict.fromkeys(set().union(*members) & units.keys(), pl.Float64)
        latest = keep_latest(pl.DataFrame(members, schema=schema), ORDER)
        target = path.with_name(f"{path.name}-{len(told.files)}.parquet")
        frame = judge_values(latest, units)
        frame.write_parquet(target, metadata={"raw_units": json.dumps(units)})
        told.files.append(target)


def _put_quarantine(fetched: Fetched, told: _Sorted, store: ObjectStore) -> str | None:
    """Put what was rejected under a name made of the bytes; the same again is the same object."""
    body = told.quarantine.getvalue()
    if fetched.item.kind == "quarantine" or not body:
        return fetched.item.key if body else None
    key = f"quarantine/migration/{fetched.sha256:.16}-{sha256(body).hexdigest()[:16]}.jsonl"
    store.put_if_absent(key, body)
    return key
