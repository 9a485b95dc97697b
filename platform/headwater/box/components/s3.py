"""The box's object store, as Hadoop and boto3 want it described."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError

if TYPE_CHECKING:
    from pathlib import Path

    from headwater.profile import Profile

__all__ = ["ensure_bucket", "hadoop_settings", "s3_client"]


def hadoop_settings(profile: Profile, folder: Path) -> dict[str, str]:
    """Return the ``fs.*`` settings with which Hadoop uses ``s3://`` and ``s3a://``; they hold the secret key.

    Args:
        profile: Where the object store is.
        folder: For what is on its way to it.
    """
    return {
        "fs.s3a.endpoint": f"http://{profile.address('minio')}",
        "fs.s3a.endpoint.region": profile.region,
        "fs.s3a.access.key": profile.credentials.user("minio"),
        "fs.s3a.secret.key": profile.credentials.password("minio"),
        "fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "fs.s3a.path.style.access": "true",
        "fs.s3a.connection.ssl.enabled": "false",
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


def s3_client(profile: Profile, *, attempts: int = 3, timeout: float = 10) -> Any:
    """Return a boto3 client for the box's object store.

    Args:
        profile: Where it is.
        attempts: Tries of one request.
        timeout: Seconds to wait for a connection or an answer.
    """
    from boto3.session import Session  # noqa: PLC0415 - slow to import
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        s3={"addressing_style": "path"},
        retries={"total_max_attempts": attempts, "mode": "standard"},
        connect_timeout=timeout,
        read_timeout=timeout,
        proxies={},
    )
    return Session().client(
        "s3",
        endpoint_url=f"http://{profile.address('minio')}",
        aws_access_key_id=profile.credentials.user("minio"),
        aws_secret_access_key=profile.credentials.password("minio"),
        region_name=profile.region,
        config=config,
    )


def ensure_bucket(profile: Profile) -> None:
    """Make the lake's bucket when it is absent.

    Raises:
        ComponentError: The object store refuses.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

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
