"""What every object store promises, whichever server or folder is behind it."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from tasks.common.errors import CorruptObjectError, MissingObjectError, TerminalError
from tasks.common.objects import ObjectStore, open_store
from tasks.common.settings import Settings
from tests.fixtures.object_servers import S3Server

BEHIND = ("folder", "memory", "moto_server", "s3_server")
ODD_KEYS = (
    ".hidden/file",
    "%41 is not A",
    "100%.txt",
    "a b+c=d&e;f,g.csv",
    "date=2019-11/x#y.parquet",
    "[x] {y} (z) 'q' !$@",
    "~tilde",
    "été/2024-10-01T00:00:00.jsonl",
)


@pytest.fixture(params=BEHIND)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return open_store(str(tmp_path), Settings())
    if request.param == "memory":
        return open_store(f"memory://{uuid4()}", Settings())
    return request.getfixturevalue(request.param).open("lake/raw")


def keys_of(store: ObjectStore, prefix: str = "") -> list[str]:
    return [ref.key for ref in store.list_objects(prefix)]


def test_an_object_comes_back_as_it_was_put(store: ObjectStore):
    assert store.put_if_absent("a/b.txt", b"hello")
    (ref,) = store.list_objects()
    assert (ref.key, ref.size, ref.modified_at.tzname()) == ("a/b.txt", 5, "UTC")
    assert store.get_object(ref) == store.get_bytes("a/b.txt") == b"hello"


def test_a_listing_is_sorted_and_a_prefix_is_the_start_of_a_key(store: ObjectStore):
    for key in ("b/2", "a/1", "a-b", "a/0/x", "ab"):
        store.put_if_absent(key, key.encode())
    assert keys_of(store) == ["a-b", "a/0/x", "a/1", "ab", "b/2"]
    assert (keys_of(store, "a/"), keys_of(store, "a/1"), keys_of(store, "c")) == (
        ["a/0/x", "a/1"],
        ["a/1"],
        [],
    )


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_key_is_kept_to_the_letter(store: ObjectStore, key: str):
    store.put_if_absent(key, b"odd")
    assert keys_of(store) == [key]
    assert store.get_object(store.list_objects(key)[0]) == b"odd"


def test_an_empty_object_is_an_object(store: ObjectStore):
    assert store.put_if_absent("empty", b"")
    assert store.get_object(store.list_objects()[0]) == store.get_bytes("empty") == b""


def test_a_key_that_is_taken_is_never_overwritten(store: ObjectStore):
    assert store.put_if_absent("key", b"first")
    assert not store.put_if_absent("key", b"second")
    assert store.put_if_absent("key", b"first")
    assert store.get_bytes("key") == b"first"


def test_of_sixteen_writers_exactly_one_owns_the_key(store: ObjectStore):
    bodies = [f"writer {number}".encode() for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda body: store.put_if_absent("manifest", body), bodies))
    assert won.count(True) == 1
    assert store.get_bytes("manifest") == bodies[won.index(True)]


def test_twenty_megabytes_pass_whole(store: ObjectStore):
    body = hashlib.sha256(b"seed").digest() * 650_000
    assert store.put_if_absent("large", body)
    assert store.get_object(store.list_objects()[0]) == body


def test_a_missing_object_is_named_in_one_sentence(store: ObjectStore):
    with pytest.raises(MissingObjectError, match=r"^Cannot read 'no/such' in [^\n]*list again\.$"):
        store.get_bytes("no/such")


def test_the_sha256_of_a_manifest_decides(store: ObjectStore):
    store.put_if_absent("key", b"body")
    assert store.get_bytes("key", sha256=hashlib.sha256(b"body").hexdigest()) == b"body"
    with pytest.raises(CorruptObjectError, match=r"'key' in .* its sha256"):
        store.get_bytes("key", sha256=hashlib.sha256(b"other").hexdigest())


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/passwd", "a//b", "./a", ""])
def test_a_key_that_would_climb_out_is_refused(store: ObjectStore, key: str):
    with pytest.raises(TerminalError, match="is refused"):
        store.get_bytes(key)
    with pytest.raises(TerminalError, match="is refused"):
        store.put_if_absent(key, b"x")


def test_a_page_in_a_bucket_is_opened_by_a_browser_and_not_saved(s3_server: S3Server):
    assert s3_server.open().put_if_absent("run.html", b"1")
    with s3_server.client() as client:
        head = client.head_object(Bucket=s3_server.bucket, Key="run.html")
    assert head["ContentType"] == "text/html; charset=utf-8"
