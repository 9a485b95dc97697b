"""The cases that every engine must answer alike, asked of the real engines."""

from __future__ import annotations

import pytest
from check_cases import CASES, PARENT, PARENT_ROWS, rows_sql
from headwater.checks import run_checks

pytestmark = pytest.mark.box

VIEWS = {
    "trino": ("CREATE OR REPLACE VIEW {name} AS {sql}", '"curated"."checked_rows"'),
    "spark": ("CREATE OR REPLACE TEMPORARY VIEW {name} AS {sql}", "checked_rows"),
}


@pytest.fixture(scope="module")
def parent(stack):
    """The table that foreign keys and own SQL look up."""
    trino = stack.engine("trino")
    trino.rows(f"DROP TABLE IF EXISTS {PARENT.name}")
    trino.rows(f"CREATE TABLE {PARENT.name} AS {rows_sql(PARENT.types, PARENT_ROWS, 'trino')}")
    yield
    trino.rows(f"DROP TABLE {PARENT.name}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
@pytest.mark.parametrize("engine", ["trino", "spark"])
def test_a_check_counts_the_same_rows_on_every_engine(stack, parent, case, engine):
    """The number of broken rows is the case's; a broken check shows some of them."""
    running = stack.engine(engine)
    view, relation = VIEWS[engine]
    running.rows(view.format(name=relation, sql=case.rows_sql(engine)))
    results = run_checks(case.table, relation, engine, run=running.rows, partition_values=case.partition_values)

    [result] = [result for result in results if result.check == case.check.name]
    assert result.broken == case.broken
    assert result.passed == (case.broken == 0)
