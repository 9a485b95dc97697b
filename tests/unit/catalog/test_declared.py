"""What definitions say, read from the default project and from tables of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from headwater.checks import CustomSql, ForeignKey, InRange, RowCount
from headwater.profile import Profile
from headwater.project import Project, load_project
from headwater.table import Column, Table
from headwater_catalog.declared import declared_facts
from headwater_catalog.model import Kind, Origin

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def loans():
    """The default project's facts by name."""
    profile = Profile.load({}, HEADWATER_PROJECT=str(REPOSITORY))
    return {facts.name: facts for facts in declared_facts(load_project(profile))}


def test_every_table_of_the_project_is_there(loans):
    """Tables, their rejects and the folders that files come from, each with its declared upstreams."""
    vintage = loans["curated.loan_vintage"]

    assert {"raw.loan_origination", "partitioned.loan_origination__rejected", "files:data/loans"} <= set(loans)
    assert vintage.owner == "team:loans"
    assert vintage.domain == "loans"
    assert [one.name for one in vintage.columns][:2] == ["year", "loan_age"]
    assert "loan_vintage.py" in vintage.place
    assert "groupBy" in vintage.code
    (origin, lineage), *rest = vintage.lineage
    assert origin == Origin.DECLARED
    assert set(lineage.sources) == {"partitioned.loan_origination", "partitioned.loan_performance"}
    assert rest == []


def test_a_raw_table_comes_from_its_files_and_has_its_partition(loans):
    """The folder is its source; the partition column, which no line holds, is a column."""
    raw = loans["raw.loan_origination"]

    assert raw.lineage[0][1].sources == ("files:data/loans",)
    assert raw.columns[-1].name == "year"


def test_sql_bodies_are_read_column_by_column(loans):
    """Every SQL body of the project gives column lineage without a problem, from declared upstreams only."""
    parsed = [
        (facts, lineage) for facts in loans.values() for origin, lineage in facts.lineage if origin == Origin.PARSED
    ]

    assert parsed
    for facts, lineage in parsed:
        assert lineage.problem == ""
        assert set(lineage.sources) == set(facts.lineage[0][1].sources)
        written = {edge.target_column for edge in lineage.columns}
        assert written - {""} <= {column.name for column in facts.columns}


def test_a_sql_body_through_a_star():
    """The star is spelled out from the upstream's columns, the partition of a raw table included."""
    up = Table(
        name="curated.up", doc="Up.", owner="team:t", columns=(Column("id", "int", "Key."),), body="SELECT 1 AS id"
    )
    down = Table(
        name="curated.down",
        doc="Down.",
        owner="team:t",
        columns=(Column("id", "int", "Key."),),
        upstreams=(up,),
        body="WITH all_of_it AS (SELECT * FROM curated.up) SELECT * FROM all_of_it WHERE id > 0",
    )
    facts = declared_facts(Project("own", (up, down), {}))[-1]
    edges = {(edge.source_column, edge.target_column, edge.kind) for edge in facts.lineage[1][1].columns}

    assert edges == {("id", "id", Kind.COPIED), ("id", "", Kind.FILTER)}


def test_a_refused_line_is_as_personal_as_its_table(loans):
    """It holds the line as it arrived, and so whatever personal data the table has."""
    rejected = {one.name: one.tags for one in loans["partitioned.loan_origination__rejected"].columns}

    assert (rejected["source_text"], rejected["source_file"]) == (("pii",), ())


def test_a_check_says_which_columns_it_reads_of_whichever_table(loans):
    """Those that columns imply are among them; own SQL and a foreign key name the other table's columns, too."""
    found = {one.name: one for one in loans["partitioned.loan_performance"].promises}
    key = found["foreign_key_loan_sequence_number"]
    code = (Column("code", "int", "A code."),)
    other = Table(name="curated.other", doc="A row.", owner="team:t", columns=code, body="SELECT 1 AS code")
    sql = "SELECT t.id FROM {table} AS t WHERE NOT EXISTS (SELECT 1 FROM curated.other AS o WHERE o.code = t.amount)"
    made = Table(
        name="curated.made",
        doc="A row.",
        owner="team:t",
        upstreams=(other,),
        body="SELECT code AS id, code AS amount, code AS spare FROM curated.other",
        columns=tuple(Column(name, "int", "A number.") for name in ("id", "amount", "spare")),
        checks=(
            InRange("id", 1, 2),
            RowCount(1),
            CustomSql("matched", sql),
            CustomSql("all_of_it", "SELECT * FROM {table}"),
            ForeignKey("id", other, "code", blocking=False),
        ),
    )
    facts = declared_facts(Project("p", (other, made), {}))[1]
    reads = {one.name: one.reads for one in facts.promises}

    assert found["not_null_loan_age"].reads == (("partitioned.loan_performance", "loan_age"),)
    assert key.blocking
    assert key.promise == "(loan_sequence_number) is found in partitioned.loan_origination (loan_sequence_number)"
    assert key.reads == (
        ("partitioned.loan_origination", "loan_sequence_number"),
        ("partitioned.loan_performance", "loan_sequence_number"),
    )
    assert reads["in_range_id"] == (("curated.made", "id"),)
    assert reads["row_count"] == ()
    assert reads["matched"] == (("curated.made", "amount"), ("curated.made", "id"), ("curated.other", "code"))
    assert reads["all_of_it"] == tuple(("curated.made", name) for name in ("amount", "id", "spare"))
    assert reads["foreign_key_id"] == (("curated.made", "id"), ("curated.other", "code"))
