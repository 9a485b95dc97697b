"""OpenLineage events into the database: each once, in any order, all of one run together."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from headwater.layout import is_copy

from headwater_catalog._names import parts_of
from headwater_catalog._statement import told_by_sql, wants_sql
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
from headwater_catalog.store._runs import adopt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from psycopg import Connection

    from headwater_catalog.model import ColumnEdge, Partaking, RunFacts, View

__all__ = ["record", "refuse", "revisit"]

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
    if isinstance(event, RunEvent):
        _tell(connection, bucket, run)
    elif isinstance(event, JobEvent):
        _Writer(connection, bucket).job(event)
    elif isinstance(event, DatasetEvent):
        _Writer(connection, bucket).dataset(event)
    return True


def revisit(connection: Connection[Any], bucket: str, view: str) -> None:
    """Read the latest runs again whose statement may name a view that was not known when they were told."""
    bare = parts_of(view)[-1]
    rows = connection.execute(
        "SELECT id FROM run WHERE began_at > now() - interval '10 minutes' AND strpos(lower(sql), %s) > 0", (bare,)
    ).fetchall()
    for (run,) in rows:
        _tell(connection, bucket, run)


def _tell(connection: Connection[Any], bucket: str, run: str) -> None:
    """Bring in what all events of a run say together."""
    facts = run_facts(_events_of(connection, run))
    if not _is_upkeep(facts):
        _Writer(connection, bucket).run(facts)


def _events_of(connection: Connection[Any], run: str) -> list[RunEvent]:
    bodies = connection.execute("SELECT body FROM event WHERE run_id = %s", (run,)).fetchall()
    return [one for row in bodies if isinstance(one := read_event(row[0])[0], RunEvent)]


def refuse(connection: Connection[Any], body: bytes, sender: str, reason: str) -> None:
    """Keep an event aside that breaks the specification."""
    connection.execute(
        "INSERT INTO refused (digest, sent_by, reason, body) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (hashlib.sha256(body).digest(), sender, reason.replace("\x00", ""), body[:_KEPT_OF_REFUSED]),
    )


class _Writer:
    def __init__(self, connection: Connection[Any], bucket: str) -> None:
        self._connection, self._bucket, self._nodes = connection, bucket, Nodes(connection, bucket)

    def run(self, facts: RunFacts) -> None:
        self._connection.execute(_RUN, _run_row(facts))
        for what, part, former, at in facts.changes:
            self._change(what, part, former, at)
        inputs = self._partakers(facts.inputs, facts, "in")
        outputs = self._partakers(facts.outputs, facts, "out")
        adopt(self._connection, facts.run)
        if not facts.effective:
            return
        if wants_sql(facts):
            facts, inputs, outputs = self._told_by_sql(facts, inputs, outputs)
        # More events can only widen this span, so their order does not matter.
        span = (facts.began, facts.last)
        for name, target in sorted(outputs.items(), key=lambda one: one[1]):
            self._edges(target, inputs, facts.edges.get(name, ()), origin=Origin.OBSERVED, span=span)

    def _told_by_sql(
        self, facts: RunFacts, inputs: dict[str, int], outputs: dict[str, int]
    ) -> tuple[RunFacts, dict[str, int], dict[str, int]]:
        """Return a run with what its statement says of it, and the nodes that it then reads and writes."""

        def view_of(name: str) -> View | None:
            return self._nodes.view(name, facts.last)

        said = told_by_sql(facts, self._bucket, self._nodes.columns_of({**inputs, **outputs}), view_of)
        read = {
            name: inputs.get(name) or self._nodes.see(part.aliases, facts.last) for name, part in said.inputs.items()
        }
        outputs = outputs or self._partakers(said.outputs, facts, "out")
        behind = {*inputs.values()} - {*read.values()} - {*outputs.values()}
        if behind:
            # Told before the view was known, they looked as if they were read themselves.
            span = {"began": facts.began, "last": facts.last}
            for target in outputs.values():
                self._connection.execute(_UNSAY, {"target": target, "sources": list(behind), **span})
        return said, read, outputs

    def job(self, event: JobEvent) -> None:
        at = event.event_time
        inputs = {
            dataset_text(one.namespace, one.name): self._seen(partaking(one), at, whole=False) for one in event.inputs
        }
        for one in event.outputs:
            target = self._seen(partaking(one), at, whole=False)
            self._edges(target, inputs, column_edges(one), origin=Origin.DECLARED, span=(at, at))

    def dataset(self, event: DatasetEvent) -> None:
        self._seen(partaking(event.dataset), event.event_time, whole=True)

    def _seen(self, part: Partaking, at: datetime, *, whole: bool) -> int:
        """Return a dataset's node; ``whole`` when the event is about it, not about a run that touched some columns."""
        node = self._nodes.see(part.aliases, at)
        if part.columns and (whole or not self._is_followed(node)):
            self._nodes.columns(node, part.columns, Origin.OBSERVED, at, whole=whole)
        return node

    def _is_followed(self, node: int) -> bool:
        """Return whether the metastore tells of a table; then it knows best."""
        found = self._connection.execute("SELECT followed FROM node WHERE id = %s", (node,)).fetchone()
        return bool(found and found[0])

    def _partakers(self, parts: Mapping[str, Partaking], facts: RunFacts, way: str) -> dict[str, int]:
        found: dict[str, int] = {}
        at = facts.ended or facts.last
        for name, part in sorted(parts.items()):
            node = found[name] = self._seen(part, facts.last, whole=False)
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
        if self._is_followed(node):
            return  # the metastore has told, or will
        self._nodes.change(node, at, what)
        self._connection.execute(_LIFE, {"id": node})


def _is_upkeep(facts: RunFacts) -> bool:
    """Return whether a run copied a table's own rows to compact it: who maintains it tells what came of that."""
    texts = (alias for part in facts.outputs.values() for alias in part.aliases)
    return is_copy(facts.sql) or any(map(is_copy, texts))


# What this run alone has told.
_UNSAY = """
UPDATE edge SET until = since WHERE target_id = %(target)s AND source_id = ANY(%(sources)s) AND origin = 'observed'
  AND until IS NULL AND since >= %(began)s AND seen <= %(last)s
"""

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
