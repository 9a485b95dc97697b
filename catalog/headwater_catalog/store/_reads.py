"""Questions to the catalog: search, one table, lineage, impact, history."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from headwater_catalog.store._about import about, hidden_columns, past
from headwater_catalog.store._choices import Choices
from headwater_catalog.store._drift import drift_of, there_of
from headwater_catalog.store._explain import Explainer
from headwater_catalog.store._found import (
    NotFound,
    found_moment,
    found_node,
    found_or_titled,
    known_columns,
    require_column,
)
from headwater_catalog.store._glossary import edits, glossary, logins, term_of
from headwater_catalog.store._graph import Question, walk_columns, walk_tables
from headwater_catalog.store._health import health
from headwater_catalog.store._inventory import Entry, entries
from headwater_catalog.store._nodes import Nodes
from headwater_catalog.store._runs import run_of
from headwater_catalog.store._said import add_said
from headwater_catalog.store._search import search
from headwater_catalog.store._walked import breaks, graph_told, names_of

if TYPE_CHECKING:
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

    def inventory(self) -> list[Entry]:
        """Return everything that has a page, in the order in which search shows it; what no name leads to has none."""
        return [one for one in entries(self._connection) if one.kind == "term" or self._nodes.find(one.name) == one.id]

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
        row["titles"] = {}
        for way, statement in _BESIDE.items():
            beside = self._all(statement, node, node, _BESIDE_MOST + 1)
            row[way] = [one["name"] for one in beside]
            row["titles"] |= {one["name"]: one["title"] for one in beside if one["title"]}
        row["cut"] = any(len(row[way]) > _BESIDE_MOST for way in _BESIDE)
        return row | {way: row[way][:_BESIDE_MOST] for way in _BESIDE}

    def history(self, name: str, limit: int = 50) -> dict[str, Any]:
        """Return what happened to a table: runs, checks, sizes, its columns, and when it was made, dropped, renamed.

        Raises:
            NotFound: There is none of that name.
        """
        node = self._node(name)
        return {
            "table": names_of(self._connection, {node})[node],
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
            "table": names_of(self._connection, {node})[node],
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

        A column's has also what decides which rows count for it: those edges have no target column. With ``neighbours``
        each table says how many tables it is made of, and how many are made of it.

        Raises:
            NotFound: There is no such table, column, run or snapshot.
        """
        node, at = self._node(name), self.moment(as_of)
        ways = ("up", "down") if direction == "both" else (direction,)
        asked = {way: Question(direction=way, depth=depth, at=at, limit=limit) for way in ways}
        if columns or column:
            require_column(self._connection, node, name, column, at)
            start = [(node, column)] if column else known_columns(self._connection, node, at)
            graphs = {way: walk_columns(self._connection, start, one, rows=bool(column)) for way, one in asked.items()}
        else:
            graphs = {way: walk_tables(self._connection, node, one) for way, one in asked.items()}
        told = graph_told(self._connection, node, graphs, at, neighbours=neighbours)
        return {**told, "as_of": at if as_of else None, "depth": depth, "column": column}

    def impact(self, name: str, *, column: str = "", depth: int, limit: int) -> dict[str, Any]:
        """Return everything that breaks when a table or column goes: tables, columns, checks and whose they are.

        Raises:
            NotFound: There is no such table or column.
        """
        node, at = self._node(name), _now()
        require_column(self._connection, node, name, column, at)
        question = Question(direction="down", depth=depth, at=at, limit=limit)
        graph = walk_columns(self._connection, [(node, column)], question, cautious=True)
        return breaks(self._connection, node, graph, column=column, limit=limit)

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
        node, at = found_or_titled(self._connection, self._nodes, name), _now()
        require_column(self._connection, node, name, column, at)
        explainer = Explainer(self._connection, self._nodes, depth, limit)
        told = explainer.walk(node, at, partition=partition, column=column)
        return {"table": names_of(self._connection, {node})[node], "partition": partition, "column": column, **told}

    def moment(self, text: str) -> datetime:
        """Return the time that a time, a run's id or a snapshot's id means; now for an empty text.

        Raises:
            NotFound: It is none of them.
        """
        return found_moment(self._connection, text)

    def _node(self, name: str) -> int:
        return found_node(self._nodes, name)

    def _all(self, sql: str, *values: object) -> list[dict[str, Any]]:
        cursor = self._connection.execute(sql.encode(), values)
        names = [one.name for one in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def _one(self, sql: str, *values: object) -> dict[str, Any]:
        return self._all(sql, *values)[0]


def _now() -> datetime:
    return datetime.now(UTC)


# A run that does part of another's work is told with it, on that one's page.
_RUNS = """
SELECT r.id AS run, r.state, r.job_name AS job, r.engine, r.partition, p.direction, p.snapshot, p.rows, p.bytes,
  r.began_at, r.ended_at, r.error
FROM partaking AS p JOIN run AS r ON r.id = p.run_id WHERE p.node_id = %s AND NOT EXISTS (
  SELECT 1 FROM partaking AS o WHERE o.run_id = r.parent AND o.node_id = p.node_id AND o.direction = p.direction
) ORDER BY p.at DESC, r.id LIMIT %s
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

_BESIDE_MOST = 200
_BESIDE = {
    way: f"""SELECT DISTINCT n.name, n.title FROM edge AS e JOIN node AS n ON n.id = e.{other}_id
             WHERE e.{this}_id = %s AND e.{other}_id <> %s AND e.until IS NULL ORDER BY n.name LIMIT %s"""  # noqa: S608 - our own words only
    for way, this, other in (("upstreams", "target", "source"), ("downstreams", "source", "target"))
}
