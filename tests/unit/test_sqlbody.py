"""SQL bodies: what is refused at import and where it points, and the SELECT that each engine runs."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from headwater import sqlbody
from headwater.dialects import DIALECTS
from headwater.errors import DefinitionError
from headwater.table import Column, DelimitedFiles, Partitioning, Table


def _columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column(name, kind, f"The {name}.") for name, kind in types.items())


LOAN = Table(
    name="partitioned.loan",
    doc="Loans.",
    owner="team:loans",
    columns=_columns(id="string", amount="double", rate="decimal(5,3)", parts="int", made="date", seen="timestamp"),
    body=lambda *_: None,
    engine="spark",
)
STATE = Table(
    name="curated.state",
    doc="States.",
    owner="team:loans",
    columns=_columns(id="string", name="string"),
    body=lambda *_: None,
    engine="spark",
)
LINES = Table(
    name="raw.line",
    doc="Lines.",
    owner="team:loans",
    columns=_columns(a="string"),
    files=DelimitedFiles(folder="d", pattern="(?P<key>.*)"),
    partitioning=Partitioning("year", "year", "2019"),
)


def _table(sql: str, upstreams: tuple[Table, ...] = (LOAN,), /, **types: str) -> Table:
    more: dict[str, Any] = {"engine": types.pop("engine", "trino")}
    if "year" in types:
        more["partitioning"] = Partitioning("year", "year", "2019")
    given = {"name": "curated.made", "doc": "Made.", "owner": "team:loans", "upstreams": upstreams, "body": sql}
    return Table(**given, columns=_columns(**types), **more)


@pytest.mark.parametrize(
    ("sql", "types", "sentence"),
    [
        (
            "SELECT id FROM partitioned.lone",
            {"id": "string"},
            "column 16 of its SQL ({}): it reads partitioned.lone, which",
        ),
        ("SELECT 'x' AS id", {"id": "string"}, "it does not read partitioned.loan, which is declared as an upstream"),
        ("SELECT id FROM loan", {"id": "string"}, "'loan' is neither a CTE nor written as zone.name"),
        ("SELECT id FROM lake.partitioned.loan", {"id": "string"}, "is neither a CTE nor written as zone.name"),
        ("SELECT id FROM TABLE(sequence(1, 2))", {"id": "string"}, "cannot be read from"),
        ("SELECT idd FROM partitioned.loan", {"id": "string"}, "there is no column idd here; did you mean id?"),
        (
            "SELECT l.x AS id FROM partitioned.loan AS l",
            {"id": "string"},
            "column 8 of its SQL ({}): there is no column l.x",
        ),
        ("SELECT k.id FROM partitioned.loan AS l", {"id": "string"}, "there is no column k.id here"),
        (
            "SELECT id AS x FROM partitioned.loan WHERE x = '1'",
            {"x": "string"},
            "column 44 of its SQL ({}): there is no column x",
        ),
        ("SELECT id AS x, x AS y FROM partitioned.loan", {"x": "string", "y": "string"}, "there is no column x here"),
        (
            "SELECT id FROM partitioned.loan AS a JOIN partitioned.loan AS b ON a.id = b.id",
            {"id": "string"},
            "column id is ambiguous or out of reach here",
        ),
        ("SELECT id, made FROM partitioned.loan", {"id": "string"}, "its SELECT gives 'made', which is not among"),
        ("SELECT id FROM partitioned.loan", {"id": "string", "z": "int"}, "its SELECT lacks the declared column 'z'"),
        (
            "SELECT made, id FROM partitioned.loan",
            {"id": "string", "made": "date"},
            "column 'made' of its SELECT stands where 'id'",
        ),
        ("SELECT * FROM partitioned.loan", {"id": "string"}, "its SELECT gives 'amount'"),
        (
            "SELECT amount AS id FROM partitioned.loan",
            {"id": "long"},
            "it is double, but the column is declared long; write the cast",
        ),
        (
            "SELECT made AS id FROM partitioned.loan",
            {"id": "boolean"},
            "it is date, but the column is declared boolean",
        ),
        ("SELECT id FROM partitioned.loan; SELECT 1", {"id": "string"}, "it must be one SELECT and nothing else"),
        ("DELETE FROM partitioned.loan", {"id": "string"}, "it must be one SELECT and nothing else"),
        ("VALUES 1", {"id": "string"}, "it must be one SELECT and nothing else"),
        ("", {"id": "string"}, "it must be one SELECT and nothing else"),
        ("SELECT id FROM WHERE", {"id": "string"}, "near 'WHERE'"),
        ("SELECT 'id FROM partitioned.loan", {"id": "string"}, "a quote or comment is not closed"),
        (
            "WITH loan AS (SELECT id AS i FROM partitioned.loan) SELECT loan.i AS id FROM loan WHERE loan.j = 1",
            {"id": "string"},
            "there is no column loan.j here",
        ),
        (
            "SELECT id FROM partitioned.loan AS l WHERE EXISTS (SELECT 1 FROM partitioned.loan AS k WHERE k.id = l.ix)",
            {"id": "string"},
            "there is no column l.ix here",
        ),
    ],
)
def test_a_wrong_body_is_refused_at_import(sql: str, types: dict[str, str], sentence: str) -> None:
    """The sentence names the table, the place in the SQL and what is wrong there."""
    with pytest.raises(DefinitionError) as refused:
        _table(sql, **types)

    said = str(refused.value)
    assert said.startswith("Table curated.made: line ")
    place = said[said.index("(") + 1 : said.index(")")] if "{}" in sentence else ""
    assert sentence.format(place) in said


def _line_of(marker: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if marker in line)


def test_a_mistake_is_found_in_the_definition_file() -> None:
    """The line of the file is told, also when the text was dedented or begins with a backslash."""
    plain = """
        SELECT id,
            nope_plain
        FROM partitioned.loan
    """
    backslash = """\
SELECT id
FROM partitioned.loan
WHERE nope_backslash = 1
"""
    for sql, marker in ((plain, "nope_plain"), (textwrap.dedent(plain), "nope_plain"), (backslash, "nope_backslash")):
        with pytest.raises(DefinitionError) as refused:
            _table(sql, id="string")

        assert f"({__file__}:{_line_of(marker)}): there is no column {marker}" in str(refused.value)


def test_a_body_from_elsewhere_is_told_by_its_own_line() -> None:
    """A text that no file writes out literally has only the line within itself."""
    sql = "\n".join(["SELECT", "missing_column".replace("_", "x"), "FROM partitioned.loan"])

    with pytest.raises(DefinitionError, match="line 2, column 1 of its SQL: there is no column missingxcolumn"):
        _table(sql, id="string")


def test_good_bodies_are_let_through() -> None:
    """CTEs, unions, subqueries, stars, UNNEST and windows over declared upstreams are all fine."""
    both = (LOAN, STATE)
    assert _table("SELECT * FROM curated.state", (STATE,), id="string", name="string")
    assert _table('SELECT "ID" FROM "partitioned"."Loan"', id="string")
    assert _table("SELECT partitioned.loan.id FROM partitioned.loan", id="string")
    assert _table("SELECT id FROM partitioned.loan UNION ALL SELECT name FROM curated.state", both, id="string")
    assert _table("WITH a AS (SELECT * FROM partitioned.loan), b AS (SELECT id FROM a) SELECT id FROM b", id="string")
    assert _table("SELECT id FROM partitioned.loan WHERE id IN (SELECT id FROM curated.state)", both, id="string")
    assert _table(
        "SELECT id, name FROM partitioned.loan JOIN curated.state USING (id)", both, id="string", name="string"
    )
    assert _table("SELECT n FROM partitioned.loan CROSS JOIN UNNEST(sequence(1, parts)) AS t (n)", n="long")
    assert _table("SELECT id, rank() OVER (ORDER BY amount) AS r FROM partitioned.loan", id="string", r="long")
    assert _table("SELECT id AS x FROM partitioned.loan GROUP BY 1 ORDER BY x", x="string")
    assert _table("SELECT a, year FROM raw.line", (LINES,), a="string", year="int")


def test_upstreams_are_named_in_order_and_ctes_are_none() -> None:
    """Each table is named once, where it is first mentioned."""
    sql = "WITH a AS (SELECT * FROM curated.b), b AS (SELECT * FROM a) SELECT * FROM b, curated.A, curated.B AS c"

    assert sqlbody.upstream_names(sql) == ("curated.b", "curated.a")
    with pytest.raises(DefinitionError, match="must be one SELECT"):
        sqlbody.upstream_names("DROP TABLE x")


def test_the_inserted_select_casts_every_column_and_keeps_to_the_partitions() -> None:
    """What goes into a stage has the declared types, and no row of another partition."""
    sql = r"SELECT id, parts / 2 AS half, year(made) AS year FROM partitioned.loan WHERE regexp_like(id, '^\d''x')"
    table = _table(sql, id="string", half="long", year="int")

    assert sqlbody.insert_select(table, "trino", (2019, 2020)) == (
        'SELECT CAST("__body"."id" AS VARCHAR) AS "id", CAST("__body"."half" AS BIGINT) AS "half", '
        'CAST("__body"."year" AS INTEGER) AS "year" FROM ('
        'SELECT "loan"."id" AS "id", "loan"."parts" / 2 AS "half", YEAR("loan"."made") AS "year" '
        'FROM "partitioned"."loan" AS "loan" WHERE REGEXP_LIKE("loan"."id", \'^\\d\'\'x\')) AS "__body" '
        'WHERE CAST("__body"."year" AS INTEGER) IN (2019, 2020)'
    )
    assert sqlbody.insert_select(table, "spark", (2019,), lambda up: f"lake.{up}") == (
        "SELECT CAST(`__body`.`id` AS STRING) AS `id`, CAST(`__body`.`half` AS BIGINT) AS `half`, "
        "CAST(`__body`.`year` AS INT) AS `year` FROM ("
        "SELECT `loan`.`id` AS `id`, `loan`.`parts` DIV 2 AS `half`, YEAR(`loan`.`made`) AS `year` "
        "FROM lake.partitioned.loan AS `loan` WHERE `loan`.`id` RLIKE '^\\\\d\\'x') AS `__body` "
        "WHERE CAST(`__body`.`year` AS INT) IN (2019)"
    )
    assert sqlbody.insert_select(table, "athena") == sqlbody.insert_select(table, "trino")


def test_timestamps_keep_their_meaning_in_spark() -> None:
    """Trino's TIMESTAMP has no zone; Spark's TIMESTAMP has one, so it is written as TIMESTAMP_NTZ."""
    zoned = "CAST('2020-01-01 00:00:00 UTC' AS timestamp with time zone) AS z"
    sql = f"SELECT CAST(seen AS timestamp(3)) AS seen, {zoned} FROM partitioned.loan"
    written = sqlbody.insert_select(_table(sql, seen="timestamp", z="timestamptz"), "spark")

    assert "CAST(`loan`.`seen` AS TIMESTAMP_NTZ) AS `seen`" in written
    assert "CAST('2020-01-01 00:00:00 UTC' AS TIMESTAMP) AS `z`" in written
    assert "CAST(`__body`.`seen` AS TIMESTAMP_NTZ)" in written


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_what_is_inserted_parses_in_its_dialect(dialect: str) -> None:
    """CTEs and set operations survive the wrapping."""
    sql = "WITH a AS (SELECT id FROM partitioned.loan) SELECT id FROM a UNION ALL SELECT name FROM curated.state"
    written = sqlbody.insert_select(_table(sql, (LOAN, STATE), id="string"), dialect)

    assert [select.alias for select in sqlglot.parse_one(written, dialect=dialect).selects] == ["id"]


def test_only_sql_bodies_and_partitioned_tables_can_be_asked_for_parts() -> None:
    """A function has no SELECT, and a table without partitions is written whole."""
    with pytest.raises(DefinitionError, match="has no SQL body"):
        sqlbody.insert_select(LOAN, "trino")
    with pytest.raises(DefinitionError, match="has no partitions"):
        sqlbody.insert_select(_table("SELECT id FROM partitioned.loan", id="string"), "trino", (2019,))
    assert sqlbody.problems_on(LOAN, "athena") == ()
    sqlbody.validate(LOAN)


def test_what_athena_lacks_is_told_before_it_is_asked() -> None:
    """Its limits are a list: a body that needs more is refused with the place and what to write."""
    table = _table(
        "SELECT id,\n  dot_product(ARRAY[1.0], ARRAY[1.0]) AS d FROM partitioned.loan", id="string", d="double"
    )

    (problem,) = sqlbody.problems_on(table, "athena")
    assert problem == (
        "Table curated.made: line 2, column 3 of its SQL: athena has no function dot_product like Trino's; "
        "use reduce over zip_with."
    )
    assert sqlbody.problems_on(table, "trino") == ()
    with pytest.raises(DefinitionError, match="athena has no function dot_product"):
        sqlbody.insert_select(table, "athena")


def test_a_statement_is_written_for_another_engine() -> None:
    """A loose SELECT is carried over as far as it can be without types."""
    assert sqlbody.to_dialect("SELECT CAST(a AS varchar) AS b FROM curated.x", "spark") == (
        "SELECT CAST(a AS STRING) AS b FROM curated.x"
    )
    with pytest.raises(DefinitionError, match="must be one SELECT"):
        sqlbody.to_dialect("DROP TABLE x", "spark")
