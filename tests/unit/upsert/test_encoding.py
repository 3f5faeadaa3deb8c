"""Documents encoded by the thousand are those that are encoded one by one."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.common.contracts import INSTANT, OBSERVATION_KEYS, VARIABLES
from tasks.common.mongo import Document
from tasks.upsert.documents import encode_observations, hash_document
from tasks.upsert.encoding import encode_rows

NAMES = ("air_temperature", "wind_speed")
RAW_UNITS = {"air_temperature": "degF", "wind_speed": "m s-1"}
NUMBERS = st.sampled_from([None, math.nan, -math.inf, 1.5, -0.0]) | st.floats()
TEXTS = st.sampled_from(["", "a", "b", "é", "ab", "\0"]) | st.text(max_size=3)
INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "station_id": st.sampled_from(["wu:Ü", "wu:AB", "rte:32", "a:b:c", "bare"]),
    "at": INSTANTS,
    "rev": TEXTS,
    "maturity": st.integers(0, 255),
    "source_id": TEXTS,
    "source_key": TEXTS,
    "line": st.integers(1, 2**31 - 1),
    "extracted_at": st.none() | INSTANTS,
    **{name + suffix: NUMBERS for name in NAMES for suffix in ("", "__raw")},
    **{f"{name}__flag": st.none() | st.integers(1, 9) for name in NAMES},
}
CHANGES = [st.tuples(st.just(name), values) for name, values in FIELDS.items()]
ROWS = st.builds(
    lambda row, changes: [row, *(row | {name: value} for name, value in changes)],
    st.fixed_dictionaries(FIELDS), st.lists(st.one_of(CHANGES), max_size=8),
)  # fmt: skip
"""Rows that differ in one field each: whether they are of one shape hangs on it alone."""

SCHEMA = {
    **OBSERVATION_KEYS,
    **{name + suffix: pl.Float64 for name in NAMES for suffix in ("", "__raw")},
    **{f"{name}__flag": pl.UInt8 for name in NAMES},
}


def spell_out(row: dict[str, Any]) -> Document:
    """Give the document of one row, written down field by field."""
    measured = {}
    for name in NAMES:
        value, raw = (keep_finite(row[name + suffix]) for suffix in ("", "__raw"))
        told = {"value": value, "unit": VARIABLES[name].unit, "flag": row[f"{name}__flag"] or 2}
        if raw is not None and (name == "air_temperature" or value is None):
            told |= {"raw": raw, "raw_unit": RAW_UNITS[name]}
        if value is not None or raw is not None:
            measured[name] = told
    content = {
        "station": {"id": row["station_id"], "network": row["station_id"].split(":")[0]},
        "timestamp": row["at"],
        "measurements": measured,
        "metadata": {
            "source": row["source_id"],
            "source_key": row["source_key"],
            "source_line": row["line"],
            "extracted_at": row["extracted_at"],
            "maturity": row["maturity"],
        },
        "schema_version": 1,
    }
    fraction = f".{row['at']:%f}".rstrip("0").rstrip(".") if row["at"].microsecond else ""
    fraction += "0" * (-(len(fraction) - 1) % 3) if fraction else ""
    name = f"{row['station_id']}|{row['at']:%Y-%m-%dT%H:%M:%S}{fraction}Z"
    return {"_id": name, **content, "rev": row["rev"], "hash": hash_document(content)}


def keep_finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


@given(ROWS)
@settings(deadline=None)
def test_documents_made_by_the_batch_are_byte_for_byte_those_made_one_by_one(
    rows: list[dict[str, Any]],
):
    batch = encode_observations(pl.DataFrame(rows, schema=SCHEMA), RAW_UNITS)
    plain = [spell_out(row) for row in rows]
    expected = [
        (one["_id"], (one["rev"], one["hash"]), bson.encode(one), bson.encode(stamp))
        for one in plain
        for stamp in [{key: one[key] for key in ("_id", "rev", "hash")}]
    ]
    told = [(*named, bytes(body), bytes(stamp)) for *named, body, stamp in batch]
    assert sorted(told) == sorted(expected)


@given(
    st.lists(st.tuples(st.floats(), st.integers(-(2**31), 2**31 - 1), st.text()), min_size=1),
    st.integers(-(2**40), 2**40),
)
def test_rows_are_encoded_as_bson_does_it(values: list[tuple[float, int, str]], milliseconds: int):
    numbers, counts, texts = zip(*values, strict=True)
    width = max(1, *(len(text.encode()) for text in texts), 1)
    padded = [text.encode().ljust(width, b"_") for text in texts]
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    columns = {
        "f": np.array(numbers),
        "deep": {"n": np.array(counts, "i4"), "ü": {}},
        "text": np.array(padded, f"S{width}"),
        "at": np.full(len(values), milliseconds, "M8[ms]"),
    }
    same = {"same": [None, "é", 2**40]}
    rows = encode_rows(columns | same, len(values))
    assert [row.tobytes() for row in rows] == [
        bson.encode({"f": f, "deep": {"n": n, "ü": {}}, "text": t.decode(), "at": instant} | same)
        for f, n, t in zip(numbers, counts, padded, strict=True)
    ]


def test_a_column_of_an_unknown_type_is_refused():
    with pytest.raises(KeyError, match="f4"):
        encode_rows({"x": np.zeros(2, np.float32)}, 2)


def test_instants_before_1970_are_cut_to_milliseconds_as_bson_does():
    at = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    row = {name: [None] for name in SCHEMA} | {"station_id": ["a:b"], "at": [at]}
    frame = pl.DataFrame(row, schema=SCHEMA | {"at": INSTANT})
    ((_, _, body, _),) = encode_observations(frame, {})
    assert bson.decode(body)["timestamp"] == datetime(1969, 12, 31, 23, 59, 59, 999_000)  # noqa: DTZ001
