"""The corpus's own measure: every kind of fault that a graph can have is found, counted and named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from lineage_corpus import MEASURES, Figures, Graph, Limit, faults, read_case, scores

CASES = sorted((Path(__file__).parents[2] / "lineage" / "cases").glob("*.yaml"))
RIGHT = Graph(
    frozenset({"made"}),
    frozenset({("orders", "made")}),
    frozenset({("orders", "id", "made", "id", "copied"), ("orders", "state", "made", "", "filter")}),
)
TEXT = """
title: A case
tables: {made: {id: bigint}}
sql: ["INSERT INTO {made} SELECT id FROM {orders} WHERE state = 'a'"]
expect:
  made: {from: [orders], columns: {id: {copied: [orders.id]}}, rows: {filter: [orders.state]}}
"""


@pytest.fixture
def case(tmp_path):
    """Reads a case's text."""

    def read(text=TEXT):
        path = tmp_path / "case.yaml"
        path.write_text(text)
        return read_case(path)

    return read


def test_a_case_is_one_variant_per_engine(case):
    """Of the same graph."""
    trino, spark = case()

    assert (trino.id, spark.id) == ("case-trino", "case-spark")
    assert trino.expected == spark.expected == RIGHT
    assert faults(trino, RIGHT) == []


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (replace(RIGHT, nodes=frozenset({"made", "s3://made"})), ["node s3://made should not be there"]),
        (replace(RIGHT, nodes=frozenset()), ["node made is lost"]),
        (replace(RIGHT, tables=RIGHT.tables | {("made", "made")}), ["extra tables: made -> made"]),
        (replace(RIGHT, tables=frozenset()), ["lost tables: orders -> made"]),
        (
            replace(RIGHT, columns=frozenset({("orders", "id", "made", "id", "copied")})),
            ["lost rows: orders.state -> made filter"],
        ),
        (
            replace(RIGHT, columns=RIGHT.columns | {("orders", "x", "made", "id", "copied")}),
            ["extra columns: orders.x -> made.id", "extra kinds: orders.x -> made.id copied"],
        ),
        (
            replace(RIGHT, columns=RIGHT.columns | {("orders", "id", "made", "id", "transformed")}),
            ["extra kinds: orders.id -> made.id transformed"],
        ),
    ],
)
def test_every_fault_is_told(case, found, told):
    """A node twice, a loop, a lost edge, a wrong column and a wrong kind."""
    assert faults(case()[0], found) == told


def test_a_limit_explains_its_faults_alone(case):
    """It covers one measure of one column, counts in the figures all the same, and must be needed."""
    lost = replace(RIGHT, columns=frozenset({("orders", "state", "made", "", "filter")}))
    limits = (Limit("lost", "columns", "made.id", "Because."), Limit("lost", "kinds", "made.id", "Because."))
    limited = replace(case()[0], limits=limits)

    assert faults(limited, lost) == []
    assert len(faults(limited, RIGHT)) == len(limits)
    assert faults(replace(limited, limits=limits[:1]), lost) == ["lost kinds: orders.id -> made.id copied"]
    figures = Figures()
    figures.add(scores(RIGHT, lost))
    figures.add(scores(RIGHT, RIGHT))
    assert {name: figures.recall(name) for name in MEASURES} == {"tables": 1, "columns": 0.5, "kinds": 0.5, "rows": 1}
    assert figures.precision("columns") == 1


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("title:", "wrong: 1\ntitle:", "wrong is nothing"),
        ("copied: [", "moved: [", "'moved' is no kind"),
        ("filter: [orders.state]", "filter: [others.state]", "others, which no"),
        ("expect:", "limits: {trino: [{lost: nodes, of: made, reason: x}]}\nexpect:", "a limit says"),
        ("expect:", "limits: {flink: []}\nexpect:", "limits of these alone"),
        ('sql: ["', 'sql: [{flink: x}, "', "not by 'flink'"),
    ],
)
def test_a_case_that_breaks_the_format_is_refused(case, before, after, said):
    """By one sentence, so that no part of it is silently not asked."""
    with pytest.raises(ValueError, match=said):
        case(TEXT.replace(before, after))


def test_every_case_of_the_corpus_can_be_read():
    """And has a title and a variant."""
    assert len(CASES) > 40
    for path in CASES:
        assert all(one.title and one.steps for one in read_case(path)), path
