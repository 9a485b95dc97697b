"""Lineage and impact on the real PostgreSQL against networkx, on a thousand random graphs."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import networkx as nx
import psycopg
import pytest
from headwater_catalog.identity import ALWAYS
from headwater_catalog.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.box

GRAPHS = 1000
DAY = timedelta(days=1)
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
# Every fact is closed by then or holds for good.
LATER = BEGIN + 10 * DAY
KINDS = ("copied", "transformed", "aggregated", "filter", "join")
COLUMNS = "xyz"


@dataclass(frozen=True)
class Edge:
    """A drawn edge: its tables, who tells of it, from when until when, and its columns with their own times."""

    id: int
    source: int
    target: int
    origin: str
    since: datetime
    until: datetime | None
    columns: tuple[tuple[str, str, str, datetime, datetime | None], ...]

    def at(self, moment: datetime) -> bool:
        """Return whether it holds at a moment."""
        return holds(self.since, self.until, moment)

    def columns_at(self, moment: datetime) -> list[tuple[str, str, str]]:
        """Return what it says of columns at a moment."""
        return [(read, made, kind) for read, made, kind, *span in self.columns if holds(*span, moment)]


def holds(since: datetime, until: datetime | None, moment: datetime) -> bool:
    """Return whether a fact holds at a moment."""
    return since <= moment and (until is None or until > moment)


def drawn(draw: random.Random, first: int) -> list[Edge]:
    """Draw a graph: up to ten tables, cycles and tables made of themselves included, some edges without columns."""
    size = draw.randint(2, 10)
    edges = {}
    for _ in range(draw.randint(1, 30)):
        key = (draw.randrange(size), draw.randrange(size), draw.choice(("declared", "parsed", "observed")))
        since, until = span(draw)
        columns = {}
        for _ in range(draw.choice((0, 1, 2, 4))):
            made = draw.choice((*COLUMNS, ""))
            columns[draw.choice(COLUMNS), made, draw.choice(KINDS[2:] if made == "" else KINDS[:3])] = span(draw, since)
        edges[key] = (since, until, tuple((*names, *times) for names, times in columns.items()))
    return [Edge(first + at, *key, *rest) for at, (key, rest) in enumerate(edges.items())]


def span(draw: random.Random, earliest: datetime = BEGIN) -> tuple[datetime, datetime | None]:
    """Draw from when until when something holds; mostly still."""
    since = earliest + draw.randint(0, 3) * DAY
    return since, since + draw.randint(1, 3) * DAY if draw.random() < 0.3 else None


@pytest.fixture
def graphs(database) -> list[list[Edge]]:
    """A thousand graphs in one database, each with tables of its own."""
    draw, made = random.Random(20260101), []  # noqa: S311 - nothing secret
    for _ in range(GRAPHS):
        made.append(drawn(draw, made[-1][-1].id + 1 if made else 0))
    all_tables = [(graph * 10 + table, named(graph, table)) for graph in range(GRAPHS) for table in range(10)]
    all_edges = [(graph * 10, one) for graph, edges in enumerate(made) for one in edges]
    with psycopg.connect(database) as connection:
        filled(connection, "node (id, first_name, born, name)", ((id_, name, ALWAYS, name) for id_, name in all_tables))
        filled(
            connection,
            "column_fact",
            (
                (table, name, "declared", at, "int", "", [], BEGIN, None)
                for table, _ in all_tables
                for at, name in enumerate(COLUMNS)
            ),
        )
        filled(
            connection,
            "edge (id, source_id, target_id, origin, since, seen, until)",
            (
                (one.id, base + one.source, base + one.target, one.origin, one.since, one.since, one.until)
                for base, one in all_edges
            ),
        )
        filled(
            connection,
            "column_edge",
            (
                (one.id, read, written, kind, since, since, until)
                for _, one in all_edges
                for read, written, kind, since, until in one.columns
            ),
        )
        connection.execute("ANALYZE")
    return made


def filled(connection: psycopg.Connection, table: str, rows: Iterable[tuple]) -> None:
    """Copy rows into a table."""
    with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def named(graph: int, table: int) -> str:
    """Return a table's name."""
    return f"curated.g{graph}_{table}"


def number(name: str) -> int:
    """Return a table's number in its graph."""
    return int(name.rpartition("_")[2])


def reached(graph: nx.DiGraph, starts: list, way: str, depth: int) -> dict:
    """Return how far each node is from the nearest start, up to a depth."""
    walked = graph.reverse(copy=False) if way == "up" else graph
    known = [one for one in starts if one in walked]
    found = dict.fromkeys(starts, 0)
    if known:
        found |= {
            node: int(steps)
            for node, steps in nx.multi_source_dijkstra_path_length(walked, known, cutoff=depth).items()
        }
    return found


def more(graph: nx.DiGraph, found: dict, way: str) -> bool:
    """Return whether an edge leads on from what was reached to what was not."""
    walked = graph.reverse(copy=False) if way == "up" else graph
    return any(end not in found for node in found if node in walked for end in walked.successors(node))


def table_graph(edges: list[Edge], moment: datetime) -> nx.DiGraph:
    """Return the tables' graph of a moment."""
    return nx.DiGraph((one.source, one.target) for one in edges if one.at(moment))


def column_graph(edges: list[Edge], moment: datetime, *, rows: bool, way: str) -> nx.MultiDiGraph:
    """Return which column becomes which, and how; with ``rows`` also what decides which rows there are.

    On the way up that leads to every column of the table, on the way down to its rows and no further.
    """
    made = nx.MultiDiGraph()
    for one in edges:
        for read, written, kind in one.columns_at(moment) if one.at(moment) else ():
            if not written and rows and way == "up":
                for name in COLUMNS:
                    made.add_edge((one.source, read), (one.target, name), (kind, ""))
            if written or (rows and way == "down"):
                made.add_edge((one.source, read), (one.target, written), kind)
    return made


def ruin_graph(edges: list[Edge], moment: datetime) -> nx.DiGraph:
    """Return what breaks what: a table's rows stand for all its columns, and unknown columns for all rows."""
    made, now = nx.DiGraph(), [one for one in edges if one.at(moment)]
    known = {(one.source, one.target) for one in now if one.columns_at(moment)}
    for one in now:
        for read, written, _ in one.columns_at(moment):
            made.add_edge((one.source, read), (one.target, written))
            made.add_edge((one.source, ""), (one.target, written))
        if (one.source, one.target) not in known:
            for name in (*COLUMNS, ""):
                made.add_edge((one.source, name), (one.target, ""))
    return made


def asked(draw: random.Random) -> tuple[str, int, datetime]:
    """Draw a question: which way, how deep, as of when."""
    return draw.choice(("up", "down")), draw.randint(1, 9), BEGIN + draw.randint(0, 7) * DAY


def test_answers_equal_networkx(database, graphs):
    """Table lineage, column lineage and impact, as of any moment and to any depth, are what networkx finds."""
    draw = random.Random(7)  # noqa: S311 - nothing secret
    with Store(database, "lake") as store, store.reading() as reader:
        for graph, edges in enumerate(graphs):
            start = draw.choice(edges).source
            way, depth, moment = asked(draw)
            tables = table_graph(edges, moment)
            question = {"direction": way, "depth": depth, "as_of": moment.isoformat(), "limit": 1000}
            answer = reader.lineage(named(graph, start), columns=False, **question)
            same_tables(answer, tables, reached(tables, [start], way, depth), way, depth)

            column = draw.choice((*COLUMNS, ""))
            flows = column_graph(edges, moment, rows=bool(column), way=way)
            starts = [(start, column)] if column else [(start, name) for name in COLUMNS]
            answer = reader.lineage(named(graph, start), columns=True, column=column, **question)
            same_columns(answer, flows, reached(flows, starts, way, depth), way, depth)

            ruins = ruin_graph(edges, LATER)
            found = reached(ruins, [(start, column)], "down", depth)
            answer = reader.impact(named(graph, start), column=column, depth=depth, limit=1000)
            same_impact(answer, ruins, found, depth)


def same_tables(answer: dict, graph: nx.DiGraph, found: dict, way: str, depth: int) -> None:
    """Require the tables, their distance, the edges and the cut to be those of the graph."""
    sign = -1 if way == "up" else 1
    assert {number(one["name"]): one["steps"] * sign for one in answer["nodes"]} == found
    inside = {node for node, steps in found.items() if steps < depth}
    expected = {pair for pair in graph.edges if (pair[0] if way == "down" else pair[1]) in inside}
    assert {(number(one["source"]), number(one["target"])) for one in answer["edges"]} == expected
    assert answer["cut"] == more(graph, found, way)


def same_columns(answer: dict, graph: nx.MultiDiGraph, found: dict, way: str, depth: int) -> None:
    """Require the column edges with their kinds, and the cut, to be those of the graph."""
    inside = {node for node, steps in found.items() if steps < depth}
    expected = {
        (*source, target[0], "" if isinstance(kind, tuple) else target[1], kind[0] if isinstance(kind, tuple) else kind)
        for source, target, kind in graph.edges(keys=True)
        if (source if way == "down" else target) in inside
    }
    said = {
        (number(one["source"]), one["source_column"], number(one["target"]), one["target_column"], one["kind"])
        for one in answer["columns"]
    }
    assert said == expected
    assert answer["cut"] == more(graph, found, way)


def same_impact(answer: dict, graph: nx.DiGraph, found: dict, depth: int) -> None:
    """Require the tables that break, their columns and rows, and the cut, to be those of the graph."""
    broken: dict[int, set[str]] = {}
    for node, steps in found.items():
        for table, column in graph.successors(node) if steps < depth and node in graph else ():
            broken.setdefault(table, set()).add(column)
    said = {number(one["table"]): {*one["columns"], *([""] if one["all_rows"] else [])} for one in answer["breaks"]}
    assert said == broken
    assert answer["cut"] == more(graph, found, "down")


def test_a_cut_answer_says_so_and_is_part_of_the_whole(database, graphs):
    """Whatever bound an answer reaches, it says so, and holds nothing that the whole answer does not hold."""
    draw, cut = random.Random(8), 0  # noqa: S311 - nothing secret
    with Store(database, "lake") as store, store.reading() as reader:
        for graph in range(0, GRAPHS, 4):
            name, edges = named(graph, draw.choice(graphs[graph]).source), graphs[graph]
            way, _, _ = asked(draw)
            for columns in (False, True):
                question = {"columns": columns, "direction": way, "depth": 20, "as_of": ""}
                whole = parts(reader.lineage(name, **question, limit=1000))
                answer = reader.lineage(name, **question, limit=draw.randint(1, 5))
                assert parts(answer) <= whole, (graph, edges)
                assert answer["cut"] or parts(answer) == whole, (graph, edges)
                cut += answer["cut"]
            whole = parts(reader.impact(name, depth=20, limit=1000))
            answer = reader.impact(name, depth=20, limit=draw.randint(1, 5))
            assert parts(answer) <= whole, (graph, edges)
            assert answer["cut"] or parts(answer) == whole, (graph, edges)
    assert cut > 50


def parts(answer: dict) -> set:
    """Return what an answer holds, each piece by itself."""
    edges = {(one["source"], one["target"]) for one in answer.get("edges", ())}
    breaks = {(one["table"], name) for one in answer.get("breaks", ()) for name in (*one["columns"], one["all_rows"])}
    columns = {tuple(str(one[key]) for key in sorted(one) if key != "origins") for one in answer.get("columns", ())}
    return edges | {piece for piece in breaks if piece[1] is not False} | columns
