"""The AWS APIs as a component of the box: one small process that starts when it is named."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar

from headwater.box.component import MIGRATE, Command, Component, Hint
from headwater.box.components.databases import connect, ensure_database
from headwater.box.components.s3 import ensure_bucket
from headwater.errors import ComponentError

if TYPE_CHECKING:
    from headwater.box.component import Box, ByRole

__all__ = ["AwsApiComponent"]

_LOOPBACK_TIMEOUT = 4


class AwsApiComponent(Component):
    """Glue, Athena and EMR Serverless, for AWS clients that are given its address."""

    name = "aws-api"
    of_lake = True
    needs = ("postgres", "minio", "metastore", "trino")
    runtimes = ("spark", "spark-jars", "java21")  # every EMR job is a Spark of its own
    on_demand = True
    # Trino's login runs Athena's statements, Spark's its sessions.
    logins: ClassVar[ByRole] = {
        "": ("minio", "spark", "trino", "aws-api-db"),
        MIGRATE: ("postgres", "minio", "aws-api-db"),
    }
    calls: ClassVar[ByRole] = {
        "": ("postgres", "minio", "metastore", "spark", "trino-tls"),
        MIGRATE: ("postgres", "minio"),
    }
    listens: ClassVar[ByRole] = {"": ("aws-api", "aws-api-spark")}
    database = "aws-api-db"
    hints = (
        Hint(
            r"[Aa]ddress already in use",
            "another program listens on the AWS API's port; `headwater doctor` names it.",
        ),
        Hint(r"[Cc]onnection refused|does not answer", "PostgreSQL does not answer; see `headwater logs postgres`."),
        Hint(r"MemoryError|Cannot allocate memory", "the machine has too little free memory."),
    )

    def migrate(self, box: Box) -> None:
        """Make the database with its tables, and the bucket that results go to."""
        from headwater_aws_api.store import migrate  # noqa: PLC0415 - only the bootstrap needs it

        ensure_database(box.profile, "aws-api-db")
        with connect(box.profile, "aws-api-db") as connection:
            migrate(connection)
        ensure_bucket(box.profile)

    def command(self, box: Box, role: str) -> Command:  # noqa: ARG002 - one role
        """Return the service's process; it reads everything from the profile."""
        environment = {
            **box.profile.environment(),
            "MALLOC_ARENA_MAX": "2",  # memory that one thread frees serves the others
        }
        return Command([sys.executable, "-m", "headwater_aws_api"], environment, cwd=box.data("aws-api"))

    def probe(self, box: Box, role: str) -> None:  # noqa: ARG002
        """List databases as an AWS client does."""
        from boto3.session import Session  # noqa: PLC0415 - slow to import
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        profile, once = box.profile, {"total_max_attempts": 1}
        client = Session().client(
            "glue",
            endpoint_url=f"http://{profile.address('aws-api')}",
            aws_access_key_id=profile.credentials.user("minio"),
            aws_secret_access_key=profile.credentials.password("minio"),
            region_name=profile.region,
            config=Config(retries=once, connect_timeout=2, read_timeout=_LOOPBACK_TIMEOUT, proxies={}),
        )
        try:
            client.get_databases(MaxResults=1)
        except (BotoCoreError, ClientError) as error:
            raise ComponentError(
                f"The AWS API at {profile.address('aws-api')} did not list databases: {error}; "
                "see `headwater logs aws-api`."
            ) from error
        finally:
            client.close()

    def version(self, box: Box) -> str:  # noqa: ARG002 - it is a library of this environment
        """Return Headwater's own version."""
        return version("headwater")
