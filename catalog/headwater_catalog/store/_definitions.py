"""What the project's definitions say, brought into the database."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from headwater_catalog.model import Origin
from headwater_catalog.store._edges import replace_edges, stated_edges
from headwater_catalog.store._nodes import Nodes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from psycopg import Connection

    from headwater_catalog.model import TableFacts

__all__ = ["publish"]

# One publication of definitions at a time.
_LOCK = 7_700_003
_MARK = "definitions"
# Kinds that exist by their definition alone, and are gone with it.
_SHOWN = ("chart", "dashboard")


def publish(connection: Connection[Any], bucket: str, project: str, facts: Sequence[TableFacts], at: datetime) -> bool:
    """Bring the catalog to what a project's definitions say and return whether anything had changed."""
    said = repr((project, sorted(facts, key=lambda one: one.name)))
    digest = hashlib.sha256(said.encode(errors="replace")).hexdigest()
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    known = connection.execute("SELECT value FROM mark WHERE name = %s", (_MARK,)).fetchone()
    if known and known[0] == digest:
        return False
    writer = _Writer(connection, Nodes(connection, bucket), project, at)
    ids = {one.name: writer.table(one) for one in facts}
    for one in facts:
        writer.lineage(ids[one.name], one)
    writer.forget(set(ids.values()))
    connection.execute(
        "INSERT INTO mark VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (_MARK, digest)
    )
    return True


class _Writer:
    def __init__(self, connection: Connection[Any], nodes: Nodes, project: str, at: datetime) -> None:
        self._connection, self._nodes, self._project, self._at = connection, nodes, project, at

    def table(self, facts: TableFacts) -> int:
        identity = self._nodes.see([facts.name], self._at)
        before = self._connection.execute("SELECT defined FROM node WHERE id = %s", (identity,)).fetchone()
        problem = " ".join(one.problem for _, one in facts.lineage if one.problem)
        self._connection.execute(
            """UPDATE node SET kind = %(kind)s, title = %(title)s, url = %(url)s, doc = %(doc)s, owner = %(owner)s,
               domain = %(domain)s, tags = %(tags)s, place = %(place)s, code = %(code)s, problem = %(problem)s,
               fresh_within_hours = %(fresh_within_hours)s, defined = true, project = %(project)s,
               revision = %(revision)s, revised_at = %(revised_at)s, uncommitted = %(uncommitted)s,
               dropped_at = CASE WHEN %(kind)s = ANY(%(shown)s) THEN NULL ELSE dropped_at END WHERE id = %(id)s""",
            {
                **vars(facts),
                "tags": list(facts.tags),
                "problem": problem,
                "project": self._project,
                "shown": list(_SHOWN),
                "id": identity,
            },
        )
        if before and not before[0]:
            self._nodes.change(identity, self._at, "defined", facts.place)
        self._nodes.columns(identity, facts.columns, Origin.DECLARED, self._at)
        self._words(identity, facts)
        return identity

    def _words(self, identity: int, facts: TableFacts) -> None:
        self._connection.execute("DELETE FROM word WHERE node_id = %s AND what NOT IN ('name', 'column')", (identity,))
        self._nodes.describe(identity, "title", [facts.title])
        self._nodes.describe(identity, "doc", [facts.doc])
        self._nodes.describe(identity, "owner", [facts.owner])
        self._nodes.describe(identity, "domain", [facts.domain])
        self._nodes.describe(identity, "tag", facts.tags)
        self._nodes.describe(identity, "column doc", [one.doc for one in facts.columns])

    def lineage(self, target: int, facts: TableFacts) -> None:
        said = dict(facts.lineage)
        for origin in (Origin.DECLARED, Origin.PARSED):
            lineage = said.get(origin)
            wanted = stated_edges(self._nodes, lineage, self._at) if lineage else {}
            replace_edges(self._connection, target, origin, self._at, wanted)

    def forget(self, kept: set[int]) -> None:
        """Close what the project said of tables that it no longer names; the tables themselves stay.

        What another project says stays, too: the box serves one at a time, and the others' tables and charts are there.
        """
        gone = [
            row[0]
            for row in self._connection.execute(
                "SELECT id FROM node WHERE defined AND project IN (%s, '') AND id <> ALL(%s)",
                (self._project, list(kept)),
            )
        ]
        for identity in gone:
            for origin in (Origin.DECLARED, Origin.PARSED):
                replace_edges(self._connection, identity, origin, self._at, {})
            self._nodes.change(identity, self._at, "no longer defined")
        self._connection.execute(
            """UPDATE node SET defined = false, dropped_at = CASE WHEN kind = ANY(%s) THEN %s ELSE dropped_at END
               WHERE id = ANY(%s)""",
            (list(_SHOWN), self._at, gone),
        )
