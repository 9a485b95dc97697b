"""Questions to the catalog: search, one table, lineage, impact, history."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from headwater_catalog.store._about import about, hidden_columns, past
from headwater_catalog.store._drift import drift_of, there_of
from headwater_catalog.store._explain import Explainer
from headwater_catalog.store._found import NotFound, found_node
from headwater_catalog.store._glossary import edits, glossary, logins, term_of
from headwater_catalog.store._graph import UNKNOWN, Graph, Question, walk_columns, walk_tables
from headwater_catalog.store._health import health
from headwater_catalog.store._nodes import Nodes
from headwater_catalog.store._runs import run_of
from headwater_catalog.store._said import add_said
from headwater_catalog.store._search import Choices, search

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from psycopg import Connection

__all__ = ["Reader"]


class Reader:
    """Answers questions within one transaction.

    Args:
        connection: In a read-only transaction of the caller's, so that all parts of an answer are of one moment.
        bucket: The lake's.
        kept: What search can be narrowed to, as it was counted before; counted anew without.
    """

    def __init__(self, connection: Connection[Any], bucket: str, kept: Choices | None = None) -> None:
        self._connection, self._nodes, self._choices = connection, Nodes(connection, bucket), kept or Choices()

    def search(
        self,
        text: str,
        *,
        zone: str = "",
        owner: str = "",
        tag: str = "",
        domain: str = "",
        freshness: str = "",
        limit: int = 20,
    ) -> dict[str, Any]:
        """Return the tables whose name, columns, docs, owner or tags are like a text, the best first, and why.

        An empty text finds every table, by name. A tag counts that a column inherits; ``freshness`` is ``fresh`` or
        ``stale``.
        """
        narrowed = {"zone": zone, "owner": owner, "tag": tag, "domain": domain, "freshness": freshness, "limit": limit}
        return search(self._connection, text, narrowed)

    def glossary(self, limit: int = 1000) -> dict[str, Any]:
        """Return the glossary's terms by name, with how many tables and columns carry each."""
        return glossary(self._connection, limit)

    def term(self, name: str, limit: int = 500) -> dict[str, Any]:
        """Return a term of the glossary, and what carries it.

        Raises:
            NotFound: There is no such term.
        """
        return term_of(self._connection, name, limit)

    def audit(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return what people changed by hand, the newest first."""
        return edits(self._connection, None, limit)

    def logins(self) -> list[dict[str, Any]]:
        """Return who has a login of their own, and who made it."""
        return logins(self._connection)

    def login(self, *, name: str = "", digest: bytes = b"") -> tuple[str, bytes] | None:
        """Return the name and the token's digest of the login with that name or digest, or None."""
        row = self._connection.execute(
            "SELECT name, digest FROM login WHERE name = %s OR digest = %s", (name, digest)
        ).fetchone()
        return (str(row[0]), bytes(row[1])) if row else None

    def choices(self) -> dict[str, Any]:
        """Return what search can be narrowed to: zones, owners, domains, tags, with how many tables each had lately."""
        return self._choices.of(self._connection)

    def run(self, run: str) -> dict[str, Any]:
        """Return all that is known of a run: how it went, what it read and wrote, and the runs that belong to it.

        Raises:
            NotFound: Nobody told of such a run.
        """
        found = run_of(self._connection, run)
        if found is None:
            raise NotFound(f"The catalog knows no run {run!r}; a table's history names its runs.")
        return found

    def health(self, want: str = "", limit: int = 500) -> dict[str, Any]:
        """Return how many tables are failing, stale, unowned and so on, and which, the worst first."""
        return health(self._connection, want, limit)

    def table(self, name: str) -> dict[str, Any]:
        """Return all that is known of a table; ``cut`` when there are more tables beside it than are named.

        Raises:
            NotFound: There is none of that name.
        """
        node = self._node(name)
        row = self._one(
            """SELECT name, kind, title, url, doc, owner, domain, tags, place, code, problem, defined, made_at,
                 dropped_at, fresh_within_hours, revision, revised_at, uncommitted, code_doc, code_owner, code_domain,
                 code_tags
               FROM node WHERE id = %s""",
            node,
        )
        row["columns"] = self._all(
            """SELECT name, type, doc, tags, origin FROM column_fact WHERE node_id = %s AND until IS NULL
               ORDER BY position""",
            node,
        )
        add_said(self._connection, node, row)
        row["aliases"] = self._all(
            "SELECT text, kind FROM alias WHERE node_id = %s ORDER BY kind, text LIMIT 200", node
        )
        row["runs"] = self._all(_RUNS, node, 10)
        row["drift"] = drift_of(self._connection, node)
        row["there"] = there_of(self._connection, node)
        row["dashboards"] = self._all(_DASHBOARDS, node)
        row |= about(self._connection, node)
        for way, statement in _BESIDE.items():
            row[way] = [one["name"] for one in self._all(statement, node, node, _BESIDE_MOST + 1)]
        row["cut"] = any(len(row[way]) > _BESIDE_MOST for way in _BESIDE)
        return row | {way: row[way][:_BESIDE_MOST] for way in _BESIDE}

    def history(self, name: str, limit: int = 50) -> dict[str, Any]:
        """Return what happened to a table: runs, checks, sizes, its columns, and when it was made, dropped, renamed.

        Raises:
            NotFound: There is none of that name.
        """
        node = self._node(name)
        return {
            "table": self._names({node})[node],
            "runs": self._all(_RUNS, node, limit),
            "changes": self._all(
                "SELECT at, what, detail FROM change WHERE node_id = %s ORDER BY at DESC, what LIMIT %s", node, limit
            ),
            "edits": edits(self._connection, node, limit),
            "columns": self._all(
                """SELECT name, type, origin, since, until FROM column_fact WHERE node_id = %s
                   ORDER BY since DESC, position LIMIT %s""",
                node,
                limit * 10,
            ),
            **past(self._connection, node, limit),
        }

    def columns_to_show(self, name: str) -> dict[str, Any]:
        """Return a table's name and columns, and those of which no value may be shown: they hold personal data.

        Raises:
            NotFound: There is none of that name.
        """
        node = self._node(name)
        known = self._all("SELECT name FROM column_fact WHERE node_id = %s AND until IS NULL ORDER BY position", node)
        return {
            "table": self._names({node})[node],
            "columns": [one["name"] for one in known],
            "hidden": hidden_columns(self._connection, node),
        }

    def lineage(
        self,
        name: str,
        *,
        column: str = "",
        columns: bool,
        direction: str,
        depth: int,
        as_of: str,
        limit: int,
        neighbours: bool = False,
    ) -> dict[str, Any]:
        """Return the graph around a table or column, as it is or as it was.

        With ``neighbours`` each table says how many tables it is made of, and how many are made of it.

        Raises:
            NotFound: There is no such table, column, run or snapshot.
        """
        node, at = self._node(name), self.moment(as_of)
        ways = ("up", "down") if direction == "both" else (direction,)
        asked = [Question(direction=way, depth=depth, at=at, limit=limit) for way in ways]
        if columns or column:
            self._require(node, name, column, at)
            start = [(node, column)] if column else self._columns(node, at)
            graphs = [walk_columns(self._connection, start, one) for one in asked]
        else:
            graphs = [walk_tables(self._connection, node, one) for one in asked]
        told = self._told(node, ways, graphs, at)
        if neighbours:
            self._count_neighbours(told["nodes"], at)
        return {**told, "as_of": at if as_of else None, "depth": depth, "column": column}

    def impact(self, name: str, *, column: str = "", depth: int, limit: int) -> dict[str, Any]:
        """Return everything that breaks when a table or column goes: tables, columns and whose they are.

        Raises:
            NotFound: There is no such table or column.
        """
        node, at = self._node(name), _now()
        self._require(node, name, column, at)
        question = Question(direction="down", depth=depth, at=at, limit=limit)
        graph = walk_columns(self._connection, [(node, column)], question, cautious=True)
        broken: dict[int, set[str]] = {}
        for _, _, target, written, *_ in graph.columns:
            broken.setdefault(target, set()).add(written)
        return self._breaks(node, graph, broken)

    def explain(self, name: str, *, partition: str = "", column: str = "", depth: int, limit: int) -> dict[str, Any]:
        """Return the runs, snapshots and files that made a table's rows, or those that a chart shows.

        Args:
            name: The table, by any of its names; a chart or dashboard also by its title.
            partition: One partition's key; empty for all.
            column: Only what this column is made of; empty for all.
            depth: Steps back at most.
            limit: Writes at most.

        Raises:
            NotFound: There is no such table, chart or column.
        """
        node, at = self._node_or_title(name), _now()
        self._require(node, name, column, at)
        explainer = Explainer(self._connection, self._nodes, depth, limit)
        told = explainer.walk(node, at, partition=partition, column=column)
        return {"table": self._names({node})[node], "partition": partition, "column": column, **told}

    def _node_or_title(self, name: str) -> int:
        try:
            return self._node(name)
        except NotFound:
            titled = self._all(
                """SELECT id FROM node WHERE lower(title) = lower(%s) AND kind <> 'term' AND dropped_at IS NULL
                   ORDER BY kind, name LIMIT 1""",
                name,
            )
            if not titled:
                raise
            return int(titled[0]["id"])

    def moment(self, text: str) -> datetime:
        """Return the time that a time, a run's id or a snapshot's id means; now for an empty text.

        Raises:
            NotFound: It is none of them.
        """
        if not text:
            return _now()
        run = self._connection.execute(
            """SELECT coalesce(ended_at, began_at) FROM run WHERE id = %(text)s
               UNION ALL (SELECT at FROM partaking WHERE snapshot = %(text)s AND direction = 'out' ORDER BY at LIMIT 1)
               LIMIT 1""",
            {"text": text},
        ).fetchone()
        if run:
            return run[0]  # type: ignore[no-any-return]
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise NotFound(
                f"There is no run, snapshot or time {text!r}; give a run's id, a snapshot's id or a time such as "
                "2026-01-31T12:00:00Z."
            ) from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def _breaks(self, node: int, graph: Graph, broken: Mapping[int, set[str]]) -> dict[str, Any]:
        names = self._names({*broken, node})
        certain = _certain(node, graph)
        facts = {
            identity: {"kind": kind, "title": title, "url": url, "owner": owner}
            for identity, kind, title, url, owner in self._connection.execute(
                "SELECT id, kind, title, url, owner FROM node WHERE id = ANY(%s)", (list(broken),)
            )
        }
        charts = self._charts([other for other, fact in facts.items() if fact["kind"] == "dashboard"])
        tables = [
            {
                "table": names[other],
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
            "table": names[node],
            "breaks": tables,
            "owners": sorted({str(one["owner"]) for one in tables if one["owner"]}),
            "cut": graph.cut,
        }

    def _charts(self, dashboards: list[int]) -> dict[int, dict[str, str]]:
        """Return the titles of dashboards' charts; to lineage they are columns of theirs."""
        found: dict[int, dict[str, str]] = {}
        for node, name, title in self._connection.execute(
            "SELECT node_id, name, doc FROM column_fact WHERE node_id = ANY(%s) AND type = 'chart' AND until IS NULL",
            (dashboards,),
        ):
            found.setdefault(node, {})[name] = title
        return found

    def _told(self, node: int, ways: Iterable[str], graphs: list[Graph], at: datetime) -> dict[str, Any]:
        steps = {
            other: step if way == "down" else -step
            for way, graph in zip(ways, graphs, strict=True)
            for other, step in graph.nodes.items()
        }
        rows = self._connection.execute(
            """SELECT n.id, n.name, n.kind, n.title, n.owner, n.dropped_at IS NOT NULL, p.snapshot, p.run_id
               FROM node AS n
               LEFT JOIN LATERAL (SELECT snapshot, run_id FROM partaking WHERE node_id = n.id AND direction = 'out'
                 AND at <= %s ORDER BY at DESC LIMIT 1) AS p ON true WHERE n.id = ANY(%s)""",
            (at, list(steps)),
        ).fetchall()
        names = {row[0]: row[1] for row in rows}
        keys = ("name", "kind", "title", "owner", "dropped", "snapshot", "run")
        nodes = [{**dict(zip(keys, row[1:], strict=True)), "steps": steps[row[0]]} for row in rows]
        edges = {pair: origins for graph in graphs for pair, origins in graph.edges.items()}
        columns = {one for graph in graphs for one in graph.columns}
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
            "cut": any(graph.cut for graph in graphs),
        }

    def _count_neighbours(self, nodes: list[dict[str, Any]], at: datetime) -> None:
        names = [one["name"] for one in nodes]
        counts = {row[0]: row[1:] for row in self._connection.execute(_NEIGHBOURS, {"names": names, "at": at})}
        for one in nodes:
            one["upstreams"], one["downstreams"] = counts.get(one["name"], (0, 0))

    def _node(self, name: str) -> int:
        return found_node(self._nodes, name)

    def _columns(self, node: int, at: datetime) -> list[tuple[int, str]]:
        rows = self._connection.execute(
            """SELECT DISTINCT name FROM column_fact WHERE node_id = %(node)s AND since <= %(at)s
                 AND (until IS NULL OR until > %(at)s)
               UNION SELECT c.target_column FROM edge AS e JOIN column_edge AS c ON c.edge_id = e.id
                 WHERE e.target_id = %(node)s AND c.target_column <> ''
               UNION SELECT c.source_column FROM edge AS e JOIN column_edge AS c ON c.edge_id = e.id
                 WHERE e.source_id = %(node)s""",
            {"node": node, "at": at},
        )
        return [(node, row[0]) for row in rows]

    def _require(self, node: int, name: str, column: str, at: datetime) -> None:
        asked = {"node": node, "column": column, "at": at}
        if column and not self._connection.execute(_HAS_COLUMN, asked).fetchone():
            raise NotFound(f"Table {name} has no column {column!r} that the catalog knows.")

    def _names(self, nodes: Iterable[int]) -> dict[int, str]:
        return dict(self._connection.execute("SELECT id, name FROM node WHERE id = ANY(%s)", (list(nodes),)).fetchall())

    def _all(self, sql: str, *values: object) -> list[dict[str, Any]]:
        cursor = self._connection.execute(sql.encode(), values)
        names = [one.name for one in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def _one(self, sql: str, *values: object) -> dict[str, Any]:
        return self._all(sql, *values)[0]


def _certain(start: int, graph: Graph) -> set[int]:
    """Return the tables that are known to depend on a start, not only by way of a table of unknown columns."""
    known, before = {start}, 0
    rows = [(row[0], row[2]) for row in graph.columns if row[4] != UNKNOWN]
    while len(known) > before:
        before = len(known)
        known |= {target for source, target in rows if source in known}
    return known


def _column_rows(
    columns: Iterable[tuple[int, str, int, str, str, str]], names: Mapping[int, str]
) -> list[dict[str, Any]]:
    said: dict[tuple[str, str, str, str, str], list[str]] = {}
    for source, read, target, written, kind, origin in columns:
        said.setdefault((names[source], read, names[target], written, kind), []).append(origin)
    keys = ("source", "source_column", "target", "target_column", "kind")
    return [{**dict(zip(keys, one, strict=True)), "origins": sorted(who)} for one, who in sorted(said.items())]


def _now() -> datetime:
    return datetime.now(UTC)


_RUNS = """
SELECT r.id AS run, r.state, r.job_name AS job, r.engine, r.partition, p.direction, p.snapshot, p.rows, p.bytes,
  r.began_at, r.ended_at, r.error
FROM partaking AS p JOIN run AS r ON r.id = p.run_id WHERE p.node_id = %s ORDER BY p.at DESC, r.id LIMIT %s
"""

# A dashboard stands one step behind its charts; what its own filters look at, right behind the table.
_DASHBOARDS = """
WITH behind AS (
  SELECT e.target_id AS id FROM edge AS e WHERE e.source_id = %s AND e.until IS NULL
), dashboard AS (
  SELECT id FROM behind
  UNION SELECT e.target_id FROM behind AS b JOIN node AS c ON c.id = b.id AND c.kind = 'chart'
    JOIN edge AS e ON e.source_id = b.id AND e.until IS NULL
)
SELECT n.name, n.title, n.url FROM dashboard JOIN node AS n USING (id) WHERE n.kind = 'dashboard' ORDER BY n.title
"""

# A column is known by itself, or by an edge from or to it.
_HAS_COLUMN = b"""
(SELECT 1 FROM column_fact WHERE node_id = %(node)s AND name = %(column)s AND since <= %(at)s
   AND (until IS NULL OR until > %(at)s) LIMIT 1)
UNION ALL (SELECT 1 FROM edge AS e JOIN column_edge AS c ON c.edge_id = e.id
   WHERE e.target_id = %(node)s AND c.target_column = %(column)s AND c.target_column <> '' LIMIT 1)
UNION ALL (SELECT 1 FROM edge AS e JOIN column_edge AS c ON c.edge_id = e.id
   WHERE e.source_id = %(node)s AND c.source_column = %(column)s LIMIT 1)
LIMIT 1
"""

_BESIDE_MOST = 200
_BESIDE = {
    way: f"""SELECT DISTINCT n.name FROM edge AS e JOIN node AS n ON n.id = e.{other}_id
             WHERE e.{this}_id = %s AND e.{other}_id <> %s AND e.until IS NULL ORDER BY n.name LIMIT %s"""  # noqa: S608 - our own words only
    for way, this, other in (("upstreams", "target", "source"), ("downstreams", "source", "target"))
}

_NEIGHBOURS = b"""
SELECT n.name, (
    SELECT count(DISTINCT e.source_id) FROM edge AS e WHERE e.target_id = n.id AND e.source_id <> n.id
      AND e.since <= %(at)s AND (e.until IS NULL OR e.until > %(at)s)), (
    SELECT count(DISTINCT e.target_id) FROM edge AS e WHERE e.source_id = n.id AND e.target_id <> n.id
      AND e.since <= %(at)s AND (e.until IS NULL OR e.until > %(at)s))
FROM node AS n WHERE n.name = ANY(%(names)s)
"""
