"""Faults on the way to a real S3 server: what heals unseen, what is told, what is never lost."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tasks.common.errors import ConfigurationError, CorruptObjectError, TransientError
from tasks.common.objects import ObjectStore, open_store
from tests.fixtures.fault_proxy import FaultProxy, Mode
from tests.fixtures.object_servers import S3Server

BODY = hashlib.sha256(b"seed").digest() * 10_000


@pytest.fixture
def store(faulty_server: S3Server) -> ObjectStore:
    return faulty_server.open()


@pytest.mark.parametrize("mode", ["503", "500", "reset"])
def test_three_refusals_are_not_even_noticed(
    store: ObjectStore, fault_proxy: FaultProxy, mode: Mode
):
    fault_proxy.fail(mode, times=3, match="PUT")
    fault_proxy.fail(mode, times=3, match="GET")
    assert store.put_if_absent("key", BODY)
    (ref,) = store.list_objects()
    assert store.get_object(ref) == BODY
    assert [line.split(" ")[0] for line in fault_proxy.seen].count("PUT") == 4


@pytest.mark.parametrize("mode", ["truncate", "resetmid"])
def test_a_body_cut_short_is_fetched_to_its_end(
    store: ObjectStore, fault_proxy: FaultProxy, mode: Mode
):
    store.put_if_absent("key", BODY)
    fault_proxy.fail(mode, times=2, match="/key")
    assert store.get_bytes("key") == BODY


def test_one_flipped_bit_is_found_and_fetched_again(store: ObjectStore, fault_proxy: FaultProxy):
    store.put_if_absent("key", BODY)
    (ref,) = store.list_objects()
    fault_proxy.fail("corrupt", match="GET")
    assert store.get_object(ref) == BODY
    fault_proxy.fail("corrupt", match="GET")
    assert store.get_bytes("key", sha256=hashlib.sha256(BODY).hexdigest()) == BODY


def test_a_bit_that_stays_flipped_is_a_corrupt_object(store: ObjectStore, fault_proxy: FaultProxy):
    store.put_if_absent("key", BODY)
    (ref,) = store.list_objects()
    fault_proxy.fail("corrupt", times=6, match="GET")
    with pytest.raises(CorruptObjectError, match=r"'key' .* its MD5 differs"):
        store.get_object(ref)
    with pytest.raises(CorruptObjectError, match="its MD5 differs"):
        store.get_bytes("key")
    with pytest.raises(CorruptObjectError, match=r"its sha256 .* differs"):
        store.get_bytes("key", sha256=hashlib.sha256(BODY).hexdigest())


def test_an_object_replaced_or_resized_since_it_was_listed_is_corrupt(s3_server: S3Server):
    store = s3_server.open()
    s3_server.put("key", b"one")
    (ref,) = store.list_objects()
    with pytest.raises(CorruptObjectError, match="size or ETag"):
        store.get_object(replace(ref, size=4))
    s3_server.put("key", b"two")
    with pytest.raises(CorruptObjectError, match=r"size or ETag .* differs; run again"):
        store.get_object(ref)


def test_an_etag_that_is_no_md5_is_believed_where_kms_encrypts(
    store: ObjectStore, fault_proxy: FaultProxy
):
    store.put_if_absent("key", BODY)
    (ref,) = store.list_objects()
    fault_proxy.fail("encrypted", times=9, match="/key")
    assert store.get_object(replace(ref, etag=ref.etag[::-1])) == BODY
    with pytest.raises(CorruptObjectError, match="size or ETag"):
        store.get_object(ref)


def test_an_object_of_many_parts_has_no_md5_to_compare(s3_server: S3Server):
    with s3_server.client() as client:
        where = {"Bucket": s3_server.bucket, "Key": "parts"}
        upload = client.create_multipart_upload(**where)["UploadId"]
        part = client.upload_part(**where, UploadId=upload, PartNumber=1, Body=BODY)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=parts)
    (ref,) = s3_server.open().list_objects()
    assert ref.etag.endswith("-1")
    assert s3_server.open().get_object(ref) == BODY


def test_a_lost_acknowledgement_does_not_lose_the_writers_own_object(
    store: ObjectStore, fault_proxy: FaultProxy
):
    fault_proxy.fail("lostack", match="PUT")
    assert store.put_if_absent("manifest", b"run 1")
    assert not store.put_if_absent("manifest", b"run 2")
    assert store.get_bytes("manifest") == b"run 1"


def test_lost_acknowledgements_in_a_race_leave_exactly_one_owner(
    store: ObjectStore, fault_proxy: FaultProxy
):
    fault_proxy.fail("lostack", times=4, match="PUT")
    bodies = [f"writer {number}".encode() for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(lambda body: store.put_if_absent("manifest", body), bodies))
    assert won.count(True) == 1
    assert store.get_bytes("manifest") == bodies[won.index(True)]


def test_a_write_that_was_never_answered_is_read_back(
    faulty_server: S3Server, fault_proxy: FaultProxy
):
    fault_proxy.stall_seconds = 3
    fault_proxy.fail("stall", match="PUT")
    assert faulty_server.open_impatient().put_if_absent("key", BODY)
    assert [line.split(" ")[0] for line in fault_proxy.seen] == ["PUT", "GET"]


def test_a_refusal_that_lasts_is_transient_and_names_the_endpoint(
    faulty_server: S3Server, fault_proxy: FaultProxy
):
    fault_proxy.fail("503", times=99)
    store = faulty_server.open_impatient()
    for attempt in (store.list_objects, lambda: store.get_bytes("key")):
        with pytest.raises(TransientError, match=r"\(SlowDown\): .* S3_ENDPOINT_URL"):
            attempt()
    with pytest.raises(TransientError, match=r"^Cannot read 'key' in s3://"):
        store.put_if_absent("key", b"x")


def test_nobody_at_the_endpoint_is_transient(s3_server: S3Server):
    nowhere = replace(s3_server, endpoint="http://127.0.0.1:9")
    with pytest.raises(TransientError, match=r"^Cannot list s3://[^\n]* S3_ENDPOINT_URL"):
        nowhere.open_impatient().list_objects()


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("AWS_SECRET_ACCESS_KEY", "not-the-secret", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "not-the-key", "InvalidAccessKeyId"),
        ("AWS_SECRET_ACCESS_KEY", "", "PartialCredentialsError"),
    ],
)
def test_wrong_credentials_are_one_sentence_without_the_secret(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, code: str
):
    monkeypatch.setenv(variable, value)
    store = s3_server.open()
    for attempt in (
        store.list_objects,
        lambda: store.get_bytes("key"),
        lambda: store.put_if_absent("key", b""),
    ):
        with pytest.raises(ConfigurationError, match=code) as caught:
            attempt()
        said = str(caught.value)
        assert said.endswith(
            "check AWS_ACCESS_KEY_ID and its secret, AWS_PROFILE or AWS_CREDENTIALS_BLOCK."
        )
        assert "\n" not in said
        assert "not-the-secret" not in said
        assert caught.value.__suppress_context__  # S3's answer may repeat a session token


def test_a_profile_that_does_not_exist_is_named(s3_server: S3Server):
    store = open_store(s3_server.uri, s3_server.settings(aws_profile="nobody"))
    with pytest.raises(ConfigurationError, match="nobody"):
        store.list_objects()


def test_a_bucket_that_does_not_exist_is_named(s3_server: S3Server):
    store = replace(s3_server, bucket="no-such-bucket").open()
    for attempt in (store.list_objects, lambda: store.get_bytes("key")):
        with pytest.raises(ConfigurationError, match=r"s3://no-such-bucket.*\(NoSuchBucket\)"):
            attempt()


def test_folders_made_in_the_console_are_empty_objects(moto_server: S3Server):
    for key in ("raw/", "raw/new/", "raw/a.txt"):
        moto_server.put(key, b"a" * key.endswith("txt"))
    store = moto_server.open()
    assert {ref.key: store.get_object(ref) for ref in store.list_objects()} == {
        "raw": b"",
        "raw/new": b"",
        "raw/a.txt": b"a",
    }


def test_a_key_with_an_empty_part_is_shown_not_skipped(moto_server: S3Server):
    moto_server.put("raw//a.txt", b"a")
    with pytest.raises(ConfigurationError, match=r"raw//a.txt.* rename or move away"):
        moto_server.open().list_objects()
