"""How a column's lineage is told: what its values are made of, and what only decides which rows count."""

from __future__ import annotations

from headwater_catalog._printed import lineage_rows
from headwater_catalog.pages._paths import column_path
from headwater_catalog.pages._render import render


def flow(text: str) -> dict:
    """Return an edge of the store's answer: ``a.x transformed b.y``; ``b.`` for the rows of b."""
    source, kind, target = text.split()
    ends = {"source": source.split(".")[0], "source_column": source.split(".")[1]}
    ends |= {"target": target.split(".")[0], "target_column": target.split(".")[1]}
    return {**ends, "kind": kind, "origins": ["observed"]}


UP = [
    flow("raw.line transformed lp.status"),
    flow("raw.line transformed lp.age"),
    flow("raw.line filter lp."),
    flow("lp.age window lv.rate"),
    flow("lp.status filter lv."),
    flow("lo.year join lv."),
    flow("lp.year aggregated lv."),
    flow("lp.upb copied lv.rate"),
    flow("raw.line transformed lp.upb"),
]


def said(rows: list[dict]) -> list[tuple]:
    """Return edges as step and ends."""
    return [(one["step"], f"{one['source']}.{one['source_column']}", one["target"]) for one in rows]


def test_values_and_rows_are_told_apart():
    """A window's keys, filters, joins, groups, and what those come from, make no value."""
    values, rows = column_path(UP, ("lv", "rate"), "up")

    assert said(values) == [(1, "lp.upb", "lv"), (2, "raw.line", "lp")]
    assert said(rows) == [
        (1, "lo.year", "lv"), (1, "lp.age", "lv"), (1, "lp.status", "lv"), (1, "lp.year", "lv"),
        (2, "raw.line", "lp"), (2, "raw.line", "lp"), (2, "raw.line", "lp"),
    ]  # fmt: skip
    assert len(values) + len(rows) == len(UP)


def test_downstream_a_columns_say_in_rows_is_an_end():
    """What is made of those rows is the impact's to tell."""
    down = [flow("lp.status transformed lv.share"), flow("lp.status filter lv."), flow("lv.share copied chart.y")]
    values, rows = column_path(down, ("lp", "status"), "down")

    assert said(values) == [(1, "lp.status", "lv"), (2, "lv.share", "chart")]
    assert said(rows) == [(1, "lp.status", "lv")]


def test_a_cycle_ends():
    """Each edge is told once."""
    values, rows = column_path([flow("a.x copied b.y"), flow("b.y copied a.x")], ("a", "x"), "up")

    assert (len(values), rows) == (2, [])


def test_the_command_names_what_decides_about_rows():
    """Values first; the others say so in words, and name no column of the target."""
    rows = lineage_rows({"columns": UP, "edges": []})

    told = {(one["from"], one["to"]): one["how"] for one in rows}
    assert told["lp.upb", "lv.rate"] == "copied"
    assert told["lp.age", "lv.rate"] == "window only"
    assert told["lp.status", "rows of lv"] == "filter only"
    assert told["lo.year", "rows of lv"] == "join only"
    assert told["lp.year", "rows of lv"] == "group only"
    assert [one["how"] for one in rows[:4]] == ["transformed", "transformed", "copied", "transformed"]


def test_the_columns_page_says_that_a_count_has_no_value_of_its_own():
    """And what its rows are chosen by."""
    values, rows = column_path(UP[:7], ("lv", "rate"), "up")
    about = {"name": "lv", "title": "", "owner": "team:t"}
    ways = {"up": {"values": values, "rows": rows, "cut": False}, "down": {"values": [], "rows": [], "cut": False}}
    html = render("column.html", here="", table=about, column="rate", facts=None, ways=ways, titles={})

    assert "It counts rows, or is made without any column&#39;s value; which rows, stands below." in html
    assert "Which rows count" in html
    assert "filter only" in html
    assert "window only" in html
