"""What is known of a table that has no definition: what the profile's engine says of it, in that engine's words."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from headwater.dialects import ATHENA, TRINO
from headwater.errors import QueryError
from headwater_dashboards.tables import ColumnFacts, TableFacts, reader

NOTHING = SimpleNamespace(tables=())


def _engine(dialect, answer):
    asked = []

    def texts(sql):
        asked.append(sql)
        if isinstance(answer, Exception):
            raise answer
        return ["a", "b", "c", "d"], answer

    return SimpleNamespace(dialect=dialect, texts=texts, asked=asked)


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        (TRINO, 'DESCRIBE "raw"."order__rejected"'),
        (ATHENA, "information_schema.columns WHERE table_schema = 'raw' AND table_name = 'order__rejected' ORDER"),
    ],
)
def test_columns_are_asked_for_as_the_engine_wants_it(dialect, statement):
    """Athena's DESCRIBE would give lines for people."""
    engine = _engine(dialect, [["fare", "decimal(9,2)", "", "In dollars."], ["on", "date", None, None]])

    found = reader(NOTHING, lambda: engine)("raw.order__rejected")

    columns = (ColumnFacts("fare", "DECIMAL(9,2)", "In dollars."), ColumnFacts("on", "DATE"))
    assert found == TableFacts("raw.order__rejected", columns)
    assert [statement in sql for sql in engine.asked] == [True]


@pytest.mark.parametrize("answer", [QueryError("Table raw.gone does not exist"), []])
def test_a_table_that_is_not_there_is_none(answer):
    """Trino refuses, Athena lists nothing."""
    assert reader(NOTHING, lambda: _engine(TRINO, answer))("raw.gone") is None
