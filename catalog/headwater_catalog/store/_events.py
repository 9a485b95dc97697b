"""OpenLineage events into the database: each once, in any order, all of one run together."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from headwater.layout import is_copy

from headwater_catalog.model import Kind, Origin
from headwater_catalog.openlineage import (
    DatasetEvent,
    JobEvent,
    RunEvent,
    column_edges,
    dataset_text,
    partaking,
    read_event,
    run_facts,
)
from headwater_catalog.store._edges import ColumnKeys, saw_edge
from headwater_catalog.store._knowledge import keep_knowledge
from headwater_catalog.store._nodes import Nodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from psycopg import Connection

    from headwater_catalog.model import ColumnEdge, Partaking, RunFacts

__all__ = ["record", "refuse"]

_KEPT_OF_REFUSED = 1_000_000


def record(connection: Connection[Any], bucket: str, body: bytes, sender: str) -> bool:
    """Take in one event and return whether it was new; the caller's transaction makes it whole.

    Raises:
        InvalidEvent: It breaks the specification.
    """
    event, found = read_event(body)
    digest = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).digest()
    run = str(event.run.run_id) if isinstance(event, RunEvent) else ""
    if run:
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (run,))
    new = connection.execute(
        """INSERT INTO event (digest, run_id, at, sent_by, body) VALUES (%s, %s, %s, %s, %s)
           ON CONFLICT DO NOTHING RETURNING true""",
        (digest, run, event.event_time, sender, json.dumps(found)),
    ).fetchone()
    if new is None:
        return False
    writer = _Writer(connection, bucket)
    if isinstance(event, RunEvent):
        bodies = connection.execute("SELECT body FROM event WHERE run_id = %s", (run,)).fetchall()
        events = [one for row in bodies if isinstance(one := read_event(row[0])[0], RunEvent)]
        facts = run_facts(events)
        if not _is_upkeep(facts):
            writer.run(facts)
    elif isinstance(event, JobEvent):
        writer.job(event)
    elif isinstance(event, DatasetEvent):
        writer.dataset(event)
    return True


def refuse(connection: Connection[Any], body: bytes, sender: str, reason: str) -> None:
    """Keep an event aside that breaks the specification."""
    connection.execute(
        "INSERT INTO refused (digest, sent_by, reason, body) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (hashlib.sha256(body).digest(), sender, reason.replace("\x00", ""), body[:_KEPT_OF_REFUSED]),
    )


class _Writer:
    def __init__(self, connection: Connection[Any], bucket: str) -> None:
        self._connection, self._nodes = connection, Nodes(connection, bucket)

    def run(self, facts: RunFacts) -> None:
        self._connection.execute(_RUN, _run_row(facts))
        for what, part, former, at in facts.changes:
            self._change(what, part, former, at)
        inputs = self._partakers(facts.inputs, facts, "in")
        outputs = self._partakers(facts.outputs, facts, "out")
        if not facts.effective:
            return
        # More events can only widen this span, so their order does not matter.
        span = (facts.began, facts.last)
        for name, target in sorted(outputs.items(), key=lambda one: one[1]):
            self._edges(target, inputs, facts.edges.get(name, ()), origin=Origin.OBSERVED, span=span)

    def job(self, event: JobEvent) -> None:
        at = event.event_time
        inputs = {dataset_text(one.namespace, one.name): self._seen(partaking(one), at) for one in event.inputs}
        for one in event.outputs:
            target = self._seen(partaking(one), at)
            self._edges(target, inputs, column_edges(one), origin=Origin.DECLARED, span=(at, at))

    def dataset(self, event: DatasetEvent) -> None:
        self._seen(partaking(event.dataset), event.event_time)

    def _seen(self, part: Partaking, at: datetime) -> int:
        node = self._nodes.see(part.aliases, at)
        if part.columns:
            self._nodes.columns(node, part.columns, Origin.OBSERVED, at)
        return node

    def _partakers(self, parts: Mapping[str, Partaking], facts: RunFacts, way: str) -> dict[str, int]:
        found: dict[str, int] = {}
        at = facts.ended or facts.last
        for name, part in sorted(parts.items()):
            node = found[name] = self._seen(part, facts.last)
            self._connection.execute(
                """INSERT INTO partaking VALUES (%s, %s, %s, %s, %s, %s, %s)
                   ON CONFLICT (run_id, node_id, direction) DO UPDATE SET at = excluded.at, rows = excluded.rows,
                     snapshot = excluded.snapshot, bytes = excluded.bytes""",
                (facts.run, node, way, at, part.snapshot, part.rows, part.bytes),
            )
            keep_knowledge(self._connection, node, facts, part, way)
        return found

    def _edges(
        self,
        target: int,
        sources: Mapping[str, int],
        stated: Iterable[ColumnEdge],
        *,
        origin: Origin,
        span: tuple[datetime, datetime],
    ) -> None:
        columns: dict[int, set[tuple[str, str, str]]] = {source: set() for source in sources.values()}
        for edge in stated:
            source = sources.get(edge.source) or self._nodes.see([edge.source], span[1])
            kept = source == target and edge.kind == Kind.COPIED and edge.source_column == edge.target_column
            if not kept and not (source == target and not edge.target_column):
                columns.setdefault(source, set()).add((edge.source_column, edge.target_column, edge.kind.value))
        for source, keys in sorted(columns.items()):
            # A MERGE names its target among what it reads; it is a source of itself only if its values say so.
            if source != target or keys:
                saw_edge(self._connection, (source, target), origin, span, ColumnKeys(keys))

    def _change(self, what: str, part: Partaking, former: str, at: datetime) -> None:
        if what == "renamed":
            self._nodes.rename(former, part.aliases[0], at)
            return
        node = self._nodes.find(part.aliases[0], at) if what == "dropped" else self._nodes.see(part.aliases, at)
        if node is None:
            return  # dropped without ever having been seen
        followed = self._connection.execute("SELECT followed FROM node WHERE id = %s", (node,)).fetchone()
        if followed and followed[0]:
            return  # the metastore has told, or will
        self._nodes.change(node, at, what)
        self._connection.execute(_LIFE, {"id": node})


def _is_upkeep(facts: RunFacts) -> bool:
    """Return whether a run copied a table's own rows to compact it: who maintains it tells what came of that."""
    texts = (alias for part in facts.outputs.values() for alias in part.aliases)
    return is_copy(facts.sql) or any(map(is_copy, texts))


_RUN = """
INSERT INTO run VALUES (%(run)s, %(namespace)s, %(name)s, %(state)s, %(began)s, %(ended)s, %(engine)s, %(parent)s,
  %(partition)s, %(sql)s, %(error)s)
ON CONFLICT (id) DO UPDATE SET job_namespace = excluded.job_namespace, job_name = excluded.job_name,
  state = excluded.state, began_at = excluded.began_at, ended_at = excluded.ended_at, engine = excluded.engine,
  parent = excluded.parent, partition = excluded.partition, sql = excluded.sql, error = excluded.error
"""

# A table is there unless the last thing that happened to it is that it was dropped.
_LIFE = """
UPDATE node SET
  made_at = (SELECT max(at) FROM change WHERE node_id = %(id)s AND what = 'created'),
  dropped_at = (SELECT CASE WHEN what = 'dropped' THEN at END FROM change
    WHERE node_id = %(id)s AND what IN ('created', 'dropped') ORDER BY at DESC, what LIMIT 1)
WHERE id = %(id)s
"""


def _run_row(facts: RunFacts) -> dict[str, Any]:
    return {
        "run": facts.run,
        "namespace": facts.job[0],
        "name": facts.job[1],
        "state": facts.state,
        "began": facts.began.astimezone(UTC),
        "ended": facts.ended.astimezone(UTC) if facts.ended else None,
        "engine": facts.engine,
        "parent": facts.parent,
        "partition": facts.partition,
        "sql": facts.sql,
        "error": facts.error,
    }
