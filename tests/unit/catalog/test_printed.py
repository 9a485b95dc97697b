"""What the catalog's commands print: titles for what has one, and lines that fit a terminal."""

from __future__ import annotations

from headwater.cli.output import objects_as_table
from headwater_catalog._printed import cut_sentence, fact_rows, impact_rows, lineage_rows

CHART = {"name": "chart:behind_30", "kind": "chart", "title": "Share 30 days behind"}
TABLE = {"name": "curated.loan_vintage", "kind": "table", "title": ""}


def test_lineage_names_charts_by_their_titles():
    """The name stands beside the title: that is what one types to ask further."""
    edge = {"source": TABLE["name"], "target": CHART["name"], "origins": {"parsed": {}}}
    flow = {**edge, "source_column": "year", "target_column": "behind", "kind": "copied", "origins": ["parsed"]}

    (whole,) = lineage_rows({"nodes": [TABLE, CHART], "edges": [edge], "columns": []})
    (column,) = lineage_rows({"nodes": [TABLE, CHART], "edges": [], "columns": [flow]})

    assert whole == {
        "from": "curated.loan_vintage",
        "to": "Share 30 days behind (chart:behind_30)",
        "said": "parsed",
    }
    assert column["to"] == "Share 30 days behind (chart:behind_30), behind"
    assert column["from"] == "curated.loan_vintage.year"


def test_a_table_names_who_reads_it_by_title():
    """A dashboard's name is a file's name; people know its title."""
    empty = dict.fromkeys(("doc", "owner", "domain", "place", "dropped_at", "problem", "revision", "uncommitted"), "")
    told = {**TABLE, **empty, "labels": [], "terms": [], "said": {}, "size": None, "reads": {"last_at": None}}
    told |= {"upstreams": [], "downstreams": [CHART["name"], "raw.x"], "titles": {CHART["name"]: CHART["title"]}}

    facts = dict(fact_rows(told, "http://127.0.0.1/table"))
    assert facts["page"] == "http://127.0.0.1/table"
    assert facts["read by"] == "Share 30 days behind (chart:behind_30), raw.x"


def test_impact_fits_a_terminal():
    """However many columns and charts a table has: its cells go over several lines, and nothing of them is lost."""
    names = [f"a_rather_long_column_{at}" for at in range(40)]
    one = {"table": TABLE["name"], "title": "", "kind": "table", "columns": names, "charts": [], "owner": "team:loans"}
    other = {**one, "table": CHART["name"], "title": CHART["title"], "columns": [], "kind": "chart", "owner": ""}
    told = {"certain": True, "steps": 1, "url": "http://127.0.0.1:7701/superset/dashboard/a-very-long-name/"}

    text = objects_as_table(impact_rows({"breaks": [one | told, other | told]}), width=100)

    assert max(map(len, text.splitlines())) <= 100
    assert all(name in text.replace(",", " ").split() for name in names)
    assert "Share 30 days behind" in text


def test_what_is_cut_says_how_to_get_more():
    """The options that would widen the answer, with what they are now."""
    assert cut_sentence(depth=3, limit=1000) == (
        "The answer is cut: there is more than --depth 3 and --limit 1000 show; give larger ones."
    )
    assert "--limit 200" in cut_sentence(limit=200)
