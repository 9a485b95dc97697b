"""Copies from one object store to another, as moto plays S3: whole, marked, and of the very object that was listed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace

import boto3
import pytest
from aws_account import BUCKET, REGION
from headwater.errors import StorageError
from headwater.migrate._copy import Copied, Copy, copy_all
from headwater.storage import Listed, S3Storage

LARGE = os.urandom(40 * 1024 * 1024)  # three parts


@pytest.fixture
def stores(account):
    """One service under two addresses, so that bytes pass through here; the same address is the third."""
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    one = S3Storage(endpoint=endpoint, region=REGION, access_key="test", secret_key="test")
    return one, replace(one, endpoint=endpoint.replace("127.0.0.1", "localhost")), replace(one)


@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.parametrize("data", [b"", b"some", LARGE], ids=["empty", "small", "large"])
def test_a_copy_is_whole_and_marked(stores, mark, which, data):
    """Passed on in parts or copied by the service, with what it is a copy of."""
    source, target = stores[0], stores[which]
    place = f"s3://{BUCKET}/curated/{mark}"
    source.put(f"{place}/a", data)
    [origin] = source.objects(f"{place}/a")
    target.take(f"{place}/b", source, origin, "of a")

    assert hashlib.sha256(target.read(f"{place}/b")).digest() == hashlib.sha256(data).digest()
    assert (target.mark_of(f"{place}/b"), target.mark_of(f"{place}/a")) == ("of a", "")


@pytest.mark.parametrize("which", [1, 2])
def test_another_object_than_the_listed_one_is_not_copied(stores, mark, which):
    """It was replaced after it was listed."""
    source, target = stores[0], stores[which]
    place = f"s3://{BUCKET}/curated/{mark}"
    source.put(f"{place}/a", b"one")
    [origin] = source.objects(f"{place}/a")
    source.put(f"{place}/a", b"two")

    with pytest.raises(StorageError, match="was not copied"):
        target.take(f"{place}/b", source, origin, "of a")
    assert list(target.objects(f"{place}/b")) == []


class BreaksOff(S3Storage):
    """A store that fails from the third copy on."""

    def take(self, uri: str, *given: object) -> None:
        """Copy, or fail."""
        if uri.endswith(("/2", "/3")):
            raise StorageError(f"{uri} was not stored: the connection broke off.")
        super().take(uri, *given)


def test_what_broke_off_goes_on(stores, mark):
    """What is there with the same size and mark is not copied again; what has another mark is."""
    source, target, _ = stores
    place, there = f"s3://{BUCKET}/raw/{mark}", f"s3://{BUCKET}/curated/{mark}"
    for number in range(4):
        source.put(f"{place}/{number}", b"row\n" * (number + 1))
    copies = [Copy(one, f"{there}/{one.uri[-1]}", one.tag) for one in source.objects(f"{place}/")]
    failing = BreaksOff(**{name: getattr(target, name) for name in ("endpoint", "region", "access_key", "secret_key")})
    with pytest.raises(StorageError, match="broke off"):
        copy_all(copies, source, failing, there)

    assert copy_all(copies, source, target, there) == Copied(files=2, bytes=28, there=2)
    assert copy_all(copies, source, target, there) == Copied(files=0, bytes=0, there=4)
    source.put(f"{place}/0", b"ROW\n")
    [changed, *_] = source.objects(f"{place}/")
    again = [replace(copies[0], origin=changed, mark=changed.tag), *copies[1:]]
    assert copy_all(again, source, target, there) == Copied(files=1, bytes=4, there=3)
    assert target.read(f"{there}/0") == b"ROW\n"


def test_bytes_that_are_others_are_taken_away_again(stores, mark):
    """A copy whose digest is not that of the listed object must not stay, for its mark would say that it is."""
    source, target, _ = stores
    place = f"s3://{BUCKET}/curated/{mark}"
    source.put(f"{place}/a", b"some")
    [origin] = source.objects(f"{place}/a")
    boto3.client("s3")  # the account is there
    source._client.meta.events.register("after-call.s3.GetObject", _shortened)
    with pytest.raises(StorageError, match="not copied"):
        target.take(f"{place}/b", source, Listed(origin.uri, 4, 0.0, origin.tag), "of a")

    assert list(target.objects(f"{place}/b")) == []


def _shortened(parsed, **_):
    """Flip a bit of what comes, as a broken memory does."""
    body = parsed["Body"]
    whole = body.read
    body.read = lambda *given: bytes(byte ^ 1 for byte in whole(*given))
