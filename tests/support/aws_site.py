"""The box's AWS APIs as their clients see them: boto3 here, the stock clients in an environment of their own."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from command_line import headwater
from headwater import _aws
from headwater.box.clients import client_variables
from headwater.credentials import password_variable
from headwater.profile import Profile
from headwater.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["AwsSite", "account_on", "stack_on"]

_ROLE = "arn:aws:iam::000000000000:role/headwater-spark"
_PINS = Path(__file__).with_name("aws_clients.txt")
_SECONDS = 300
_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


class AwsSite:
    """The running component.

    Args:
        profile: Of the box.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        headwater(profile, "up", "aws-api")
        self._variables = client_variables(profile)
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return a boto3 client that tries once."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self._variables[f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"],
                aws_access_key_id=self._variables["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self._variables["AWS_SECRET_ACCESS_KEY"],
                region_name=self._variables["AWS_DEFAULT_REGION"],
                config=Config(retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path"}),
            )
        return self._clients[service]

    def query(self, sql: str, database: str = "default", **more: Any) -> dict[str, Any]:
        """Run a query to its end and return it, whichever that is."""
        athena = self.client("athena")
        started = athena.start_query_execution(
            QueryString=sql, QueryExecutionContext={"Database": database, "Catalog": "AwsDataCatalog"}, **more
        )
        return self.ended(started["QueryExecutionId"])

    def ended(self, key: str) -> dict[str, Any]:
        """Wait for the end of a query."""
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.client("athena").get_query_execution(QueryExecutionId=key)["QueryExecution"]
            if found["Status"]["State"] in _ENDED:
                return found
            time.sleep(0.2)
        raise AssertionError(f"{key} did not end in {_SECONDS} s")

    def rows(self, sql: str, database: str = "default", **more: Any) -> list[list[str | None]]:
        """Return the rows of a query that must succeed, without the line of names that a SELECT has."""
        found = self.query(sql, database, **more)
        assert found["Status"]["State"] == "SUCCEEDED", found["Status"]
        pages = self.client("athena").get_paginator("get_query_results")
        rows = [
            [datum.get("VarCharValue") for datum in row["Data"]]
            for page in pages.paginate(QueryExecutionId=found["QueryExecutionId"])
            for row in page["ResultSet"]["Rows"]
        ]
        return rows[1:] if found["SubstatementType"] == "SELECT" else rows

    @cached_property
    def python(self) -> Path:
        """The Python of an environment with stock AWS clients."""
        folder = self.profile.project / "aws-clients"
        uv = [sys.executable, "-m", "uv", "-q"]
        subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, str(folder)], check=True)
        python = folder / "bin" / "python"
        subprocess.run([*uv, "pip", "sync", "--require-hashes", "--python", str(python), str(_PINS)], check=True)
        return python

    def program(self, *argv: str) -> str:
        """Run one of that environment's programs with the box's variables and return what it prints."""
        with self.started(*argv) as process:
            said, complaint = process.communicate(timeout=_SECONDS)
        assert process.returncode == 0, f"{said}\n{complaint}"
        return said.strip()

    @contextmanager
    def started(self, *argv: str) -> Iterator[subprocess.Popen[str]]:
        """Give one of those programs, started; it is gone in the end."""
        command = [str(self.python.with_name(argv[0])), *argv[1:]]
        env = {**self._variables, "PATH": "/usr/bin:/bin", "HOME": str(self.profile.project), "AWS_PAGER": ""}
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


@contextmanager
def account_on(box: Profile, project: Path) -> Iterator[dict[str, str]]:
    """Give the variables of the profile `aws` with the box's APIs for an account, deployed by hand.

    Args:
        box: The box.
        project: Folder with `headwater.toml`.
    """
    site, name = AwsSite(box), f"t{uuid.uuid4().hex[:8]}"
    athena, emr = site.client("athena"), site.client("emr-serverless")
    place = {"OutputLocation": f"s3://{box.bucket}/athena-results/{name}/"}
    athena.create_work_group(Name=name, Configuration={"ResultConfiguration": place})
    given = {"name": name, "releaseLabel": "emr-spark-8.0.0", "type": "SPARK"}
    made = emr.create_application(**given, interactiveConfiguration={"sessionEnabled": True})["applicationId"]
    try:
        yield {
            **client_variables(box),
            "HEADWATER_PROFILE": "aws",
            "HEADWATER_PROJECT": str(project),
            "HEADWATER_HOME": str(project / "home"),
            "HEADWATER_PORT": str(box.first_port),
            "HEADWATER_BUCKET": box.bucket,
            "HEADWATER_LEASE": box.setting("HEADWATER_LEASE"),
            "HEADWATER_ATHENA_WORKGROUP": name,
            "HEADWATER_EMR_APPLICATION": made,
            "HEADWATER_EMR_ROLE": _ROLE,
            password_variable("catalog"): box.credentials.password("catalog"),
        }
    finally:
        for one in emr.list_sessions(applicationId=made)["sessions"]:
            emr.terminate_session(applicationId=made, sessionId=one["sessionId"])
        emr.stop_application(applicationId=made)
        emr.delete_application(applicationId=made)
        athena.delete_work_group(WorkGroup=name, RecursiveDeleteOption=True)


@contextmanager
def stack_on(account: Mapping[str, str]) -> Iterator[Stack]:
    """Give the adapters of `account_on` in this process; the AWS clients' variables lead to the box meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        for name, text in account.items():
            if name.startswith("AWS_"):
                patch.setenv(name, text)
        _aws._client.cache_clear()
        try:
            yield Stack.build(Profile.load(account))
        finally:
            _aws._client.cache_clear()
