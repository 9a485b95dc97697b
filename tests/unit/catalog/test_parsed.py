"""Lineage from SQL text: every statement, in both dialects, table by table and column by column."""

from __future__ import annotations

import pytest
from headwater_catalog.model import Kind
from headwater_catalog.parsed import lineages, query_lineage
from hypothesis import given
from hypothesis import strategies as st

COLUMNS = {
    "curated.a": ("id", "x", "y"),
    "curated.b": ("id", "z"),
    "curated.t": ("id", "v", "w"),
    "tpch.sf1.nation": ("nationkey", "name"),
}


def edges(sql: str, dialect: str = "trino") -> set[str]:
    """Return the last statement's column edges, readably; those on its rows as a whole name no column."""
    found = lineages(sql, dialect, COLUMNS)[-1]
    assert not found.problem
    return {
        f"{edge.source.rpartition('.')[2]}.{edge.source_column} {edge.kind.value} {edge.target_column}".strip()
        for edge in found.columns
    }


def tables(sql: str, dialect: str = "trino") -> tuple[str, set[str]]:
    """Return the last statement's target and sources."""
    found = lineages(sql, dialect, COLUMNS)[-1]
    assert not found.problem
    return found.target, set(found.sources)


BOTH = pytest.mark.parametrize("dialect", ["trino", "spark"])


@BOTH
def test_a_query_says_what_happens_to_each_column(dialect):
    """Copied, transformed and aggregated values; joins, filters and groups decide about rows."""
    sql = """SELECT a.id, sum(b.z) AS s, upper(x) AS u, count(*) AS n FROM curated.a JOIN curated.b AS b ON a.id = b.id
             WHERE y > 1 GROUP BY a.id, x HAVING max(b.z) > 2"""

    assert edges(sql, dialect) == {
        "a.id copied id", "b.z aggregated s", "a.x transformed u",
        "a.id join", "b.id join", "a.y filter", "b.z filter", "a.id aggregated", "a.x aggregated",
    }  # fmt: skip


@BOTH
@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO curated.t SELECT id, x, y FROM curated.a",
        "INSERT INTO curated.t (v, w, id) SELECT x, y, id FROM curated.a",
        "INSERT INTO curated.t SELECT * FROM curated.a",
        "INSERT INTO curated.t WITH q AS (SELECT * FROM curated.a) SELECT q.id, q.x, q.y FROM q",
        "INSERT INTO curated.t SELECT s.i, s.x, y FROM (SELECT id AS i, x, y FROM (SELECT * FROM curated.a) AS d) AS s",
    ],
)
def test_an_insert_maps_columns_by_position(sql, dialect):
    """With or without a column list, through stars, CTEs and subqueries, each column finds its own."""
    assert tables(sql, dialect) == ("curated.t", {"curated.a"})
    assert edges(sql, dialect) == {"a.id copied id", "a.x copied v", "a.y copied w"}


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("CREATE TABLE iceberg.curated.n WITH (format = 'ORC') AS SELECT id AS k FROM hive.curated.a", "trino"),
        ("CREATE OR REPLACE VIEW curated.n AS SELECT id AS k FROM curated.a", "trino"),
        ("CREATE VIEW curated.n (k) AS SELECT id FROM curated.a", "trino"),
        ("CREATE TABLE spark_catalog.curated.n USING iceberg AS SELECT id AS k FROM `curated`.`A`", "spark"),
        ("CREATE VIEW curated.n (k COMMENT 'key') AS SELECT id FROM curated.a", "spark"),
        ('CREATE TABLE curated."N" AS SELECT "ID" AS "K" FROM "Curated"."A"', "trino"),
    ],
)
def test_what_is_created_from_a_query(sql, dialect):
    """Tables and views, under every connector's name and in any case, are the same tables."""
    assert tables(sql, dialect) == ("curated.n", {"curated.a"})
    assert edges(sql, dialect) == {"a.id copied k"}


def test_a_merge_reads_its_source_and_not_its_target():
    """The target is no source of itself unless its values are read; conditions decide about rows."""
    sql = """MERGE INTO curated.t AS t USING curated.a AS s ON t.id = s.id
             WHEN MATCHED AND s.y > 0 THEN UPDATE SET v = s.x
             WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.x)"""

    assert tables(sql) == ("curated.t", {"curated.a"})
    assert edges(sql) == {"a.id copied id", "a.x copied v", "a.id join", "a.y filter"}
    assert "t.w transformed w" in edges(sql.replace("v = s.x", "v = s.x, w = t.w + 1", 1))


def test_sparks_merge_of_all_columns():
    """UPDATE SET * and INSERT * go by name."""
    sql = """MERGE INTO curated.t USING (SELECT id, x AS v, y AS w FROM curated.a) AS s ON t.id = s.id
             WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"""

    assert edges(sql, "spark") == {"a.id copied id", "a.x copied v", "a.y copied w", "a.id join"}


def test_updates_and_deletes():
    """A value taken from the table itself is a loop that the SQL has; finding the rows is none."""
    assert tables("UPDATE curated.t SET v = w WHERE id = 3") == ("curated.t", {"curated.t"})
    assert edges("UPDATE curated.t SET v = w WHERE id = 3") == {"t.w copied v"}
    assert tables("DELETE FROM curated.t WHERE id IN (SELECT id FROM curated.a)") == ("curated.t", {"curated.a"})
    assert tables("DELETE FROM curated.t WHERE id = 1") == ("curated.t", set())
    assert tables("INSERT INTO curated.t SELECT id, v + 1, w FROM curated.t") == ("curated.t", {"curated.t"})


def test_a_join_in_parentheses_decides_about_rows():
    """Trino writes a view's joins so; a join below, in a query of its own, counts once."""
    sql = "CREATE VIEW curated.n AS SELECT a.x FROM (curated.a a INNER JOIN curated.b b ON (a.id = b.id))"
    assert edges(sql) == {"a.x copied x", "a.id join", "b.id join"}


def test_self_joins_have_no_loops_and_one_source():
    """One table under two aliases is one source of a query."""
    sql = "SELECT l.id, r.x FROM curated.a AS l JOIN curated.a AS r ON l.id = r.y"

    assert tables(sql) == ("", {"curated.a"})
    assert edges(sql) == {"a.id copied id", "a.x copied x", "a.id join", "a.y join"}


def test_set_operations():
    """UNION takes values of both sides by position; the right side of EXCEPT and INTERSECT decides about rows."""
    assert edges("SELECT x AS k FROM curated.a UNION ALL SELECT z FROM curated.b") == {"a.x copied k", "b.z copied k"}
    for word in ("EXCEPT", "INTERSECT"):
        assert edges(f"SELECT x FROM curated.a {word} SELECT z FROM curated.b") == {"a.x copied x", "b.z filter"}


def test_windows_and_conditions():
    """A CASE's question changes the value; a window's cut and order decide which rows count for it."""
    sql = """SELECT sum(x) OVER (PARTITION BY id ORDER BY y) AS s,
                    CASE WHEN y > 1 THEN x END AS c, CAST(x AS bigint) AS i FROM curated.a"""

    assert edges(sql) == {
        "a.x aggregated s", "a.id window s", "a.y window s",
        "a.y transformed c", "a.x transformed c", "a.x transformed i",
    }  # fmt: skip


def test_a_window_stays_one_however_its_value_is_used():
    """What is computed of a numbered row is computed of no column that the rows were numbered by."""
    numbered = "SELECT id, row_number() OVER (PARTITION BY x ORDER BY y DESC) AS n FROM curated.a"

    assert edges(f"SELECT n + 1 AS m, sum(id) OVER (ORDER BY n) AS s FROM ({numbered}) AS q") == {
        "a.x window m", "a.y window m", "a.id aggregated s", "a.x window s", "a.y window s",
    }  # fmt: skip


def test_an_aggregate_below_makes_the_whole_an_aggregate():
    """Kinds add up along subqueries."""
    assert edges("SELECT s + 1 AS t FROM (SELECT sum(x) AS s FROM curated.a) AS q") == {"a.x aggregated t"}


def test_subqueries_in_every_place():
    """A scalar subquery gives values; EXISTS and IN decide about rows; correlation finds the outer table."""
    sql = """SELECT (SELECT max(b.z) FROM curated.b AS b WHERE b.id = a.id) AS m FROM curated.a AS a
             WHERE a.y IN (SELECT nationkey FROM tpch.sf1.nation)"""

    assert edges(sql) == {"b.z aggregated m", "b.id filter", "a.id filter", "a.y filter", "nation.nationkey filter"}
    assert tables(sql) == ("", {"curated.a", "curated.b", "tpch.sf1.nation"})


def test_arrays_taken_apart():
    """UNNEST and LATERAL VIEW: each column comes from its own array."""
    assert edges("SELECT e, f FROM curated.a CROSS JOIN UNNEST(x, y) AS u (e, f)") == {
        "a.x transformed e",
        "a.y transformed f",
    }
    assert edges("SELECT e FROM curated.a LATERAL VIEW explode(x) u AS e", "spark") == {"a.x transformed e"}


def test_two_outputs_of_one_name_are_two():
    """An INSERT goes by position, whatever they are called; so does a UNION."""
    sql = "SELECT p.x, q.x FROM curated.a AS p JOIN curated.a AS q ON p.id = q.y"

    assert {"a.x copied v", "a.x copied w"} <= edges(f"INSERT INTO curated.t (v, w) {sql}")
    assert {"a.x copied id", "a.y copied id", "a.id copied id"} <= edges(
        "INSERT INTO curated.t (v, id) SELECT id, x FROM curated.a UNION ALL "
        "SELECT p.id, p.id FROM curated.a p UNION ALL SELECT y, y FROM curated.a"
    )


@BOTH
def test_using_takes_the_left_side(dialect):
    """Of an inner or left join its values are the column's; a full one chooses."""
    inner = edges("SELECT id, x, z FROM curated.a JOIN curated.b USING (id)", dialect)
    full = edges("SELECT id, x, z FROM curated.a FULL JOIN curated.b USING (id)", dialect)

    assert inner == {"a.id copied id", "a.x copied x", "b.z copied z", "a.id join", "b.id join"}
    assert {"a.id transformed id", "b.id transformed id"} <= full


def test_a_merge_that_sets_a_column_in_two_ways_has_both():
    """Each value is taken as it is, by the row."""
    sql = """MERGE INTO curated.t AS t USING curated.a AS s ON t.id = s.id
             WHEN MATCHED THEN UPDATE SET v = t.v + s.x WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.x)"""

    assert edges(sql) == {
        "a.id copied id", "t.v transformed v", "a.x transformed v", "a.x copied v", "a.id join",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ('SELECT snapshot_id AS s FROM iceberg.curated."a$snapshots"', "trino"),
        ("SELECT snapshot_id AS s FROM spark_catalog.curated.a.snapshots", "spark"),
        ("SELECT snapshot_id AS s FROM curated.a.snapshots", "spark"),
    ],
)
def test_a_metadata_table_is_read_of_its_table_and_has_columns_of_its_own(sql, dialect):
    """The table is a source; no column of it is."""
    assert tables(sql, dialect) == ("", {"curated.a"})
    assert edges(sql, dialect) == set()


def test_a_recursive_query_ends():
    """A CTE that reads itself has the columns of its start."""
    sql = """WITH RECURSIVE r (n, k) AS (SELECT id, x FROM curated.a UNION ALL SELECT n + 1, k FROM r WHERE n < 5)
             SELECT n, k FROM r"""

    assert {"a.id copied n", "a.x copied k"} <= edges(sql)
    assert tables(sql) == ("", {"curated.a"})


def test_temporary_views_are_seen_through():
    """They are no tables."""
    sql = "CREATE TEMPORARY VIEW v AS SELECT id, x FROM curated.a; INSERT INTO curated.b SELECT id, x + 1 FROM v"

    assert tables(sql, "spark") == ("curated.b", {"curated.a"})
    assert edges(sql, "spark") == {"a.id copied id", "a.x transformed z"}


def test_a_fixed_partition_takes_no_column():
    """INSERT OVERWRITE of one partition leaves its column out."""
    sql = "INSERT OVERWRITE TABLE curated.b PARTITION (id = 1) SELECT x FROM curated.a"

    assert edges(sql, "spark") == {"a.x copied z"}


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE curated.l (LIKE curated.a)", "SHOW TABLES", "DROP TABLE curated.a", "USE x.y"]
)
def test_what_moves_no_rows_has_no_lineage(sql):
    """Neither an edge nor a problem."""
    assert lineages(sql, "trino", COLUMNS) == ()


def test_unknown_columns_keep_the_table_edge_and_say_so():
    """A star over a table nobody knows: the tables are right, the columns are said to be missing."""
    found = lineages("INSERT INTO curated.t SELECT * FROM other.u", "trino", COLUMNS)[0]

    assert (found.target, found.sources) == ("curated.t", ("other.u",))
    assert "columns are not known" in found.problem
    named = lineages("SELECT u.k FROM (SELECT * FROM other.u) AS u", "trino", COLUMNS)[0]
    assert {(edge.source, edge.source_column) for edge in named.columns} == {("other.u", "k")}


@pytest.mark.parametrize("sql", ["SELECT FROM WHERE", "selec x", "SELECT 'open", "(" * 2000, "SELECT a FROM b c d e"])
def test_what_cannot_be_read_says_so(sql):
    """One sentence, no error."""
    found = lineages(sql, "trino", COLUMNS)

    assert len(found) == 1
    assert found[0].problem
    assert query_lineage(sql, "trino", COLUMNS, "x").problem


@given(st.text(max_size=80))
def test_no_text_raises(text):
    """Whatever is typed somewhere is read or refused."""
    for dialect in ("trino", "spark"):
        lineages(text, dialect, COLUMNS)


@given(st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=5), st.booleans())
def test_a_chain_of_subqueries_loses_nothing(hops, filtered):
    """However deep the nesting, the first table's column arrives, with every filter on the way."""
    sql, where = "SELECT id AS k FROM curated.a", " WHERE k > 1" if filtered else ""
    for hop in hops:
        sql = f"SELECT k FROM ({sql}) AS {hop}{where}"
    found = lineages(sql, "trino", COLUMNS)[0]

    assert found.sources == ("curated.a",)
    assert {edge.kind for edge in found.columns} == {Kind.COPIED, *([Kind.FILTER] if filtered else [])}
