"""Every function body of the loans on the Spark that EMR Serverless has: the same rows as on the box's own."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from command_line import headwater
from emr_spark import emr_spark
from headwater.profile import Profile
from headwater.project import load_project
from headwater.stack import Stack
from headwater.write import load_raw, write
from project_tables import forget, names_of

pytestmark = [pytest.mark.box, pytest.mark.full]

PROJECT = '[project]\nname = "loans"\ndefinitions = ["headwater_assets.loans"]\n'


@pytest.fixture(scope="module")
def project(box, tmp_path_factory):
    """A project of its own with the loans of one year, whose raw files are loaded; nothing else is there."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "headwater.toml").write_text(PROJECT, encoding="utf-8")
    out = folder / "data" / "loans"
    headwater(box, "demo-data", "loans", "--rows", "500", "--years", "2019-2019", "--out", str(out))
    stack = Stack.build(Profile.load({**box.environment(), "HEADWATER_PROJECT": str(folder)}))
    tables = load_project(stack.profile).tables
    for table in tables:
        if table.zone == "raw":
            load_raw(table, stack, run="files", partitions=["2019"])
    yield stack, tables
    forget(stack, tables)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def emr(box, tmp_path_factory):
    """That Spark."""
    with emr_spark(box, tmp_path_factory.mktemp("spark")) as engine:
        yield engine


def test_every_function_body_gives_the_same_rows(project, emr):
    """Whole rows and rejected ones, in every table that Spark makes."""
    stack, tables = project
    bodies = [table for table in tables if callable(table.body)]
    assert len(bodies) >= 3
    told = {}
    for engine in (stack.engine("spark"), emr):
        with_it = replace(stack, engines={**stack.engines, "spark": engine})
        published = [write(table, with_it, run=f"by-{id(engine)}", partitions=["2019"]) for table in bodies]
        told[engine] = [(one.rows, one.rejected) for one in published], [_rows(stack, one) for one in names_of(bodies)]
    (counts, rows), (emr_counts, emr_rows) = told.values()

    assert emr_counts == counts
    assert all(one.num_rows for one in rows)
    for here, there in zip(rows, emr_rows, strict=True):
        assert there.schema == here.schema
        assert there.equals(here)


def _rows(stack, name):
    rows = stack.engine("trino").arrow(f"SELECT * FROM {name}")
    return rows.sort_by([(column, "ascending") for column in rows.column_names])
