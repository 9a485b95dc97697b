"""Nodes, their names and columns in the database."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from headwater_catalog.identity import Known, Node, Rename, called, reference, resolve
from headwater_catalog.model import View
from headwater_catalog.store import _promises
from headwater_catalog.store._knowledge import MERGE, sum_up
from headwater_catalog.store._settle import settle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from psycopg import Connection

    from headwater_catalog.identity import Reference
    from headwater_catalog.model import ColumnFacts

__all__ = ["Nodes"]

_INSTANT = timedelta(microseconds=1)
# How far the times may differ at which two tell of the same: the metastore counts whole seconds, an engine tells late.
_APART = timedelta(seconds=5)


class Nodes(Known):
    """Finds and makes nodes within one transaction.

    Args:
        connection: In a transaction of the caller's.
        bucket: The lake's.
    """

    def __init__(self, connection: Connection[Any], bucket: str) -> None:
        self._connection, self._bucket = connection, bucket
        # What was asked before in this transaction; a rename makes it void.
        self._renames: dict[str, list[Rename]] = {}
        self._seen: dict[tuple[frozenset[str], datetime], int] = {}
        # Nodes whose words were changed.
        self._described: set[int] = set()

    @contextmanager
    def words_at_once(self) -> Iterator[None]:
        """Index what is said meanwhile in one go at the end: for whoever tells of very many tables."""
        self._connection.execute("SELECT set_config('headwater.words', 'at once', true)")
        yield
        self._connection.execute("SELECT set_config('headwater.words', '', true)")
        self._connection.execute("SELECT index_words(%s::bigint[])", (sorted(self._described),))

    def renames(self, name: str) -> Sequence[Rename]:
        """Return the renames from and to a name."""
        if name not in self._renames:
            self._renames[name] = self._renames_of(name)
        return self._renames[name]

    def _renames_of(self, name: str) -> list[Rename]:
        rows = self._connection.execute(
            "SELECT at, old_name, new_name FROM rename WHERE old_name = %(name)s OR new_name = %(name)s",
            {"name": name},
        )
        return [Rename(*row) for row in rows]

    def learned(self, keys: Sequence[str]) -> Mapping[str, Node]:
        """Return the nodes that were last seen under locations and ids."""
        rows = self._connection.execute(
            """SELECT DISTINCT ON (a.key) a.key, n.first_name, n.born FROM alias AS a JOIN node AS n ON n.id = a.node_id
               WHERE a.key = ANY(%s) AND a.key <> '' ORDER BY a.key, a.seen_at DESC, n.id""",
            (list(keys),),
        )
        return {key: Node(first_name, born) for key, first_name, born in rows}

    def find(self, text: str, at: datetime | None = None) -> int | None:
        """Return the node that a name means, or None when there is none."""
        node = resolve([reference(text, self._bucket)], self, at or datetime.now(UTC))
        found = self._connection.execute(
            "SELECT id FROM node WHERE first_name = %s AND born = %s", (node.name, node.born)
        ).fetchone()
        return found[0] if found else None

    def see(self, texts: Iterable[str], at: datetime) -> int:
        """Return the node that several names of one table mean, made when absent, and keep the names."""
        names = frozenset(texts)
        if (names, at) in self._seen:
            return self._seen[names, at]
        references = [reference(text, self._bucket) for text in sorted(names)]
        found = self._see(references, at)
        if not any(one.learnable for one in references):  # what such a name means may be learned meanwhile
            self._seen[names, at] = found
        return found

    def _see(self, references: Sequence[Reference], at: datetime) -> int:
        node = resolve(references, self, at)
        name = called(node, self, datetime.now(UTC))
        row = self._connection.execute(
            """WITH made AS (
                 INSERT INTO node (first_name, born, name) VALUES (%(first)s, %(born)s, %(name)s)
                 ON CONFLICT (first_name, born) DO NOTHING RETURNING id)
               SELECT id FROM made UNION ALL SELECT id FROM node WHERE first_name = %(first)s AND born = %(born)s""",
            {"first": node.name, "born": node.born, "name": name},
        ).fetchone()
        # Another transaction may have made it meanwhile, where this statement could not see it yet.
        identity = row[0] if row else self._id(node)
        self._keep(identity, references, at)
        self.describe(identity, "name", [name])
        return int(identity)

    def _id(self, node: Node) -> int:
        found = self._connection.execute(
            "SELECT id FROM node WHERE first_name = %s AND born = %s", (node.name, node.born)
        ).fetchone()
        return int(found[0]) if found else 0

    def _keep(self, identity: int, references: Sequence[Reference], at: datetime) -> None:
        rows = sorted({(one.kept, identity, one.kind, one.learnable, at) for one in references if one.kept})
        if rows:
            self._connection.cursor().executemany(
                """INSERT INTO alias (text, node_id, kind, key, seen_at) VALUES (%s, %s, %s, %s, %s)
                   ON CONFLICT (text, node_id) DO UPDATE SET seen_at = greatest(alias.seen_at, excluded.seen_at)""",
                rows,
            )

    def rename(self, old: str, new: str, at: datetime) -> None:
        """Record that a table got another name; what was seen under the new one since belongs to it."""
        before, after = (reference(text, self._bucket).name for text in (old, new))
        if before == after or self._is_known(before, after, at):
            return
        self._renames, self._seen = {}, {}
        late = self.find(after, at)
        identity = self.see([before], at - _INSTANT)  # from then on the name is free
        self._connection.execute(
            "INSERT INTO rename (at, old_name, new_name) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (at, before, after),
        )
        self._renames, self._seen = {}, {}
        if late is not None and late != identity and self._is_younger(late, at):
            self._merge(late, identity)
        self._call(identity)
        self.change(identity, at, "renamed", f"{before} to {after}")

    def _is_known(self, before: str, after: str, at: datetime) -> bool:
        """Return whether another teller has told of this very rename; their clocks differ."""
        found = self._connection.execute(
            """SELECT 1 FROM rename WHERE old_name = %(before)s AND new_name = %(after)s
               AND at BETWEEN %(at)s - %(apart)s AND %(at)s + %(apart)s LIMIT 1""",
            {"before": before, "after": after, "at": at, "apart": _APART},
        ).fetchone()
        return found is not None

    def _call(self, identity: int) -> None:
        """Give a node the name that it has now."""
        row = self._connection.execute("SELECT first_name, born FROM node WHERE id = %s", (identity,)).fetchone()
        name = called(Node(*row), self, datetime.now(UTC)) if row else ""
        self._connection.execute("UPDATE node SET name = %s WHERE id = %s", (name, identity))
        self._connection.execute("DELETE FROM word WHERE node_id = %s AND what = 'name'", (identity,))
        self.describe(identity, "name", [name])

    def _is_younger(self, identity: int, at: datetime) -> bool:
        """Return whether nothing of a node is older than a moment: then it was only ever this table's new name."""
        found = self._connection.execute(
            """SELECT 1 FROM alias WHERE node_id = %(id)s AND seen_at < %(at)s
               UNION ALL SELECT 1 FROM edge WHERE (source_id = %(id)s OR target_id = %(id)s) AND since < %(at)s
               UNION ALL SELECT 1 FROM partaking WHERE node_id = %(id)s AND at < %(at)s LIMIT 1""",
            {"id": identity, "at": at},
        ).fetchone()
        return found is None

    def _merge(self, late: int, into: int) -> None:
        """Give all that was seen of one node to another, where the other has none of its own."""
        ids = {"late": late, "into": into}
        for statement in (*MERGE, *_promises.MERGE, *_MERGE):
            self._connection.execute(statement.encode(), ids)
        sum_up(self._connection, into)
        settle(self._connection, [into])

    def describe(self, identity: int, what: str, texts: Iterable[str]) -> None:
        """Let search find a node by further texts."""
        said = sorted({text[:2000] for text in texts if text})
        self._described.add(identity)
        if said:
            self._connection.execute(
                "INSERT INTO word SELECT %s, %s, unnest(%s::text[]) ON CONFLICT DO NOTHING", (identity, what, said)
            )

    def settle(self, identities: Sequence[int]) -> None:
        """Bring what tables show, and what search finds them by, to what code and people say of them."""
        self._described.update(identities)
        settle(self._connection, identities)

    def change(self, identity: int, at: datetime, what: str, detail: str = "") -> None:
        """Add to a table's history."""
        self._connection.execute(
            "INSERT INTO change VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING", (identity, at, what, detail)
        )

    def change_once(self, identity: int, at: datetime, what: str) -> None:
        """Add to a table's history what somebody else may have told already."""
        self._connection.execute(
            """INSERT INTO change SELECT %(id)s, %(at)s, %(what)s, '' WHERE NOT EXISTS (
                 SELECT 1 FROM change WHERE node_id = %(id)s AND what = %(what)s
                 AND at BETWEEN %(at)s - %(apart)s AND %(at)s + %(apart)s) ON CONFLICT DO NOTHING""",
            {"id": identity, "at": at, "what": what, "apart": _APART},
        )

    def columns_of(self, nodes: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
        """Return the columns of nodes as they are now, in order, by whatever they are called by here."""
        rows = self._connection.execute(
            "SELECT node_id, name FROM column_fact WHERE node_id = ANY(%s) AND until IS NULL ORDER BY position",
            (list(nodes.values()),),
        ).fetchall()
        return {key: tuple(name for node, name in rows if node == identity) for key, identity in nodes.items()}

    def view(self, name: str, at: datetime) -> View | None:
        """Return the table or view that a name meant, with the tables that it is in the end; None without any."""
        identity = self.find(name, at)
        if identity is None:
            return None
        rows = self._connection.execute(_BENEATH, {"id": identity}).fetchall()
        return View(self.columns_of({name: identity})[name], [row[0] for row in rows] or [name])

    def columns(
        self, identity: int, columns: Sequence[ColumnFacts], origin: str, at: datetime, *, whole: bool = True
    ) -> None:
        """Bring a table's columns to what somebody says they are; the former ones are closed, not lost.

        What is declared counts before what is observed, and an older observation changes nothing. Whoever names some
        columns only, because it read or wrote no others, is not ``whole`` and adds what was not known.
        """
        now = {
            row[0]: row[1:]
            for row in self._connection.execute(
                """SELECT name, origin, position, type, doc, tags, since FROM column_fact
                   WHERE node_id = %s AND until IS NULL FOR UPDATE""",
                (identity,),
            )
        }
        ours = origin == "declared"
        if not ours and any(row[0] == "declared" or row[5] > at for row in now.values()):
            return
        wanted = {one.name: (origin, place, one.type, one.doc, list(one.tags)) for place, one in enumerate(columns)}
        if not whole:
            wanted = {name: (row[0], row[1] + len(now), *row[2:]) for name, row in wanted.items() if name not in now}
            wanted = {name: row[:5] for name, row in now.items()} | wanted
        gone = [name for name, row in now.items() if wanted.get(name) != row[:5]]
        cursor = self._connection.cursor()
        if gone:
            cursor.execute(
                "UPDATE column_fact SET until = %s WHERE node_id = %s AND until IS NULL AND name = ANY(%s)",
                (at, identity, gone),
            )
        fresh = [(identity, name, *row, at) for name, row in wanted.items() if name in gone or name not in now]
        cursor.executemany("INSERT INTO column_fact VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", fresh)
        if now.keys() != wanted.keys():
            if now:
                cursor.execute("DELETE FROM word WHERE node_id = %s AND what = 'column'", (identity,))
            self.describe(identity, "column", wanted)


_BENEATH = """
WITH RECURSIVE beneath AS (
  SELECT e.source_id AS id FROM edge AS e JOIN node AS v ON v.id = e.target_id
  WHERE v.id = %(id)s AND v.kind = 'view' AND e.origin = 'parsed' AND e.until IS NULL
  UNION SELECT e.source_id FROM beneath AS b JOIN node AS v ON v.id = b.id AND v.kind = 'view'
  JOIN edge AS e ON e.target_id = v.id AND e.origin = 'parsed' AND e.until IS NULL
)
SELECT n.name FROM beneath JOIN node AS n USING (id) WHERE n.kind <> 'view'
"""

# Facts that the other node has already stay where they are; their node is then empty, and goes.
_MERGE = (
    """INSERT INTO word SELECT %(into)s, what, text FROM word WHERE node_id = %(late)s AND what = 'column'
       ON CONFLICT DO NOTHING""",
    "DELETE FROM word WHERE node_id = %(late)s",
    """INSERT INTO alias SELECT text, %(into)s, kind, key, seen_at FROM alias WHERE node_id = %(late)s
       ON CONFLICT DO NOTHING""",
    "DELETE FROM alias WHERE node_id = %(late)s",
    """INSERT INTO change SELECT %(into)s, at, what, detail FROM change WHERE node_id = %(late)s
       ON CONFLICT DO NOTHING""",
    "DELETE FROM change WHERE node_id = %(late)s",
    """INSERT INTO partaking SELECT run_id, %(into)s, direction, at, snapshot, rows, bytes FROM partaking
       WHERE node_id = %(late)s ON CONFLICT DO NOTHING""",
    "DELETE FROM partaking WHERE node_id = %(late)s",
    """INSERT INTO column_edge SELECT o.id, c.source_column, c.target_column, c.kind, c.since, c.seen
       FROM edge AS e JOIN column_edge AS c ON c.edge_id = e.id AND c.until IS NULL
       JOIN edge AS o ON o.until IS NULL AND o.origin = e.origin AND o.target_id = %(into)s
         AND o.source_id = e.source_id
       WHERE e.until IS NULL AND e.target_id = %(late)s ON CONFLICT DO NOTHING""",
    """INSERT INTO column_edge SELECT o.id, c.source_column, c.target_column, c.kind, c.since, c.seen
       FROM edge AS e JOIN column_edge AS c ON c.edge_id = e.id AND c.until IS NULL
       JOIN edge AS o ON o.until IS NULL AND o.origin = e.origin AND o.source_id = %(into)s
         AND o.target_id = e.target_id
       WHERE e.until IS NULL AND e.source_id = %(late)s ON CONFLICT DO NOTHING""",
    """UPDATE edge AS e SET until = e.since WHERE e.until IS NULL AND e.target_id = %(late)s AND EXISTS (
         SELECT 1 FROM edge AS o WHERE o.until IS NULL AND o.target_id = %(into)s AND o.source_id = e.source_id
         AND o.origin = e.origin)""",
    """UPDATE edge AS e SET until = e.since WHERE e.until IS NULL AND e.source_id = %(late)s AND EXISTS (
         SELECT 1 FROM edge AS o WHERE o.until IS NULL AND o.source_id = %(into)s AND o.target_id = e.target_id
         AND o.origin = e.origin)""",
    "UPDATE edge SET target_id = %(into)s WHERE target_id = %(late)s",
    "UPDATE edge SET source_id = %(into)s WHERE source_id = %(late)s",
    """UPDATE column_fact AS c SET until = c.since WHERE c.until IS NULL AND c.node_id = %(late)s AND EXISTS (
         SELECT 1 FROM column_fact AS o WHERE o.until IS NULL AND o.node_id = %(into)s AND o.name = c.name)""",
    "UPDATE column_fact SET node_id = %(into)s WHERE node_id = %(late)s",
    """INSERT INTO by_hand SELECT %(into)s, column_name, what, key, value, who, at FROM by_hand
       WHERE node_id = %(late)s ON CONFLICT DO NOTHING""",
    "DELETE FROM by_hand WHERE node_id = %(late)s",
    "UPDATE audit SET node_id = %(into)s WHERE node_id = %(late)s",
    "DELETE FROM node WHERE id = %(late)s",
)
