"""Objects behind one door, whether they lie in a folder, an S3 bucket or memory.

obstore moves the bytes but does not verify them, so every body is compared with what was
promised (size, ETag, sha256) before anybody parses it. Nothing is ever overwritten or renamed.
"""

import asyncio
import hashlib
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import unquote
from urllib.request import Request, urlopen

import boto3
import obstore
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, S3Store

from tasks.common import errors
from tasks.common.settings import Settings, redact_uri

_HASHES: Final = ("sha256", "md5")
_OWN_OUTPUT: Final = ".local/output"
_CHUNK: Final = 8 * 1024 * 1024
_MEMORY: Final[dict[str, MemoryStore]] = defaultdict(MemoryStore)  # by name, while we run


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """One object as it was listed: `key` below the store's URI, `etag` unquoted, time in UTC."""

    key: str
    etag: str
    size: int
    modified_at: datetime


@dataclass(frozen=True)
class ObjectStore:
    """Immutable objects below one URI, in the folder `prefix` of `backend`, verified when read.

    Raises `TransientError` (no answer), `ConfigurationError` (bucket, credential, right, name) or
    `TerminalError` (full disk, key that climbs out; `MissingObjectError`, `CorruptObjectError`).
    """

    uri: str
    backend: LocalStore | MemoryStore | S3Store
    prefix: str = ""

    def list_objects(self, prefix: str = "") -> list[ObjectRef]:
        """List what starts with `prefix`, sorted by key: hidden files and followed links too."""
        start = self._path(f"{prefix}*")[:-1]  # whatever follows the prefix, it may not climb
        with _explaining(f"list {self.uri}/{prefix}"):
            pages = self.backend.list(start.rpartition("/")[0] or None)
            found = (m for page in pages for m in page if m["path"].startswith(start))
            return sorted(map(self._refer, found))

    def get_object(self, ref: ObjectRef) -> bytes:
        """Give the bytes that were listed, as `get_bytes` does."""
        # A folder made in the S3 console, "raw/", is listed as an empty "raw": not there to get.
        return self.get_bytes(ref.key, listed=ref) if ref.size else b""

    def get_bytes(
        self, key: str, *, sha256: str | None = None, listed: ObjectRef | None = None
    ) -> bytes:
        """Give an object with the sha256 promised, else with the size, ETag and MD5 it claims."""
        path, wrong = self._path(key), ""
        for _ in range(2):
            with _explaining(f"read {key!r} in {self.uri}"):
                answer = self.backend.get(path)
                body, got = answer.bytes().to_bytes(), self._refer(answer.meta)
            got, listed = replace(got, size=len(body)), listed or got
            wrong = _find_difference(partial(_hash, body), got, listed, sha256)
            if not wrong or (wrong == "MD5" and self._hides_md5(path)):
                return body
        raise self._refuse(key, wrong)

    def download(
        self, key: str, target: Path, *, sha256: str | None = None, listed: ObjectRef | None = None
    ) -> str:
        """Write an object to a file, in flat memory; what `get_bytes` promises. Gives its sha256.

        Raises:
            TerminalError: also when the disk of `target` is full.
        """
        path, wrong = self._path(key), ""
        for _ in range(2):
            with _explaining(f"read {key!r} in {self.uri} to {target}"), target.open("wb") as file:
                answer = self.backend.get(path)
                got = self._refer(answer.meta)
                hashes = {name: hashlib.new(name, usedforsecurity=False) for name in _HASHES}
                for piece in answer.stream(min_chunk_size=_CHUNK) if got.size else ():
                    file.write(piece)
                    for running in hashes.values():
                        running.update(piece)
                got, listed = replace(got, size=file.tell()), listed or got
            digests = {name: running.hexdigest() for name, running in hashes.items()}
            wrong = _find_difference(digests.__getitem__, got, listed, sha256)
            if not wrong or (wrong == "MD5" and self._hides_md5(path)):
                return digests["sha256"]
        raise self._refuse(key, wrong)

    def _refuse(self, key: str, wrong: str) -> errors.CorruptObjectError:
        return errors.CorruptObjectError(
            f"Object {key!r} in {self.uri} is not what was promised, not even when fetched again: "
            f"its {wrong} differs; run again, and if that does not help, have it landed anew."
        )

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write an object unless its key is taken; True: exactly these bytes stand there now.

        A writer whose acknowledgement was lost meets its own object, so what stands there decides.
        """
        path, failure = self._path(key), errors.TransientError()
        is_page = key.endswith(".html") and isinstance(self.backend, S3Store)  # no types in folders
        kind: obstore.Attributes = {"Content-Type": "text/html; charset=utf-8"} if is_page else {}
        for pause_s in (0.1, 0.5, 1.0, 0.0):
            try:
                with _explaining(f"write {key!r} in {self.uri}"):
                    self.backend.put(path, body, mode="create", attributes=kind)
                    return True
            except errors.TransientError as error:
                failure = error
            with suppress(errors.MissingObjectError):
                return self.get_bytes(key) == body
            time.sleep(pause_s)
        raise failure

    def _path(self, key: str) -> str:
        if {"", ".", ".."} & set(key.split("/")):
            msg = f"Key {key!r} is refused in {self.uri}: make it relative, without '.' and '..'."
            raise errors.TerminalError(msg)
        return f"{self.prefix}/{key}".lstrip("/")

    def _refer(self, meta: "obstore.ObjectMeta") -> ObjectRef:
        key = meta["path"].removeprefix(f"{self.prefix}/")
        etag = (meta["e_tag"] or "").removeprefix("W/").strip('"')
        return ObjectRef(key, etag, meta["size"], meta["last_modified"])

    def _hides_md5(self, path: str) -> bool:
        # Under SSE-KMS an ETag only looks like an MD5 (S3 API, type Object); HEAD tells which.
        if isinstance(self.backend, S3Store):
            url = obstore.sign(self.backend, "HEAD", path, timedelta(minutes=1))
            with suppress(OSError), urlopen(Request(url, method="HEAD"), timeout=30) as head:  # noqa: S310
                return "kms" in head.headers.get("x-amz-server-side-encryption", "")
        return False


def _hash(body: bytes, name: str) -> str:
    return hashlib.new(name, body, usedforsecurity=False).hexdigest()


def _find_difference(
    digest: Callable[[str], str], got: ObjectRef, listed: ObjectRef, sha256: str | None
) -> str:
    """Compare what was read with what was promised; `got` has the size that was read."""
    if sha256 is not None:
        return "" if digest("sha256") == sha256 else f"sha256 (not {sha256})"
    if (got.size, got.etag) != (listed.size, listed.etag):
        return f"size or ETag (not {listed.size} bytes, {listed.etag})"
    is_md5 = re.fullmatch("[0-9a-f]{32}", got.etag)  # not so for parts ("...-3") and folders
    return "MD5" if is_md5 and digest("md5") != got.etag else ""


@contextmanager
def _explaining(doing: str) -> Generator[None]:
    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        raise errors.explain_store_fault(error, doing) from None


def open_store(uri: str, settings: Settings) -> ObjectStore:
    """Open a folder (relative, `~` or file://), `s3://bucket/prefix` or `memory://name/prefix`.

    Nothing is written: an output folder that does not exist yet is made by its first object.

    Raises:
        ConfigurationError: no such folder, an unknown scheme, or no credentials for S3.
    """
    if redact_uri(uri) != uri:
        msg = f"The URI {redact_uri(uri)} came with keys in it: take them out, use AWS_PROFILE."
        raise errors.ConfigurationError(msg)
    if distant := re.fullmatch("(s3|memory)://([^/]*)/?(.*?)/*", uri):
        scheme, name, prefix = distant.groups()
        backend = _open_bucket(name, settings) if scheme == "s3" else _MEMORY[name]
        return ObjectStore(uri, backend, prefix)
    folder = _folder_of(uri)
    may_be_new = uri == settings.output_uri or uri.startswith(_OWN_OUTPUT)
    if not folder or not (folder.is_dir() or (may_be_new and not folder.exists())):
        msg = f"There is no folder {uri} ({folder}): correct it, make it, or use s3://bucket."
        raise errors.ConfigurationError(msg)
    return ObjectStore(uri, LocalStore(folder.anchor), str(folder).strip("/"))


def resolve_output(lake: str, settings: Settings) -> str:
    """Say where output goes: the setting, else the lake; for a read-only one, a folder of ours."""
    folder = _folder_of(lake)
    if settings.output_uri or not folder or not folder.is_dir():
        return settings.output_uri or lake
    is_read_only = not os.access(folder, os.W_OK) or not folder.stat().st_mode & 0o222  # or root
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    return f"{_OWN_OUTPUT}/{folder.name}-{name}" if is_read_only else lake


def _folder_of(uri: str) -> Path | None:
    scheme, _, place = uri.rpartition("://")
    if scheme not in ("", "file"):
        return None
    return Path(os.path.expanduser(unquote(place) if scheme else uri)).resolve()  # noqa: PTH111


def _open_bucket(bucket: str, settings: Settings) -> S3Store:
    endpoint = settings.s3_endpoint_url
    if not re.fullmatch(r"[\w.-]{3,63} (None|https?://[^\s/?#]+/?)", f"{bucket} {endpoint}"):
        msg = f"No bucket {bucket!r} at {endpoint}: use s3://bucket, and http://host:port for it."
        raise errors.ConfigurationError(msg)
    open_session = _choose_session(settings)
    return S3Store(
        bucket,
        **({"endpoint": endpoint} if endpoint else {}),  # obstore refuses None
        region=settings.aws_region,
        checksum_algorithm="SHA256",
        credential_provider=lambda: Boto3CredentialProvider(open_session())(),  # noqa: PLW0108
        client_options={"allow_http": True, "timeout": "15min", "read_timeout": "30s"},
    )


def _choose_session(settings: Settings) -> Callable[[], boto3.Session]:
    block = settings.aws_credentials_block
    if block is None:
        return lambda: boto3.Session(
            profile_name=settings.aws_profile, region_name=settings.aws_region
        )
    from prefect_aws import AwsCredentials  # noqa: PLC0415 (two seconds, and only when asked for)

    with _explaining(f"load the AwsCredentials block {block!r}"):
        return asyncio.run(
            AwsCredentials.aload(block)
        ).get_boto3_session  # opened when first needed
