"""What Headwater is held against, run as scripts in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from headwater.box.component import Box
from headwater.box.components.java import class_path, opens
from headwater.box.components.render import properties
from headwater.box.components.s3 import hadoop_settings
from headwater.profile import Profile, inherited_env

from bench.box import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["own_python", "run_script", "run_spark_script", "timed"]

_HERE = Path(__file__).resolve().parent
# What the JVM's modules must open for Spark; `bin/spark-submit` sets the same.
_OPENED = ("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
           "java.util.concurrent", "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.security.action",
           "sun.util.calendar")  # fmt: skip


def run_script(name: str, *arguments: str, python: Path = Path(sys.executable), **env: str) -> float:
    """Run ``bench/NAME.py`` and return its seconds, its start included.

    Raises:
        click.ClickException: It failed; the message is its own.
    """
    return timed(lambda: _run([str(python), str(_HERE / f"{name}.py"), *arguments], env))


def own_python(folder: Path, name: str) -> Path:
    """Return the Python of an environment that holds exactly ``bench/NAME.txt``, for what cannot be in ours."""
    python = folder / name / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "-q"]
    _run([*uv, "venv", "--clear", "--python", sys.executable, str(folder / name)], {})
    _run([*uv, "pip", "sync", "--require-hashes", "--python", str(python), str(_HERE / f"{name}.txt")], {})
    return python


def run_spark_script(profile: Profile, name: str, *arguments: str) -> float:
    """Run ``bench/NAME.py`` as ``spark-submit`` does, with the box's Spark, heap and lake, on a session of its own.

    Raises:
        click.ClickException: It failed; the message is its own.
    """
    box = Box(profile)
    home, jars = box.runtimes.path("spark"), box.runtimes.path("spark-jars")
    scratch = profile.home / "plain-spark"
    scratch.mkdir(exist_ok=True)
    (scratch / "spark-defaults.conf").write_text(properties(_settings(profile, scratch)))
    archives = sorted((home / "python").glob("**/py4j*.zip"))
    env = {
        "SPARK_HOME": str(home),
        "SPARK_CONF_DIR": str(scratch),
        "SPARK_LOCAL_DIRS": str(scratch),
        "SPARK_LOCAL_IP": profile.host,
        "SPARK_SCALA_VERSION": "2.13",
        "JAVA_HOME": str(box.runtimes.path("java21")),
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": class_path(home / "python", *archives),
    }
    java = str(box.runtimes.path("java21") / "bin" / "java")
    heap = f"-Xmx{profile.setting('HEADWATER_SPARK_HEAP')}"
    argv = [java, heap, *opens(_OPENED), "-cp", class_path(scratch, jars / "*", home / "jars" / "*")]
    script = ["org.apache.spark.deploy.SparkSubmit", str(_HERE / f"{name}.py"), *arguments]
    return timed(lambda: _run([*argv, *script], env))


def _settings(profile: Profile, scratch: Path) -> dict[str, str]:
    catalog = "spark.sql.catalog.spark_catalog"
    return {
        "spark.master": "local[*]",
        "spark.driver.memory": profile.setting("HEADWATER_SPARK_HEAP"),
        "spark.driver.host": profile.host,
        "spark.driver.bindAddress": profile.host,
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        catalog: "org.apache.iceberg.spark.SparkSessionCatalog",
        f"{catalog}.type": "hive",
        f"{catalog}.uri": f"thrift://{profile.address('metastore')}",
        "spark.hadoop.hive.metastore.uris": f"thrift://{profile.address('metastore')}",
        "spark.sql.warehouse.dir": f"s3://{profile.bucket}/",
        **{f"spark.hadoop.{name}": value for name, value in hadoop_settings(profile, scratch).items()},
    }


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds something takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _run(argv: list[str], env: Mapping[str, str]) -> None:
    done = subprocess.run(argv, env=inherited_env(**env), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{' '.join(argv[-3:])} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
