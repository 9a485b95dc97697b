"""The object store, reduced to what Headwater needs of it: put, list, read, delete."""

from __future__ import annotations

import hashlib
import io
import re
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from headwater.errors import StorageError
from headwater.full_disk import full_disk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Listed", "Readable", "S3Storage", "Storage", "Stored"]

_PART = 16 * 1024 * 1024
# The most keys that one delete request of S3 takes.
_DELETE_BATCH = 1000
_MOST_PARTS = 9_000
# Parts of one upload that wait in memory.
_PARTS_IN_MEMORY = 4
# What an object's tag is when it is the MD5 of its bytes: neither sent in parts nor encrypted by a key of one's own.
_DIGEST = re.compile(r"[0-9a-f]{32}")
_PLAIN = (None, "AES256")
# Of an object's metadata: what it is a copy of.
_MARK = "headwater-copy-of"


class Readable(Protocol):
    """Anything that gives its bytes in order."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, none at the end."""


@dataclass(frozen=True)
class Stored:
    """What was put.

    Args:
        uri: Where it lies.
        size: Its bytes.
        sha256: Digest of the bytes that were sent, in hexadecimal.
    """

    uri: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Listed:
    """One object of a listing.

    Args:
        uri: Where it lies.
        size: Its bytes.
        age: Seconds since it was written, by the store's own clock.
        tag: The store's own mark of these bytes.
    """

    uri: str
    size: int
    age: float
    tag: str = ""


class Storage(ABC):
    """An object store. Locations are ``s3://bucket/key``; an object appears whole or not at all."""

    @abstractmethod
    def put(self, uri: str, source: Readable | bytes) -> Stored:
        """Store bytes, replacing what was there, and verify that as many arrived.

        Raises:
            StorageError: The object is not stored whole.
        """

    @abstractmethod
    def objects(self, prefix: str) -> Iterator[Listed]:
        """Yield the objects whose location begins with a text, in order.

        Raises:
            StorageError: The store does not answer.
        """

    @abstractmethod
    def read(self, uri: str, *, start: int = 0, size: int | None = None) -> bytes:
        """Return an object's bytes, all or some of them.

        Args:
            uri: Where it lies.
            start: The first byte; before the object's end.
            size: How many at most; None for all that follow.

        Raises:
            StorageError: It does not exist or cannot be read.
        """

    @abstractmethod
    def blocks(self, uri: str) -> Iterator[bytes]:
        """Yield an object's bytes in order, in pieces that fit into memory.

        Raises:
            StorageError: It does not exist or cannot be read.
        """

    @abstractmethod
    def take(self, uri: str, source: Storage, origin: Listed, mark: str) -> None:
        """Store a copy of another store's object, and verify that all of it arrived.

        Args:
            uri: Where to.
            source: The store that has it; where that is this very service, the bytes do not pass through here.
            origin: What it lists there.
            mark: Kept with the copy, for ``mark_of``.

        Raises:
            StorageError: The copy is not stored whole, or the object is another one by now.
        """

    @abstractmethod
    def mark_of(self, uri: str) -> str:
        """Return the mark of an object that ``take`` stored; empty for any other.

        Raises:
            StorageError: The object does not exist or cannot be looked at.
        """

    @abstractmethod
    def delete(self, uris: Iterable[str]) -> int:
        """Delete objects; those already gone are no error. Return how many were asked for.

        Raises:
            StorageError: One could not be deleted.
        """


class _Hashing:
    """Hashes and counts the bytes that pass through; not seekable, so that an upload reads them once and in order."""

    def __init__(self, source: Readable, algorithm: str = "sha256") -> None:
        self._source = source
        self._digest = hashlib.new(algorithm, usedforsecurity=False)
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._digest.update(data)
        self.size += len(data)
        return data

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class S3Storage(Storage):
    """S3 and what speaks like it.

    Args:
        endpoint: URL of the service; empty for AWS.
        region: The region that signatures name; empty where the AWS clients' own configuration says.
        access_key: Empty to use the machine's own role.
        secret_key: Belongs to the access key.
    """

    endpoint: str
    region: str
    access_key: str
    secret_key: str

    @cached_property
    def _client(self) -> Any:
        from boto3.session import Session  # noqa: PLC0415 - slow to import
        from botocore.config import Config  # noqa: PLC0415

        own = {"addressing_style": "path"} if self.endpoint else {}
        retries = {"total_max_attempts": 4, "mode": "standard"}
        # A service of the box is never behind the machine's web proxy.
        direct: dict[str, Any] = {"proxies": {}} if self.endpoint else {}
        return Session().client(
            "s3",
            endpoint_url=self.endpoint or None,
            aws_access_key_id=self.access_key or None,
            aws_secret_access_key=self.secret_key or None,
            region_name=self.region or None,
            config=Config(s3=own, retries=retries, connect_timeout=10, read_timeout=60, **direct),
        )

    def put(self, uri: str, source: Readable | bytes) -> Stored:
        """Store bytes in parts, each under the store's own checksum."""
        passing = _Hashing(io.BytesIO(source) if isinstance(source, bytes) else source)
        bucket, key = _split(uri)
        with _mapped(f"{uri} was not stored"):
            self._client.upload_fileobj(passing, bucket, key, Config=_parts(0))
        self._require_size(uri, passing.size)
        return Stored(uri, passing.size, passing.digest)

    def take(self, uri: str, source: Storage, origin: Listed, mark: str) -> None:
        """Have the service copy the object itself, or pass its bytes on, a few parts at a time."""
        more = {"Metadata": {_MARK: mark}}
        if not isinstance(source, S3Storage):
            raise StorageError(f"{origin.uri} was not copied: only an S3 object store can be copied from.")
        if source.endpoint == self.endpoint:
            self._copy(uri, source, origin, more)
        else:
            self._pass_on(uri, source, origin, more)
        self._require_size(uri, origin.size)

    def mark_of(self, uri: str) -> str:
        """Return what an object's metadata have."""
        bucket, key = _split(uri)
        with _mapped(f"{uri} cannot be looked at"):
            found: dict[str, str] = self._client.head_object(Bucket=bucket, Key=key)["Metadata"]
        return found.get(_MARK, "")

    def _require_size(self, uri: str, size: int) -> None:
        bucket, key = _split(uri)
        with _mapped(f"{uri} was not stored"):
            arrived = self._client.head_object(Bucket=bucket, Key=key)["ContentLength"]
        if arrived != size:
            raise StorageError(f"{uri} was not stored whole: {size} bytes sent, {arrived} arrived. Try again.")

    def _copy(self, uri: str, source: S3Storage, origin: Listed, more: dict[str, Any]) -> None:
        bucket, key = _split(uri)
        there = dict(zip(("Bucket", "Key"), _split(origin.uri), strict=True))
        how = {**more, "MetadataDirective": "REPLACE", "CopySourceIfMatch": f'"{origin.tag}"'}
        with _mapped(f"{origin.uri} was not copied"):
            self._client.copy(
                there, bucket, key, ExtraArgs=how, SourceClient=source._client, Config=_parts(origin.size)
            )

    def _pass_on(self, uri: str, source: S3Storage, origin: Listed, more: dict[str, Any]) -> None:
        bucket, key = _split(origin.uri)
        with _mapped(f"{origin.uri} was not copied"):
            answer = source._client.get_object(Bucket=bucket, Key=key, IfMatch=f'"{origin.tag}"')
            passing = _Hashing(answer["Body"], "md5")
            bucket, key = _split(uri)
            self._client.upload_fileobj(passing, bucket, key, ExtraArgs=more, Config=_parts(origin.size))
        known = _DIGEST.fullmatch(origin.tag) and answer.get("ServerSideEncryption") in _PLAIN
        if passing.size != origin.size or (known and passing.digest != origin.tag):
            self.delete([uri])  # its mark says what it is not
            raise StorageError(f"{origin.uri} was not copied whole: other bytes came than it has. Run it again.")

    def objects(self, prefix: str) -> Iterator[Listed]:
        """Yield the objects below a prefix."""
        bucket, key = _split(prefix)
        with _mapped(f"{prefix} cannot be listed"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
                now = _server_time(page)
                for entry in page.get("Contents", ()):
                    age = now - entry["LastModified"].timestamp()
                    tag = entry.get("ETag", "").strip('"')
                    yield Listed(f"s3://{bucket}/{entry['Key']}", entry["Size"], age, tag)

    def read(self, uri: str, *, start: int = 0, size: int | None = None) -> bytes:
        """Return an object's bytes, all or some of them."""
        bucket, key = _split(uri)
        some = (
            {} if (start, size) == (0, None) else {"Range": f"bytes={start}-{'' if size is None else start + size - 1}"}
        )
        with _mapped(f"{uri} cannot be read"):
            body: bytes = self._client.get_object(Bucket=bucket, Key=key, **some)["Body"].read()
        return body

    def blocks(self, uri: str) -> Iterator[bytes]:
        """Yield an object's bytes as they come."""
        bucket, key = _split(uri)
        with _mapped(f"{uri} cannot be read"):
            yield from self._client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(_PART)

    def delete(self, uris: Iterable[str]) -> int:
        """Delete objects, a thousand at a time."""
        places = [_split(uri) for uri in uris]
        for bucket in sorted({bucket for bucket, _ in places}):
            keys = [{"Key": key} for owner, key in places if owner == bucket]
            for start in range(0, len(keys), _DELETE_BATCH):
                self._delete(bucket, keys[start : start + _DELETE_BATCH])
        return len(places)

    def _delete(self, bucket: str, keys: list[dict[str, str]]) -> None:
        with _mapped(f"Objects of s3://{bucket} were not deleted"):
            answer = self._client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        for problem in answer.get("Errors", ()):
            raise StorageError(f"s3://{bucket}/{problem['Key']} was not deleted: {problem['Message']}.")


def _split(uri: str) -> tuple[str, str]:
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme not in ("s3", "s3a") or not bucket:
        raise StorageError(f"{uri!r} is no location of the object store; it begins with s3://bucket/.")
    return bucket, key


def _parts(size: int) -> Any:
    """Return how an object is sent: in parts of which S3 takes 10,000."""
    from boto3.s3.transfer import TransferConfig  # noqa: PLC0415 - slow to import

    part = max(_PART, -(-size // _MOST_PARTS))
    found = TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=4)
    found.max_in_memory_upload_chunks = _PARTS_IN_MEMORY
    return found


def _server_time(page: dict[str, Any]) -> float:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

    return parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()


@contextmanager
def _mapped(failure: str) -> Iterator[None]:
    from boto3.exceptions import Boto3Error  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        yield
    except (Boto3Error, BotoCoreError, ClientError) as error:
        why = full_disk(str(error)) or f"{error}. See that the object store runs and lets this login in."
        raise StorageError(f"{failure}: {why}") from error
