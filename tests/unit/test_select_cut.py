"""Which tables a SELECT reads in step with a column, so that a partition is made of the same partition of theirs."""

from __future__ import annotations

import pytest
from headwater import Column, Partitioning, Table
from headwater.sqlbody import tables_in_step
from headwater_assets.loans.loan_state import loan_state

YEARS = Partitioning("year", by="year", start="2019")
COLUMNS = (Column("year", "int", "Y."), Column("id", "int", "I."))


def upstream(name: str, cut: Partitioning | None = YEARS) -> Table:
    """Return a table that bodies read."""
    return Table(
        name=f"partitioned.{name}", doc="d", owner="team:t", columns=COLUMNS, partitioning=cut,
        body="SELECT 1 AS year, 1 AS id",
    )  # fmt: skip


A, B = upstream("a"), upstream("b")


def in_step(body: str, *upstreams: Table) -> set[str]:
    """Return the tables, without their zone."""
    made = Table(name="curated.c", doc="d", owner="team:t", columns=COLUMNS, partitioning=YEARS, upstreams=upstreams,
                 body=body)  # fmt: skip
    return {name.partition(".")[2] for name in tables_in_step(made)}


FROM_A = "FROM partitioned.a AS a"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"SELECT a.year, count(*) AS id {FROM_A} GROUP BY a.year", {"a"}),
        (f"SELECT a.year + 0 AS year, a.id {FROM_A}", set()),
        (f"SELECT max(a.year) AS year, a.id {FROM_A} GROUP BY a.id", set()),
        (f"SELECT a.id AS year, a.year AS id {FROM_A}", set()),
        (f"SELECT a.year, sum(a.id) OVER (ORDER BY a.id) AS id {FROM_A}", set()),
        (f"SELECT a.year, a.id {FROM_A} ORDER BY a.id LIMIT 5", set()),
        ("WITH w AS (SELECT year, max(id) AS id FROM partitioned.a GROUP BY year) SELECT year, id FROM w", {"a"}),
        (f"SELECT a.year, a.id {FROM_A} WHERE a.id IN (SELECT id FROM partitioned.a)", set()),
        (f"SELECT a.year, a.id {FROM_A} UNION ALL SELECT x.year, x.id FROM partitioned.a AS x", {"a"}),
        (f"SELECT a.year, a.id {FROM_A} UNION ALL SELECT x.id, x.year FROM partitioned.a AS x", set()),
    ],
)  # fmt: skip
def test_of_one_table(body, expected):
    """The column is passed on as it is, wherever the table is read, and no row of another value has a say."""
    assert in_step(body, A) == expected


@pytest.mark.parametrize(
    ("join", "expected"),
    [
        ("JOIN partitioned.b AS b ON b.year = a.year AND b.id = a.id", {"a", "b"}),
        ("LEFT JOIN partitioned.b AS b ON (a.year = b.year) AND b.id > 1", {"a", "b"}),
        ("FULL JOIN partitioned.b AS b ON a.year = b.year", {"a", "b"}),
        ("JOIN partitioned.b AS b ON b.id = a.id", {"a"}),
        ("JOIN partitioned.b AS b ON b.year = a.year OR b.id = a.id", {"a"}),
        ("CROSS JOIN partitioned.b AS b WHERE b.year = a.year", {"a", "b"}),
        ("CROSS JOIN partitioned.b AS b LEFT JOIN partitioned.b AS x ON x.year = a.year AND a.year = b.year", {"a"}),
    ],
)
def test_of_two_tables(join, expected):
    """The other's column is equal by a condition that holds for every row of it that counts."""
    assert in_step(f"SELECT a.year, b.id FROM partitioned.a AS a {join}", A, B) == expected


def test_a_table_that_is_cut_otherwise_is_not_in_step():
    """Equal values are not enough: it must have partitions, and of that column."""
    assert in_step(f"SELECT a.year, a.id {FROM_A}", upstream("a", None)) == set()
    assert in_step(f"SELECT a.id AS year, a.id {FROM_A}", A) == set()


def test_the_states_of_a_year_come_from_the_loans_and_months_of_that_year():
    """The demo's own table: one upstream gives the year, the other is joined by it."""
    assert tables_in_step(loan_state) == {"partitioned.loan_origination", "partitioned.loan_performance"}
