"""Python functions that a body gives to Spark, which does not have the project's files."""

from __future__ import annotations

import uuid

import pytest
from headwater.errors import QueryError
from headwater.profile import Profile
from headwater.project import load_project
from headwater.stack import Stack
from headwater.write import write
from project_tables import forget
from pyspark.sql.connect.session import SparkSession

pytestmark = pytest.mark.box

WORDS = """
FACTOR = 3

def times(number):
    if number > 3:
        raise LookupError("there is no such number")
    return number * FACTOR
"""
TABLE = """
from headwater import Column, Table
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from {package}._words import times

def body():
    spark = SparkSession.active()
    return spark.range({count}).select(F.udf(times, "bigint")("id").alias("id"))

made = Table(name="curated.{package}", doc="Threes.", owner="team:tests", columns=(Column("id", "long", "Id."),),
             engine="spark", body=body)
"""


@pytest.fixture
def project(box, tmp_path):
    """Makes a project of one table, whose definitions are files next to its headwater.toml."""

    def make(count):
        package = f"carried_{uuid.uuid4().hex[:8]}"
        folder = tmp_path / package
        folder.mkdir()
        (tmp_path / "headwater.toml").write_text(f'[project]\nname = "p"\ndefinitions = ["{package}"]\n')
        (folder / "_words.py").write_text(WORDS)
        (folder / "made.py").write_text(TABLE.format(package=package, count=count))
        return Profile.load({**box.environment(), "HEADWATER_PROJECT": str(tmp_path)})

    return make


def test_functions_of_the_projects_own_run_where_spark_does(project):
    """They go there with the plan, and with them what they call of other files of the project."""
    profile = project(4)
    [table] = load_project(profile).tables
    stack = Stack.build(profile)
    stack.engine("spark").rows("SELECT 1")
    # As in a thread that did not make the session, after another one has ended.
    SparkSession._active_session.session = SparkSession._default_session = None
    try:
        write(table, stack, run="test")
        found = stack.engine("trino").rows(f"SELECT id FROM {table} ORDER BY id")
    finally:
        forget(stack, [table])

    assert [one["id"] for one in found] == [0, 3, 6, 9]


def test_what_a_function_raises_is_in_the_sentence(project):
    """As a run of Dagster shows it; the trace of the worker would not say more."""
    profile = project(5)
    [table] = load_project(profile).tables
    stack = Stack.build(profile)
    try:
        with pytest.raises(QueryError, match="a Python function raised LookupError: there is no such number"):
            write(table, stack, run="test")
    finally:
        forget(stack, [table])
