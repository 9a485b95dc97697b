"""Walks lineage in the database, level by level: what is reached costs, the size of the catalog does not.

Every node is entered once, so a cycle ends; an answer that reaches its bound says that it is cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from psycopg import Connection

__all__ = ["UNKNOWN", "Graph", "Question", "walk_columns", "walk_tables"]

# The kind of what joins two tables of which only that is known, not their columns.
UNKNOWN = "unknown"

# How many edges of one step are read for every end that an answer may have: several lead to the same.
_EDGES_PER_END = 10


@dataclass(frozen=True, kw_only=True)
class Question:
    """How far to walk.

    Args:
        direction: ``up``, to what something is made of, or ``down``, to what is made of it.
        depth: Steps.
        at: The moment that is asked for.
        limit: How many tables, or columns, at most.
    """

    direction: str
    depth: int
    at: datetime
    limit: int

    @property
    def most_edges(self) -> int:
        """How many edges of one step are read at most."""
        return self.limit * _EDGES_PER_END


@dataclass
class Graph:
    """An answer.

    Args:
        nodes: How many steps away each node is.
        edges: By source and target, what each origin says: since when, and when last.
        columns: Source node, its column, target node, its column, kind, origin.
        cut: There is more than the answer shows: the depth or the bound was reached.
    """

    nodes: dict[int, int]
    edges: dict[tuple[int, int], dict[str, tuple[datetime, datetime]]] = field(default_factory=dict)
    columns: set[tuple[int, str, int, str, str, str]] = field(default_factory=set)
    cut: bool = False


def walk_tables(connection: Connection[Any], start: int, question: Question) -> Graph:
    """Return what a table is made of, or what is made of it, table by table."""
    graph, frontier = Graph({start: 0}), [start]
    for step in range(1, question.depth + 2):
        rows = _table_edges(connection, frontier, question)
        graph.cut |= len(rows) > question.most_edges
        if step > question.depth:
            graph.cut |= any(_table_end(row, question) not in graph.nodes for row in rows)
            break
        frontier = _take_edges(graph, rows, question, step)
        if not frontier:
            break
    return graph


def _table_end(row: Sequence[Any], question: Question) -> int:
    return int(row[0] if question.direction == "up" else row[1])


def _table_edges(connection: Connection[Any], frontier: Sequence[int], question: Question) -> list[Any]:
    return connection.execute(
        _TABLES[question.direction],
        {"frontier": list(frontier), "at": question.at, "limit": question.most_edges + 1},
    ).fetchall()


def _take_edges(graph: Graph, rows: Iterable[Sequence[Any]], question: Question, step: int) -> list[int]:
    fresh: list[int] = []
    for row in rows:
        source, target, origin, since, seen = row
        other = _table_end(row, question)
        if other not in graph.nodes:
            if len(graph.nodes) >= question.limit:
                graph.cut = True
                continue
            graph.nodes[other] = step
            fresh.append(other)
        graph.edges.setdefault((source, target), {})[origin] = (since, seen)
    return fresh


def walk_columns(
    connection: Connection[Any],
    start: Iterable[tuple[int, str]],
    question: Question,
    *,
    rows: bool = False,
    cautious: bool = False,
) -> Graph:
    """Return what columns are made of, or what is made of them, column by column.

    Args:
        connection: In a transaction, so that every level sees the same.
        start: Nodes and columns; the empty column stands for a table's rows as a whole.
        question: How far.
        rows: Tell, too, what only decides which rows there are: up, it counts for every column of its table and is
            followed on; down, it ends at the table whose rows it decides: what is made of those is ``cautious``.
        cautious: Follow, too, what only decides about rows, and tables of whose columns nothing is known.
    """
    statement = _CAUTIOUS if cautious else (_INFLUENCE if rows else _COLUMNS)[question.direction]
    frontier = list(dict.fromkeys(start))
    seen = set(frontier)
    graph = Graph({node: 0 for node, _ in frontier})
    for step in range(1, question.depth + 2):
        found = _column_edges(connection, frontier, question, statement)
        graph.cut |= len(found) > question.most_edges
        if step > question.depth:
            graph.cut |= any(_column_end(row, question) not in seen for row in found)
            break
        frontier = _take_columns(graph, found, seen, question, step)
        if not frontier:
            break
    return graph


def _column_end(row: Sequence[Any], question: Question) -> tuple[int, str]:
    return (row[0], row[1]) if question.direction == "up" else (row[2], row[3])


def _column_edges(
    connection: Connection[Any], frontier: Sequence[tuple[int, str]], question: Question, statement: bytes
) -> list[Any]:
    nodes, names = [node for node, _ in frontier], [name for _, name in frontier]
    return connection.execute(
        statement, {"nodes": nodes, "names": names, "at": question.at, "limit": question.most_edges + 1}
    ).fetchall()


def _take_columns(
    graph: Graph, rows: Iterable[Sequence[Any]], seen: set[tuple[int, str]], question: Question, step: int
) -> list[tuple[int, str]]:
    fresh: list[tuple[int, str]] = []
    for row in rows:
        end = _column_end(row, question)
        if end not in seen:
            if len(seen) >= question.limit:
                graph.cut = True
                continue
            seen.add(end)
            fresh.append(end)
            graph.nodes.setdefault(end[0], step)
        graph.columns.add((row[0], row[1], row[2], row[3], row[4], row[5]))
    return fresh


_TABLES = {
    "up": b"""SELECT source_id, target_id, origin, since, seen FROM edge WHERE target_id = ANY(%(frontier)s)
              AND since <= %(at)s AND (until IS NULL OR until > %(at)s) LIMIT %(limit)s""",
    "down": b"""SELECT source_id, target_id, origin, since, seen FROM edge WHERE source_id = ANY(%(frontier)s)
                AND since <= %(at)s AND (until IS NULL OR until > %(at)s) LIMIT %(limit)s""",
}

_FRONTIER = "unnest(%(nodes)s::bigint[], %(names)s::text[]) AS f (node, name)"
_EDGE = "e.since <= %(at)s AND (e.until IS NULL OR e.until > %(at)s)"
_COLUMN = "c.edge_id = e.id AND c.since <= %(at)s AND (c.until IS NULL OR c.until > %(at)s)"
_SELECTED = "SELECT e.source_id, c.source_column, e.target_id, c.target_column, c.kind, e.origin"

_COLUMNS = {
    way: f"""{_SELECTED} FROM {_FRONTIER} JOIN edge AS e ON e.{known}_id = f.node AND {_EDGE}
             JOIN column_edge AS c ON {_COLUMN} AND c.{known}_column = f.name AND c.target_column <> ''
             LIMIT %(limit)s""".encode()
    for way, known in (("up", "target"), ("down", "source"))
}

# With what decides about rows; nothing is made of a table's rows here.
_INFLUENCE = {
    way: f"""{_SELECTED} FROM {_FRONTIER} JOIN edge AS e ON e.{known}_id = f.node AND {_EDGE}
             JOIN column_edge AS c ON {_COLUMN} AND {which} WHERE f.name <> '' LIMIT %(limit)s""".encode()
    for way, known, which in (
        ("up", "target", "c.target_column IN (f.name, '')"),
        ("down", "source", "c.source_column = f.name"),
    )
}

# Whatever is made of a table depends on its rows as a whole; a step between two tables is unknown when none of the
# edges between them knows a column.
_CAUTIOUS = f"""
({_SELECTED} FROM {_FRONTIER} JOIN edge AS e ON e.source_id = f.node AND {_EDGE}
 JOIN column_edge AS c ON {_COLUMN} AND c.source_column = f.name WHERE f.name <> '' LIMIT %(limit)s)
UNION ALL
({_SELECTED} FROM {_FRONTIER} JOIN edge AS e ON e.source_id = f.node AND {_EDGE}
 JOIN column_edge AS c ON {_COLUMN} WHERE f.name = '' LIMIT %(limit)s)
UNION ALL
(SELECT e.source_id, f.name, e.target_id, '', '{UNKNOWN}', min(e.origin)
 FROM {_FRONTIER} JOIN edge AS e ON e.source_id = f.node AND {_EDGE} GROUP BY e.source_id, f.name, e.target_id
 HAVING NOT bool_or(EXISTS (SELECT 1 FROM column_edge AS c WHERE {_COLUMN})) LIMIT %(limit)s)
""".encode()  # noqa: S608 - our own words only
