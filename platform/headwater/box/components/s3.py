"""The box's object store, as Hadoop and boto3 want it described."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError

if TYPE_CHECKING:
    from pathlib import Path

    from headwater.profile import Profile, Store

__all__ = ["ensure_bucket", "hadoop_settings", "reach_store", "s3_client"]

# A pod's role first, then that of the machine it is on.
_ROLES = (
    "software.amazon.awssdk.auth.credentials.WebIdentityTokenFileCredentialsProvider",
    "org.apache.hadoop.fs.s3a.auth.IAMInstanceCredentialsProvider",
)


def hadoop_settings(profile: Profile, folder: Path) -> dict[str, str]:
    """Return the ``fs.*`` settings with which Hadoop uses ``s3://`` and ``s3a://``; they hold the secret key.

    Args:
        profile: Where the object store is.
        folder: For what is on its way to it.
    """
    return {
        **_hadoop_store(profile.store),
        "fs.s3a.endpoint.region": profile.region,
        "fs.s3a.fast.upload": "true",
        "fs.s3a.fast.upload.buffer": "disk",
        # By default both lie in /tmp, where boxes and users would share them. The second is not left to follow the
        # first: Hadoop does not put a path with a space in another setting's place.
        "hadoop.tmp.dir": f"{folder}/hadoop",
        "fs.s3a.buffer.dir": f"{folder}/s3a",
        "fs.s3a.connection.maximum": "32",
        "fs.s3a.threads.max": "16",
        # A dead store is reported after seconds, not after half an hour of retries.
        "fs.s3a.attempts.maximum": "5",
        "fs.s3a.retry.limit": "4",
        "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "fs.AbstractFileSystem.s3.impl": "org.apache.hadoop.fs.s3a.S3A",
    }


def _hadoop_store(store: Store) -> dict[str, str]:
    keys = {
        "fs.s3a.access.key": store.access_key,
        "fs.s3a.secret.key": store.secret_key,
        "fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
    }
    place = {
        "fs.s3a.endpoint": store.endpoint,
        "fs.s3a.path.style.access": "true",
        "fs.s3a.connection.ssl.enabled": str(store.endpoint.startswith("https:")).lower(),
    }
    return {
        **(keys if store.access_key else {"fs.s3a.aws.credentials.provider": ",".join(_ROLES)}),
        **(place if store.endpoint else {}),
    }


def s3_client(profile: Profile, *, attempts: int = 3, timeout: float = 10) -> Any:
    """Return a boto3 client for the box's object store.

    Args:
        profile: Where it is.
        attempts: Tries of one request.
        timeout: Seconds to wait for a connection or an answer.
    """
    from boto3.session import Session  # noqa: PLC0415 - slow to import
    from botocore.config import Config  # noqa: PLC0415

    store = profile.store
    config = Config(
        s3={"addressing_style": "path" if store.endpoint else "auto"},
        retries={"total_max_attempts": attempts, "mode": "standard"},
        connect_timeout=timeout,
        read_timeout=timeout,
        proxies={} if store.own else None,
    )
    return Session().client(
        "s3",
        endpoint_url=store.endpoint or None,
        aws_access_key_id=store.access_key or None,
        aws_secret_access_key=store.secret_key or None,
        region_name=store.region,
        config=config,
    )


def reach_store(profile: Profile) -> None:
    """Use the object store once, within about 5 seconds.

    Raises:
        ComponentError: It does not let this login in, or lacks a bucket that is not Headwater's to make.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import

    store, client = profile.store, s3_client(profile, attempts=1, timeout=3)
    try:
        if store.own:
            client.list_buckets()
        else:
            client.head_bucket(Bucket=store.bucket)
    except (BotoCoreError, ClientError) as error:
        where = f"MinIO at {profile.address('minio')}" if store.own else store.endpoint or "Amazon S3"
        what = "list its buckets" if store.own else f"show the bucket {store.bucket}, which is yours to make"
        raise ComponentError(f"{where} did not {what}: {error}") from error
    finally:
        client.close()


def ensure_bucket(profile: Profile) -> None:
    """Make the lake's bucket when it is absent; in a store of others it has to be there.

    Raises:
        ComponentError: The object store refuses.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    if not profile.store.own:
        reach_store(profile)
        return
    client = s3_client(profile)
    try:
        client.create_bucket(Bucket=profile.bucket)
    except (client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
        return
    except (BotoCoreError, ClientError) as error:
        raise ComponentError(
            f"Bucket {profile.bucket} could not be made in MinIO: {error}. See `headwater logs minio`."
        ) from error
    finally:
        client.close()
