"""Tells of a walk through lineage: the tables, edges and columns that it reached by name, or what would break."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater_catalog.store._graph import UNKNOWN
from headwater_catalog.store._promises import broken_checks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from psycopg import Connection

    from headwater_catalog.store._graph import Graph

__all__ = ["breaks", "graph_told", "names_of"]


def names_of(connection: Connection[Any], nodes: Iterable[int]) -> dict[int, str]:
    """Return what nodes are called now."""
    return dict(connection.execute("SELECT id, name FROM node WHERE id = ANY(%s)", (list(nodes),)).fetchall())


def breaks(
    connection: Connection[Any], node: int, graph: Graph, *, column: str = "", limit: int = 1000
) -> dict[str, Any]:
    """Return what breaks with a table or column: tables, columns, charts, checks, whose they are, and how surely.

    Args:
        connection: In a transaction.
        node: Where the walk down began.
        graph: What it reached.
        column: Which of its columns goes; empty for all of it.
        limit: How many checks at most.
    """
    broken: dict[int, set[str]] = {}
    for _, _, target, written, *_ in graph.columns:
        broken.setdefault(target, set()).add(written)
    keys = ("table", "kind", "title", "url", "owner")
    facts = {
        identity: dict(zip(keys, told, strict=True))
        for identity, *told in connection.execute(
            "SELECT id, name, kind, title, url, owner FROM node WHERE id = ANY(%s)", ([*broken, node],)
        )
    }
    start, certain = facts[node]["table"], _certain(node, graph)
    gone = {(other, name): other in certain for other, columns in broken.items() for name in columns}
    checks, more = broken_checks(connection, {**gone, (node, column): True}, limit)
    checks.sort(key=lambda one: (one["table"] != start, one["table"], one["name"]))
    charts = _charts(connection, [other for other in broken if facts[other]["kind"] == "dashboard"])
    tables = [
        {
            **facts[other],
            "steps": graph.nodes.get(other, 0),
            "columns": sorted(columns - {""} - charts.get(other, {}).keys()),
            "charts": sorted(title for name, title in charts.get(other, {}).items() if name in columns),
            "all_rows": "" in columns,
            "certain": other in certain,
        }
        for other, columns in broken.items()
    ]
    tables.sort(key=lambda one: (one["steps"], one["table"]))
    return {
        "table": start,
        "breaks": tables,
        "checks": checks,
        "owners": sorted({str(one["owner"]) for one in (*tables, *checks) if one["owner"]}),
        "cut": graph.cut or more,
    }


def _charts(connection: Connection[Any], dashboards: list[int]) -> dict[int, dict[str, str]]:
    """Return the titles of dashboards' charts; to lineage they are columns of theirs."""
    found: dict[int, dict[str, str]] = {}
    if not dashboards:
        return found
    for node, name, title in connection.execute(
        "SELECT node_id, name, doc FROM column_fact WHERE node_id = ANY(%s) AND type = 'chart' AND until IS NULL",
        (dashboards,),
    ):
        found.setdefault(node, {})[name] = title
    return found


def graph_told(
    connection: Connection[Any], node: int, graphs: Mapping[str, Graph], at: datetime, *, neighbours: bool
) -> dict[str, Any]:
    """Return tables with their steps, edges and columns by name.

    Args:
        connection: In a transaction.
        node: Where the walks began.
        graphs: What they reached, by ``up`` and ``down``.
        at: The moment that they were asked for.
        neighbours: Each table is to say how many tables it is made of, and how many are made of it.
    """
    steps = {node: 0} | {
        other: step if way == "down" else -step for way, graph in graphs.items() for other, step in graph.nodes.items()
    }
    rows = connection.execute(
        """SELECT n.id, n.name, n.kind, n.title, n.owner, n.dropped_at IS NOT NULL, p.snapshot, p.run_id
           FROM node AS n
           LEFT JOIN LATERAL (SELECT snapshot, run_id FROM partaking WHERE node_id = n.id AND direction = 'out'
             AND at <= %s ORDER BY at DESC LIMIT 1) AS p ON true WHERE n.id = ANY(%s)""",
        (at, list(steps)),
    ).fetchall()
    names = {row[0]: row[1] for row in rows}
    keys = ("name", "kind", "title", "owner", "dropped", "snapshot", "run")
    nodes = [{**dict(zip(keys, row[1:], strict=True)), "steps": steps[row[0]]} for row in rows]
    edges = {pair: origins for graph in graphs.values() for pair, origins in graph.edges.items()}
    if neighbours:
        _count_neighbours(connection, nodes, at)
    columns = {one for graph in graphs.values() for one in graph.columns}
    return {
        "table": names[node],
        "nodes": sorted(nodes, key=lambda one: (one["steps"], one["name"])),
        "edges": [
            {
                "source": names[source],
                "target": names[target],
                "origins": {name: {"since": since, "seen": seen} for name, (since, seen) in sorted(said.items())},
            }
            for (source, target), said in sorted(edges.items())
        ],
        "columns": _column_rows(columns, names),
        "cut": any(graph.cut for graph in graphs.values()),
    }


def _count_neighbours(connection: Connection[Any], nodes: list[dict[str, Any]], at: datetime) -> None:
    names = [one["name"] for one in nodes]
    counts = {row[0]: row[1:] for row in connection.execute(_NEIGHBOURS, {"names": names, "at": at})}
    for one in nodes:
        one["upstreams"], one["downstreams"] = counts.get(one["name"], (0, 0))


def _certain(start: int, graph: Graph) -> set[int]:
    """Return the tables that are known to depend on a start, not only by way of a table of unknown columns."""
    below: dict[int, set[int]] = {}
    for source, _, target, _, kind, _ in graph.columns:
        if kind != UNKNOWN:
            below.setdefault(source, set()).add(target)
    known, frontier = {start}, {start}
    while frontier:
        frontier = {target for source in frontier for target in below.get(source, ())} - known
        known |= frontier
    return known


def _column_rows(
    columns: Iterable[tuple[int, str, int, str, str, str]], names: Mapping[int, str]
) -> list[dict[str, Any]]:
    said: dict[tuple[str, str, str, str, str], list[str]] = {}
    for source, read, target, written, kind, origin in columns:
        said.setdefault((names[source], read, names[target], written, kind), []).append(origin)
    keys = ("source", "source_column", "target", "target_column", "kind")
    return [{**dict(zip(keys, one, strict=True)), "origins": sorted(who)} for one, who in sorted(said.items())]


_NEIGHBOURS = b"""
SELECT n.name, (
    SELECT count(DISTINCT e.source_id) FROM edge AS e WHERE e.target_id = n.id AND e.source_id <> n.id
      AND e.since <= %(at)s AND (e.until IS NULL OR e.until > %(at)s)), (
    SELECT count(DISTINCT e.target_id) FROM edge AS e WHERE e.source_id = n.id AND e.target_id <> n.id
      AND e.since <= %(at)s AND (e.until IS NULL OR e.until > %(at)s))
FROM node AS n WHERE n.name = ANY(%(names)s)
"""
