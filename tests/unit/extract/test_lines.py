"""JSON lines: a bad line costs itself, wherever it stands, and keeps its number."""

import gzip
import json
from collections.abc import Callable

import pytest
from backports import zstd

from tasks.extract.blocks import Limits, split_blocks
from tasks.extract.ndjson import read_json
from tests.unit.extract.given import ENVELOPE, MIB, SOURCES, line, lines, read, row, rules, values

GOOD = line(row("00:04:00")) + b"\n"
LAST = line(row("00:09:00")) + b"\n"


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        pytest.param(b'{"_airbyte_data": {"Time": "00:0', "bad_json", id="cut short"),
        pytest.param(b"not json at all", "bad_json", id="garbage"),
        pytest.param(b"[1, 2]", "bad_json", id="array"),
        pytest.param(b'"text"', "bad_json", id="text"),
        pytest.param(b"null", "bad_json", id="null"),
        pytest.param(b'{"_airbyte_data": 7}', "bad_json", id="data is no object"),
        pytest.param(GOOD.strip() + b"}", "bad_json", id="a brace too many"),
        pytest.param(GOOD.strip()[:-1], "bad_json", id="a brace too few"),
        pytest.param(GOOD.strip()[:-1] + b"x", "bad_json", id="a letter for a brace"),
        pytest.param(b"   }", "bad_json", id="nothing but the last brace"),
        pytest.param(line(row()) + line(row()), "bad_json", id="two on a line"),
        pytest.param(b'{"_airbyte_data": {"Time": "\xff"}}', "bad_utf8", id="no UTF-8"),
        pytest.param(b'{"a": "\\ud800"}', "bad_json", id="half a surrogate pair"),
        pytest.param(b"[" * 100_000, "bad_json", id="deep"),
    ],
)
@pytest.mark.parametrize("before", [1, 30])
def test_a_bad_line_costs_itself(bad: bytes, rule: str, before: int):
    first = lines(row(f"00:08:{second:02d}") for second in range(before))
    readings = read(first + bad + b"\n" + LAST)
    assert (readings.tally.read, readings.tally.kept) == (before + 2, before + 1)
    assert rules(readings) == [(rule, before + 1, None)]
    assert readings.frame["line"].to_list() == [*range(1, before + 1), before + 2]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(line(row("00:09:00"), _airbyte_generation_id=12), id="wider envelope"),
        pytest.param(line(row("00:09:00") | {"Note": {"a": {}}}), id="deeper data"),
        pytest.param(LAST.replace(b": {", b":{").strip(), id="no blanks"),
        pytest.param(LAST.strip() + b" ", id="blank at the end"),
        pytest.param(LAST.replace(b"}}\n", b'}, "_airbyte_z": {"a": {}}}'), id="data is not last"),
        pytest.param(json.dumps(row("00:09:00")).encode(), id="no envelope"),
        pytest.param(line({"id": 1, "raw_data": row("00:09:00")}), id="one envelope more"),
        pytest.param(line(row("00:09:00", Note='"_airbyte_data": {')), id="an envelope in a text"),
    ],
)
@pytest.mark.parametrize("before", [1, 30])
def test_lines_of_any_shape_give_the_same_records(other: bytes, before: int):
    first = lines(row(f"00:08:{second:02d}") for second in range(before))
    readings = read(first + other + b"\n" + GOOD.replace(b"00:04", b"00:14"))
    assert readings.frame["line"].to_list() == [*range(1, before + 3)]
    assert values(readings, "air_temperature") == [56.2] * (before + 2)


def test_a_name_beside_the_data_is_none_of_the_data():
    beside = LAST.replace(b'{"', b'{"Temperature": "99.0 \xc2\xb0F", "', 1)
    told = [values(read(body * 2), "air_temperature") for body in (beside, LAST)]
    assert told[0] == told[1]


def test_a_bad_first_line_does_not_hide_that_the_rest_is_json():
    readings = read(b"oops\n" + GOOD + LAST)
    assert rules(readings) == [("bad_json", 1, None)]
    assert readings.tally.kept == 2


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\n\n", b"\n   \n"])
def test_empty_lines_are_no_records_and_count_as_lines(ending: bytes):
    readings = read(GOOD.strip() + ending + LAST.strip())
    assert (readings.tally.read, readings.tally.kept) == (2, 2)
    assert readings.frame["line"].to_list() == [1, 1 + ending.count(b"\n")]


def test_a_byte_order_mark_is_no_content():
    assert read(b"\xef\xbb\xbf" + GOOD + LAST).tally.kept == 2


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b'"inf"'])
def test_a_value_that_is_not_finite_costs_its_cell_only(number: bytes):
    body = GOOD.replace(b'"56.2 \xc2\xb0F"', number)
    readings = read(body + LAST)
    assert values(readings, "air_temperature") == [None, 56.2]
    assert rules(readings) == [("not_finite", 1, "air_temperature")]
    assert readings.tally.kept == 2


def test_a_record_of_which_no_value_can_be_read_is_rejected():
    readings = read(line({"Time": "00:04:00", "Temperature": "?"}) + b"\n" + LAST)
    assert dict(readings.tally.rejected) == {"no_readable_value": 1}
    assert set(rules(readings)) == {
        ("no_readable_value", 1, None),
        ("not_a_number", 1, "air_temperature"),
    }


@pytest.mark.parametrize("type_", [int, float, str])
def test_numbers_may_come_as_numbers_or_texts(type_: type):
    assert values(read(line(row(UV=type_(3)))), "ultraviolet_index") == [3.0]


def test_a_line_beyond_the_limit_costs_itself():
    long = json.dumps(ENVELOPE | {"_airbyte_data": row(Note="x" * (2 * MIB))}).encode()
    readings = read(GOOD + long + b"\n" + LAST, line_mib=1)
    assert rules(readings) == [("line_too_long", 2, None)]
    assert readings.frame["line"].to_list() == [1, 3]


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress, bytes])
def test_a_line_longer_than_a_block_is_not_held(compress: Callable[[bytes], bytes]):
    long = b'{"a": "' + b"x" * (20 * MIB) + b'"}\n'
    readings = read(compress(GOOD + long + LAST), line_mib=2)
    assert rules(readings) == [("line_too_long", 2, None)]
    assert readings.frame["line"].to_list() == [1, 3]


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_a_compressed_object_is_known_by_its_content(compress: Callable[[bytes], bytes]):
    assert (
        read(compress(GOOD) + compress(LAST), key="ITESTA12/first_day=2024-10-01/x").tally.kept == 2
    )


def test_a_truncated_gz_is_refused_whole():
    readings = read(gzip.compress(GOOD * 1000)[:-20])
    assert (readings.is_refused, rules(readings)) == (True, [("corrupt_object", None, None)])
    assert readings.tally.read == 0


def test_a_bomb_is_refused_whole():
    readings = read(gzip.compress(GOOD + b" " * (3 * MIB)), object_mib=2)
    assert rules(readings) == [("oversized_object", None, None)]
    assert "MAX_OBJECT_MIB" in (readings.reason or "")


@pytest.mark.parametrize("body", [b"", b"\n\n", gzip.compress(b"", mtime=0), b"{}", b"[]"])
def test_an_object_without_content_is_told_of_and_harms_nothing(body: bytes):
    readings = read(body)
    assert readings.frame.is_empty()
    assert readings.tally.kept == 0


def test_line_numbers_hold_across_blocks():
    rows = [row(f"{at // 60:02d}:{at % 60:02d}:00") for at in range(60)]
    body = lines(rows[:30]) + b"oops\n\n" + lines(rows[30:])
    chunks = [body[at : at + 1000] for at in range(0, len(body), 1000)]
    found = list(read_json(chunks, SOURCES["wunderground"], Limits(MIB, MIB, block_bytes=2000)))
    numbers = [number for batch in found for number in batch.frame["line"]]
    assert len(found) > 10
    assert numbers == [*range(1, 31), *range(33, 63)]
    assert [reject.line for batch in found for reject in batch.rejects] == [31]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_blocks_are_the_stream_cut_at_line_ends(size: int):
    stream = b"a\nbb\n\n" + b"c" * 40 + b"\ndd"
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    found = list(split_blocks(chunks, Limits(MIB, 64, block_bytes=16)))
    assert b"".join(block.body for block in found) == stream
    assert [block.first_line for block in found] == [
        1 + stream[: sum(len(b.body) for b in found[:at])].count(b"\n") for at in range(len(found))
    ]
