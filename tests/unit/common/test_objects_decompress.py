"""Decompression tells by the content, gives it whole, and stays inside its bounds."""

import gzip
import tracemalloc
from collections.abc import Callable

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.common.compression import decompress_chunks
from tasks.common.errors import CorruptObjectError, OversizedObjectError

MIB = 1024 * 1024
SKIPPABLE = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"  # a frame of pzstd that holds no content
Packer = Callable[[bytes], bytes]


def pack_zst(content: bytes) -> bytes:
    """Pack as the zstd command does: without the flag a frame carries no checksum at all."""
    return zstd.compress(content, options={zstd.CompressionParameter.checksum_flag: 1})


PACKERS = pytest.mark.parametrize("pack", [gzip.compress, pack_zst], ids=["gz", "zst"])


def unpack(body: bytes, max_bytes: int = MIB) -> bytes:
    return b"".join(decompress_chunks(body, key="raw/part.jsonl", max_bytes=max_bytes))


@PACKERS
@settings(deadline=None)  # other tests share the processor
@given(parts=st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_the_members_of_an_object_come_back_in_order(pack: Packer, parts: list[bytes]):
    assert unpack(b"".join(map(pack, parts))) == b"".join(parts)


@PACKERS
@settings(deadline=None)  # other tests share the processor
@given(content=st.binary(max_size=300), data=st.data())
def test_an_object_cut_short_anywhere_is_corrupt(pack: Packer, content: bytes, data: st.DataObject):
    body = pack(content)
    cut = data.draw(st.integers(min_value=4, max_value=len(body) - 1))
    with pytest.raises(CorruptObjectError, match=r"'raw/part\.jsonl' cannot be decompressed"):
        unpack(body[:cut])


@PACKERS
def test_damage_inside_is_corrupt_and_names_the_object(pack: Packer):
    body = bytearray(pack(bytes(range(256)) * 10))
    body[len(body) // 2] ^= 1
    with pytest.raises(CorruptObjectError, match=r"'raw/part\.jsonl' .* landed anew"):
        unpack(bytes(body))


@pytest.mark.parametrize(
    "body",
    [b"", gzip.compress(b"", mtime=0), zstd.compress(b""), SKIPPABLE],
    ids=["plain", "gz", "zst", "skippable"],
)
def test_nothing_packed_gives_nothing(body: bytes):
    assert list(decompress_chunks(body, key="empty", max_bytes=0)) == []


def test_padding_and_skippable_frames_are_not_content():
    assert unpack(gzip.compress(b"a") + b"\0" * 512) == b"a"
    assert unpack(SKIPPABLE + zstd.compress(b"a") + SKIPPABLE + zstd.compress(b"b")) == b"ab"


def test_the_name_does_not_decide():
    assert unpack(b'{"a": 1}\n') == b'{"a": 1}\n'
    assert unpack(gzip.compress(b"a")) == b"a"


def test_plain_bytes_are_given_as_they_are():
    body = bytes(17 * MIB)
    (piece,) = decompress_chunks(body, key="x", max_bytes=17 * MIB)
    assert piece is body


@pytest.mark.parametrize("pack", [gzip.compress, pack_zst, bytes], ids=["gz", "zst", "plain"])
def test_the_bound_is_exact(pack: Packer):
    assert len(unpack(pack(b"x" * 1000), max_bytes=1000)) == 1000
    with pytest.raises(OversizedObjectError, match="more than 999 bytes: raise MAX_OBJECT_MIB"):
        unpack(pack(b"x" * 1000), max_bytes=999)


@PACKERS
def test_a_bomb_of_one_gibibyte_is_refused_in_flat_memory(pack: Packer):
    bomb = pack(bytes(16 * MIB)) * 64  # about 1 MiB of gz
    tracemalloc.start()
    with pytest.raises(OversizedObjectError):
        for _ in decompress_chunks(bomb, key="bomb", max_bytes=100 * MIB):
            pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 48 * MIB
