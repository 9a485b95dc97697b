"""What an assistant gets: `headwater mcp` with the protocol's own client, on the running box."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest
from headwater.profile import inherited_env
from headwater.stack import Stack

pytestmark = pytest.mark.box


def ask(box, *calls):
    """Return whether each call was refused, and its text, from one server that is started as an assistant does it."""
    from mcp import Client, StdioServerParameters

    env = inherited_env(**box.environment())
    server = StdioServerParameters(command=sys.executable, args=["-m", "headwater", "mcp"], env=env)

    async def all_calls():
        async with Client(server, read_timeout_seconds=120) as client:
            found = [await client.call_tool(name, given) for name, given in calls]
            return [(bool(one.is_error), one.content[0].text) for one in found]

    return asyncio.run(all_calls())


def test_where_does_this_number_come_from(box):
    """Search, describe, lineage up to the raw column, and impact down to the charts."""
    found, described, lineage, impact, history, explained = ask(
        box,
        ("search", {"text": "credit scor", "zone": "curated"}),
        ("describe", {"name": "curated.loan_state"}),
        ("lineage", {"name": "chart:average_credit_score", "column": "credit_score"}),
        ("impact", {"name": "partitioned.loan_origination", "column": "credit_score"}),
        ("history", {"name": "curated.loan_state"}),
        ("explain", {"name": "chart:average_credit_score"}),
    )

    assert not any(refused for refused, _ in (found, described, lineage, impact, history, explained))
    assert "curated.loan_state" in found[1]
    assert json.loads(described[1])["owner"] == "team:loans"
    sources = {(one["source"], one["source_column"]) for one in json.loads(lineage[1])["columns"]}
    assert ("partitioned.loan_origination", "credit_score") in sources
    assert "dashboard:loan_portfolio" in impact[1]
    assert json.loads(history[1])["table"] == "curated.loan_state"
    assert json.loads(explained[1])["table"] == "chart:average_credit_score"


def test_sql_reads_and_says_when_it_is_cut(box):
    """Rows with their columns; the bound on rows is the asker's, up to a thousand."""
    (_, whole), (_, cut), (refused, said) = ask(
        box,
        ("sql", {"statement": "SELECT 1 AS one, DATE '2026-01-01' AS day"}),
        ("sql", {"statement": "SELECT orderkey FROM tpch.tiny.orders", "limit": 3}),
        ("sql", {"statement": "SELECT 1", "limit": 100_000}),
    )

    assert json.loads(whole) == {
        "columns": {"one": "int32", "day": "date32[day]"},
        "rows": [{"one": 1, "day": "2026-01-01"}],
        "cut": False,
    }
    assert len(json.loads(cut)["rows"]) == 3
    assert json.loads(cut)["cut"] is True
    assert refused
    assert "1000" in said


def test_sql_writes_nothing(box):
    """Neither a table nor rows, nor can it end what others run; what is wrong is one sentence."""
    trino = Stack.build(box).engine("trino").arrow
    trino("CREATE TABLE IF NOT EXISTS curated.not_theirs AS SELECT 1 AS id")
    try:
        answers = ask(
            box,
            ("sql", {"statement": "CREATE TABLE curated.theirs AS SELECT 1 AS id"}),
            ("sql", {"statement": "INSERT INTO curated.not_theirs VALUES 2"}),
            ("sql", {"statement": "DROP TABLE curated.not_theirs"}),
            ("sql", {"statement": "DELETE FROM iceberg.curated.not_theirs"}),
            ("sql", {"statement": "SELECT nothing FROM curated.not_theirs"}),
            ("sql", {"statement": "SELECT count(*) AS n FROM system.runtime.queries WHERE \"user\" <> 'reader'"}),
            ("describe", {"name": "curated.nothing"}),
        )

        assert [refused for refused, _ in answers] == [True] * 5 + [False, True]
        for _, said in answers[:4]:
            assert "Access Denied" in said
        assert json.loads(answers[5][1])["rows"] == [{"n": 0}]
        assert "The catalog knows no table 'curated.nothing'" in answers[6][1]
        assert trino("SELECT id FROM curated.not_theirs").to_pylist() == [{"id": 1}]
    finally:
        trino("DROP TABLE curated.not_theirs")
