"""Which changes of a definition an existing table takes, and which are refused before any write."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from headwater.ddl import iceberg_schema
from headwater.errors import EvolutionError
from headwater.evolve import Evolution, plan_evolution
from headwater.table import Column, Partitioning, Table
from hypothesis import given
from hypothesis import strategies as st

ID = Column("id", "string", "The id.", required=True)
YEAR = Column("year", "int", "The year.")
COUNT = Column("count", "int", "How many.")


def _table(*columns: Column, **more: Any) -> Table:
    given = {"columns": columns, "body": lambda *_: None, "engine": "spark"}
    return Table(name="curated.loan", doc="Loans.", owner="team:loans", **{**given, **more})


def _plan(before: Table, after: Table, *, has_rows: bool = True) -> Evolution:
    cut = before.partitioning.column if before.partitioning else None
    return plan_evolution(iceberg_schema(before), after, partitioned_by=cut, has_rows=has_rows)


def test_the_same_definition_asks_for_nothing() -> None:
    """An unchanged table has nothing to apply, also when its columns are told in another order."""
    assert not _plan(_table(ID, COUNT), _table(ID, COUNT))
    assert not _plan(_table(ID, COUNT), _table(COUNT, ID))


def test_a_nullable_column_may_be_added_anywhere() -> None:
    """Old rows have null in it."""
    new = Column("new", "double", "New.")

    assert _plan(_table(ID), _table(new, ID)) == Evolution(add=(new,))


def test_a_required_column_may_be_added_while_there_are_no_rows() -> None:
    """Rows that are there have no value for it."""
    assert _plan(_table(COUNT), _table(COUNT, ID), has_rows=False) == Evolution(add=(ID,))
    with pytest.raises(EvolutionError, match="already has rows, so its new column 'id'") as refused:
        _plan(_table(COUNT), _table(COUNT, ID))
    assert "declare it without required=True" in str(refused.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [("int", "long"), ("float", "double"), ("decimal(10,2)", "decimal(12,2)"), ("decimal(9,0)", "decimal(38,0)")],
)
def test_a_type_may_become_wider(before: str, after: str) -> None:
    """Iceberg reads old values as the wider type."""
    wide = Column("n", after, "N.")

    assert _plan(_table(Column("n", before, "N.")), _table(wide)) == Evolution(widen=(wide,))


def test_docs_and_nullability_follow_the_definition() -> None:
    """A new doc is written, and a column that may be null from now on is relaxed."""
    loose = Column("id", "string", "Another doc.")

    assert _plan(_table(ID), _table(loose)) == Evolution(update_doc=(loose,), relax=(loose,))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("long", "int"),
        ("double", "float"),
        ("int", "string"),
        ("string", "int"),
        ("int", "double"),
        ("date", "timestamp"),
        ("timestamp", "timestamptz"),
        ("decimal(10,2)", "decimal(9,2)"),
        ("decimal(10,2)", "decimal(12,3)"),
        ("decimal(10,2)", "long"),
    ],
)
def test_any_other_change_of_type_is_refused(before: str, after: str) -> None:
    """The sentence names table, column, both types and the ways out."""
    with pytest.raises(EvolutionError) as refused:
        _plan(_table(Column("n", before, "N.")), _table(Column("n", after, "N.")))

    assert str(refused.value) == (
        f"Table curated.loan has column 'n' as {before}, which cannot become {after} without losing values: "
        f"restore {before}, or add a column of the new type under another name."
    )


def test_a_column_is_neither_dropped_nor_made_required() -> None:
    """What is there stays readable, and what may hold nulls stays so."""
    with pytest.raises(
        EvolutionError, match=r"has a column 'count' \(int\) that its definition lacks.* drop column count"
    ):
        _plan(_table(ID, COUNT), _table(ID))
    with pytest.raises(EvolutionError, match="declare a NotNull check instead"):
        _plan(_table(COUNT), _table(Column("count", "int", "How many.", required=True)))


def test_partitioning_does_not_change() -> None:
    """A table cannot be cut another way, start being cut or stop being cut."""
    cut = _table(ID, YEAR, COUNT, partitioning=Partitioning("year", "year", "2019"))
    other = _table(ID, YEAR, COUNT, partitioning=Partitioning("count", "year", "2019"))

    for before, after in ((cut, other), (cut, _table(ID, YEAR, COUNT)), (_table(ID, YEAR, COUNT), cut)):
        with pytest.raises(EvolutionError, match="restore the partitioning, or give the new shape a new table name"):
            _plan(before, after)


TYPES = st.sampled_from(["int", "long", "float", "double", "string", "date", "decimal(9,2)", "decimal(12,2)"])
COLUMNS = st.builds(Column, st.sampled_from("abcdef"), TYPES, st.sampled_from(["x", "y"]), required=st.booleans())
TABLES = st.lists(COLUMNS, min_size=1, max_size=6, unique_by=lambda column: column.name).map(lambda made: _table(*made))


@given(TABLES, TABLES, st.booleans())
def test_an_applied_plan_leaves_nothing_to_do(before: Table, after: Table, has_rows: bool) -> None:  # noqa: FBT001
    """Whatever is not refused brings the table to its definition; planning again finds nothing."""
    try:
        _plan(before, after, has_rows=has_rows)
    except EvolutionError:
        return

    assert not _plan(after, after)
    assert set(before.column_names) <= set(after.column_names)


def test_pyiceberg_applies_what_is_planned() -> None:
    """The legal changes are those that PyIceberg's own schema update accepts."""
    from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
    from pyiceberg.table.metadata import new_table_metadata
    from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
    from pyiceberg.table.update.schema import UpdateSchema

    before = _table(ID, COUNT, Column("paid", "decimal(9,2)", "Paid."), Column("rate", "float", "Rate."))
    after = _table(
        Column("id", "string", "Its id."),
        Column("count", "long", "How many."),
        Column("paid", "decimal(12,2)", "Paid."),
        Column("rate", "double", "Rate."),
        Column("new", "date", "New."),
    )
    asked = _plan(before, after)
    wanted = {field.name: field for field in iceberg_schema(after).fields}
    schema = iceberg_schema(before)
    metadata = new_table_metadata(schema, UNPARTITIONED_PARTITION_SPEC, UNSORTED_SORT_ORDER, "s3://lake/curated/loan")
    # All that it asks of a transaction while no table is written.
    transaction: Any = SimpleNamespace(table_metadata=metadata)
    update = UpdateSchema(transaction, schema=schema)
    for column in asked.widen:
        update.update_column(column.name, field_type=wanted[column.name].field_type)
    for column in asked.update_doc:
        update.update_column(column.name, doc=column.doc)
    for column in asked.relax:
        update.update_column(column.name, required=False)
    for column in asked.add:
        update.add_column(column.name, wanted[column.name].field_type, doc=column.doc, required=column.required)

    assert not plan_evolution(update._apply(), after, partitioned_by=None, has_rows=True)
