"""The kinds of check: what they refuse, the SQL that asks them, and how answers are judged."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import sqlglot
from check_cases import CASES, PARENT, PARENT_ROWS, rows_sql
from headwater.checks import (
    CheckResult,
    CustomSql,
    ForeignKey,
    InRange,
    InSet,
    Matches,
    NotNull,
    RowCount,
    Unique,
    every_check,
    judge,
    plan,
    run_checks,
    tables_needed,
)
from headwater.dialects import DIALECTS
from headwater.errors import CheckFailed, DefinitionError
from headwater.table import Check, Column, Partitioning, Table

if TYPE_CHECKING:
    from check_cases import CheckCase

COLUMNS = (
    Column("id", "string", "The id.", required=True),
    Column("state", "string", "The state.", tags=("pii",)),
    Column("rate", "double", "The rate."),
    Column("paid", "decimal(10,2)", "The payment."),
    Column("year", "int", "The year."),
)


def _table(*checks: Check, **more: Any) -> Table:
    given = {"name": "curated.loan", "columns": COLUMNS, "body": lambda *_: None, "engine": "spark", "checks": checks}
    return Table(doc="Loans.", owner="team:loans", **{**given, **more})


BY_YEAR = {"partitioning": Partitioning("year", "year", "2019")}


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (NotNull("nope"), "reads 'nope', which is not one of its columns"),
        (Unique(), "names no column"),
        (Unique("id", "nope"), "reads 'nope'"),
        (InSet("state", ()), "it has no values"),
        (InSet("state", (1,)), "1 is no string"),
        (InRange("rate"), "give a minimum, a maximum or both"),
        (InRange("rate", 2, 1), "its minimum 2 is above its maximum 1"),
        (InRange("paid", Decimal("0.001")), "is no decimal"),
        (InRange("year", date(2019, 1, 1)), "is no int"),
        (Matches("year", r"\d+"), "only a string column can match a pattern, and year is int"),
        (Matches("state", "("), "is no regular expression"),
        (Matches("state", "(?P<a>x)"), "mean different things to the engines"),
        (RowCount(-1), "no number lies between -1 and None"),
        (RowCount(5, 4), "no number lies between 5 and 4"),
        (ForeignKey("id", PARENT), "looks for 'id', which is not a column of curated.check_parent"),
        (ForeignKey(("id", "year"), PARENT, "code"), "pairs 2 with 1 columns"),
        (
            ForeignKey("id", PARENT, "year"),
            "compares id, which is string, with year of curated.check_parent, which is int",
        ),
        (CustomSql("A b", "SELECT * FROM {table}"), "check name 'A b' is not usable"),
        (CustomSql("not_null_id", "SELECT * FROM {table}"), "is not usable"),
        (CustomSql("own", "SELECT 1"), "does not read {table}"),
        (CustomSql("own", "DELETE FROM {table}"), "it must be one SELECT"),
        (
            CustomSql("own", "SELECT *\nFROM {table} WHERE nope = 1"),
            "line 2, column 20 of its SQL: there is no column nope",
        ),
        (CustomSql("own", "SELECT * FROM {table}, curated.x"), "line 1, column 24 of its SQL: it reads curated.x"),
    ],
)
def test_a_check_that_cannot_hold_is_refused_at_import(check: Check, sentence: str) -> None:
    """A check is compared with its table's columns when the table is declared."""
    with pytest.raises(DefinitionError) as refused:
        _table(check)

    assert sentence in str(refused.value)


def test_names_are_stable_and_say_what_is_checked() -> None:
    """A name tells the kind and the columns; orchestrators and the catalog keep history by it."""
    checks = (
        NotNull("id"),
        Unique("id", "year"),
        InSet("state", ("x",)),
        InRange("rate", 0),
        Matches("state", "x"),
        RowCount(),
        ForeignKey("id", PARENT, "code"),
        CustomSql("own", "SELECT * FROM {table}"),
    )

    assert [check.name for check in checks] == [
        "not_null_id",
        "unique_id_year",
        "in_set_state",
        "in_range_rate",
        "matches_state",
        "row_count",
        "foreign_key_id",
        "own",
    ]


def test_required_columns_and_partitions_imply_checks() -> None:
    """A required column is checked for nulls, and a partitioned table for rows of other partitions."""
    names = [check.name for check in every_check(_table(NotNull("id", blocking=False), NotNull("rate"), **BY_YEAR))]

    assert names == ["in_partition", "not_null_id", "not_null_rate"]
    assert every_check(_table(NotNull("id", blocking=False)))[0].blocking


def test_a_check_promises_the_same_whatever_is_written() -> None:
    """The catalog shows a definition's promise in one place and a result's in another."""
    table = _table(**BY_YEAR)
    promises = {every_check(table, values)[0].promise for values in ((), (2019,), (2019, 2020))}

    assert promises == {"year is that of a partition being written, and never null"}


def test_the_tables_that_checks_read_are_told() -> None:
    """Whoever schedules a table runs those that its checks look up first."""
    other = _table(name="curated.other")

    assert tables_needed(_table(ForeignKey("id", PARENT, "code"), ForeignKey("state", other, "id"))) == (PARENT, other)
    assert tables_needed(_table(NotNull("id"))) == ()


def test_one_scan_answers_everything_that_one_scan_can() -> None:
    """Row checks share one statement; comparing rows and reading other tables take one each."""
    checks = (InSet("state", ("x",)), RowCount(), Unique("id"), ForeignKey("id", PARENT, "code"))
    asked = plan(_table(*checks, **BY_YEAR), '"s"."t"', "trino", (2019,))

    assert list(asked.statements) == ["scan", "unique_id", "foreign_key_id"]
    assert asked.statements["scan"] == (
        'SELECT COUNT(*) AS "_rows", '
        'COUNT_IF(("_staged"."year" IS NULL OR NOT "_staged"."year" IN (2019))) AS "_0", '
        'COUNT_IF("_staged"."id" IS NULL) AS "_1", '
        'COUNT_IF(NOT "_staged"."state" IN (\'x\')) AS "_2", '
        'GREATEST(1 - COUNT(*), 0) AS "_3" '
        'FROM "s"."t" AS "_staged"'
    )
    assert asked.statements["unique_id"] == (
        'SELECT COALESCE(SUM("_groups"."_copies"), 0) AS "_broken" FROM ('
        'SELECT "_staged"."id" AS "id", COUNT(*) AS "_copies" FROM "s"."t" AS "_staged" '
        'WHERE NOT "_staged"."id" IS NULL GROUP BY "_staged"."id" HAVING COUNT(*) > 1) AS "_groups"'
    )
    assert asked.statements["foreign_key_id"] == (
        'SELECT COUNT(*) AS "_broken" FROM "s"."t" AS "_mine" WHERE NOT "_mine"."id" IS NULL AND NOT EXISTS('
        'SELECT 1 AS "_found" FROM "curated"."check_parent" AS "_theirs" WHERE "_theirs"."code" = "_mine"."id")'
    )


def test_a_pattern_is_asked_of_the_whole_value_in_either_regular_expression() -> None:
    """Both engines search, so the pattern is anchored; its backslashes survive Spark's literals."""
    table = _table(Matches("state", r"\d{2}|it's"), columns=COLUMNS[1:2])

    assert (
        r"""NOT REGEXP_LIKE("_staged"."state", '\A(?:\d{2}|it''s)\z')""" in plan(table, "t", "trino").statements["scan"]
    )
    assert r"NOT `_staged`.`state` RLIKE '\\A(?:\\d{2}|it\'s)\\z'" in plan(table, "t", "spark").statements["scan"]


def test_whole_numbers_divide_in_spark_as_in_trino() -> None:
    """Own SQL is Trino's, where dividing integers gives an integer."""
    table = _table(CustomSql("half", "SELECT id FROM {table} WHERE year / 2 = 1009"))

    assert "`_staged`.`year` DIV 2 = 1009" in plan(table, "a.b", "spark").statements["half"]
    assert '"_staged"."year" / 2 = 1009' in plan(table, "a.b", "trino").statements["half"]


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_statement_is_read_by_its_dialect(case: CheckCase, dialect: str) -> None:
    """What is asked of an engine parses in its dialect and reads the staged relation."""
    asked = plan(case.table, "s.staged", dialect, case.partition_values)

    for sql in (*asked.statements.values(), *(question.sample for question in asked.questions)):
        tables = {table.name for table in sqlglot.parse_one(sql, dialect=dialect).find_all(sqlglot.exp.Table)}
        assert "staged" in tables
        assert "_staged" not in tables
    assert sqlglot.parse_one(case.rows_sql(dialect), dialect=dialect)
    assert sqlglot.parse_one(rows_sql(PARENT.types, PARENT_ROWS, dialect), dialect=dialect)


def test_other_tables_are_read_under_their_names_in_the_engine() -> None:
    """The caller may say where an engine finds a table."""
    table = _table(ForeignKey("id", PARENT, "code"))
    asked = plan(table, "s.staged", "spark", relation_for=lambda other: f"lake.`{other.id.name}`")

    assert "FROM lake.`check_parent` AS `_theirs`" in asked.statements["foreign_key_id"]


def _answering(broken: dict[str, int]) -> tuple[list[str], Any]:
    asked: list[str] = []

    def run(sql: str) -> list[dict[str, Any]]:
        asked.append(sql)
        if " LIMIT 10" in sql:
            return [{"id": "7", "state": "secret", "rate": 1.5}]
        return [
            {"_rows": 100, "_0": broken.get("_0", 0), "_1": broken.get("_1", 0), "_broken": broken.get("_broken", 0)}
        ]

    return asked, run


def test_too_few_rows_are_told_as_a_number_of_rows() -> None:
    """Not as rows that broke it: there may be none."""
    asked, run = _answering({"_1": 400})
    *_, result = run_checks(_table(RowCount(500)), "t", "trino", run)

    assert asked
    assert str(result) == "row_count is broken: it promises that there are at least 500 rows, but there are 100"


def test_passing_checks_fetch_no_rows() -> None:
    """Rows are only looked for when a check is broken."""
    asked, run = _answering({})
    results = run_checks(_table(InRange("rate", 0, 1), Unique("id")), "t", "trino", run)

    assert len(asked) == 2
    assert all(result.passed for result in results)
    assert [result.total for result in results] == [100, 100, 100]


def test_a_broken_check_shows_rows_without_personal_data() -> None:
    """A failure names the check, counts, and shows rows in which columns tagged pii are hidden."""
    _, run = _answering({"_1": 3})
    _, result, unique = run_checks(_table(InRange("rate", 0, 1, blocking=False), Unique("id")), "t", "trino", run)

    assert result == CheckResult(
        check="in_range_rate",
        promise="rate is between 0 and 1",
        passed=False,
        blocking=False,
        broken=3,
        columns=("rate",),
        rows=({"id": "7", "state": "(hidden)", "rate": 1.5},),
        total=100,
    )
    assert (
        str(result)
        == "in_range_rate is broken (3 of 100 rows): it promises that rate is between 0 and 1, but there is rate=1.5"
    )
    assert str(unique) == "unique_id holds: (id) is unique"
    assert str(result) in str(CheckFailed("curated.loan", (result,)))


def test_answers_are_judged_without_an_engine() -> None:
    """The plan and the answers are all that judging needs; no answer of a sum over no rows counts as none."""
    asked = plan(_table(Unique("id")), "t", "trino")
    results = judge(asked, {"scan": [{"_rows": 0, "_0": None}], "unique_id": [{"_broken": 2}]})

    assert [(result.check, result.passed, result.broken) for result in results] == [
        ("not_null_id", True, 0),
        ("unique_id", False, 2),
    ]


def test_a_check_of_no_known_kind_cannot_be_asked() -> None:
    """Only the kinds of headwater.checks can be asked in SQL."""

    class Odd(Check):
        name = "odd"
        columns = ()

    with pytest.raises(DefinitionError, match="'odd' is none of the kinds"):
        plan(_table(Odd()), "t", "trino")


@pytest.mark.parametrize(
    ("check", "promise"),
    [
        (InRange("rate", minimum=1), "rate is at least 1"),
        (InRange("rate", maximum=1), "rate is at most 1"),
        (RowCount(1, 2), "there is at least 1 row and at most 2"),
        (InSet("state", ("a", "b")), "state is one of a, b"),
        (ForeignKey("id", PARENT, "code"), "(id) is found in curated.check_parent (code)"),
    ],
)
def test_a_promise_is_put_into_words(check: Check, promise: str) -> None:
    """Every check says what holds when it passes."""
    assert check.promise == promise
