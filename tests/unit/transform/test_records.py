"""Records of a JSON document: all of them with their text, or a sentence why not."""

import gzip
import io
import json
import tracemalloc

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from tasks.common.errors import CorruptObjectError, OversizedObjectError
from tasks.transform.records import BROKEN, Record, read_records

MIB = 1 << 20
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=9),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=9), x, max_size=3),
    max_leaves=5,
)


def read(body: bytes, most: int = 64 * MIB, longest: int = MIB) -> list[Record]:
    return list(read_records(io.BytesIO(body), most, longest, key="k"))


@given(st.lists(st.dictionaries(st.text(), VALUES)), st.sampled_from([None, 1]))
def test_a_list_gives_its_records_and_their_text(said: list, indent: int | None):
    body = json.dumps(said, ensure_ascii=False, indent=indent).encode("utf-8", "surrogatepass")
    records = read(body)
    assert [json.loads(record.raw) for record in records] == said
    assert [record.number for record in records] == list(range(1, len(said) + 1))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
def test_lines_give_their_numbers_and_a_broken_one_is_only_itself(pack):  # noqa: ANN001
    records = read(pack(b'\xef\xbb\xbf{"a": 1}\r\n\n{"a": \n{"a": 3}'))
    assert [record.number for record in records] == [1, 3, 4]
    assert [record.said for record in records] == [{"a": 1}, BROKEN, {"a": 3}]


def test_bytes_that_are_no_text_come_back_as_they_were():
    (record,) = read(b'{"a": "\xff"}')
    assert record.raw.encode("utf-8", "surrogateescape") == b'{"a": "\xff"}'


@pytest.mark.parametrize("body", [b'[{"a": 1}', b'[{"a": 1}, {"a"', b"[1, 2] 3", b"[1, oops, 2]"])
def test_a_list_that_is_cut_or_broken_is_refused_whole(body: bytes):
    with pytest.raises(CorruptObjectError, match="no whole JSON list"):
        read(body)


def test_a_bomb_and_an_endless_record_are_refused():
    with pytest.raises(OversizedObjectError, match="MAX_OBJECT_MIB"):
        read(gzip.compress(b"[" + b" " * (65 * MIB)))
    with pytest.raises(OversizedObjectError, match="MAX_LINE_MIB"):
        read(b'{"a": "' + b"x" * (9 * MIB))


def test_a_large_list_does_not_stand_in_memory():
    body = b"[" + b",".join([b'{"a": "' + b"x" * 1000 + b'"}'] * 120_000) + b"]"
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_records(io.BytesIO(body), 199 * MIB, 9 * MIB, key="k"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (count, peak < 90 * MIB) == (120_000, True)
