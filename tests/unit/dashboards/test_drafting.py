"""A draft is a valid dashboard of any table, and says something sensible of it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import sqlglot
from headwater.errors import DashboardError
from headwater_dashboards.documents import Document, Documents, load
from headwater_dashboards.drafting import draft_of
from headwater_dashboards.pulling import write_files
from headwater_dashboards.surveying import ColumnSurvey, Survey, survey
from headwater_dashboards.tables import ColumnFacts, TableFacts
from headwater_dashboards.validation import validate
from hypothesis import example, given
from hypothesis import strategies as st

TYPES = (
    *("BOOLEAN", "TINYINT", "INTEGER", "BIGINT", "REAL", "DOUBLE", "DECIMAL(12,2)", "VARCHAR", "CHAR(2)", "DATE"),
    *("TIMESTAMP(6)", "TIMESTAMP(6) WITH TIME ZONE", "VARBINARY", "ROW(a INTEGER)", "ARRAY(VARCHAR)", "MAP(A, B)"),
)


def _column(name, kind, *, distinct=10, filled=1000, low=0.0, high=100.0, days=400):
    facts = ColumnFacts(name, kind)
    number = kind.startswith(("TINY", "INT", "BIG", "REAL", "DOUBLE", "DECIMAL"))
    time = facts.is_time
    return ColumnSurvey(
        facts, distinct, filled, low if number else None, high if number else None, days if time else None
    )


def _survey(*columns, rows=1000):
    return Survey(TableFacts("raw.any", tuple(one.facts for one in columns), "Rows."), rows, columns)


def _charts(seen):
    files = draft_of(seen, Documents(()), Path("d"))
    return {file.stem: data for file, data in files.items() if file.parent.name == "charts"}


numbers = st.floats(-1e12, 1e12, allow_nan=False)
columns = st.builds(
    lambda kind, distinct, filled, edges, days: _column(
        "c", kind, distinct=distinct, filled=filled, low=min(edges), high=max(edges), days=days
    ),
    st.sampled_from(TYPES),
    st.integers(0, 3000),
    st.integers(0, 3000),
    st.tuples(numbers, numbers),
    st.integers(0, 90000),
)


@given(st.lists(columns, min_size=1, max_size=20), st.integers(0, 3000))
def test_any_table_gets_a_valid_dashboard(tmp_path_factory, found, rows):
    """Whatever columns it has and whatever stands in them."""
    named = [
        ColumnSurvey(ColumnFacts(f"c{index}", one.facts.type), one.distinct, one.filled, one.low, one.high, one.days)
        for index, one in enumerate(found)
    ]
    seen = _survey(*named, rows=rows)
    folder = tmp_path_factory.mktemp("draft")

    write_files(draft_of(seen, Documents(()), folder))

    assert validate(load([folder]), lambda name: seen.table if name == "raw.any" else None)


def test_a_table_is_shown_over_time_by_kind_and_by_spread():
    """Each row of the dashboard answers one question."""
    seen = _survey(
        _column("id", "BIGINT", distinct=1000),
        _column("year", "INTEGER", low=2019, high=2021, distinct=3),
        _column("sold_on", "DATE", distinct=300, days=700),
        _column("state", "VARCHAR", distinct=50),
        _column("paid", "BOOLEAN", distinct=2),
        _column("price", "DOUBLE", distinct=900, low=0.5, high=99.5),
        _column("note", "VARCHAR", distinct=990),
        _column("place", "ROW(lat DOUBLE)"),
    )
    charts = _charts(seen)

    assert set(charts) == {
        *("raw_any_rows", "raw_any_average_price", "raw_any_by_sold_on", "raw_any_top_state", "raw_any_top_paid"),
        *("raw_any_spread_price", "raw_any_sample"),
    }
    assert charts["raw_any_by_sold_on"]["params"]["time_grain_sqla"] == "P1M"
    assert charts["raw_any_top_paid"]["kind"] == "pie"
    assert charts["raw_any_top_paid"]["params"]["labels_outside"]
    assert charts["raw_any_top_state"]["params"]["row_limit"] == 10
    assert "/ 5) * 5" in charts["raw_any_spread_price"]["params"]["x_axis"]["sqlExpression"]
    assert "place" not in charts["raw_any_sample"]["params"]["all_columns"]


def _counted(params, values):
    """What a spread's bars hold of some values; Trino's SQL as DuckDB reads it."""
    bar, wanted = params["x_axis"]["sqlExpression"], params["adhoc_filters"][0]["sqlExpression"]
    sql = f"SELECT {bar} AS bar, count(*) FROM seen WHERE {wanted} GROUP BY 1 ORDER BY 1"
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE seen (fare DOUBLE)")
        connection.executemany("INSERT INTO seen VALUES (?)", [(one,) for one in values])
        return dict(connection.sql(sqlglot.transpile(sql, read="trino", write="duckdb")[0]).fetchall())


@given(st.lists(st.floats(-50, 500, allow_nan=False), min_size=1, max_size=60))
@example([-3.0, 0.0, 18.99, 19.0, 19.5, 55.0, 400.0, float("inf")])
def test_a_spread_counts_every_row(values):
    """What lies below and above what is usual is in the first and the last bar, and the title says so."""
    chart = _charts(_survey(_column("fare", "DOUBLE", distinct=900, low=1.0, high=19.4)))["raw_any_spread_fare"]
    bars = _counted(chart["params"], [*values, None, float("nan")])

    assert chart["title"] == "Spread of fare, steps of 1, from below 2 to 19 and more"
    assert sum(bars.values()) == len(values)
    assert bars.get(19.0, 0) == sum(one >= 19 for one in values)
    assert bars.get(1.0, 0) == sum(one < 2 for one in values)


@pytest.mark.parametrize("kind", ["BIGINT", "DOUBLE"])
def test_a_few_rows_have_no_spread(kind):
    """Twenty rows would be twenty bars of one row each; of more rows a bar still stands for several."""
    few, some = (_charts(_survey(_column("loans", kind, distinct=n // 2, filled=n), rows=n)) for n in (20, 100))

    assert "raw_any_spread_loans" not in few
    assert some["raw_any_spread_loans"]["title"].startswith("Spread of loans, steps of 10, ")


def test_columns_may_be_called_anything(tmp_path):
    """A file's name is made of what a file's name can hold, and no chart replaces another."""
    seen = _survey(*(_column(name, "VARCHAR") for name in ("a/b", "a b", "größe (cm)", "../../x", "select")))

    write_files(draft_of(seen, Documents(()), tmp_path))

    documents = load([tmp_path])
    assert len(documents.of("charts")) == 6
    assert validate(documents, lambda _: seen.table)
    assert {file.parent.parent for file in tmp_path.rglob("*.yaml")} == {tmp_path}


def test_without_a_time_a_year_is_counted():
    """A table without dates often has years."""
    seen = _survey(_column("year", "INTEGER", low=2019, high=2021, distinct=3))

    assert _charts(seen)["raw_any_by_year"]["params"]["x_axis"] == "year"


def test_a_second_draft_is_the_first():
    """The same uuids: it replaces itself instead of standing beside itself."""
    seen = _survey(_column("price", "DOUBLE"))

    assert draft_of(seen, Documents(()), Path("d")) == draft_of(seen, Documents(()), Path("d"))


def test_a_dataset_of_the_table_is_used_again(written):
    """Its expressions and titles count for the draft too."""
    seen = Survey(TableFacts("raw.trips", (ColumnFacts("fare", "DOUBLE"),)), 3, (_column("fare", "DOUBLE"),))
    files = draft_of(seen, written.load(), written.folder)

    assert not [file for file in files if file.parent.name == "datasets"]
    assert {data["dataset"] for file, data in files.items() if file.parent.name == "charts"} == {"trips"}


class _Engine:
    """Answers the survey with one row and keeps the statement."""

    def __init__(self, row):
        self.row, self.sql = row, ""

    def rows(self, sql):
        self.sql = sql
        return [self.row]


def test_the_survey_asks_one_question_and_leaves_out_what_has_no_order():
    """Names are quoted; nested columns are listed without figures."""
    table = TableFacts(
        "raw.odd", (ColumnFacts('a"b', "DOUBLE"), ColumnFacts("t", "DATE"), ColumnFacts("m", "MAP(A, B)"))
    )
    engine = _Engine({"c": 5, "d0": 4, "n0": 5, "l0": 1, "h0": 9.5, "d1": 2, "n1": 3, "t1": 30})

    seen = survey(table, engine)

    assert 'FROM "raw"."odd" LIMIT' in engine.sql
    assert '"a""b"' in engine.sql
    assert [(one.distinct, one.filled, one.low, one.high, one.days) for one in seen.columns] == [
        (4, 5, 1.0, 9.5, None),
        (2, 3, None, None, 30),
        (0, 0, None, None, None),
    ]


def test_a_table_of_nested_columns_only_still_counts_its_rows():
    """The survey then has no column to look at."""
    table = TableFacts("raw.odd", (ColumnFacts("m", "MAP(A, B)"),))
    engine = _Engine({"c": 7})

    assert survey(table, engine).rows == 7
    assert set(_charts(Survey(table, 7, (ColumnSurvey(table.columns[0]),)))) == {"raw_odd_rows"}


def test_a_document_knows_the_line_of_the_nearest_place():
    """A place that is not written has the line of what is around it."""
    one = Document("charts", Path("x.yaml"), {}, {(): 1, ("a",): 3})

    assert one.at("a", "b", 0) == "x.yaml, line 3"
    assert one.at("z") == "x.yaml, line 1"


def test_a_project_that_cannot_be_written_is_one_sentence_with_a_way_out(tmp_path):
    """As in a container, where it is part of the image."""
    (tmp_path / "dashboards").write_text("no folder", encoding="utf-8")

    with pytest.raises(DashboardError) as failed:
        write_files({tmp_path / "dashboards" / "charts" / "rows.yaml": {"title": "Rows"}})
    assert str(failed.value) == (
        f"{tmp_path}/dashboards/charts/rows.yaml cannot be written: Not a directory. Where the project is read-only, "
        "as in a container, set HEADWATER_PROJECT to a copy of it."
    )
