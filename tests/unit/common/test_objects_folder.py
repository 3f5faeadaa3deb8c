"""A local folder as a lake: its paths, its links, and what must not happen to it."""

import os
import resource
from pathlib import Path
from uuid import uuid4

import pytest

from tasks.common.errors import ConfigurationError, CorruptObjectError, TerminalError
from tasks.common.objects import open_store, resolve_output
from tasks.common.settings import Settings


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    (tmp_path / "lake/raw").mkdir(parents=True)
    (tmp_path / "lake/raw/a.txt").write_text("a")
    return tmp_path / "lake"


def keys_of(uri: str, settings: Settings | None = None) -> list[str]:
    return [ref.key for ref in open_store(uri, settings or Settings()).list_objects()]


def test_a_folder_is_found_by_any_of_its_names(lake: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(lake.parent))
    monkeypatch.chdir(lake / "raw")
    (lake.parent / "le lac").symlink_to(lake)
    names = (str(lake), "..", "../../lake/", "~/lake", f"file://{lake.parent}/le%20lac")
    assert {name: keys_of(name) for name in names} == {name: ["raw/a.txt"] for name in names}


@pytest.mark.parametrize("place", ["missing", "raw/a.txt", "~nobody-of-this-name/lake"])
def test_what_is_not_a_folder_is_said_in_one_sentence(lake: Path, place: str):
    with pytest.raises(ConfigurationError, match=r"^There is no folder [^\n]+ make it"):
        open_store(place if place.startswith("~") else str(lake / place), Settings())


def test_an_output_folder_is_made_by_its_first_object_and_not_before(tmp_path: Path):
    output = tmp_path / "new/output"
    store = open_store(str(output), Settings(output_uri=str(output)))
    assert store.list_objects() == []
    assert not output.parent.exists()
    assert store.put_if_absent("reports/1.json", b"{}")
    assert (output / "reports/1.json").read_bytes() == b"{}"


def test_links_are_followed_and_what_is_hidden_is_listed(lake: Path):
    (lake / "again").symlink_to(lake / "raw")
    (lake / "nowhere").symlink_to(lake / "no such thing")
    (lake / ".DS_Store").write_text("hidden")
    assert keys_of(str(lake)) == [".DS_Store", "again/a.txt", "raw/a.txt"]


def test_a_link_to_its_own_folder_is_named_with_its_remedy(lake: Path):
    (lake / "raw/loop").symlink_to(lake)
    with pytest.raises(ConfigurationError, match=r"raw/loop.* rename or move away"):
        keys_of(str(lake))


@pytest.mark.parametrize("name", [b"two\nlines", b"latin-\xe9.csv"])
def test_a_name_that_cannot_be_a_key_is_shown_not_skipped(lake: Path, name: bytes):
    Path(os.fsdecode(bytes(lake) + b"/" + name)).write_text("x")
    with pytest.raises(ConfigurationError, match="rename or move away"):
        keys_of(str(lake))


def test_a_file_replaced_after_the_listing_is_not_what_was_listed(lake: Path):
    store = open_store(str(lake), Settings())
    (ref,) = store.list_objects()
    (lake / "raw/a.txt").write_text("b")
    os.utime(lake / "raw/a.txt", (1, 1))
    with pytest.raises(CorruptObjectError, match=r"size or ETag .*run again"):
        store.get_object(ref)


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs Linux's /sys")
def test_a_folder_nobody_may_write_is_a_matter_of_rights():
    with pytest.raises(ConfigurationError, match=r"os error \d+\)\): grant this user"):
        open_store("/sys/kernel", Settings()).put_if_absent("x", b"")


def test_a_full_disk_is_said_and_leaves_nothing_behind(lake: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, hard))  # as a quota does
    try:
        with pytest.raises(TerminalError, match=r"^Cannot write 'x' in .* free some space\.$"):
            open_store(str(lake), Settings()).put_if_absent("x", bytes(5_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(lake.iterdir()) == [lake / "raw"]


@pytest.mark.parametrize("uri", ["gs://bucket/x", "http://127.0.0.1/x", "S3://bucket"])
def test_an_unknown_scheme_is_said_in_one_sentence(uri: str):
    with pytest.raises(ConfigurationError, match=r"^There is no folder .* use s3://bucket\.$"):
        open_store(uri, Settings())


@pytest.mark.parametrize(
    ("uri", "endpoint"), [("s3://", None), ("s3://a b", None), ("s3://bucket", "127.0.0.1:8333")]
)
def test_a_bucket_or_endpoint_that_cannot_be_is_refused(uri: str, endpoint: str | None):
    with pytest.raises(ConfigurationError, match=r"^No bucket .* http://host:port"):
        open_store(uri, Settings(s3_endpoint_url=endpoint))


@pytest.mark.parametrize("uri", ["memory://user:secret@a", "s3://AKIA:secret@bucket/x"])
def test_keys_in_a_uri_are_refused_and_not_repeated(uri: str):
    with pytest.raises(ConfigurationError, match="came with keys in it") as caught:
        open_store(uri, Settings())
    assert "secret" not in str(caught.value)


def test_a_bucket_of_aws_itself_needs_no_endpoint():
    assert open_store("s3://some-bucket/raw", Settings()).prefix == "raw"


def test_memory_of_one_name_is_one_store():
    name = uuid4()
    open_store(f"memory://{name}/lake/", Settings()).put_if_absent("a", b"1")
    assert keys_of(f"memory://{name}") == ["lake/a"]
    assert keys_of(f"memory://{name}/lake") == ["a"]


def test_output_goes_to_the_lake_unless_a_setting_says_otherwise(lake: Path):
    assert resolve_output(str(lake), Settings()) == str(lake)
    assert resolve_output("s3://bucket/lake", Settings()) == "s3://bucket/lake"
    assert resolve_output(str(lake), Settings(output_uri="s3://out")) == "s3://out"


def test_a_lake_without_write_permission_is_only_read_even_by_root(lake: Path):
    lake.chmod(0o555)
    own = resolve_output(str(lake), Settings())
    assert own.startswith(f".local/output/{lake.name}-")
    assert own == resolve_output(f"file://{lake}", Settings())
    assert resolve_output(f"file://{lake}", Settings(output_uri="elsewhere")) == "elsewhere"
