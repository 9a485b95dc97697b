"""What the project's definitions say, brought into the database."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from headwater_catalog.model import Origin
from headwater_catalog.store._edges import replace_edges, stated_edges
from headwater_catalog.store._nodes import Nodes
from headwater_catalog.store._promises import keep_promises

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from psycopg import Connection

    from headwater_catalog.model import Alias, ColumnEdge, TableFacts

__all__ = ["keep_aliases", "publish"]

# One publication of definitions at a time.
_LOCK = 7_700_003
# Kinds that exist by their definition alone, and are gone with it.
_SHOWN = ("chart", "dashboard", "dataset")


def publish(connection: Connection[Any], bucket: str, project: str, facts: Sequence[TableFacts], at: datetime) -> bool:
    """Bring the catalog to what a project's definitions say and return whether anything had changed.

    Only what changed is written; after a rename all is, because the names in it may mean other tables.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    renames = connection.execute("SELECT count(*) FROM rename").fetchone()
    said = {one.name: _digest(one, project, renames) for one in facts}
    defined = connection.execute(
        "SELECT id, name, digest FROM node WHERE defined AND project IN (%s, '')", (project,)
    ).fetchall()
    same = {name: identity for identity, name, digest in defined if digest == said.get(name)}
    fresh = [one for one in facts if one.name not in same]
    nodes = Nodes(connection, bucket)
    writer = _Writer(connection, nodes, project, at)
    with nodes.words_at_once():
        ids = {one.name: writer.table(one, said[one.name]) for one in fresh}
        for one in fresh:
            writer.lineage(ids[one.name], one)
        kept = {*same.values(), *ids.values()}
        gone = [identity for identity, *_ in defined if identity not in kept]
        writer.forget(gone)
        promises = {ids[one.name]: one.promises for one in fresh} | dict.fromkeys(gone, ())
        keep_promises(connection, nodes, promises, at)
        nodes.settle([*ids.values(), *gone])
    return bool(fresh or gone)


def keep_aliases(connection: Connection[Any], bucket: str, aliases: Sequence[Alias], at: datetime) -> None:
    """Learn what other systems call tables; those of tables that nobody knows are passed over."""
    nodes = Nodes(connection, bucket)
    known = connection.execute(
        "SELECT n.name, a.text FROM alias AS a JOIN node AS n ON n.id = a.node_id WHERE a.text = ANY(%s)",
        ([one.text for one in aliases],),
    ).fetchall()
    for one in aliases:
        if (one.name, one.text) not in known and nodes.find(one.name, at) is not None:
            nodes.see([one.name, one.text], at)


def _digest(facts: TableFacts, project: str, renames: object) -> str:
    """Return the same for the same facts, in whichever order a process keeps its sets."""
    lineage = [
        (origin.value, said.target, said.sources, sorted(map(_edge, said.columns)), said.outputs, said.problem)
        for origin, said in facts.lineage
    ]
    text = repr((project, renames, sorted({**vars(facts), "lineage": lineage}.items())))
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _edge(edge: ColumnEdge) -> tuple[str, str, str, str]:
    return edge.source, edge.source_column, edge.target_column, edge.kind.value


class _Writer:
    def __init__(self, connection: Connection[Any], nodes: Nodes, project: str, at: datetime) -> None:
        self._connection, self._nodes, self._project, self._at = connection, nodes, project, at

    def table(self, facts: TableFacts, digest: str) -> int:
        identity = self._nodes.see([facts.name], self._at)
        before = self._connection.execute("SELECT defined FROM node WHERE id = %s", (identity,)).fetchone()
        problem = " ".join(one.problem for _, one in facts.lineage if one.problem)
        self._connection.execute(
            """UPDATE node SET kind = %(kind)s, title = %(title)s, url = %(url)s, code_doc = %(doc)s,
               code_owner = %(owner)s, code_domain = %(domain)s, code_tags = %(tags)s, place = %(place)s,
               code = %(code)s, problem = %(problem)s,
               fresh_within_hours = %(fresh_within_hours)s, defined = true, project = %(project)s,
               digest = %(digest)s,
               revision = %(revision)s, revised_at = %(revised_at)s, uncommitted = %(uncommitted)s,
               dropped_at = CASE WHEN %(kind)s = ANY(%(shown)s) THEN NULL ELSE dropped_at END WHERE id = %(id)s""",
            {
                **vars(facts),
                "tags": list(facts.tags),
                "problem": problem,
                "project": self._project,
                "digest": digest,
                "shown": list(_SHOWN),
                "id": identity,
            },
        )
        if before and not before[0]:
            self._nodes.change(identity, self._at, "defined", facts.place)
        self._nodes.columns(identity, facts.columns, Origin.DECLARED, self._at)
        return identity

    def lineage(self, target: int, facts: TableFacts) -> None:
        said = dict(facts.lineage)
        for origin in (Origin.DECLARED, Origin.PARSED):
            lineage = said.get(origin)
            wanted = stated_edges(self._nodes, lineage, self._at) if lineage else {}
            replace_edges(self._connection, target, origin, self._at, wanted)

    def forget(self, gone: Sequence[int]) -> None:
        """Close what the project said of tables that it no longer names; the tables themselves stay.

        What another project says stays, too: the box serves one at a time, and the others' tables and charts are there.
        """
        for identity in gone:
            for origin in (Origin.DECLARED, Origin.PARSED):
                replace_edges(self._connection, identity, origin, self._at, {})
            self._nodes.change(identity, self._at, "no longer defined")
        self._connection.execute(
            """UPDATE node SET defined = false, dropped_at = CASE WHEN kind = ANY(%s) THEN %s ELSE dropped_at END
               WHERE id = ANY(%s)""",
            (list(_SHOWN), self._at, gone),
        )
