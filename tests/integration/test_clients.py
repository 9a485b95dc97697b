"""Stock clients reach the box with what `headwater credentials -o env` gives, and nothing else."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading

import pytest
from command_line import headwater
from headwater.box.component import Box
from headwater.box.download import Downloader
from headwater.box.lockfile import LockedFile
from headwater.box.progress import progress_on
from headwater.box.registries import Registries
from headwater.cli.fetch import fetch_settings
from rich.console import Console

pytestmark = pytest.mark.box

SQL = "SELECT count(*) FROM tpch.tiny.nation"
CLI = LockedFile(
    "maven",
    "io.trino:trino-cli:476:executable",
    "trino-cli-476-executable.jar",
    "fe4e9c7fb569cd67673afa1622945f6308e1e59bdb825419352b80887661757b",
    18634579,
)
JDBC = LockedFile(
    "maven",
    "io.trino:trino-jdbc:476",
    "trino-jdbc-476.jar",
    "a3736d21609a5a317d2ce88b3835e312e9b6f41393c1d4b09f2ad6e7aeb3bb90",
    12766107,
)
PYTHON = {
    "trino": f"""
import os, trino
address = os.environ["TRINO_SERVER"].removeprefix("https://").split(":")
login = trino.auth.BasicAuthentication(os.environ["TRINO_USER"], os.environ["TRINO_PASSWORD"])
connection = trino.dbapi.connect(host=address[0], port=int(address[1]), http_scheme="https",
                                 verify=os.environ["TRINO_CA"], auth=login)
cursor = connection.cursor()
cursor.execute({SQL!r})
print(cursor.fetchone()[0])
""",
    "jdbc": f"""
import os, sys, jpype, jpype.dbapi2
jpype.startJVM(sys.argv[1], classpath=[sys.argv[2]])
url = os.environ["TRINO_SERVER"].replace("https", "jdbc:trino")
settings = {{"user": os.environ["TRINO_USER"], "password": os.environ["TRINO_PASSWORD"], "SSL": "true",
             "SSLTrustStorePath": os.environ["TRINO_CA"]}}
with jpype.dbapi2.connect(url, driver="io.trino.jdbc.TrinoDriver", driver_args=settings) as connection:
    cursor = connection.cursor()
    cursor.execute({SQL!r})
    print(int(cursor.fetchone()[0]))
""",
    "spark": """
import os
from pyspark.sql import SparkSession
print(SparkSession.builder.remote(os.environ["SPARK_REMOTE"]).getOrCreate().range(25).count())
""",
    "boto3": """
import boto3
s3 = boto3.client("s3")
s3.put_object(Bucket="lake", Key="probe/of-a-client", Body=b"x" * 25)
print(s3.head_object(Bucket="lake", Key="probe/of-a-client")["ContentLength"])
s3.delete_object(Bucket="lake", Key="probe/of-a-client")
""",
    "postgres": """
import psycopg
print(psycopg.connect(dbname="postgres").execute("SELECT sum(n) - 275 FROM generate_series(1, 24) AS n").fetchone()[0])
""",
}


@pytest.fixture(scope="module")
def environment(box):
    """The variables of `headwater credentials -o env`, as a shell would take them, and a PATH and HOME."""
    shown = headwater(box, "credentials", "-o", "env").stdout
    lines = [shlex.split(line)[-1].partition("=") for line in shown.splitlines()]
    return {name: os.environ[name] for name in ("PATH", "HOME")} | {name: value for name, _, value in lines}


@pytest.fixture(scope="module")
def java(box):
    """The Java that Trino runs on."""
    return Box(box).runtimes.path("java25")


def _jar(box, file):
    settings = fetch_settings(box)
    with progress_on(Console(quiet=True)) as progress:
        downloader = Downloader(box.cache / "downloads", progress, threading.Event())
        return str(downloader.fetch(file, Registries(settings).named("maven")))


def _answer(environment, *command):
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("client", ["trino", "spark", "boto3", "postgres"])
def test_python_clients(environment, client):
    """Trino's client, Spark Connect, boto3 and a PostgreSQL driver."""
    assert _answer(environment, sys.executable, "-c", PYTHON[client]) == "25"


def test_the_trino_cli(box, environment, java):
    """The CLI asks with the password in TRINO_PASSWORD."""
    options = ["--server", environment["TRINO_SERVER"], "--truststore-path", environment["TRINO_CA"], "--password"]
    command = [str(java / "bin" / "java"), "-jar", _jar(box, CLI), *options, "--user", environment["TRINO_USER"]]

    assert _answer(environment, *command, "--execute", SQL) == '"25"'


def test_trinos_jdbc_driver(box, environment, java):
    """The driver takes the box's certificate as its trust store."""
    library = str(java / "lib" / "server" / "libjvm.so")

    assert _answer(environment, sys.executable, "-c", PYTHON["jdbc"], library, _jar(box, JDBC)) == "25"
