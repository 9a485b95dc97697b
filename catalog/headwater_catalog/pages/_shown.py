"""What each page of one moment asks the store, and shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.table import ZONES

from headwater_catalog.model import FRESHNESS
from headwater_catalog.pages._paths import column_path
from headwater_catalog.pages._render import render
from headwater_catalog.profiles import read_profile
from headwater_catalog.service.parameters import Parameters
from headwater_catalog.store import WANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headwater_catalog.pages._site import Site
    from headwater_catalog.store import Reader

    Page = Callable[[Reader, Site, Mapping[str, str]], str]

__all__ = ["PAGES", "PATH_DEPTH", "SHOWN"]

# Neighbours of a table that its page names, and steps of a path that are followed.
SHOWN = 200
PATH_DEPTH = 100
_HITS = 100
_PATH_LIMIT = 2000


def _search(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    """Show the search, or, for a script that types along, its results alone."""
    del site
    filters = ("zone", "owner", "tag", "domain")
    asked = Parameters(given, ("q", *filters, "freshness", "part"))
    narrowed = {name: asked.text(name) for name in filters}
    narrowed["freshness"] = asked.choice("freshness", "", *FRESHNESS)
    query, part = asked.text("q")[:200], asked.choice("part", "page", "results")
    found = reader.search(query, **narrowed, limit=_HITS + 1)["results"]
    context = {"query": query, "narrowed": narrowed, "results": found[:_HITS], "more": len(found) > _HITS}
    if part == "results":
        return render("results.html", **context)
    return render("search.html", here="search", choices=reader.choices(), zones=ZONES, **context)


def _table(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    name = Parameters(given, ("name",)).required("name")
    table = reader.table(name)
    if table["kind"] == "term":
        return _term(reader, site, {"name": table["title"]})
    around = reader.lineage(name, columns=False, direction="both", depth=1, as_of="", limit=SHOWN)
    edges = {
        way: [one for one in around["edges"] if one[end] == table["name"]]
        for way, end in (("up", "target"), ("down", "source"))
    }
    past = reader.history(name, limit=20)
    return render(
        "table.html",
        here="",
        table=table,
        edges=edges,
        titles=_titles(around),
        changes=past["changes"],
        edits=past["edits"],
        schema=past["schema"],
        held=read_profile((table["profile"] or {}).get("columns")) or {},
        links=site.links(table),
    )


def _column(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    del site
    asked = Parameters(given, ("name", "column"))
    name, column = asked.required("name"), asked.required("column").lower()
    table = reader.table(name)
    ways = {way: _path(reader, str(table["name"]), column, way) for way in ("up", "down")}
    facts = next((one for one in table["columns"] if one["name"] == column), None)
    titles = _titles(ways["up"]) | _titles(ways["down"])
    return render("column.html", here="", table=table, column=column, facts=facts, ways=ways, titles=titles)


def _titles(graph: Mapping[str, Any]) -> dict[str, str]:
    """Return the titles of the charts and dashboards in a graph, which say more to people than their names."""
    return {one["name"]: one["title"] for one in graph["nodes"] if one["title"]}


def _path(reader: Reader, name: str, column: str, way: str) -> dict[str, Any]:
    """Return a column's path one way: what values take, and what decides about rows."""
    found = reader.lineage(
        name, column=column, columns=True, direction=way, depth=PATH_DEPTH, as_of="", limit=_PATH_LIMIT
    )
    values, rows = column_path(found["columns"], (name, column), way)
    return {"values": values, "rows": rows, "cut": found["cut"], "nodes": found["nodes"]}


def _lineage(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    """Show the graph's frame with its first step as a list; a script draws it and goes on from there."""
    del site
    asked = Parameters(given, ("name", "column", "as_of"))
    name, column, as_of = asked.required("name"), asked.text("column").lower(), asked.text("as_of")
    around = reader.lineage(name, columns=False, direction="both", depth=1, as_of=as_of, limit=SHOWN)
    (title,) = (one["title"] for one in around["nodes"] if one["name"] == around["table"])
    about = {"name": around["table"], "title": title, "column": column, "as_of": as_of}
    return render("lineage.html", here="", around=around, titles=_titles(around), **about)


def _impact(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    del site
    asked = Parameters(given, ("name", "column"))
    name, column = asked.required("name"), asked.text("column").lower()
    found = reader.impact(name, column=column, depth=PATH_DEPTH, limit=_PATH_LIMIT)
    table = reader.table(name)
    return render("impact.html", here="", table=table, column=column, found=found)


def _health(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    del site
    want = Parameters(given, ("want",)).choice("want", "", *WANTS)
    return render("health.html", here="health", want=want, found=reader.health(want))


def _glossary(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    del site
    Parameters(given, ())
    return render("glossary.html", here="glossary", found=reader.glossary())


def _term(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    del site
    term = reader.term(Parameters(given, ("name",)).required("name"))
    return render("term.html", here="glossary", term=term)


# By their names in addresses.
PAGES: Mapping[str, Page] = {
    "": _search,
    "table": _table,
    "column": _column,
    "lineage": _lineage,
    "impact": _impact,
    "health": _health,
    "glossary": _glossary,
    "term": _term,
}
