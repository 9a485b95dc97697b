"""What the catalog's answers are held against: a graph in memory, and plain SQL over tables without an index."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import networkx as nx

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from headwater_catalog.model import TableFacts
    from psycopg import Connection

__all__ = ["Memory", "Plain"]


class Memory:
    """Every table and what is made of it as a networkx graph, with the columns of each edge; built from the facts.

    Args:
        facts: Of all tables.
    """

    def __init__(self, facts: Iterable[TableFacts]) -> None:
        self._graph = nx.DiGraph()
        for one in facts:
            for source, columns in _by_source(one).items():
                self._graph.add_edge(source, one.name, columns=columns)

    def lineage(self, name: str, way: str, depth: int) -> set[str]:
        """Return the tables that one is made of, or that are made of it, itself included."""
        walked = self._graph.reverse(copy=False) if way == "up" else self._graph
        return set(nx.single_source_shortest_path_length(walked, name, cutoff=depth)) if name in walked else {name}

    def columns(self, name: str, columns: Iterable[str], way: str, depth: int) -> set[tuple[str, str, str, str]]:
        """Return the edges over which columns become others: source and its column, target and its column."""
        frontier = {(name, column) for column in columns}
        seen, found = set(frontier), set()
        for _ in range(depth):
            rows = {row for end in frontier for row in self._values(*end, way)}
            found |= rows
            frontier = {row[:2] if way == "up" else row[2:] for row in rows} - seen
            seen |= frontier
        return found

    def impact(self, name: str, column: str) -> set[str]:
        """Return the tables that break when a column goes, or, for an empty one, a table."""
        frontier, seen = {(name, column)}, {(name, column)}
        broken = set()
        while frontier:
            ends = {end for one in frontier for end in self._breaks(*one)}
            broken |= {table for table, _ in ends}
            frontier = ends - seen
            seen |= frontier
        return broken

    def _values(self, name: str, column: str, way: str) -> Iterator[tuple[str, str, str, str]]:
        if name not in self._graph:
            return
        near = 1 if way == "up" else 0
        edges = (
            self._graph.in_edges(name, data="columns") if way == "up" else self._graph.out_edges(name, data="columns")
        )
        for source, target, columns in edges:
            yield from ((source, one[0], target, one[1]) for one in columns if one[1] and one[near] == column)

    def _breaks(self, name: str, column: str) -> Iterator[tuple[str, str]]:
        for _, target, columns in self._graph.out_edges(name, data="columns") if name in self._graph else ():
            if not columns:
                yield target, ""
            yield from ((target, written) for read, written in columns if column in ("", read))


def _by_source(facts: TableFacts) -> Mapping[str, set[tuple[str, str]]]:
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for _, lineage in facts.lineage:
        for source in lineage.sources:
            found[source] |= set()
        for edge in lineage.columns:
            found[edge.source].add((edge.source_column, edge.target_column))
    return found


class Plain:
    """A copy of the catalog's tables without any index, asked in plain SQL.

    Args:
        connection: The administrator's, autocommit, in the catalog's database.
    """

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        connection.execute("DROP SCHEMA IF EXISTS plain CASCADE")
        connection.execute("CREATE SCHEMA plain")
        for table in ("node", "edge", "column_fact", "word"):
            connection.execute(f"CREATE TABLE plain.{table} AS TABLE public.{table}".encode())
        connection.execute("VACUUM ANALYZE")

    def lineage(self, name: str, way: str, depth: int) -> set[str]:
        """Return the tables that one is made of, or that are made of it, by one recursive query."""
        near, far = ("target", "source") if way == "up" else ("source", "target")
        return self._names(
            f"""WITH RECURSIVE walk AS (
                  SELECT id, 0 AS steps FROM plain.node WHERE name = %s
                  UNION SELECT e.{far}_id, w.steps + 1 FROM walk AS w
                    JOIN plain.edge AS e ON e.{near}_id = w.id AND e.until IS NULL WHERE w.steps < %s)
                SELECT DISTINCT n.name FROM walk JOIN plain.node AS n USING (id)""",  # noqa: S608 - our own words only
            name,
            depth,
        )

    def page(self, name: str) -> tuple[str, set[str], set[str]]:
        """Return a table's doc, its columns and the tables that it is made of."""
        found = self._connection.execute("SELECT id, doc FROM plain.node WHERE name = %s", (name,)).fetchall()
        node, doc = found[0]
        columns = self._names("SELECT name FROM plain.column_fact WHERE node_id = %s AND until IS NULL", node)
        upstreams = self._names(
            """SELECT DISTINCT n.name FROM plain.edge AS e JOIN plain.node AS n ON n.id = e.source_id
               WHERE e.target_id = %s AND e.until IS NULL""",
            node,
        )
        return doc, columns, upstreams

    def search(self, text: str) -> set[str]:
        """Return the tables of which every word of a text is said, in whatever it stands."""
        return self._names(
            """SELECT n.name FROM plain.node AS n WHERE n.id IN (
                 SELECT node_id FROM plain.word, unnest(%s::text[]) AS asked (word) WHERE text ILIKE asked.word
                 GROUP BY node_id HAVING count(DISTINCT asked.word) = cardinality(%s::text[]))""",
            *[[f"%{word}%" for word in text.split()]] * 2,
        )

    def _names(self, sql: str, *values: object) -> set[str]:
        return {row[0] for row in self._connection.execute(sql.encode(), values)}
