"""The Spark that EMR Serverless runs in `emr-spark-8.0.0`, as a Spark Connect server beside the box's own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from free_ports import free_ports
from headwater.box.component import Box
from headwater.box.components.spark import SparkComponent
from headwater.box.fetch import fetch
from headwater.box.lockfile import FetchSettings, Lock, LockedFile, read_lock
from headwater.box.runtimes import Runtimes
from headwater.engines.spark import SparkEngine
from headwater.errors import HeadwaterError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headwater.profile import Profile

__all__ = ["VERSION", "emr_spark"]

VERSION = "4.0.2"
_SPARK = LockedFile(
    "pypi",
    f"pyspark=={VERSION}",
    f"pyspark-{VERSION}.tar.gz",
    "938b4a1883383374d331ebfcb5d92debfa1891cf3d7a6d730520a1a2d23f1a90",
    434209940,
)
_ICEBERG = LockedFile(
    "maven",
    "org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.10.1",
    "iceberg-spark-runtime-4.0_2.13-1.10.1.jar",
    "2192a0881ed0f5773b5a83a8820d2b0b2069beec203028643a1c338551007f09",
    47083764,
)
# Of the same release as the Hadoop that this Spark brings.
_HADOOP_AWS = LockedFile(
    "maven",
    "org.apache.hadoop:hadoop-aws:3.4.1",
    "hadoop-aws-3.4.1.jar",
    "01334a07e179cae2b7e251f24857f11e3759108c9d6a79dcbe362a4295227da2",
    865554,
)
_PORTS = ("spark", "spark-driver", "spark-blocks", "spark-ui")
_SECONDS = 300


def _lock() -> Lock:
    """Return what a box with that Spark is made of: Spark, Iceberg and S3 client of its own, the rest as it is here."""
    ours = read_lock()
    spark, jars = ours.find("spark"), ours.find("spark-jars")
    files = tuple(one for one in jars.files if not one.name.startswith(("iceberg-", "hadoop-")))
    main = f"jars/spark-connect_2.13-{VERSION}.jar"
    return Lock(
        {
            **ours.runtimes,
            "spark": replace(spark, version=VERSION, main=main, files=(_SPARK,)),
            "spark-jars": replace(jars, version="1.10.1", files=(*files, _ICEBERG, _HADOOP_AWS)),
        }
    )


class _EmrBox(Box):
    @property
    def runtimes(self) -> Runtimes:
        return Runtimes(self.profile.cache, _lock())


@contextmanager
def emr_spark(profile: Profile, folder: Path) -> Iterator[SparkEngine]:
    """Give the engine of such a server on a box's metastore and store; the first time it is fetched.

    Args:
        profile: Of the box.
        folder: Empty, for what it keeps.
    """
    setting = profile.setting
    mirrors = [setting(f"HEADWATER_{one}_MIRROR") or None for one in ("PYPI", "MAVEN", "GO", "NPM")]
    fetch(FetchSettings(profile.cache, *mirrors, jobs=2), ["spark", "spark-jars"], lock=_lock())
    shutil.copy(profile.credentials_path, folder)
    box = _EmrBox(replace(profile, home=folder))
    command = SparkComponent().command(box, "")
    first = free_ports(len(_PORTS))
    ports = {profile.port(name): first + at for at, name in enumerate(_PORTS)}
    conf = box.conf("spark") / "spark-defaults.conf"
    numbers = re.compile(r"\b(" + "|".join(map(str, ports)) + r")\b")
    conf.write_text(numbers.sub(lambda found: str(ports[int(found[1])]), conf.read_text()))
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(command.argv), env={**os.environ, **command.env}, cwd=command.cwd, stdout=output, stderr=output
        )
    token = profile.credentials.password("spark")
    engine = SparkEngine(host="127.0.0.1", port=ports[profile.port("spark")], token=token)
    try:
        _await(engine, process, log)
        yield engine
    finally:
        engine._forget()
        process.terminate()
        process.wait(60)


def _await(engine: SparkEngine, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _SECONDS
    while True:
        try:
            [found] = engine.rows("SELECT version() AS version")
        except HeadwaterError:
            said = log.read_text(errors="replace")[-3000:]
            assert process.poll() is None, f"Spark {VERSION} ended: {said}"
            assert time.monotonic() < until, f"Spark {VERSION} is not ready: {said}"
            time.sleep(1)
        else:
            assert found["version"].startswith(VERSION)
            return
